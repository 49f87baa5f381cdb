# SPDX-License-Identifier: GPL-2.0-or-later
"""Does `giantvm stat --guest --json` on standard input tell of a whole guest?

    seen.py NODES

Every node runs here, so each has a file, and each file has all nodes.
"""
import json
import sys

nodes = int(sys.argv[1])
guests = json.load(sys.stdin)
assert sorted(g["node"] for g in guests) == list(range(nodes)), "who is here"
pids = {g["node"]: g["pid"] for g in guests}
for guest in guests:
    assert len(guest["nodes"]) == nodes
    for node in guest["nodes"]:
        assert node["pid"] == pids[node["node"]], "somebody else's counters"
        assert node["faults"] and node["taken"] and node["resident_pages"]
        assert node["read_p99_ns"] >= node["read_p50_ns"] > 0, "no waits"
        assert node["irqs_sent"] and node["irqs_received"]
        assert not node["left"]
    devices, *others = guest["nodes"]
    assert devices["port_forwards"] == devices["memory_forwards"] == 0
    assert all(n["port_forwards"] for n in others), "nothing forwarded"
    # They told at different times, within two seconds.
    asked = sum(n["port_forwards"] + n["memory_forwards"] for n in others)
    assert devices["forwards_served"] >= asked / 2, "answers without questions"
