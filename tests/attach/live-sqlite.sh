#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# If this failed, an SQLite database in memory would lose rows.
here=$(dirname "$0")
limit=4M
. "$here/live-lib.sh"
need sqlite3

cat >"$dir/script" <<'SQL'
PRAGMA temp_store = MEMORY;
PRAGMA cache_size = -200000;
CREATE TABLE t (i INTEGER PRIMARY KEY, k INTEGER, v TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 7000)
INSERT INTO t SELECT i, i * 2654435761 % 4294967291,
	replace(hex(zeroblob(256)), '00', printf('%08x', i * 2654435761 % 4294967296))
	FROM n;
CREATE INDEX x ON t (k);
UPDATE t SET k = k + 1 WHERE i % 3 = 0;
SELECT count(*), sum(k), min(length(v)) FROM t
	WHERE v = replace(hex(zeroblob(256)), '00', printf('%08x', i * 2654435761 % 4294967296));
SELECT count(*) FROM (SELECT v FROM t ORDER BY k);
PRAGMA integrity_check;
SQL

sqlite3 :memory: <"$dir/script" >"$dir/plain" || fail "sqlite3 fails alone"
paged sqlite3 :memory: <"$dir/script" >"$dir/paged" ||
	fail "sqlite3 fails when paged"
cmp "$dir/plain" "$dir/paged" || fail "sqlite3 gives other results when paged"
grep -q '^ok$' "$dir/paged" || fail "sqlite3: integrity check failed"
