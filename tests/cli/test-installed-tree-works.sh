#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What works in the build tree may lack a file once it is installed: the command
# must find its library, the pages must be there, and a program must build
# against the public header and the pkg-config file alone.
set -u
build=$1
source=$2
compiler=$3
. "$(dirname "$0")/lib.sh"
unset GIANTVM_ATTACH

DESTDIR=$dir meson install -C "$build" --no-rebuild --quiet > "$dir/log" 2>&1 ||
	fail "does not install: $(cat "$dir/log")"
giantvm=$(find "$dir" -type f -name giantvm -perm -u+x)
prefix=$(dirname "$(dirname "$giantvm")")
"$giantvm" --version | grep -q '^giantvm [0-9]' || fail "does not start"

attach=$(find "$prefix" -name libgiantvm-attach.so)
if [ -n "$attach" ]; then
	"$giantvm" doctor | grep -qF "attach library  $attach" ||
		fail "does not find $attach"
fi
# Those that want nothing but giantvm itself; the others are skipped for reasons.
for name in fault sequential server metadata shared simulator; do
	(cd / && "$giantvm" bench --smoke --only $name) > "$dir/log" 2>&1 ||
		fail "bench: $(cat "$dir/log")"
	grep -E 'not built|not there' "$dir/log" && fail "does not find its benchmarks"
done

for command in $("$giantvm" help | sed -nE 's/^  ([a-z]+) .*/\1/p'); do
	[ "$command" = help ] && continue
	[ -s "$prefix/share/man/man1/giantvm-$command.1" ] ||
		fail "no page for giantvm $command"
done
[ -s "$prefix/share/man/man1/giantvm.1" ] || fail "no giantvm(1)"
[ -s "$prefix/share/man/man3/libgiantvm.3" ] || fail "no libgiantvm(3)"

# A user of the library, with nothing of ours but what is installed
config=$(dirname "$(find "$prefix" -name giantvm.pc)")
flags=$(PKG_CONFIG_PATH=$config PKG_CONFIG_SYSROOT_DIR=$dir pkg-config \
	--cflags --libs giantvm) || fail "pkg-config does not know it"
# shellcheck disable=SC2086
$compiler -Wall -Wextra -Werror -o "$dir/vmm" "$source/examples/small-vmm.c" \
	$flags > "$dir/log" 2>&1 || fail "does not build: $(cat "$dir/log")"
LD_LIBRARY_PATH=$(dirname "$config") "$dir/vmm" 2>&1 | grep -q '^usage' ||
	fail "the program does not start"
finish
