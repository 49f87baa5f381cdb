#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A node that is killed, hangs or is cut off ends the guest on the other nodes within
# lease_ms and a little, and they say which node it was and why: nobody hangs and
# nobody computes on with half of the processors.
#
#	test-lost-node-ends-the-guest.sh BUILD NODES WAY:NODE...
#
# WAYS: KILL and STOP, by that signal; CUT: its network is down.  A node that was cut
# off must end as well, and say so.
# shellcheck source=tests/fullshare/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
lease_ms=3000
limit_s=8		# the lease, and what a busy machine adds
nodes=$2
shift 2

hosts "$nodes"
[ ${#spaces[@]} != 0 ] || [[ "$*" != *CUT* ]] ||
	skip "a network that can be cut needs root and iproute2"
cluster $(seq 0 $((nodes - 1)))

# must_end NODE TEXT: with 125, and TEXT said.
must_end()
{
	ended "$1" $limit_s || return
	[ "$status" = 125 ] || fail "$way: status $status of node $1"
	grep -q "giantvm: .*$2" "$dir/errors-$1" ||
		fail "$way: node $1 does not say '$2': $(cat "$dir/errors-$1")"
}

# lose WAY NODE
lose()
{
	local victim=$2 i pid why

	for ((i = nodes - 1; i >= 0; i--)); do
		start $i "gvm_cpus=$nodes gvm_wait=yes"
	done
	console "guest: waiting" 400 || return
	pid=$(pid_of "$victim")
	case $1 in
	KILL)	why="the guest cannot go on" ;;
	*)	why="\(silent\|stood still\)" ;;
	esac
	case $1 in
	CUT)	ip -n "gvm-$$-$victim" link set eth0 down ;;
	*)	kill "-$1" "$pid" ;;
	esac
	for ((i = 0; i < nodes; i++)); do
		[ $i = "$victim" ] || must_end $i "node $victim .*$why"
	done
	if [ "$1" = CUT ]; then
		must_end "$victim" "silent\|has not answered"
		ip -n "gvm-$$-$victim" link set eth0 up
		return
	fi
	kill -KILL "$pid" 2> /dev/null
	ended "$victim" 10
}

for way in "$@"; do
	lose "${way%:*}" "${way#*:}"
	grep -h "giantvm: node .*guest\|has not answered" "$dir"/errors-?
done
finish
