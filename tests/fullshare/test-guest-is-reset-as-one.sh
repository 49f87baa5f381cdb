#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A reset, whichever CPU or operator causes it, starts the whole guest anew: else
# half of a guest would run into the other half's reset.
#
#	test-guest-is-reset-as-one.sh BUILD [WAY...]
#
# WAYS: by the chipset (crash0, crash1: which CPU), by a CPU that finds no way out
# of a fault (triple0, triple1), by the operator (monitor0, monitor1: which node).
# shellcheck source=tests/fullshare/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
shift
[ $# != 0 ] || set -- crash0 crash1 triple0 triple1 monitor0 monitor1

# starts N: how often the guest has come up, so far.
starts()
{
	grep -ac "guest: up" "$dir/console"
}

one_way()
{
	local way=$1 where=${1: -1} end words="gvm_cpus=2 gvm_clock=100"

	case $way in
	crash*)		words="$words gvm_end=crash gvm_cpu=$where" ;;
	# The kernel goes to that CPU first, and there loads no table of
	# exceptions and causes one.
	triple*)	words="$words gvm_end=reboot reboot=t,s$where" ;;
	monitor*)	words="$words gvm_wait=yes" ;;
	esac
	start 1 "$words"
	start 0 "$words"
	console "guest: up" 300 || return
	case $way in
	monitor*)
		console "guest: waiting" 120 || return
		monitor "$where" system_reset ;;
	esac
	end=$((SECONDS + 300))
	until [ "$(starts)" -ge 2 ] || [ $SECONDS -ge $end ]; do
		sleep 0.2
	done
	if [ "$(starts)" -lt 2 ]; then
		fail "the guest did not come back after its reset ($way)"
		backtraces
	fi
	monitor 0 quit
	ended 0 30 && { [ "$status" = 0 ] || fail "status $status of node 0 ($way)"; }
	ended 1 30 && { [ "$status" = 0 ] || fail "status $status of node 1 ($way)"; }
}

hosts 2
cluster 0 1
for way in "$@"; do
	one_way "$way"
	[ $failed = 0 ] || break
	echo "$way: came back"
done
finish
