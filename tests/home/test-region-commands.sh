#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# If this fails, a person cannot make, see or remove a shared region, or is not
# told what is wrong: `giantvm region` against two real servers, in words and
# as JSON, and with every kind of bad input.
#
# Usage: test-region-commands.sh GIANTVM
set -u
giantvm=$1
tmp=$(mktemp -d) || exit 1
pids=
trap 'kill $pids 2>/dev/null; wait; rm -rf "$tmp"' EXIT

fail()
{
	echo "FAIL: $1"
	cat "$tmp/out" "$tmp/err" 2>/dev/null
	exit 1
}

serve()
{
	mkfifo "$tmp/ready-$1"
	"$giantvm" serve --listen 127.0.0.1:0 --memory 64M --ready-fd 3 \
		3>"$tmp/ready-$1" &
	pids="$pids $!"
	read -r port <"$tmp/ready-$1" || fail "server $1 does not start"
}

# expect STATUS WORD ARGUMENT...: how it ends, and a word of what it says.
expect()
{
	want=$1 word=$2
	shift 2
	"$giantvm" region "$@" >"$tmp/out" 2>"$tmp/err"
	got=$?
	[ "$got" = "$want" ] || fail "region $* ends with $got, not $want"
	grep -q -- "$word" "$tmp/out" "$tmp/err" ||
		{ [ -z "$word" ] || fail "region $* does not say '$word'"; }
}

serve a
a=127.0.0.1:$port
serve b
b=127.0.0.1:$port
both=$a,$b

expect 0 'no shared regions' list --servers $both
expect 0 '' make one 16M --servers $a
expect 0 '' make wide 16M --slice 2M --lease 900 --servers $both
expect 1 'already' make one 16M --servers $a
expect 0 'wide' list --servers $both
grep -q '2 of 2' "$tmp/out" || fail "the second part of 'wide' is not listed"
expect 0 '16.0 MiB in slices of 2.0 MiB on 2 servers' status wide --servers $both
expect 0 '"slice_bytes": *2097152' status wide --servers $both --json
expect 0 '"name": *"one"' list --servers $a --json
python3 -m json.tool <"$tmp/out" >/dev/null || fail "no JSON"

# What one server refuses leaves nothing on the other.
expect 0 '' make half 8M --servers $b
expect 1 'this is server 1 of 1' make half 8M --servers $both
expect 1 'no shared region' status half --servers $a
expect 0 '' remove half --servers $b

expect 1 'no shared region' remove nothing --servers $a
expect 0 '' remove wide --servers $both
expect 1 'no shared region' status wide --servers $both
expect 0 '' remove one --servers $a
expect 0 'no shared regions' list --servers $both

cat >"$tmp/cluster.conf" <<EOF
[cluster]
name = test
[server first]
address = $a
[server second]
address = $b
[node 1]
address = 127.0.0.1:7001
[region field]
size = 12M
slice = 2M
servers = second, first
EOF
if "$giantvm" cluster check "$tmp/cluster.conf" >"$tmp/out" 2>&1; then
	expect 0 '' make field --cluster "$tmp/cluster.conf"
	expect 0 'on 2 servers' status field --cluster "$tmp/cluster.conf"
	expect 0 'field' list --cluster "$tmp/cluster.conf"
	expect 1 "no region 'other'" make other --cluster "$tmp/cluster.conf"
	expect 2 'say them there' make field 8M --cluster "$tmp/cluster.conf"
	expect 0 '' remove field --cluster "$tmp/cluster.conf"
else
	fail "the cluster file of this test is wrong"
fi

expect 2 'do what' --servers $a
expect 2 'none of' create x 1M
expect 2 'which region' make --servers $a
expect 2 'how large' make x --servers $a
expect 2 'cannot be the name' make .x 1M
expect 2 'cannot be the name' make a/b 1M
expect 2 'cannot be the name' make "$(printf 'x%.0s' {1..56})" 1M
expect 2 'SIZE' make x 12Q
expect 2 'multiple of 4K' make x 4097
expect 2 'power of two' make x 1G --slice 3M
expect 2 'slice' make x 1G --slice 1M
expect 2 'lease' make x 1G --lease 1
expect 2 'both say where' list --servers $a --cluster "$tmp/cluster.conf"
expect 2 '' list --servers 'no host!'
expect 2 '' status x y
expect 1 "giantvm serve" list --servers 127.0.0.1:1
expect 1 '' list --cluster "$tmp/none.conf"
exit 0
