#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# If this fails, the core has grown a dependency that a kernel, or a thread
# without libc, does not have; or one of its frames no longer fits a kernel
# stack.  Every file, with every compiler that is here.
set -u

core=${1:?usage: test-core-is-freestanding.sh CORE_FOLDER}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
bad=0
compilers=0

allowed='gvm_bug|memcpy|memmove|memset|memcmp'
flags="-std=gnu11 -ffreestanding -fno-stack-protector
	-Wall -Wextra -Wconversion -Wshadow -Wmissing-prototypes -Wvla -Werror
	-Wframe-larger-than=512"

for cc in gcc clang; do
	command -v "$cc" >/dev/null || continue
	compilers=$((compilers + 1))
	for opt in -O2 -Os; do
		rm -f "$tmp"/*.o
		for file in "$core"/*.c; do
			# shellcheck disable=SC2086
			if ! "$cc" $flags $opt -I"$core" -c "$file" \
					-o "$tmp/$(basename "$file").o"; then
				echo "$cc $opt: $file does not compile alone"
				bad=1
			fi
		done
		# What its files need of each other is no dependency.
		ld -r -o "$tmp/core.all" "$tmp"/*.o || bad=1
		extra=$(nm -u "$tmp/core.all" | awk '{ print $2 }' |
			grep -vxE "$allowed")
		[ -z "$extra" ] && continue
		echo "$cc $opt: the core needs" $extra
		bad=1
	done
done

if [ "$compilers" = 0 ]; then
	echo "skipped: neither gcc nor clang is here"
	exit 77
fi

# No system header but through the port.
if grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*<' "$core"/*.[ch] |
		grep -v '/gvm_port\.h:'; then
	echo "only gvm_port.h may include a system header"
	bad=1
fi
exit $bad
