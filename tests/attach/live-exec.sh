#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# If this failed, the memory of a program that calls exec() would stay on the
# servers for the minute of its lease, and a chain of programs would fill them.
#
# live-exec.sh GIANTVM EVICT PROGRAM
here=$(dirname "$0")
. "$here/live-lib.sh"
program=$3
GIANTVM_SHARDS=1	# one region each
GIANTVM_RUNTIME=$dir/runtime
export GIANTVM_SHARDS GIANTVM_RUNTIME
need python3 env cat

mkfifo "$dir/port"
"$giantvm" serve --listen 127.0.0.1:0 --memory 1G --ready-fd 3 \
	3>"$dir/port" >/dev/null 2>&1 &
pids=$!
read -r port <"$dir/port" || fail "the server did not start"

regions()
{
	"$giantvm" stat --server "127.0.0.1:$port" --json | python3 -c \
		'import json, sys; print(json.load(sys.stdin)["regions"])'
}

# Far less than the lease; polled, because it happens in other programs.
expect_regions()
{
	for _ in $(seq 200); do
		[ "$(regions)" = "$1" ] && return
		sleep 0.05
	done
	fail "the server holds $(regions) regions, not $1, $2"
}

# run NUMBER WHAT COMMAND...: while it says that it is ready the server must hold
# NUMBER regions.
run()
{
	number=$1 what=$2
	shift 2
	mkfifo "$dir/in" "$dir/out"
	"$giantvm" run --servers "127.0.0.1:$port" --local 8M -- "$@" \
		<"$dir/in" >"$dir/out" &
	run=$!
	pids="$pids $run"
	exec 4>"$dir/in" 5<"$dir/out"
	read -r _ <&5 || fail "$what: it did not get ready"
	expect_regions "$number" "$what"
	echo go >&4
	exec 4>&- 5<&-
	wait "$run" || fail "$what: it failed"
	[ "$(regions)" = 0 ] || fail "$what: something was left on the server"
	[ -z "$(ls "$GIANTVM_RUNTIME")" ] ||
		fail "$what: left $(ls "$GIANTVM_RUNTIME")"
	rm "$dir/in" "$dir/out"
}

run 1 "after exec() of a paged program" "$program" "$program" -
run 1 "after a chain of four" \
	"$program" "$program" "$program" "$program" -
# The new program is not attached, and nobody in it could tell.
run 0 "after exec() of a program that is not paged" "$program" \
	"$(command -v env)" -u LD_PRELOAD sh -c 'echo ready; cat >/dev/null'
