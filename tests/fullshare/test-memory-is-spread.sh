#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A guest whose RAM lies on servers on all of its hosts, while each of its nodes
# may keep a quarter of it: memory that a guest was promised must be there although
# no host has it.  Its kernel knows which memory is near to which CPU.
#
#	test-memory-is-spread.sh BUILD [VCPUS...]
# shellcheck source=tests/fullshare/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
shift
[ $# != 0 ] || set -- 0 1
nodes=$#
lists=("$@")
cpus=$(cpus_of "$@")
servers=$(seq -s ' ' 0 $((nodes - 1)))
slice=$((mem / nodes))
local=$((mem / 4))
programs+=("$build/guest/stamp")

hosts "$nodes"
[ ${#spaces[@]} != 0 ] || skip "hosts that differ need network namespaces: root and iproute2"
cluster "$@"
words="gvm_cpus=$cpus gvm_work=50000 gvm_jobs=numa,big:$((mem / 2))"
for ((i = nodes - 1; i >= 0; i--)); do
	start $i "$words"
done
console "guest: end" 500
grep -aq "guest: end 0" "$dir/console" || fail "something was wrong in the guest"
grep -a "^jobs:\|^stamp" "$dir/console"

# Every node has memory, its own CPUs, and the others are far.
for ((i = 0; i < nodes; i++)); do
	line=$(grep -a "^jobs: NUMA node $i:" "$dir/console")
	list=${lists[i]}
	[[ $line == *" CPUs $list,"* ]] || fail "node $i has not the CPUs $list: $line"
	[[ $line == *"distance"*40* ]] || fail "node $i is near to all: $line"
	kib=$(echo "$line" | sed -n 's/.* \([0-9]*\) kB.*/\1/p')
	[ "${kib:-0}" -gt $((slice * 512)) ] || fail "node $i has no memory: $line"
done
for ((i = 0; i < nodes; i++)); do
	ended $i 60 && { [ "$status" = 0 ] || fail "status $status of node $i"; }
done
cat "$dir"/errors-*
finish
