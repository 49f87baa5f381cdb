#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Node 0 is told to quit while a vCPU of node 1 waits for one of its devices: that
# node ends as well, and at once.  Else it would stay for ever, waiting for an
# answer from a device that is gone.
#
#	test-guest-ends-in-mid-access.sh BUILD
# shellcheck source=tests/fullshare/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

hosts 2
cluster 0 1
for round in 1 2 3; do
	start 1 "gvm_cpus=2 gvm_jobs=ports:1"
	start 0 "gvm_cpus=2 gvm_jobs=ports:1"
	console "smp: asking" 200 || break
	monitor 0 quit > /dev/null
	ended 0 20 && { [ "$status" = 0 ] || fail "round $round: status $status of node 0"; }
	ended 1 20 && { [ "$status" = 0 ] || fail "round $round: status $status of node 1"; }
	[ $failed = 0 ] || break
done
finish
