#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Record the traces in traces/ anew: record.sh RECORDER FOLDER
#
# Needs valgrind, sqlite3, python3, sort, xz and gcc; takes minutes.  RECORDER
# is policy-record of the build.  Inputs are made here, from fixed seeds.
set -eu

recorder=$(realpath "${1:?usage: record.sh RECORDER FOLDER}")
folder=$(realpath "${2:?folder}")
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

bytes=110000

python3 - <<'END'
import random
random.seed(1)
with open('lines', 'w') as out:
    for _ in range(30000):
        out.write('%016x %s\n' % (random.getrandbits(64),
                                  'x' * random.randint(5, 40)))
END

cat >dict.py <<'END'
import random
random.seed(2)
d = {}
for i in range(30000):
    d['key%d' % random.randrange(40000)] = [i]
for _ in range(30000):
    d.get('key%d' % int(random.paretovariate(0.8) * 50))
rows = sorted(d.items(), key=lambda row: row[1])
rows.sort()
END

cat >table.sql <<'END'
create table t(a integer primary key, b text, c integer);
with recursive n(i) as (select 1 union all select i+1 from n where i<40000)
insert into t select abs(random()), hex(randomblob(40)), abs(random())%5000
from n;
create index tc on t(c);
select sum(length(b)) from t where c between 100 and 900;
update t set b=upper(b) where c<250;
select c,count(*) from t group by c order by 2 desc limit 5;
delete from t where c>4500;
END

cat >unit.c <<'END'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <pthread.h>
#include <sys/socket.h>
#define F(n) int f##n(int a, char *s) { double x = sqrt(a + n); \
	for (int i = 0; i < a; i++) { x += sin(i * n) * s[i]; \
	if (x > n) printf("%d %f %s\n", i, x, s + i % n); else \
	switch (i % 7) { case 1: s[i]++; break; case 2: x /= 3; break; \
	default: x -= strlen(s); } } return (int)x; }
#define F4(n) F(n##0) F(n##1) F(n##2) F(n##3)
#define F16(n) F4(n##1) F4(n##2) F4(n##3) F4(n##4)
F16(1) F16(2) F16(3) F16(4)
END
gcc -E unit.c -o unit.i

"$recorder" "$folder/sqlite.trace" 0 $bytes sqlite3 :memory: '.read table.sql'
"$recorder" "$folder/python.trace" 0 $bytes python3 dict.py
"$recorder" "$folder/sort.trace" 0 $bytes sort -S 64M lines
"$recorder" "$folder/xz.trace" 0 $bytes xz -6 -T1 -c lines
"$recorder" "$folder/cc1.trace" 0 $bytes "$(gcc -print-prog-name=cc1)" \
	-quiet -O1 unit.i -o /dev/null
ls -l "$folder"
