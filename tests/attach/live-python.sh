#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# If this failed, a Python script with more data than the limit would compute
# wrong results, alone or in processes that it forks.
here=$(dirname "$0")
. "$here/live-lib.sh"
python=/usr/bin/python3
[ -x "$python" ] || skip "/usr/bin/python3 is not installed"

cat >"$dir/script.py" <<'PY'
import hashlib
import os
import random
import subprocess


def value(i, generation):
    return hashlib.md5(b'%d/%d' % (i, generation)).hexdigest() * 8


def check(table, generation):
    for i in order:
        if table[i] != value(i, generation):
            raise SystemExit('wrong value at %d' % i)


random.seed(1)
N = 30000
order = list(range(N))
table = {i: value(i, 1) for i in order}
big = bytearray(os.urandom(1 << 20)) * 12
digest = hashlib.sha256(big).hexdigest()
random.shuffle(order)
check(table, 1)

child = os.fork()
if child == 0:
    check(table, 1)
    os._exit(0 if hashlib.sha256(big).hexdigest() == digest else 1)
for i in order[::2]:
    table[i] = value(i, 2)
assert os.waitpid(child, 0)[1] == 0
for i in order[1::2]:
    table[i] = value(i, 2)
check(table, 2)
assert subprocess.run(['sh', '-c', 'exit 3']).returncode == 3
assert hashlib.sha256(big).hexdigest() == digest
PY
paged "$python" "$dir/script.py" || fail "the script failed when paged"
