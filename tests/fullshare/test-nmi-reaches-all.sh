#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An interrupt that cannot be masked, which an operator sends from any node, reaches
# the CPUs of all nodes: it is what gets a word out of a guest that hangs.  Kernels
# take it on their first CPU only, unless they are told apic_extnmi=all.
#
#	test-nmi-reaches-all.sh BUILD
# shellcheck source=tests/fullshare/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"

words="gvm_cpus=2 gvm_jobs=nmi:2 apic_extnmi=all"
hosts 2
cluster 0 1
start 1 "$words"
start 0 "$words"
for ((node = 0; node < 2; node++)); do
	console "jobs: nmi $((node + 1)): waiting" 200 || break
	monitor $node nmi
	console "jobs: nmi $((node + 1)): came to all" 100 || break
done
if [ $failed = 0 ]; then
	console "guest: end 0" 100
	ended 0 60 && { [ "$status" = 0 ] || fail "status $status of node 0"; }
	ended 1 60 && { [ "$status" = 0 ] || fail "status $status of node 1"; }
fi
finish
