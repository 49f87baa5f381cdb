#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A reset that a vCPU of the second node causes starts the whole guest anew, and
# a pause of node 0 stops the vCPUs of the second node too, until it goes on:
# else half of a guest would run into the other half's reset, or past a pause.
#
#	test-guest-is-reset-and-paused-as-one.sh BUILD
# shellcheck source=tests/fullshare/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

hosts 2
cluster 0 1
mkfifo "$dir/keys"
exec 9<> "$dir/keys"
start 1 "gvm_cpus=2 gvm_clock=200 gvm_end=crash gvm_cpu=1" \
	-chardev "pipe,id=mon,path=$dir/keys" -mon chardev=mon
start 0 "gvm_cpus=2 gvm_clock=200 gvm_end=crash gvm_cpu=1" \
	-chardev "pipe,id=mon,path=$dir/keys" -mon chardev=mon

# Jiffies of CPU time that the vCPU thread of node 1 has used.
used()
{
	local pid task

	pid=$(pid_of 1)
	for task in /proc/"$pid"/task/*; do
		grep -q "CPU 1/TCG" "$task/comm" && cut -d' ' -f14,15 "$task/stat"
	done | awk '{ n += $1 + $2 } END { print n + 0 }'
}

console "guest: up" 300
echo stop >&9
end=$((SECONDS + 20))
before=-1
# It is paused when it uses no time for half a second.
until now=$(used); [ "$now" = "$before" ] || [ $SECONDS -ge $end ]; do
	before=$now
	sleep 0.5
done
[ "$now" = "$before" ] || fail "node 1 computes while the guest is paused"
echo cont >&9
console "guest: end 0" 120

count()
{
	[ "$(grep -ac "guest: end 0" "$dir/console")" -ge 2 ]
}
end=$((SECONDS + 400))
until count || [ $SECONDS -ge $end ]; do
	sleep 0.2
done
count || fail "the guest did not come back after its reset from node 1"
echo quit >&9
ended 0 30 && { [ "$status" = 0 ] || fail "status $status of node 0"; }
ended 1 30 && { [ "$status" = 0 ] || fail "status $status of node 1"; }
finish
