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

# Shared regions and guests: the same, and pages with the kernel's names.
export FAKE_SHARED=1
symbols=$(dirname "$0")/kallsyms
"$fake" stat --guest > "$dir/guest" || fail "stat --guest"
grep -q '^ *1  10.0.0.1:9 * 1  256.0 MiB * 200 * 1.0k * 1.2k * 7.8k' "$dir/guest" ||
	fail "node: $(cat "$dir/guest")"
"$fake" stat --hot 3000 --symbols "$symbols" > "$dir/hot" || fail "stat --hot"
for text in '0x2a07000 30 60 jiffies, jiffies_lock$' \
	'0x101000 3 0 CPU 1: early, runqueues, rcu_data$' '0x100000000 0 3'; do
	tr -s ' ' < "$dir/hot" | grep -q "^ *$text" || fail "hot lacks $text: $(cat "$dir/hot")"
done
"$fake" stat --hot | grep -q '^ *0x5000 *50 *2$' || fail "pages of a region"
"$fake" stat --guest --json > "$dir/guest.json"
"$fake" stat --shared --json > "$dir/shared.json"
"$fake" stat --hot --json --symbols "$symbols" > "$dir/hot.json"
python3 - "$dir" <<- 'END' || fail "json of what is shared"
	import json, sys
	guest, = json.load(open(sys.argv[1] + "/guest.json"))
	assert guest["node"] == 1 and guest["vcpus"] == 4
	assert [n["left"] for n in guest["nodes"]] == [False, False, True]
	assert guest["nodes"][2]["misses_write"] == 900
	assert guest["nodes"][0]["read_p50_ns"] == 20000
	board = json.load(open(sys.argv[1] + "/shared.json"))[0]
	assert board["links"][0]["server"] == "10.0.0.1:9"
	assert board["links"][1]["bytes_out"] == 1 << 21
	hot = json.load(open(sys.argv[1] + "/hot.json"))
	assert hot[0]["guest"] and hot[0]["pages"][0]["symbols"].startswith("jif")
	assert "symbols" not in hot[1]["pages"][0]
END
refused 1 "no shared region" "$fake" stat --hot 1000
refused 2 "is for --hot" "$fake" stat --symbols "$symbols"
sed 's/ffffffff81/ffffffffa1/' "$symbols" > "$dir/random"
refused 1 "nokaslr" "$fake" stat --hot --symbols "$dir/random"
sed 's/^[0-9a-f]*/0000000000000000/' "$symbols" > "$dir/hidden"
refused 1 "as its root" "$fake" stat --hot --symbols "$dir/hidden"
refused 1 "is not like" "$fake" stat --hot --symbols "$0"
FAKE_PIDS=1 "$fake" top --batch 2 --delay 0.1 > "$dir/top" || fail "top"
awk 'length > 80 {exit 1}' "$dir/top" || fail "regions are wider than 80"
for text in '3 programs' '2000 node 7 of region board' 'NOT CONNECTED' \
	'p50 20.0 us, p99 20.0 us' '^node *3 ' '^others'; do
	tail -24 "$dir/top" | grep -q "$text" || fail "top lacks '$text' of a region"
done
finish
