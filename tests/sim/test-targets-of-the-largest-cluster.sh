#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What giantvm promises of 10,240 nodes holds: a miss takes three hops at most, a
# storm of readers is served by many, a page that all others share is one node's
# alone within a millisecond without anybody handling more than 20 messages, and
# the directory stays small.
set -u
giantvm=$1
failed=0

value() {
	sed -nE "s/.*\"$1\": ([0-9.]+),?\$/\1/p" <<< "$out"
}

at_most() {
	if ! awk -v v="$(value "$1")" -v max="$2" \
		'BEGIN { exit v == "" || v + 0 > max }'; then
		echo "$run: $1 is $(value "$1"), at most $2 expected"
		failed=1
	fi
}

run="invalidate"
out=$("$giantvm" sim --nodes 10240 --load invalidate --ops 2 --json) || exit 1
at_most invalidate_ns 1000000
at_most invalidate_messages_max 20
at_most hops_max 3

for run in storm zipf; do
	out=$("$giantvm" sim --nodes 10240 --load $run --ops 6 --json) || exit 1
	at_most hops_max 3
	at_most hops_mean 2.6
	at_most busiest_node 0.002
	at_most directory_bytes_max 1320
	at_most directory_bytes_few_max 16
	at_most memory_bytes 4294967296
done
exit $failed
