#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# If this fails, `giantvm run --shared` does not do what the README says: two
# scripts that map a file talk through it; what is wrong on the command line is
# said by name, before anything runs; and who loses its node is told why.
#
# Usage: test-run-shares-memory.sh GIANTVM SOURCE
set -u
giantvm=$1 source=$2
tmp=$(mktemp -d) || exit 1
server=
trap 'kill $server 2>/dev/null; wait; rm -rf "$tmp"' EXIT
python=$(python3 -c 'import sys; print(sys.executable)') || exit 77

fail()
{
	echo "FAIL: $1"
	tail -n 20 "$tmp"/out* "$tmp"/err* 2>/dev/null
	exit 1
}

# serve ARGUMENT...: a server, and $at is where.
serve()
{
	[ -z "$server" ] || { kill "$server"; wait "$server"; }
	rm -f "$tmp/ready"
	mkfifo "$tmp/ready"
	"$giantvm" serve --listen 127.0.0.1:0 --memory 64M --ready-fd 3 "$@" \
		3>"$tmp/ready" 2>"$tmp/err-server" &
	server=$!
	read -r port <"$tmp/ready" || fail "the server does not start"
	at=127.0.0.1:$port
}

# expect STATUS WORD ARGUMENT...: how it ends, and a word of what it says.
expect()
{
	want=$1 word=$2
	shift 2
	timeout -s KILL 30 "$giantvm" run "$@" >"$tmp/out" 2>"$tmp/err"
	got=$?
	[ "$got" = "$want" ] || fail "run $* ends with $got, not $want"
	[ -z "$word" ] || grep -q -- "$word" "$tmp/err" || fail "run $* does not say '$word'"
}

serve
here="--servers $at --node 0"
long=$(printf 'a%.0s' $(seq 60))
while IFS='|' read -r status word args; do
	# shellcheck disable=SC2086
	expect "$status" "$word" $args -- true
done <<END
2|must be NAME:SIZE@PATH|--shared board $here
2|must be NAME:SIZE@PATH|--shared board:1M $here
2|must be NAME:SIZE@PATH|--shared :1M@/x $here
2|must be NAME:SIZE@PATH|--shared b:1M@ $here
2|not a size|--shared b:@/x $here
2|not a size|--shared b:abc@/x $here
2|too small|--shared b:0@/x $here
2|a multiple of 4096|--shared b:5000@/x $here
2|too large|--shared b:1000P@/x $here
2|too large|--shared b:99999999P@/x $here
2|letters, digits|--shared b/c:1M@/x $here
2|letters, digits|--shared $long:1M@/x $here
2|no size|--shared b@/x $here
2|named twice|--shared b:1M@/x --shared b:1M@/y $here
2|another region already|--shared b:1M@/x --shared c:1M@/x $here
2|--node N|--shared b:1M@/x --servers $at
2|0 to 10239|--shared b:1M@/x --servers $at --node 10240
2|0 to 10239|--shared b:1M@/x --servers $at --node -1
2|needs --servers|--shared b:1M@/x --node 0
2|no such host|--shared b:1M@/x --node 0 --servers nowhere.invalid:1
2|twice|--shared b:1M@/x --node 0 --servers $at,$at
2|too small|--shared b:1M@/x --shared-local 100 $here
2|one --shared region|--shared b:1M@/x --shared c:1M@/y --record /x $here
2|cannot be read|--shared b:1M@/x --cluster /nowhere --node 0
END
expect 2 'letters, digits' --shared 'b c:1M@/x' $here -- true
expect 125 'connection refused' --shared b:1M@/x --node 0 \
	--servers 127.0.0.1:1 -- "$python" -c 'open("/x", "r+b")'
expect 125 'cannot listen' --shared b:1M@/x --listen 192.0.2.1:1 $here -- \
	"$python" -c 'open("/x", "r+b")'

# The README's two scripts.
board="$source/examples/board/board.py"
for side in ping pong; do
	node=0
	[ $side = ping ] || node=1
	timeout -s KILL 60 "$giantvm" run --servers "$at" --node $node \
		--shared "board:1M@$tmp/board" --record "$tmp/trace" -- \
		"$python" "$board" "$tmp/board" $side \
		>"$tmp/out-$side" 2>"$tmp/err-$side" &
	eval "$side=\$!"
done
# shellcheck disable=SC2154
wait "$ping" || fail "ping ends with $?"
# shellcheck disable=SC2154
wait "$pong" || fail "pong ends with $?"
grep -q 'ping heard: we counted to 2000' "$tmp/out-ping" || fail "no count"
grep -q 'pong heard: the ball is yours' "$tmp/out-pong" || fail "no greeting"
[ -s "$tmp/err-ping" ] && fail "ping says something"

# What they asked for feeds the simulator: 2,000 hand-overs of the page of turns.
[ "$(grep -c '^[01] 1 w$' "$tmp/trace")" -ge 1000 ] ||
	fail "the record lacks the turns"
"$giantvm" sim --load trace --trace "$tmp/trace" --nodes 2 --pages 256 \
	>"$tmp/out" 2>"$tmp/err" || fail "the record cannot be replayed"
grep -q 'hops' "$tmp/out" || fail "the replay shows nothing"
expect 125 'say the same size' --shared "board:2M@/x" $here -- \
	"$python" -c 'open("/x", "r+b")'

# Two regions, the second of them larger: each may stay here as a whole.
cat >"$tmp/fill.py" <<'END'
import mmap
for path, size in ("/x", 1 << 20), ("/y", 4 << 20):
    with open(path, "r+b") as f:
        m = mmap.mmap(f.fileno(), size)
    for i in range(0, size, 4096):
        m[i] = 1
import glob
print(open("/proc/self/status").read().split("RssShmem:")[1].split()[0])
END
expect 0 '' --shared small:1M@/x --shared large:4M@/y $here -- \
	"$python" "$tmp/fill.py"
[ "$(cat "$tmp/out")" -ge 4000 ] || fail "not all of the second stays here"

# Stopped for longer than the lease: killed, and `giantvm run` says why.
serve --node-lease 500
cat >"$tmp/stop.py" <<'END'
import mmap, os, signal
with open("/x", "r+b") as f:
    m = mmap.mmap(f.fileno(), 0)
m[0] = 1
os.kill(os.getpid(), signal.SIGSTOP)
END
expect 137 'node 3 of region b was not heard' --shared b:1M@/x --node 3 \
	--servers "$at" -- "$python" "$tmp/stop.py"
exit 0
