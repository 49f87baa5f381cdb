# SPDX-License-Identifier: GPL-2.0-or-later
"""Start programs and servers for a benchmark, and judge what they measured.

Only the standard library.  A measure is a function that returns rows; a row
holds our figure, the floor's or the peer's figure of the same run, and what
the ratio must be.  Nothing here knows what is measured.
"""

import contextlib
import glob
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass

HERE = os.path.dirname(os.path.realpath(__file__))


class Skip(Exception):
    """This cannot be measured here; the reason is the message."""


@dataclass
class Row:
    measure: str
    ours: float
    against: float          # 0: an absolute figure, judged by itself
    unit: str
    name: str               # of the floor or the peer
    must: float
    aim: float
    more_is_better: bool = False
    note: str = ""

    @property
    def ratio(self):
        return self.ours / self.against if self.against else self.ours

    def meets(self, bound):
        if self.more_is_better:
            return self.ratio >= bound
        return self.ratio <= bound

    @property
    def verdict(self):
        if not self.must:
            return "-"
        if self.aim and self.meets(self.aim):
            return "aim"
        return "ok" if self.meets(self.must) else "MISSED"


class Bench:
    """One run: where the programs are, how large the measures are."""

    def __init__(self, build, smoke):
        self.build = build
        self.smoke = smoke
        self.giantvm = self.find("giantvm", "cli")
        if self.giantvm:                # for scripts and programs of ours
            os.environ["GIANTVM"] = self.giantvm
        self.raw = []

    def find(self, name, folder="bench"):
        for path in (os.path.join(self.build, folder, name),
                     os.path.join(HERE, name)):
            if os.access(path, os.X_OK):
                return path
        if folder == "cli":
            for path in (os.environ.get("GIANTVM", ""), shutil.which(name)):
                if path and os.access(path, os.X_OK):
                    return path
        return None

    def scale(self, full, smoke):
        return smoke if self.smoke else full

    def command(self, name):
        """giantvm and the name of a command, if this giantvm has it."""
        if not self.giantvm:
            raise Skip("the program giantvm is not built")
        listed = subprocess.run([self.giantvm, "help"], capture_output=True,
                                text=True, check=False).stdout
        if not re.search(rf"^  {name}\b", listed, re.MULTILINE):
            raise Skip(f"this giantvm has no command '{name}'")
        if name == "run" and not self.attach():
            raise Skip("libgiantvm-attach.so is not built")
        return [self.giantvm, name]

    def program(self, name, *args, prefix=(), timeout=600, env=None,
                folder="bench"):
        """Run a benchmark program; its JSON as a dictionary."""
        path = self.find(name, folder)
        if not path:
            raise Skip(f"{name} is not built")
        words = [*prefix, path, *(str(a) for a in args)]
        done = run_group(words, timeout, env)
        lines = [l for l in done.stdout.splitlines() if l.startswith("{")]
        if done.returncode == 77 and lines:
            raise Skip(json.loads(lines[-1])["skip"])
        if done.returncode or not lines:
            raise RuntimeError("%s: exit status %d: %s" % (
                " ".join(words), done.returncode, done.stderr.strip()[-500:]))
        result = json.loads(lines[-1])
        self.raw.append({"command": words, "result": result})
        return result

    def in_turns(self, name, *args, prefixes=((), ()), orders=()):
        """Two runs of one program at once, told in turns what to do next.

        What slows the machine down for a moment slows both of them.
        """
        path = self.find(name)
        if not path:
            raise Skip(f"{name} is not built")
        lines = [[*p, path, *(str(a) for a in args)] for p in prefixes]
        runs = []
        try:
            for words in lines:
                runs.append(subprocess.Popen(
                    words, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL, text=True))
                expect(runs[-1], "ready")
            for i, order in enumerate(orders):
                # Who goes first changes too.
                for run in (runs, runs[::-1])[i % 2]:
                    run.stdin.write(order)
                    run.stdin.flush()
                    expect(run, "done")
            results = [json.loads(run.communicate(timeout=60)[0])
                       for run in runs]
        finally:
            for run in runs:
                stop(run)
        self.raw += [{"command": w, "result": r}
                     for w, r in zip(lines, results)]
        return results

    def attach(self):
        """The preload library: built, or installed with giantvm."""
        prefix = os.path.dirname(os.path.dirname(self.giantvm))
        return (glob.glob(self.build + "/attach/libgiantvm-attach.so")
                or glob.glob(prefix + "/lib*/**/libgiantvm-attach.so",
                             recursive=True))

    @contextlib.contextmanager
    def server(self, memory="4G", cpus=None):
        """A memory server on a free port: its address and pid."""
        process = subprocess.Popen(
            [*self.command("serve"), "--listen", "127.0.0.1:0",
             "--memory", memory],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            preexec_fn=lambda: cpus and os.sched_setaffinity(0, cpus))
        try:
            yield first_address(process), process.pid
        finally:
            stop(process)


def expect(process, word):
    line = process.stdout.readline()
    if line.strip() != word:
        raise RuntimeError("%s: said %r instead of %s" % (
            " ".join(process.args), line.strip()[:200], word))


def first_address(process):
    """The server says where it listens on its first lines."""
    said = ""
    for line in process.stdout:
        said += line
        found = re.search(r"\d+\.\d+\.\d+\.\d+:[1-9]\d*", line)
        if found:
            return found.group(0)
    raise RuntimeError("giantvm serve does not start: " + said.strip())


def stop(process):
    process.terminate()
    try:
        process.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def run_group(words, timeout, env=None):
    """subprocess.run, but a timeout ends the children's children too."""
    process = subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True, env={**os.environ, **(env or {})})
    try:
        out, err = process.communicate(timeout=timeout)
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def child_cpu_s():
    use = resource.getrusage(resource.RUSAGE_CHILDREN)
    return use.ru_utime + use.ru_stime


def warm_machine(size):
    """Touch memory once, so that the host below a VM has backed it.

    Free memory that the host never backed costs milliseconds per 2 MiB at its
    first touch, whoever touches it first; that one would look slow.
    """
    code = ("import mmap, sys\n"
            "m = mmap.mmap(-1, int(sys.argv[1]))\n"
            "for i in range(0, len(m), 4096): m[i] = 1\n")
    free = next(int(l.split()[1]) * 1024 for l in open("/proc/meminfo")
                if l.startswith("MemAvailable:"))
    subprocess.run([sys.executable, "-c", code, str(min(size, free // 2))],
                   check=False)


def first_line(path):
    try:
        with open(path, encoding="ascii", errors="replace") as f:
            return f.readline().strip()
    except OSError:
        return ""


def machine():
    """What a reader must know to judge the figures."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        text = f.read()
    model = re.search(r"model name\s*: (.*)", text)
    commit = subprocess.run(
        ["git", "-C", HERE, "describe", "--always", "--dirty"],
        capture_output=True, text=True, check=False).stdout.strip()
    return {
        "kernel": os.uname().release,
        "cpu": model.group(1) if model else os.uname().machine,
        "cpus": os.cpu_count(),
        "virtual": " hypervisor" in text,
        "load": os.getloadavg()[0],
        "thp": first_line("/sys/kernel/mm/transparent_hugepage/enabled"),
        "commit": commit,
        "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
    }


def save(folder, name, bench, rows, reason):
    os.makedirs(folder, exist_ok=True)
    path = os.path.join(folder, name + ".json")
    with open(path + ".new", "w", encoding="ascii") as f:
        json.dump({
            "machine": machine(), "smoke": bench.smoke, "skipped": reason,
            "rows": [{**asdict(r), "ratio": r.ratio, "verdict": r.verdict}
                     for r in rows],
            "raw": bench.raw,
        }, f, indent=1)
    os.replace(path + ".new", path)
