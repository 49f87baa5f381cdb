#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# If this failed, memory testers would find wrong bits in paged memory.
here=$(dirname "$0")
. "$here/live-lib.sh"
need stress-ng memtester

paged stress-ng --vm 2 --vm-bytes 32M --vm-ops 300 --vm-method all --verify \
	--timeout 60 --temp-path "$dir" -q || fail "stress-ng found errors"

# Four times the limit; the tests that read and write the most in short time.
MEMTESTER_TEST_MASK=0x7
export MEMTESTER_TEST_MASK
paged memtester 32M 1 >"$dir/log" 2>&1 || {
	tail -n 5 "$dir/log"
	fail "memtester found errors"
}
