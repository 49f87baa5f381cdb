#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A plugin with a mistake in what keeps the guest's memory whole must not get
# through the tests: else these could not fail.  What finds it is said.
#
#	test-mistake-is-found.sh BUILD PLUGIN
#
# A guest that crashes, or does not come to its end with many times the processor
# time that a whole one needs, has shown the mistake too.
# shellcheck source=tests/fullshare/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
GIANTVM_VCPU=$(readlink -f "$2")
export GIANTVM_VCPU
enough_s=200

used()
{
	local id ticks=0

	for id in 0 1; do
		ticks=$((ticks + $(awk '{ print $14 + $15 }' \
			"/proc/$(pid_of $id)/stat" 2> /dev/null || echo 0)))
	done
	echo $((ticks / 100))
}

hosts 2
cluster 0 1
words="gvm_cpus=2 gvm_jobs=code:400,litmus:100 gvm_work=400000"
start 1 "$words"
start 0 "$words"
until grep -aq "guest: end" "$dir/console"; do
	if ! kill -0 "${pids[0]}" 2> /dev/null || ! kill -0 "${pids[1]}" 2> /dev/null; then
		echo "found: a node has ended"
		break
	fi
	if [ "$(used)" -gt $enough_s ]; then
		echo "found: no end after $(used) s of processor time"
		break
	fi
	sleep 1
done
grep -aq "guest: end 0" "$dir/console" && fail "the guest has not noticed anything"
grep -a "^smp:\|^guest:\|BUG\|Oops\|panic" "$dir/console"
cat "$dir"/errors-[01]
finish
