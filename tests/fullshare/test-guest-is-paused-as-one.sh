#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A pause on any node stops the vCPUs of all nodes, and they go on together: else
# half of a guest would run past a pause.  All CPUs are kept busy, so that a
# node whose vCPU runs is seen to use its host's time.
#
#	test-guest-is-paused-as-one.sh BUILD
# shellcheck source=tests/fullshare/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
busy=5			# hundredths of a second, in one second

used()
{
	awk '{ print $14 + $15 }' "/proc/$1/stat"
}

# becomes busy|idle NODE: within a limit, over a whole second.
becomes()
{
	local end=$((SECONDS + 60)) pid before now

	pid=$(pid_of "$2")
	while [ $SECONDS -lt $end ]; do
		before=$(used "$pid")
		sleep 1
		now=$(($(used "$pid") - before))
		if [ "$1" = busy ] && [ $now -gt $busy ]; then return; fi
		if [ "$1" = idle ] && [ $now -le $busy ]; then return; fi
	done
	fail "node $2 does not become $1: it used $now"
}

# pause_and_go NODE NODE: the operator of the first pauses it, the other's goes on.
pause_and_go()
{
	monitor "$1" stop
	becomes idle 0
	becomes idle 1
	monitor "$2" cont
	becomes busy 0
	becomes busy 1
}

hosts 2
cluster 0 1
start 1 "gvm_cpus=2 gvm_wait=yes"
start 0 "gvm_cpus=2 gvm_wait=yes"
if console "guest: waiting" 300; then
	becomes busy 0
	becomes busy 1
	pause_and_go 0 0
	pause_and_go 1 1
	pause_and_go 0 1
	pause_and_go 1 0
	monitor 1 quit
	ended 0 30 && { [ "$status" = 0 ] || fail "status $status of node 0"; }
	ended 1 30 && { [ "$status" = 0 ] || fail "status $status of node 1"; }
fi
finish
