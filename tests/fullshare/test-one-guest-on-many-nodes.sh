#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# One Linux guest runs on the vCPUs of several QEMU processes: it boots to its
# shell, sees all CPUs, counts exactly across them, gets the same checksum on
# each, its clocks agree, its locked operations are exclusive even across two pages,
# a CPU runs the code that another one has just written, and its poweroff ends all of
# them well.
#
#	test-one-guest-on-many-nodes.sh BUILD VCPUS...
# shellcheck source=tests/fullshare/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
shift
nodes=$#
cpus=$(cpus_of "$@")

# Each node's QEMU tells of all nodes, and what they count fits together.
everybody_is_seen()
{
	local end=$((SECONDS + 60))

	until "$giantvm" stat --guest --json > "$dir/seen" &&
		python3 "$here/seen.py" "$nodes" < "$dir/seen" 2> "$dir/errors-seen"; do
		[ $SECONDS -lt $end ] || { fail "not all nodes are seen"; return; }
		sleep 0.5
	done
	rm "$dir/errors-seen"
}

export GIANTVM_RUNTIME=$dir/run
hosts "$nodes"
cluster "$@"
# Many nodes have few processors here, and what they hand around takes longer.
few=$((nodes > 4 ? 10 : 1))
words="gvm_cpus=$cpus gvm_work=$((200000 / few)) gvm_clock=$((500 / few))"
words="$words gvm_split=$((300 / few)) gvm_jobs=code:$((100 / few))"
for ((i = nodes - 1; i >= 0; i--)); do
	start $i "$words"
done
console "guest: up" 400
everybody_is_seen
console "guest: end" 400
grep -aq "guest: end 0" "$dir/console" || fail "something was wrong in the guest"
for ((i = 0; i < nodes; i++)); do
	ended $i 30 && { [ "$status" = 0 ] || fail "status $status of node $i"; }
done
grep -a "^guest:\|^smp:\|^split:" "$dir/console"
cat "$dir"/errors-*
finish
