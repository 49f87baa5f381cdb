#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The example is what people copy: it must build, page, and verify; and whoever
# mistypes its arguments must see how they are meant.
set -u
giantvm=$1
example=$2
. "$(dirname "$0")/lib.sh"
"$giantvm" doctor | grep -q '^FAIL  userfaultfd' &&
	skip "no permission for userfaultfd"

start_server
"$example" "127.0.0.1:$port" 64 16 > "$dir/out" 2>&1 ||
	fail "the example fails: $(cat "$dir/out")"
grep -q '^0 wrong pages$' "$dir/out" || fail "wrong pages: $(cat "$dir/out")"
"$giantvm" stat --server "127.0.0.1:$port" | grep -q ' 0 regions' ||
	fail "the example left its region behind"
"$example" 2> "$dir/err" && fail "status 0 without arguments"
grep -q '^usage: small-vmm' "$dir/err" || fail "no usage"
finish
