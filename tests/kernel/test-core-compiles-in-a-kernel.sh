#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# If this fails, the core no longer fits a kernel: it uses something that is not
# there, or a frame that is too large for its stack.  Every file of the core
# becomes an object of a module by a wrapper of one line, with the flags of the
# kernel of Debian's linux-headers; nothing is loaded.
set -u

root=${1:?usage: test-core-compiles-in-a-kernel.sh SOURCE_ROOT}
for build in /lib/modules/*/build; do
	[ -e "$build/Module.symvers" ] && kernel=$build
done
if [ -z "${kernel-}" ]; then
	echo "skipped: no kernel headers (tools/setup test)"
	exit 77
fi
if ! make -s -C "$kernel" kernelversion > /dev/null 2>&1; then
	echo "skipped: $kernel does not work here"
	exit 77
fi

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
cp "$root/tests/kernel/module.c" "$root/tests/kernel/gvm_port.h" "$tmp"
objects=
for file in "$root"/core/*.c; do
	name=core-$(basename "$file" .c)
	echo "#include \"$file\"" > "$tmp/$name.c"
	objects="$objects $name.o"
done
cat > "$tmp/Makefile" <<END
obj-m := gvmcore.o
gvmcore-y := module.o $objects
ccflags-y := -std=gnu11 -include \$(src)/gvm_port.h -I$root/core
ccflags-y += -Wframe-larger-than=512 -Werror
END

# Not -j: other tests run beside this one.
if ! make -k -C "$kernel" M="$tmp" modules > "$tmp/log" 2>&1; then
	cat "$tmp/log"
	exit 1
fi
if grep -iE 'warning|undefined' "$tmp/log" | grep -v 'compiler differs'; then
	exit 1
fi
[ -e "$tmp/gvmcore.ko" ] || exit 1
set -- $objects
echo "$# files of the core, with the headers of $(make -s -C "$kernel" kernelversion)"
