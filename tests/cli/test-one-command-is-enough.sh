#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `giantvm run --local SIZE -- PROGRAM` is what a new user types first.  It must
# page, say what it does, and be gone afterwards with all it started.
set -u
giantvm=$1
. "$(dirname "$0")/lib.sh"
"$giantvm" doctor | grep -q '^FAIL  userfaultfd' &&
	skip "no permission for userfaultfd"
export GIANTVM_RUNTIME=$dir/runtime
unset GIANTVM_ATTACH
# The interpreter itself, not a script in front of it.
python=$(python3 -c 'import sys; print(sys.executable)')

# Writes twelve times its limit, tells us, waits, and verifies all of it.
cat > "$dir/program.py" << 'END'
import sys
PAGE, PAGES = 4096, 48 * 256
memory = bytearray(PAGE * PAGES)
for i in range(PAGES):
    memory[i * PAGE:i * PAGE + 8] = (i * 0x9e3779b9).to_bytes(8, "little")
print("written", flush=True)
sys.stdin.readline()
for i in reversed(range(PAGES)):
    stamp = int.from_bytes(memory[i * PAGE:i * PAGE + 8], "little")
    if stamp != i * 0x9e3779b9:
        sys.exit(f"page {i} is wrong")
print("verified", flush=True)
sys.exit(7)
END
mkfifo "$dir/go"
"$giantvm" run --local 4M -- "$python" "$dir/program.py" \
	< "$dir/go" > "$dir/out" 2> "$dir/err" &
run=$!
exec 4> "$dir/go"
wait_for 60 grep -q written "$dir/out" || fail "does not write: $(cat "$dir/err")"

# What others see of it
pid=$("$giantvm" stat --json |
	python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["pid"])') || {
	kill $run
	fail "not in stat: $(cat "$dir/err")"
	finish
}
"$giantvm" stat "$pid" > "$dir/stat" || fail "stat"
grep -q '^memory .* limit 4.0 MiB' "$dir/stat" || fail "limit: $(cat "$dir/stat")"
"$giantvm" top --batch 2 --delay 0.1 | grep -q "^$pid " || fail "top"
"$giantvm" set "$pid" --local 8M > /dev/null || fail "set"
has_new_limit() {
	"$giantvm" stat "$pid" | grep -q 'limit 8.0 MiB'
}
wait_for 10 has_new_limit || fail "the new limit does not come into force"

echo > "$dir/go"
exec 4>&-
wait $run
[ $? = 7 ] || fail "exit status"
grep -q verified "$dir/out" || fail "not verified: $(cat "$dir/err")"
grep -q '^giantvm: no --servers given' "$dir/err" || fail "no word of its server"
[ "$(grep -c '^giantvm: engine ' "$dir/err")" = 1 ] ||
	fail "not one line about the engine: $(cat "$dir/err")"
grep -q "^giantvm: $python: .* faults, .* remote" "$dir/err" ||
	fail "no summary: $(cat "$dir/err")"
[ -z "$(ls "$GIANTVM_RUNTIME")" ] || fail "left: $(ls "$GIANTVM_RUNTIME")"
pgrep -f "$giantvm run.*$dir/program.py" > /dev/null &&
	fail "a process is left over"

# --quiet says nothing, and an unreachable server is named
"$giantvm" run --quiet --local 4M -- "$python" -c 'bytearray(64 << 20)' \
	> "$dir/out" 2> "$dir/err" || fail "--quiet: status"
[ -s "$dir/err" ] && fail "--quiet said: $(cat "$dir/err")"
refused 125 "127.0.0.1:1: connection refused" "$giantvm" run --local 4M \
	--servers 127.0.0.1:1 -- "$python" -c 'bytearray(64 << 20)'
finish
