#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A script that puts `giantvm run` before a command must get what the command
# gives: exit status, output, input, signals; and nothing left behind.
set -u
giantvm=$1
export GIANTVM_ATTACH=$2
. "$(dirname "$0")/lib.sh"

run() {
	"$giantvm" run --quiet --servers 127.0.0.1:1 --local 64M -- "$@"
}

# In the background, with $! being giantvm itself.
run_behind() {
	exec "$giantvm" run --quiet --servers 127.0.0.1:1 --local 64M -- "$@"
}

# Exit status
for n in 0 1 7 125 255; do
	run sh -c "exit $n"
	[ $? = $n ] || fail "exit $n"
done
run sh -c 'kill -KILL $$'
[ $? = 137 ] || fail "killed by SIGKILL"
run sh -c 'kill -TERM $$'
[ $? = 143 ] || fail "killed by SIGTERM"

# Input, output, arguments
[ "$(echo in | run cat)" = in ] || fail "standard input"
[ "$(run sh -c 'echo out; echo err >&2' 2> /dev/null)" = out ] || fail "output"
[ "$(run printf '%s|' 'a b' '' '--help' '*')" = 'a b||--help|*|' ] ||
	fail "arguments"
[ "$(run sh -c 'cd / && pwd')" = / ] || fail "folder"
printf '#!/bin/sh\necho "script $1"\n' > "$dir/script"
chmod +x "$dir/script"
[ "$(run "$dir/script" x)" = "script x" ] || fail "script"

# Environment: ours first, the user's own kept, no twins in a run in a run
one=$(LD_PRELOAD=/nosuch.so run sh -c 'echo $LD_PRELOAD' 2> /dev/null)
case $one in
"$(realpath "$GIANTVM_ATTACH")":/nosuch.so*) ;;
*) fail "LD_PRELOAD is $one" ;;
esac
[ "$("$giantvm" run --quiet --servers '[::1]:5,127.0.0.1' --local 64M \
	--prefetch 7 --wait 3 --min-map 2M --evict copy --shards 2 \
	sh -c 'echo $GIANTVM_SERVERS $GIANTVM_LOCAL $GIANTVM_PREFETCH \
		$GIANTVM_WAIT_MS $GIANTVM_MIN_MAP $GIANTVM_EVICT \
		$GIANTVM_SHARDS')" = \
	"[::1]:5,127.0.0.1:9999 67108864 7 3000 2097152 copy 2" ] ||
	fail "environment"

# A list of servers that is too long for a variable comes in a file
for i in {0..6999}; do
	echo "10.1.$((i / 256)).$((i % 256)):10000"
done > "$dir/many"
if [ "$(ulimit -Hn)" -gt 19000 ]; then
	"$giantvm" run --quiet --servers @"$dir/many" --local 64M \
		sh -c 'tr , "\n" < "${GIANTVM_SERVERS#@}"' > "$dir/got"
	diff "$dir/many" <(cat "$dir/got"; echo) > /dev/null ||
		fail "7000 servers: got $(wc -l < "$dir/got")"
fi

# A signal to giantvm alone reaches the program
run_behind bash -c 'trap "exit 42" TERM
	echo ready
	while :; do sleep 0.1; done' > "$dir/ready" &
pid=$!
wait_for 10 grep -q ready "$dir/ready" || fail "not started"
kill -TERM $pid
wait $pid
[ $? = 42 ] || fail "SIGTERM was not passed on"

# What the program leaves running is waited for, and can be ended
mkfifo "$dir/fifo"
run_behind sh -c "(read x < '$dir/fifo'; echo late) & exit 5" > "$dir/late" &
pid=$!
wait_for 10 sh -c "pgrep -P $pid > /dev/null"
kill -0 $pid || fail "did not wait for a daemon"
echo go > "$dir/fifo"
wait $pid
[ $? = 5 ] || fail "status after a daemon"
grep -q late "$dir/late" || fail "the daemon was cut off"

run_behind sh -c "sh -c 'echo \$\$ > $dir/pid; exec sleep 1000' & exit 6" &
pid=$!
wait_for 10 test -s "$dir/pid" || fail "daemon not started"
daemon=$(cat "$dir/pid")
gone_to_us() {
	[ "$(awk '/^PPid/ {print $2}' /proc/$daemon/status)" = $pid ]
}
wait_for 10 gone_to_us || fail "the daemon is not our child"
kill -TERM $pid
wait $pid
[ $? = 6 ] || fail "status after an ended daemon"
kill -0 $daemon 2> /dev/null && fail "the daemon survived SIGTERM"
finish
