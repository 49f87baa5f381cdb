#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# While the guest is paused, every node reads the same bytes from every page of
# its RAM: a copy that had been forgotten would differ.  Looked at while the guest
# boots, while its CPUs are at work, and when it has turned itself off.
#
# Node 0 reads everything first and so has a valid copy of each page; node 1
# fetches what it lacks, but what it has a copy of it does not ask for again.
#
#	test-memory-is-one.sh BUILD [VCPUS...]
# shellcheck source=tests/fullshare/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
shift
[ $# != 0 ] || set -- 0 1
nodes=$#
mem=128
cpus=$(cpus_of "$@")

# Devices have the space between; what is there is not RAM.
save()
{
	monitor "$1" "pmemsave 0 0xa0000 low" &&
	monitor "$1" "pmemsave 0x100000 $(((mem - 1) << 20)) high"
}

# look MOMENT: pause, compare, go on.
look()
{
	local id bad=0

	monitor 0 stop
	for ((id = 0; id < nodes; id++)); do
		save $id
		cmp "$dir/0/low" "$dir/$id/low" || bad=1
		cmp "$dir/0/high" "$dir/$id/high" || bad=1
	done
	[ $bad = 0 ] || fail "the nodes' memory differs, $1"
	[ -s "$dir/0/high" ] || fail "nothing was saved, $1"
	tr -d '\0' < "$dir/0/high" | wc -c | {
		read -r bytes
		echo "$1: the same on $nodes nodes; $bytes bytes are not 0"
	}
	rm -f "$dir"/*/low "$dir"/*/high
	[ "$2" != go ] || monitor 0 cont
}

# The guest has run for so many seconds of node 0's processor.
has_run()
{
	local end=$((SECONDS + 120))

	until [ -e "$dir/0/monitor" ] && [ "$(awk '{ print $14 + $15 }' \
		"/proc/$(pid_of 0)/stat")" -ge $(($1 * 100)) ]; do
		[ $SECONDS -lt $end ] || return
		sleep 0.1
	done
}

hosts "$nodes"
cluster "$@"
for ((i = nodes - 1; i >= 0; i--)); do
	start $i "gvm_cpus=$cpus gvm_jobs=storm:20,code:100,storm:20" -no-shutdown
done
has_run 3
look "in mid-boot" go
grep -aq "guest: up" "$dir/console" && fail "that was too late: the guest was up"
console "guest: up" 300
look "before work" go
console "smp: .* programs" 300
look "at work" go
console "guest: end 0" 300
monitored()
{
	monitor 0 "info status" | grep -q "$1"
}
end=$((SECONDS + 60))
until monitored shutdown || [ $SECONDS -ge $end ]; do
	sleep 0.2
done
monitored shutdown || fail "the guest has not turned itself off"
look "turned off" stay
monitor 0 quit
for ((i = 0; i < nodes; i++)); do
	ended $i 30 && { [ "$status" = 0 ] || fail "status $status of node $i"; }
done
finish
