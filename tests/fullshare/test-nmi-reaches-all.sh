#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An interrupt that cannot be masked, which an operator sends, reaches the CPUs of
# all nodes: it is what gets a word out of a guest that hangs.
#
#	test-nmi-reaches-all.sh BUILD
# shellcheck source=tests/fullshare/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

hosts 2
cluster 0 1
start 1 "gvm_cpus=2 gvm_jobs=nmi"
start 0 "gvm_cpus=2 gvm_jobs=nmi"
if console "jobs: nmi: waiting" 400; then
	monitor 0 nmi
	console "guest: end 0" 100
	grep -aq "jobs: nmi: came to all" "$dir/console" || fail "not all CPUs saw it"
	ended 0 60 && { [ "$status" = 0 ] || fail "status $status of node 0"; }
	ended 1 60 && { [ "$status" = 0 ] || fail "status $status of node 1"; }
fi
finish
