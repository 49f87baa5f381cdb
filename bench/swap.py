# SPDX-License-Identifier: GPL-2.0-or-later
"""The peer for random access: swap, in a memory cgroup of the same size.

swap-peer sets the swap up and takes it down when its standard input ends,
which happens however this process ends.
"""

import contextlib
import os
import subprocess

from harness import HERE, Skip

MIB = 1 << 20
# What the workload needs beside the memory it pages: program, tables, stack.
PROGRAM_BYTES = 8 * MIB


@contextlib.contextmanager
def swap(kind, size_bytes):
    """Swap of one kind; a list that holds the server's counters afterwards."""
    said = []
    process = subprocess.Popen(
        [os.path.join(HERE, "swap-peer"), kind, str(size_bytes // MIB)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        start_new_session=True)
    try:
        line = process.stdout.readline().strip()
        if line != "ready":
            raise Skip(line.removeprefix("skip: ") or "swap-peer failed")
        yield said
    finally:
        out, _ = process.communicate("")
        said += out.splitlines()


def find_cgroup():
    """A folder for a new memory cgroup: (path, limit file), v1 or v2."""
    name = f"giantvm-bench-{os.getpid()}"
    v1 = "/sys/fs/cgroup/memory"
    if os.path.exists(v1 + "/memory.limit_in_bytes"):
        return f"{v1}/{name}", "memory.limit_in_bytes"
    for root in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        try:
            with open(root + "/cgroup.subtree_control", "r+",
                      encoding="ascii") as f:
                if "memory" not in f.read():
                    f.write("+memory")
        except OSError:
            continue
        return f"{root}/{name}", "memory.max"
    raise Skip("no memory cgroup that this user may make")


@contextlib.contextmanager
def cgroup(limit_bytes):
    """A command prefix that runs its arguments under the limit."""
    path, limit = find_cgroup()
    try:
        os.mkdir(path)
    except OSError as e:
        raise Skip(f"cannot make a memory cgroup: {e.strerror}") from e
    try:
        try:
            with open(f"{path}/{limit}", "w", encoding="ascii") as f:
                f.write(str(limit_bytes + PROGRAM_BYTES))
        except OSError as e:
            raise Skip(f"cannot limit memory: {e.strerror}") from e
        yield ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec "$@"', path]
    finally:
        os.rmdir(path)


def page_cluster(value=None):
    """Swap read-ahead, as a power of two pages; set if a value is given."""
    path = "/proc/sys/vm/page-cluster"
    with open(path, encoding="ascii") as f:
        old = f.read().strip()
    if value is not None:
        with open(path, "w", encoding="ascii") as f:
            f.write(str(value))
    return old
