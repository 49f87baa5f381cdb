#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# If this failed, a program that uses select() would crash, or overwrite its
# stack, on a machine that is connected to many memory servers.
#
# live-select.sh GIANTVM EVICT PROGRAM: 33 servers, 16 fault threads and two
# connections from each of these to each of those.
here=$(dirname "$0")
. "$here/live-lib.sh"
program=$3
servers=33

hard=$(ulimit -Hn)
[ "$hard" = unlimited ] || [ "$hard" -ge 8192 ] ||
	skip "the hard limit of descriptors, $hard, is below 8192"

i=0
while [ $i -lt $servers ]; do
	mkfifo "$dir/ready$i"	# one each: a writer that closes is no end for others
	"$giantvm" serve --listen 127.0.0.1:0 --memory 16M --spin 0 \
		--ready-fd 3 3>"$dir/ready$i" >/dev/null 2>&1 &
	pids="$pids $!"
	read -r port <"$dir/ready$i" || fail "a server did not start"
	list=${list:+$list,}127.0.0.1:$port
	i=$((i + 1))
done

ulimit -Sn 256
GIANTVM_SHARDS=16
export GIANTVM_SHARDS
"$giantvm" run --servers "$list" --local 128M -- "$program" 256 1024 ||
	fail "the program failed beside more than 1024 descriptors"
