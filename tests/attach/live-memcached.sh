#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# If this failed, memcached with more data than the limit would return wrong
# values.  It locks its memory (-k), which must not defeat the limit.
here=$(dirname "$0")
. "$here/live-lib.sh"
need memcached perl

client()
{
	perl "$here/client.pl" memcached "$dir/socket" "$@" ||
		fail "memcached: $* failed"
}

[ "$(id -u)" = 0 ] && chown nobody "$dir" && chmod 755 "$dir"
start paged memcached -u nobody -k -m 256 -s "$dir/socket"
client wait
client write 1
client read 1
client write 2
client read 2
finish
