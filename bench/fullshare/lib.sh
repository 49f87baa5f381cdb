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

# Faults of all nodes until now, and the slowest node's p50 of a read, in us.
ask()
{
	"$giantvm" stat --guest --json | python3 -c '
import json, sys
def numbers(value, name):
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == name and isinstance(inner, (int, float)):
                yield inner
            else:
                yield from numbers(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from numbers(inner, name)
# Each process on this machine tells of all nodes.
all = json.load(sys.stdin)[:1]
print(sum(numbers(all, "faults")), max(numbers(all, "read_p50_ns"), default=0) // 1000)'
}

# The guest is up and does its work.  $boot_us, $private, $storm; on several nodes
# (second argument) with $words or $count also $boot_misses, and $p50 of the last
# second of the boot: percentiles are told for a second at a time.
follow()
{
	local begin_us=$1 nodes=$2 told

	wait_line "guest: up" 200
	boot_us=$((${EPOCHREALTIME/./} - begin_us))
	if [ -n "$nodes" ] && [ -n "$words$count" ]; then
		told=$(ask)
		boot_misses=${told% *} p50=${told#* }
	fi
	[ -n "$words" ] || return
	wait_line "bench: private " 200
	private=$line
	wait_line "bench: storm " 300
	storm=$line
}

# All nodes to the end of the guest.  $rest: faults of a node each second.
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
		rest=$(awk -v a="${after% *}" -v b="${before% *}" -v s=$rest_s \
			-v n="$nodes" 'BEGIN { printf "%.0f", (a - b) / s / n }')
	fi
	console "guest: end" 100 > /dev/null || give_up_if 1
	for ((i = 0; i < nodes; i++)); do
		ended $i 30 || give_up_if 1
	done
}
