#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A proof that cannot fail proves nothing: if the stamp program did not see one
# changed byte in one page, every guest test would pass over lost memory.
set -euo pipefail

stamp=$1

out=$("$stamp" --quiet --rounds 2 --threads 3 16)
[ "$out" = "stamp: 4096 pages, 2 rounds, 0 mismatches" ] || {
	echo "unchanged memory: $out"
	exit 1
}

rc=0
out=$("$stamp" --quiet --corrupt 16 2>&1) || rc=$?
grep -q '^stamp: slot .*: damaged' <<< "$out" || {
	echo "the damaged page is not described: $out"
	exit 1
}
grep -q '^stamp: 4096 pages, 1 rounds, 1 mismatches$' <<< "$out" || {
	echo "one changed byte: $out"
	exit 1
}
[ "$rc" = 1 ] || {
	echo "one changed byte: exit status $rc"
	exit 1
}
