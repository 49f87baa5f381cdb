#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Programs are killed, and exit without saying goodbye; if their memory stayed
# on the servers, these would fill up and refuse the next one.
set -u
giantvm=$1
example=$2
export GIANTVM_ATTACH=$3
. "$(dirname "$0")/lib.sh"
"$giantvm" doctor | grep -q '^FAIL  userfaultfd' &&
	skip "no permission for userfaultfd"
export GIANTVM_RUNTIME=$dir/runtime

regions() {
	"$giantvm" stat --server "127.0.0.1:$port" --json |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["regions"])'
}
has_pages() {
	[ "$("$giantvm" stat --server "127.0.0.1:$port" --json | python3 -c \
	     'import json, sys; print(json.load(sys.stdin)["pages_written"])')" \
	  -gt 1000 ]
}
# A program that pages for longer than this test lasts, its pid in $dir/pid.  It
# uses the library by itself, and no preload, which a sanitizer does not bear.
cat > "$dir/program" << END
#!/bin/sh
env -u LD_PRELOAD "$example" 127.0.0.1:\$1 4096 16 > /dev/null &
echo \$! > "$dir/pid"
wait \$!
END
chmod +x "$dir/program"

start_server
"$giantvm" run --servers "127.0.0.1:$port" --local 16M "$dir/program" "$port" \
	2> "$dir/err" &
run=$!
wait_for 20 has_pages || fail "does not page"
"$giantvm" stat | grep -q small-vmm || fail "stat does not show it"
kill -KILL "$(cat "$dir/pid")"
wait $run
[ $? = 137 ] || fail "status of a killed program"
[ "$(regions)" = 0 ] || fail "the server still holds $(regions) regions"
[ -z "$(ls "$GIANTVM_RUNTIME")" ] || fail "left: $(ls "$GIANTVM_RUNTIME")"
grep -q 'faults' "$dir/err" || fail "no summary: $(cat "$dir/err")"

# giantvm run itself is killed, and the program after it: the next run clears.
rm "$dir/pid"
"$giantvm" run --servers "127.0.0.1:$port" --local 16M "$dir/program" "$port" \
	2> "$dir/err" &
run=$!
published() {
	[ -s "$dir/pid" ] && [ -n "$(ls "$GIANTVM_RUNTIME")" ]
}
ended() {
	! kill -0 "$(cat "$dir/pid")" 2> /dev/null
}
wait_for 20 published || fail "does not page the second time"
kill -KILL $run
kill -KILL "$(cat "$dir/pid")"
wait $run
wait_for 20 ended || fail "the program does not die"
"$giantvm" run --quiet --servers "127.0.0.1:$port" --local 16M true
[ "$(regions)" = 0 ] || fail "the server still holds a killed run's memory"
[ -z "$(ls "$GIANTVM_RUNTIME")" ] || fail "left: $(ls "$GIANTVM_RUNTIME")"
finish
