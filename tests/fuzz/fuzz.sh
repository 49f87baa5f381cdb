#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Run libFuzzer targets for some seconds each; a finding is kept as a file.
#
#	fuzz.sh SOURCE_ROOT SEEDER SECONDS [TARGET...]
#
# SEEDER is any replay program of the build: it writes the good messages that
# the fuzzer starts from.  Without clang and its runtime this is skipped.
set -u

root=${1:?usage: fuzz.sh SOURCE_ROOT SEEDER SECONDS [TARGET...]}
seeder=${2:?seeder}
seconds=${3:?seconds}
shift 3
[ $# -gt 0 ] || set -- codec conf home receive send session

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

skip()
{
	echo "skipped: $1"
	exit 77
}

flags="-std=gnu11 -g -O1 -fsanitize=fuzzer,address,undefined
	-fno-sanitize-recover=all -Wno-macro-redefined"
command -v clang >/dev/null || skip "clang is not here"
echo 'int LLVMFuzzerTestOneInput(const char *d, unsigned long n);
int LLVMFuzzerTestOneInput(const char *d, unsigned long n)
{ return d == (void *)n; }' >"$tmp/probe.c"
# shellcheck disable=SC2086
clang $flags -o "$tmp/probe" "$tmp/probe.c" 2>/dev/null ||
	skip "clang has no libFuzzer runtime (package libclang-rt-dev)"

mkdir "$tmp/seeds" || exit 1
"$seeder" --seeds "$tmp/seeds" || exit 1

for target; do
	# These need a server without its threads and sockets.
	more=
	if [ "$target" = session ] || [ "$target" = home ]; then
		more="-D_GNU_SOURCE -pthread"
		for part in arena arena-file region frames home index leaf lease \
				member recover reply session shared store tool \
				write; do
			more="$more $root/server/$part.c"
		done
	fi
	link=
	if [ "$target" = conf ]; then
		more="-D_GNU_SOURCE -I$root/cluster"
		for part in conf fingerprint hostport keys lines size values whole; do
			more="$more $root/cluster/$part.c"
		done
		link=-linih
	fi
	# shellcheck disable=SC2086
	clang $flags -I"$root" -I"$root/core" -I"$root/net" -I"$root/tests/fuzz" \
		-o "$tmp/$target" "$root/tests/fuzz/fuzz-$target.c" \
		"$root/tests/fuzz/messages.c" "$root/core"/*.c \
		"$root/net/conn.c" "$root/net/pipe.c" "$root/net/bug.c" $more $link || exit 1
	mkdir -p "$tmp/corpus-$target"
	if ! "$tmp/$target" -max_total_time="$seconds" -max_len=16384 \
			-timeout=10 -artifact_prefix="$tmp/" \
			"$tmp/corpus-$target" "$tmp/seeds" \
			>"$tmp/log" 2>&1; then
		cat "$tmp/log"
		for found in "$tmp"/crash-* "$tmp"/timeout-* "$tmp"/oom-*; do
			[ -e "$found" ] || continue
			cp "$found" . && echo "kept: ${found##*/}"
		done
		exit 1
	fi
	grep -E '^Done|DONE' "$tmp/log" | sed "s/^/fuzz-$target: /"
done
