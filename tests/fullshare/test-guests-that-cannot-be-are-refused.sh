#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Nodes that meet and cannot become one guest refuse it before it starts, with one
# line that says what to do: otherwise it would fail later, and strangely.
# test-command-lines-are-judged.sh has what giantvm sees by itself.
#
#	test-guests-that-cannot-be-are-refused.sh BUILD
# shellcheck source=tests/fullshare/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

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
${under[0]} "$giantvm" run --cluster "$dir/cluster.conf" --id 0 --wait 1 -- \
	"$qemu" -m "$mem" -display none 2> "$dir/errors-0"
grep -q "node 1 .* did not come within 1 s" "$dir/errors-0" ||
	fail "no word about who is missing: $(cat "$dir/errors-0")"

# KVM, if at all, on all nodes.
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
finish
