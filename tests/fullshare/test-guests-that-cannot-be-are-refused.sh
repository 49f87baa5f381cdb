#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What cannot become one guest is refused before it starts, with one line that
# says what to do: otherwise it would fail later, and strangely.
#
#	test-guests-that-cannot-be-are-refused.sh BUILD
# shellcheck source=tests/fullshare/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

ram=file
hosts 2
cluster 0 1

# says NODE TEXT: that node has ended, not well, and said so.
says()
{
	ended "$1" 30 || return
	[ "$status" != 0 ] || fail "node $1 ended well, not with '$2'"
	grep -q "giantvm: .*$2" "$dir/errors-$1" ||
		fail "node $1 does not say '$2': $(cat "$dir/errors-$1")"
}

# Command lines that differ: both say where.
start 1 "a"
start 0 "b"
says 0 "another command line"
says 1 "another command line"

# One more vCPU than the nodes have.
start 1 "" -smp 3
start 0 "" -smp 3
says 0 "vCPUs"
says 1 "vCPUs\|node 0"

# Nobody else comes.
# shellcheck disable=SC2086
${under[0]} "$giantvm" run --cluster "$dir/cluster.conf" --id 0 --ram file --wait 1 -- \
	"$qemu" -m 64 -display none 2> "$dir/errors-0"
grep -q "node 1 .* did not come within 1 s" "$dir/errors-0" ||
	fail "no word about who is missing: $(cat "$dir/errors-0")"

# refused TEXT ARG...: by giantvm itself.
refused()
{
	local text=$1

	shift
	"$giantvm" run "$@" > "$dir/out" 2> "$dir/errors-0" &&
		fail "not refused: $*"
	grep -q "^giantvm: .*$text" "$dir/errors-0" ||
		fail "no '$text' for $*: $(cat "$dir/errors-0")"
}
conf=$dir/cluster.conf
refused "needs --cluster" --id 0 -- "$qemu" -m 64
refused "size\|equal" --cluster "$conf" --id 0 -- "$qemu" -m 64
refused "no region x" --cluster "$conf" --id 0 --ram x -- "$qemu" -m 64
refused "which command" --cluster "$conf" --id 0
refused "no node 7" --cluster "$conf" --id 7 -- "$qemu" -m 64
refused "how much RAM" --cluster "$conf" --id 0 -- "$qemu"
refused "not for ls" --cluster "$conf" --id 0 -- ls
refused "leave -plugin away" --cluster "$conf" --id 0 --ram file -- "$qemu" -m 64 -plugin x
refused "nothing" --cluster "$dir/nothing" --id 0 -- "$qemu" -m 64

refused "choose the accelerator by -accel" --cluster "$conf" --id 0 --ram file -- "$qemu" -m 64 -enable-kvm
refused "instead of q35,accel=kvm" --cluster "$conf" --id 0 --ram file -- "$qemu" -m 64 -machine q35,accel=kvm
refused "leave kernel-irqchip=on away" --cluster "$conf" --id 0 --ram file -- "$qemu" -m 64 -accel kvm,kernel-irqchip=on

# KVM, if at all, on all nodes, and it must not serve the guest by itself.
"$giantvm" run --cluster "$conf" --id 0 --ram file --print -- "$qemu" -m 64 -accel kvm > "$dir/out"
grep -qx "driver=x86_64-cpu,property=kvm,value=off" "$dir/out" || fail "KVM's services stay on"
grep -qx "kernel-irqchip=off" "$dir/out" || fail "KVM's interrupt controllers stay on"
start 1 "" -accel kvm
start 0 ""
says 1 "another accelerator\|-accel kvm:\|tcg"
if grep -q "node 1 has another\|node 1 refuses" "$dir/errors-0" "$dir/errors-1"; then
	says 0 "another accelerator: \"kvm\" there"
else
	echo "no KVM here that could meet another node: $(cat "$dir/errors-1")"
	kill -TERM "$(pid_of 0)"
	ended 0 10
fi

# Emulation needs a thread for each vCPU.
start 1 "" -accel tcg,thread=single
start 0 "" -accel tcg,thread=single
says 0 "thread=multi"
says 1 "thread=multi\|node 0"

# Disks and consoles are node 0's alone.
"$giantvm" run --cluster "$conf" --id 1 --ram file --print -- "$qemu" -m 64 -cpu max \
	-kernel k -append "-x y" -drive file=d disk -smp 2 > "$dir/out"
grep -qx "max" "$dir/out" || fail "node 1 does not get -cpu"
grep -qE "^(-kernel|-drive|disk|-append)$" "$dir/out" && fail "node 1 gets devices"
finish
