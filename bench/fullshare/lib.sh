# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# A guest on several nodes that is measured; after tests/fullshare/lib.sh.
limit=300
rest_s=10
count=
export GIANTVM_RUNTIME=$dir/runtime
mkdir -p "$GIANTVM_RUNTIME"

give_up_if()
{
	[ "$1" = 0 ] && return
	tail -n 20 "$dir"/console "$dir"/errors-* >&2
	echo "fullshare: a guest did not do its work" >&2
	exit 1
}

# wait_line TEXT SECONDS: until the console has it; what follows it in $line.
# Asleep meanwhile: to look again and again would take CPU time from the guest.
wait_line()
{
	local found

	found=$(timeout "$2" tail -n +1 -s 0.5 --pid "${pids[0]}" -f \
		"$dir/console" | grep -am 1 --line-buffered "^$1")
	[ -n "$found" ] || give_up_if 1
	line=${found#"$1"}
	line=${line%$'\r'}
}

# Faults of all nodes until now.
ask()
{
	"$giantvm" stat --guest --json | python3 -c '
import json, sys
# Each process on this machine tells of all nodes.
print(sum(node["faults"] for node in json.load(sys.stdin)[0]["nodes"]))'
}

# The guest is up and does its work.  $boot_us, $private, $storm; on several nodes
# (second argument) with $count also $boot_misses.
follow()
{
	local begin_us=$1 nodes=$2

	wait_line "guest: up" 200
	boot_us=$((${EPOCHREALTIME/./} - begin_us))
	if [ -n "$nodes" ] && [ -n "$count" ]; then
		boot_misses=$(ask)
	fi
	[ -n "$words" ] || return
	wait_line "bench: private " 200
	private=$line
	wait_line "bench: storm " 300
	storm=$line
}

# All nodes to the end of the guest.  $rest: faults of a node each second; $p50: of
# all faults of the node that waited longest, us, as it says at its end.
many_qemus()
{
	local nodes=$1 cpus=$2 i begin_us before after

	for ((i = nodes - 1; i > 0; i--)); do
		start $i "gvm_cpus=$cpus $words"
	done
	begin_us=${EPOCHREALTIME/./}
	start 0 "gvm_cpus=$cpus $words"
	follow "$begin_us" "$nodes"
	if [ -n "$words" ]; then
		wait_line "bench: rest" 60
		sleep 1
		before=$(ask)
		sleep $rest_s
		after=$(ask)
		rest=$(awk -v a="$after" -v b="$before" -v s=$rest_s \
			-v n="$nodes" 'BEGIN { printf "%.0f", (a - b) / s / n }')
	fi
	console "guest: end" 100 > /dev/null || give_up_if 1
	for ((i = 0; i < nodes; i++)); do
		ended $i 30 || give_up_if 1
	done
	# Files of nodes that a larger cluster had are still there.
	p50=$(for ((i = 0; i < nodes; i++)); do
		sed -n 's/.* fault p50 \([0-9]*\) us.*/\1/p' "$dir/errors-$i"
	done | sort -n | tail -n 1)
}
