#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A node that is killed, or hangs, ends the guest on the other node within
# lease_ms and a little, and that one says which node it was: nobody hangs and
# nobody computes on with half of the processors.
#
#	test-lost-node-ends-the-guest.sh BUILD
# shellcheck source=tests/fullshare/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
lease_ms=3000
limit_s=8		# the lease, and what a busy machine adds

hosts 2
cluster 0 1

# try SIGNAL NODE TEXT: the other node must end with 125 and say TEXT.
try()
{
	local other=$((1 - $2)) pid

	start 1 "gvm_cpus=2 gvm_wait=yes"
	start 0 "gvm_cpus=2 gvm_wait=yes"
	console "guest: waiting" 300 || return
	pid=$(pid_of "$2")
	kill "-$1" "$pid"
	ended $other $limit_s || return
	[ "$status" = 125 ] || fail "SIG$1 to node $2: status $status"
	grep -q "giantvm: node $2 .*$3" "$dir/errors-$other" ||
		fail "SIG$1 to node $2: node $other does not say '$3'"
	kill -KILL "$pid" 2> /dev/null
	ended "$2" 10
}

try KILL 1 "the guest cannot go on"
try STOP 0 "silent"
grep -h "giantvm: node" "$dir"/errors-*
finish
