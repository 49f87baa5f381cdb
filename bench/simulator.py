# SPDX-License-Identifier: GPL-2.0-or-later
"""The protocol of shared regions on simulated clusters: what a miss takes, and
how fast the simulator is.  All but its speed and memory is simulated, and the
same on every machine.
"""

import json
import subprocess

from harness import Row

MIB = 1 << 20
RTT_US, CPU_US = 20, 7


def simulate(bench, load, nodes, ops):
    words = [*bench.command("sim"), "--load", load, "--nodes", str(nodes),
             "--ops", str(ops), "--rtt", f"{RTT_US}us", "--cpu", f"{CPU_US}us",
             "--json"]
    done = subprocess.run(words, capture_output=True, text=True, check=False,
                          timeout=600)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stdout[-500:]}"
                           f"{done.stderr[-500:]}")
    result = json.loads(done.stdout)["runs"][0]
    bench.raw.append({"command": words, "result": result})
    return result


def load_rows(load, nodes, r):
    where = f"{load}, {nodes} nodes"
    return [
        Row(f"simulator, {where}", r["events_per_second"] / 1e6, 0,
            "M events/s", "", 1, 3, True,
            f"{r['events'] / 1e6:.1f} M events, oracle on, one thread"),
        Row(f"its memory, {where}", r["memory_bytes"] / MIB, 0, "MiB", "",
            4096, 2048),
        Row(f"hops, most, {where}", r["hops_max"], 0, "hops", "", 3, 3,
            note="relays' levels below the first apart: "
            f"{r['relay_levels_max']}"),
        Row(f"hops, mean, {where}", r["hops_mean"], 0, "hops", "",
            3, 2.2 if load == "zipf" else 3,
            note=f"{r['messages_per_miss']:.2f} messages a miss, "
            f"{r['asked_again'] / max(r['misses'], 1):.1%} asked again"),
        Row(f"directory, <= 4 sharers, {where}",
            r["directory_bytes_few_max"], 0, "B/page", "", 16, 16),
        Row(f"directory, largest, {where}", r["directory_bytes_max"], 0,
            "B/page", "", 1320, 1320),
    ]


def simulator(bench):
    """Simulated clusters of up to 10,240 nodes."""
    nodes, ops = bench.scale((10240, 60), (300, 3))
    rows = []
    for load in ("storm", "zipf"):
        rows += load_rows(load, nodes, simulate(bench, load, nodes, ops))
    r = simulate(bench, "invalidate", nodes, bench.scale(5, 1))
    where = f"invalidate {r['invalidate_sharers']} sharers"
    note = f"{RTT_US} us round trip, {CPU_US} us per message and node"
    rows += [
        Row(where, r["invalidate_ns"] / 1e6, 0, "ms", "", 1, 0.6, note=note),
        Row(f"messages of one node, {where}", r["invalidate_messages_max"], 0,
            "messages", "", 20, 20),
    ]
    return rows
