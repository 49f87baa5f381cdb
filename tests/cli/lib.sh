# SPDX-License-Identifier: GPL-2.0-or-later
#
# What tests of the command line share.  A test counts what failed, so that one
# run shows everything that is wrong, and ends with `finish`.
failed=0
dir=$(mktemp -d)
server=
trap clean_up EXIT

clean_up() {
	[ -n "$server" ] && kill "$server" 2> /dev/null
	rm -rf "$dir"
}

fail() {
	echo "FAIL: $*"
	failed=1
}

skip() {
	echo "skipped: $*"
	exit 77
}

finish() {
	exit "$failed"
}

# refused STATUS TEXT COMMAND...: it must end with this status and one line that
# begins with "giantvm: " and contains TEXT.
refused() {
	local want=$1 text=$2 status
	shift 2
	"$@" > "$dir/out" 2> "$dir/err" < /dev/null
	status=$?
	[ "$status" = "$want" ] || fail "status $status, not $want: $*"
	[ "$(wc -l < "$dir/err")" = 1 ] || fail "not one line: $*: $(cat "$dir/err")"
	grep -q '^giantvm: ' "$dir/err" || fail "not from giantvm: $*"
	grep -qF -- "$text" "$dir/err" ||
		fail "no '$text' from $*: $(cat "$dir/err")"
	[ -s "$dir/out" ] && fail "printed on standard output: $*"
}

# wait_for SECONDS COMMAND...: until it succeeds; polls, because what it waits
# for is another program.
wait_for() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

# A memory server of $giantvm on a free port: $server is its pid, $port where.
start_server() {
	mkfifo "$dir/ready"
	"$giantvm" serve --listen 127.0.0.1:0 --memory 8G "$@" --ready-fd 3 \
		3> "$dir/ready" > "$dir/server.log" 2>&1 &
	server=$!
	read -r port < "$dir/ready"
	rm "$dir/ready"
	[ -n "$port" ] || fail "no server: $(cat "$dir/server.log")"
}
