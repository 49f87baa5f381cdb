#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A plugin with a mistake in what keeps the guest's memory whole must not get
# through the tests: else these could not fail.  What finds it is said.
#
#	test-mistake-is-found.sh BUILD PLUGIN
#
# A guest that crashes, or that says nothing more for many times the processor time
# that a whole one needs, has shown the mistake too.  That a whole guest is not
# blamed is tried with the plugin as it is: then this test must fail.
# shellcheck source=tests/fullshare/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
GIANTVM_VCPU=$(readlink -f "$2")
# One that is not there would be found, too.
[ -e "$GIANTVM_VCPU" ] || {
	echo "no plugin $2: it is made by meson test, without --no-rebuild"
	exit 99
}
export GIANTVM_VCPU
silent_s=80		# of both nodes' processors; a whole guest needs 17

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
words="gvm_cpus=2 gvm_work=10000000 gvm_jobs=code:400,litmus:50"
start 1 "$words"
start 0 "$words"
lines=0
heard=0
longest=0
until grep -aq "guest: end" "$dir/console"; do
	if ! kill -0 "${pids[0]}" 2> /dev/null || ! kill -0 "${pids[1]}" 2> /dev/null; then
		echo "found: a node has ended"
		break
	fi
	now=$(used)
	said=$(wc -l < "$dir/console")
	[ $((now - heard)) -le $longest ] || longest=$((now - heard))
	[ "$said" = $lines ] || heard=$now
	lines=$said
	if grep -aq "BUG\|Oops\|Kernel panic" "$dir/console"; then
		echo "found: the kernel has crashed"
		break
	fi
	if [ $((now - heard)) -gt $silent_s ]; then
		echo "found: no word for $((now - heard)) s of processor time"
		break
	fi
	sleep 0.5
done
grep -aq "guest: end [^0]" "$dir/console" && echo "found: the guest says so"
grep -aq "guest: end 0" "$dir/console" && fail "the guest has not noticed anything"
echo "the longest silence: $longest s of processor time"
grep -a "^smp:\|^guest:\|BUG\|Oops\|panic" "$dir/console"
cat "$dir"/errors-[01]
finish
