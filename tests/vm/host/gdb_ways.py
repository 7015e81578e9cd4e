#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""`dill run` by code and by data shows few calls as the kernel's own trace has them, each object of bulk calls too."""
# timeout: 500
# named: yes
# once: yes
import collections
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import heap_truth  # noqa: E402
import kmem_trace  # noqa: E402
from gdb_session import Gdb, plugin_path  # noqa: E402
from target import Guest, case, main  # noqa: E402

RECORD = os.path.abspath("ways.json")
ALLOC_BULK = "kmem_cache_alloc_bulk"
FREE_BULK = "kmem_cache_free_bulk"
RING_END = "io_ring_exit_work"
PROBED_OBJECTS = 32  # of each call: as many as an io_uring keeps for later (IO_REQ_CACHE_SIZE)

guest = Guest()
calls = heap_truth.SlabCalls(guest)


def follow(way, *words):
    """dill's record of the calls that the program makes for these words, and dill's status."""
    with Gdb(plugin_path(guest.dill_path), target="gdb.sock") as gdb:
        gdb.run(f"set dill trace-by {way}")
        for line in str(calls.pid), "off", "record on", "run":
            said = gdb.run(f"dill {line}", 60)
            assert "dill" not in said and "rror" not in said, said
        gdb.send("continue")
        calls.do(*words)
        gdb.interrupt()
        gdb.wait()
        status = gdb.run("dill status")
        gdb.run(f"dill record save {RECORD}")
        gdb.run("dill stop")
    print("# " + status.strip().replace("\n", "\n# "))
    return heap_truth.read_record(RECORD)[0], status


def probes():
    """kprobes on the bulk functions, which have no tracepoint, and on the end of an io_uring, which comes in the background
    when the kernel finds time for it."""
    if guest.run("[ -e /sys/kernel/tracing/kprobe_events ]")[0]:
        return []
    names = guest.symbols(ALLOC_BULK, ALLOC_BULK + "_noprof", FREE_BULK, RING_END)
    assert RING_END in names
    alloc = next(name for name in names if name.startswith(ALLOC_BULK))
    return [f"p:alloc_bulk {alloc} count=%dx", f"p:free_bulk {FREE_BULK} count=%si objects=+0(%dx):x64[{PROBED_OBJECTS}]",
            f"r:ring_ended {RING_END}"]


def addresses(events):
    return collections.Counter(int(event["addr"], 16) for event in events)


def assert_bulk_calls(events, recorded):
    """Each object of a bulk call is an event: released ones by the arrays, allocated ones by number, and those that are
    requests of an io_uring by what the kernel releases when it ends."""
    seen = [event for event in events if event["function"] == FREE_BULK]
    wanted = collections.Counter()
    for event in recorded:
        if event.kind == "free_bulk" and event.pid == calls.pid:
            assert event.fields["count"] <= PROBED_OBJECTS, event.fields
            wanted.update(event.fields["objects"][:event.fields["count"]])
    assert addresses(seen) == wanted, (addresses(seen) - wanted, wanted - addresses(seen))
    released = sum(wanted.values())
    seen = [event for event in events if event["function"].startswith(ALLOC_BULK)]
    wanted = sum(event.fields["count"] for event in recorded if event.kind == "alloc_bulk" and event.pid == calls.pid)
    assert len(seen) == wanted, (len(seen), wanted)
    requests = [event for event in seen if "io_" in event["caller_symbol"]]
    assert len(requests) >= 20, requests
    wanted = addresses(requests)
    seen = collections.Counter()
    for event in recorded:
        if event.kind == "kmem_cache_free":
            seen[event.fields["ptr"] & heap_truth.POINTER] += 1
            assert event.pid == calls.pid or event.text in (None, requests[0]["cache"]), event.text
        if event.kind == "free_bulk":
            seen.update(event.fields["objects"][:event.fields["count"]])
    assert seen & wanted == wanted, wanted - seen
    print(f"# {sum(addresses(events).values())} events; {len(requests)} requests and others allocated, {released} released")


def check(way, pattern, *words):
    wanted = probes()
    kmem_trace.start(guest, calls.pid, "io_kiocb", wanted)
    guest.text("ip link set lo mtu 1500")
    events, status = follow(way, *words)
    guest.text("ip link set lo mtu 65536")
    if wanted:
        guest.text(f"until grep -q 'ring_ended *[1-9]' {kmem_trace.TRACING}/kprobe_profile; do sleep 0.2; done", 120)
    recorded = kmem_trace.stop(guest)
    assert re.search(f"^trace +{pattern}", status, re.M), status
    seen = heap_truth.seen_by_dill(events, calls.pid)
    difference = heap_truth.differences(seen, heap_truth.seen_by_kernel(recorded, calls.pid))
    assert not difference, difference
    assert all(event["pid"] == calls.pid for event in events) and sum(seen.values()) > 100
    if wanted:
        assert_bulk_calls(events, recorded)
    else:
        print("# this kernel has no kprobes to tell of bulk calls")


@case
def by_data():
    """by data, the calls of a process are those that the kernel's trace has, and each object of bulk calls"""
    check("data", "by watchpoints on ", "few", "uring", "close", "maps", "udp")


@case
def by_code():
    """by code too"""
    check("code", r"by breakpoints at \d+ functions$", "few", "uring", "close", "udp")


main()
