#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A pause on node 0 stops the vCPUs of the second node too, and they go on with
# it: else half of a guest would run past a pause.  All CPUs are kept busy, so
# that a node whose vCPU runs is seen to use its host's time.
#
#	test-guest-is-paused-as-one.sh BUILD
# shellcheck source=tests/fullshare/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
busy=5			# hundredths of a second, in one second

hosts 2
cluster 0 1
# Two pipes: with one, the monitor would read what it writes itself.
mkfifo "$dir/keys.in" "$dir/keys.out"
exec 9<> "$dir/keys.in" 8<> "$dir/keys.out"
start 1 "gvm_cpus=2 gvm_wait=yes" \
	-chardev "pipe,id=mon,path=$dir/keys" -mon chardev=mon
start 0 "gvm_cpus=2 gvm_wait=yes" \
	-chardev "pipe,id=mon,path=$dir/keys" -mon chardev=mon

used()
{
	awk '{ print $14 + $15 }' "/proc/$1/stat"
}

# becomes busy|idle NODE: within a limit, over a whole second.
becomes()
{
	local end=$((SECONDS + 30)) pid before now

	pid=$(pid_of "$2")
	while [ $SECONDS -lt $end ]; do
		before=$(used "$pid")
		sleep 1
		now=$(($(used "$pid") - before))
		echo "node $2 used $now"
		if [ "$1" = busy ] && [ $now -gt $busy ]; then return; fi
		if [ "$1" = idle ] && [ $now -le $busy ]; then return; fi
	done
	fail "node $2 does not become $1"
}

if console "guest: waiting" 300; then
	becomes busy 0
	becomes busy 1
	echo stop >&9
	becomes idle 0
	becomes idle 1
	echo cont >&9
	becomes busy 0
	becomes busy 1
	echo quit >&9
	ended 0 30 && { [ "$status" = 0 ] || fail "status $status of node 0"; }
	ended 1 30 && { [ "$status" = 0 ] || fail "status $status of node 1"; }
fi
finish
