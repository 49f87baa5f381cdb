# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured, and what it must reach.

Every function takes a Bench and returns rows.  Ours and the floor or peer are
measured in the same run, in turns wherever one program can do both.
"""

import json
import os
import statistics
import subprocess

import simulator
import swap
from harness import HERE, Row, Skip

MIB = 1 << 20


def fault(bench):
    """Remote 4 KiB fault against the floor."""
    rows = []
    for pin in bench.scale(("any", "same"), ("any",)):
        rows += fault_pinned(bench, pin)
    return rows


def fault_pinned(bench, pin):
    cpus = {min(os.sched_getaffinity(0))} if pin == "same" else None
    prefix = ["taskset", "-c", str(min(cpus))] if cpus else []
    region, local = bench.scale((512, 64), (16, 2))
    with bench.server(cpus=cpus) as (address, pid):
        r = bench.program(
            "bench-fault", "--servers", address, "--server-pid", pid,
            "--region", f"{region}M", "--local", f"{local}M",
            "--faults", bench.scale(50000, 512), prefix=prefix)
    where = "one CPU" if cpus else "any CPU"
    note = "CPU per million faults: client %.1f s, server %.1f s" % (
        r["client_cpu_s_per_million"], r["server_cpu_s_per_million"])
    return [
        Row(f"remote fault p50, {where}", r["ours_p50_us"], r["floor_p50_us"],
            "us", "uffd + TCP", 1.5, 1.2, note=note),
        Row(f"remote fault p99, {where}", r["ours_p99_us"], r["floor_p99_us"],
            "us", "uffd + TCP", 3, 2),
    ]


def floor(bench):
    """The floors by themselves, by where the threads run."""
    rows = []
    for pin in bench.scale(("any", "same", "cross"), ("any",)):
        r = bench.program("bench-floor", "--pin", pin,
                          "--faults", bench.scale(20000, 512),
                          "--stream", bench.scale("2G", "16M"))
        for kind, name in (("uffd", "userfaultfd fault"),
                           ("tcp", "TCP 4 KiB request"),
                           ("floor", "sum of both"),
                           ("chain", "simplest remote pager"),
                           ("spin", "the same, spinning"),
                           ("relay", "TCP by way of a third"),
                           ("relay_spin", "the same, spinning"),
                           ("upgrade", "fault on a protected page"),
                           ("protect", "protect a page"),
                           ("drop", "drop a page")):
            rows.append(Row(f"floor: {name}, {pin}", r[f"{kind}_p50_us"], 0,
                            "us", "", 0, 0,
                            note="p99 %.0f us" % r[f"{kind}_p99_us"]))
        rows.append(Row(f"floor: TCP stream, {pin}", r["stream_mb_s"], 0,
                        "MB/s", "", 0, 0, True))
    return rows


def sequential(bench):
    """Sequential read of remote memory against a raw TCP stream."""
    region, local, span = bench.scale((1024, 128, 64), (32, 8, 8))
    with bench.server() as (address, pid):
        r = bench.program(
            "bench-seq", "--servers", address, "--server-pid", pid,
            "--region", f"{region}M", "--local", f"{local}M",
            "--span", f"{span}M", "--rounds", bench.scale(32, 2))
    note = "CPU per page: client %.2f us, server %.2f us" % (
        r["client_cpu_us_per_page"], r["server_cpu_us_per_page"])
    return [Row("sequential read", r["ours_mb_s"], r["stream_mb_s"], "MB/s",
                "TCP stream", 0.60, 0.85, True, note)]


def random_access(bench):
    """Random read and read-modify-write, 25 % local, against swap."""
    size, accesses = bench.scale((1024, 100000), (32, 2000))
    local = size // 4
    args = ["--size", f"{size}M", "--accesses", accesses, "--verify", 1]
    ours = bench.program(
        "bench-random", *args,
        prefix=[*bench.command("run"), "--local", f"{local}M", "--"])
    peers = random_peers(bench, args, size * MIB, local * MIB)
    rows = []
    for key, name in (("read", "random read"),
                      ("rmw", "random read-modify-write")):
        mine = ours[f"{key}_mean_us"]
        if not peers:
            rows.append(Row(f"{name}, speed", 1 / mine, 0, "access/us", "",
                            0, 0, True))
        for peer, r in peers.items():
            judged = peer == "nbd swap"
            theirs = r[f"{key}_mean_us"]
            # As a speed: how many times faster than the peer.
            rows.append(Row(
                f"{name}, speed", 1 / mine, 1 / theirs, "access/us", peer,
                2 if judged else 0, 5 if judged else 0, True,
                "mean %.1f, p50 %.1f, p99 %.0f us; peer %.1f, %.1f, %.0f" % (
                    mine, ours[f"{key}_p50_us"], ours[f"{key}_p99_us"],
                    theirs, r[f"{key}_p50_us"], r[f"{key}_p99_us"])))
    return rows


def random_peers(bench, args, size, local):
    """The same program in a cgroup; swap over TCP must work, zram may."""
    if bench.smoke:
        return {}
    peers = {}
    for kind, name in (("nbd", "nbd swap"), ("zram", "zram swap (local)")):
        try:
            # zram compresses nothing here: the pages hold random bytes.
            with swap.cgroup(local) as prefix, \
                    swap.swap(kind, size * 5 // 4) as said:
                peers[name] = bench.program("bench-random", *args,
                                            prefix=prefix)
            peers[name]["said"] = said
        except Skip as e:
            if kind == "nbd":
                raise
            print(f"  {name}: skipped: {e}")
    return peers


def resident(bench):
    """A program that fits, against the same program run natively."""
    rows = []
    for thp in ("small", "huge"):
        rows += resident_thp(bench, thp)
    return rows


def resident_thp(bench, thp):
    """Both at once, in turns of milliseconds; several pairs, because where in
    the host's memory a program lies is luck."""
    size = bench.scale(256, 16)
    args = ["--size", f"{size}M", "--thp", thp,
            "--loads", bench.scale(1 << 20, 1 << 16)]
    under = [*bench.command("run"), "--local", f"{2 * size}M", "--"]
    orders = "c" * bench.scale(40, 2) + "l" * bench.scale(8, 2)
    native, ours = [], []
    for i in range(bench.scale(5, 1)):
        # The first to start gets the better memory, if there is any.
        pair = ((), under) if i % 2 else (under, ())
        results = bench.in_turns("bench-native", *args, prefixes=pair,
                                 orders=orders)
        native.append(results[0 if i % 2 else 1])
        ours.append(results[1 if i % 2 else 0])
    share = statistics.median(r["huge_bytes"] / r["rss_bytes"] for r in native)
    share_ours = statistics.median(
        r["huge_bytes"] / r["rss_bytes"] for r in ours)
    page = f"native {share:.0%}, ours {share_ours:.0%} in 2 MiB pages"

    def middle(runs, key):
        return statistics.median(v for r in runs for v in r[key])

    label = "2M" if thp == "huge" else "4K"
    return [
        Row(f"resident pointer chase, {label}", 1e3 / middle(ours, "chase_ns"),
            1e3 / middle(native, "chase_ns"), "load/us", "native",
            0.97, 0.995, True, page),
        Row(f"resident copy, {label}", middle(ours, "copy_mb_s"),
            middle(native, "copy_mb_s"), "MB/s", "native",
            0.97, 0.995, True, page),
    ]


def metadata(bench):
    """Bytes of bookkeeping, in the pager and in the server."""
    first, second, local = bench.scale((256, 1024, 32), (8, 32, 4))
    with bench.server() as (address, pid):
        r = bench.program(
            "bench-meta", "--servers", address, "--server-pid", pid,
            "--first", f"{first}M", "--second", f"{second}M",
            "--local", f"{local}M")
    judge = 0 if bench.smoke else 1
    return [
        Row("pager metadata per page", r["client_bytes"], 0, "B", "",
            16 * judge, 8 * judge, note="constant part %.1f MiB; kernel page "
            "tables %.1f B" % (r["client_constant_bytes"] / MIB,
                               r["page_table_bytes"])),
        Row("server overhead per stored page", r["server_told_bytes"], 0, "B",
            "", 64 * judge, 32 * judge,
            note="by resident set %.1f B" % r["server_rss_bytes"]),
    ]


def huge(bench):
    """What 2 MiB pages give to armed memory, and what they cost."""
    r = bench.program("bench-huge", "--size", bench.scale("512M", "16M"),
                      "--loads", bench.scale(4 << 20, 1 << 18))
    return [Row("huge pages: pointer chase, speed", 1e3 / r["huge_ns"],
                1e3 / r["small_ns"], "load/us", "4 KiB pages", 0, 0, True,
                "collapse %.0f us per 2 MiB, paid back after %.0f loads" % (
                    r["collapse_us"], r["pays_after_loads"]))]


def shared(bench):
    """Misses in a shared region against messages that do nothing else."""
    rows = []
    for pin, where in bench.scale((("same", "one CPU"), ("any", "any CPU")),
                                  (("any", "any CPU"),)):
        rows += shared_pinned(bench, pin, where)
    return rows


# What a miss waits for, and how the floor's figures are called: the fault itself,
# the messages on its path between as many processes, and what the owner must do.
PATHS = (("read_clean", "read miss, home has it", "uffd", "tcp", ""),
         ("read_dirty", "read miss, another node has it", "uffd", "relay",
          "protect"),
         ("upgrade", "upgrade, another node reads it", "upgrade",
          "relay_small", "drop"),
         ("write_clean", "write miss, home has it", "uffd", "tcp", ""),
         ("write_dirty", "write miss, another node has it", "uffd", "relay",
          "drop"))


def shared_floor(f, fault, messages, owner):
    """The least such a miss takes, us."""
    return (f[f"{fault}_p50_us"] + f[f"{messages}_p50_us"] +
            (f[f"{owner}_p50_us"] if owner else 0))


def medians(runs):
    """Of each figure, the median of several runs of one program."""
    return {key: statistics.median(run[key] for run in runs)
            for key, value in runs[0].items()
            if isinstance(value, (int, float))}


def shared_pinned(bench, pin, where):
    """Floor and ours by turns: where the scheduler places threads, and so what a
    wake-up costs, is drawn anew in every run; so many short ones on any CPU."""
    floors, ours, rates = [], [], []
    words = ["--pages", bench.scale(2000, 100)]
    if pin == "same":
        words.append("--one-cpu")
    for _ in range(bench.scale(15 if pin == "any" else 5, 1)):
        floors.append(bench.program("bench-floor", "--pin", pin, "--faults",
                                    bench.scale(5000, 512),
                                    "--stream", "1M"))
        ours.append(bench.program("misses", *words, "--waits-only",
                                  folder="tests/litmus"))
    for _ in range(bench.scale(3, 1) if pin == "any" else 0):
        rates.append(bench.program("misses", *words, "--seconds",
                                   bench.scale(2, 1), "--nodes", 8,
                                   folder="tests/litmus"))
    f, r = medians(floors), medians(ours)
    rows = []
    # On one CPU who looks on keeps the other from running; else ours do as well.
    looks_on = pin == "any"
    for key, name, fault, messages, owner in PATHS:
        asleep = shared_floor(f, fault, messages, owner)
        least = asleep
        note = "p99 %.0f us" % r[f"{key}_p99_us"]
        floor_name = "uffd + %d messages" % (3 if owner else 2)
        if looks_on:
            least = shared_floor(f, fault, messages + "_spin", owner)
            note += "; of a floor that sleeps %.2f" % (
                r[f"{key}_p50_us"] / asleep)
            floor_name += ", all look on"
        rows.append(Row(f"{name}, {where}", r[f"{key}_p50_us"], least, "us",
                        floor_name, 1.6, 1.25, note=note))
    if rates:
        r = medians(rates)
        rows.append(Row("one page written in turn, 2 nodes",
                        r["handovers_per_s"], 0, "/s", "", 2000, 10000, True))
        rows.append(Row("misses of 8 busy nodes", r["misses_per_s"], 0, "/s",
                        "", 20000, 50000, True))
    return rows


def beside(folder):
    """A benchmark in a folder of its own that prints rows as JSON."""
    def measure(bench):
        path = os.path.join(HERE, folder, "run")
        if not os.access(path, os.X_OK):
            raise Skip("not installed; run it in giantvm's source tree")
        words = [path, "--build", bench.build, "--json"]
        if bench.smoke and folder in ("boot", "fullshare"):
            raise Skip("a guest takes its time; the guest tests boot some")
        if bench.smoke:
            words.append("--smoke")
        done = subprocess.run(words, capture_output=True, text=True,
                              check=False, timeout=1200)
        if done.returncode == 77:
            raise Skip(done.stdout.strip().splitlines()[-1])
        if done.returncode:
            raise RuntimeError(done.stderr.strip()[-500:])
        result = json.loads(done.stdout.strip().splitlines()[-1])
        bench.raw.append({"command": words, "result": result})
        return [Row(**row) for row in result["rows"]]
    return measure


ALL = {
    "floor": floor,
    "fault": fault,
    "sequential": sequential,
    "random": random_access,
    "server": beside("server"),
    "resident": resident,
    "boot": beside("boot"),
    "fullshare": beside("fullshare"),
    "metadata": metadata,
    "huge": huge,
    "shared": shared,
    "simulator": simulator.simulator,
}
