#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Operators decide by these figures.  Every one of the made-up programs' is
# known, so that a wrong unit, a swapped column or a line that does not fit its
# window is seen.
set -u
fake=$1
. "$(dirname "$0")/lib.sh"

# stat: a table in order of pids, and nothing of another user's control codes
"$fake" stat > "$dir/table" || fail "stat"
[ "$(awk 'NR > 1 {print $1}' "$dir/table" | tr '\n' ' ')" = \
	"1000 1001 1002 " ] || fail "order: $(cat "$dir/table")"
grep -q '^ *1000 *prog0 *1.0 GiB *980.5 MiB *1.9 GiB' "$dir/table" ||
	fail "row: $(cat "$dir/table")"
FAKE_PIDS=0 "$fake" stat | grep -q "giantvm run" || fail "empty list"
"$fake" stat 2 | grep -q '^process   2 evil?\[2J?$' || fail "control characters"
FAKE_PIDS=-1 refused 1 "cannot list" "$fake" stat
"$fake" stat 1001 > "$dir/one" || fail "stat PID"
for text in 'remote 2000' 'first touch 600' 'p50 64.0 us' 'p99 100.0 us' \
	'90 % of them used' 'queue 42 pages' 'servers   10240' \
	'NOT CONNECTED' 'sums up 10177'; do
	grep -qF "$text" "$dir/one" || fail "stat PID lacks '$text'"
done

# --json: the same, for programs
"$fake" stat --json > "$dir/all.json"
"$fake" stat 1001 --json > "$dir/one.json"
python3 - "$dir" <<- 'END' || fail "json"
	import json, sys
	everything = json.load(open(sys.argv[1] + "/all.json"))
	one = json.load(open(sys.argv[1] + "/one.json"))
	assert [p["pid"] for p in everything] == [1000, 1001, 1002]
	assert one["faults_remote"] == 2000 and one["local_bytes"] == 1 << 30
	assert one["latency_remote"]["p99_ns"] == 100000
	assert len(one["servers"]) == 64 and one["servers_nr"] == 10240
	assert one["servers"][1]["connected"] is False
END
FAKE_PIDS=0 "$fake" stat --json | python3 -c \
	'import json, sys; assert json.load(sys.stdin) == []' || fail "empty json"

# top: fits its window; rates are differences; the busiest comes first
"$fake" top --batch 2 --delay 0.1 > "$dir/top" || fail "top"
[ "$(wc -l < "$dir/top")" = 48 ] || fail "not two screens of 24 lines"
awk 'length > 80 {exit 1}' "$dir/top" || fail "wider than 80"
tail -24 "$dir/top" > "$dir/second"
[ "$(awk 'NR > 2 && $1 ~ /^[0-9]+$/ {print $1; n++} n == 3 {exit}' \
	"$dir/second" | tr '\n' ' ')" = "1002 1001 1000 " ] ||
	fail "order: $(cat "$dir/second")"
for text in 'faults/s  remote' 'p50 64.0 us, p90 64.0 us, p99 100.0 us' \
	'90 % used' '42 pages wait' 'NOT CONNECTED' 'q quit' 'engine    uffd' \
	'3 programs'; do
	grep -qF "$text" "$dir/second" || fail "top lacks '$text'"
done
FAKE_PIDS=0 "$fake" top --batch 1 | grep -q 'giantvm run' || fail "empty top"
FAKE_PIDS=300 "$fake" top --batch 1 > "$dir/many" || fail "300 programs"
[ "$(wc -l < "$dir/many")" = 24 ] || fail "300 programs do not fit"
grep -q '^engine' "$dir/many" || fail "no room for the details"
finish
