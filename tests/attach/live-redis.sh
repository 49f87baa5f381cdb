#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# If this failed, Redis with more data than the limit would lose some, or its
# snapshot (BGSAVE forks) would mix in what was written after it began.
here=$(dirname "$0")
. "$here/live-lib.sh"
need redis-server perl

client()
{
	perl "$here/client.pl" redis "$dir/socket" "$@" ||
		fail "redis: $* failed"
}

serve()
{
	start "$@" redis-server --port 0 --unixsocket "$dir/socket" --dir "$dir" \
		--save '' --dbfilename dump.rdb --rdbcompression no \
		--logfile "$dir/log" --daemonize no
}

serve paged
client wait
client write 1
client read 1
client save
client write 2
client saved
client read 2
finish
[ -s "$dir/dump.rdb" ] || fail "redis: there is no dump"

# The snapshot, read by a Redis that nobody pages.
rm -f "$dir/socket"
serve env
client loaded
client read 1
finish
