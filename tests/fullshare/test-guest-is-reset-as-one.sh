#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A reset that a vCPU of the second node causes starts the whole guest anew: else
# half of a guest would run into the other half's reset.
#
#	test-guest-is-reset-as-one.sh BUILD
# shellcheck source=tests/fullshare/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

hosts 2
cluster 0 1
# Two pipes: with one, the monitor would read what it writes itself.
mkfifo "$dir/keys.in" "$dir/keys.out"
exec 9<> "$dir/keys.in" 8<> "$dir/keys.out"
start 1 "gvm_cpus=2 gvm_clock=200 gvm_end=crash gvm_cpu=1" \
	-chardev "pipe,id=mon,path=$dir/keys" -mon chardev=mon
start 0 "gvm_cpus=2 gvm_clock=200 gvm_end=crash gvm_cpu=1" \
	-chardev "pipe,id=mon,path=$dir/keys" -mon chardev=mon

console "guest: up" 300
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
