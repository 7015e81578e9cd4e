#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""`dill run` in gdb shows a process's heap calls as the kernel's own tracepoints record them at the same time."""
# timeout: 900
# named: yes
import collections
import json
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import kmem_trace  # noqa: E402
from gdb_session import Gdb, plugin_path  # noqa: E402
from target import Guest, case, main  # noqa: E402

RECORD = "heap.json"
# What QEMU's standing still does to a kernel's sense of time.
TIME_STOOD_STILL = r"clocksource|hrtimer: interrupt took|timekeeping watchdog|sched: RT throttling|perf: interrupt took"
TROUBLE = r"BUG|Oops|WARNING|general protection|stall|lockup|hung|corrupt|segfault|Call Trace"
WORK_S = 500

guest = Guest()


class Trace:
    """gdb, attached to the guest, following a process; within `with` the guest runs, and events are recorded."""

    def __init__(self, process):
        self.gdb = Gdb(plugin_path(guest.dill_path), target="gdb.sock")
        for words in (f"filter add process {process}", "off", "record on", "run"):
            said = self.gdb.run(f"dill {words}", 120)
            assert "dill:" not in said and "rror" not in said, f"dill {words}: {said}"

    def __enter__(self):
        self.gdb.send("continue")
        return self

    def __exit__(self, *_):
        self.gdb.interrupt()
        self.gdb.wait(120)
        self.status = self.gdb.run("dill status", 120)
        self.gdb.run(f"dill record save {os.path.abspath(RECORD)}", 120)
        self.gdb.run("dill stop", 120)
        self.gdb.close()

    def events(self):
        with open(RECORD, encoding="utf-8", errors="replace") as file:
            records = [json.loads(line) for line in file]
        assert not any(record.get("dropped") for record in records)
        return [record for record in records if "kind" in record]


def address_of(event):
    return int(event["addr"], 16) if "addr" in event else 0


def seen_by_dill(events, pid):
    """{(kind, address): how often} of a task, and the same of functions without tracepoints (bulk)."""
    seen, bulk = collections.Counter(), collections.Counter()
    for event in events:
        if event["pid"] == pid:
            which = bulk if "bulk" in event["function"] else seen
            which[event["kind"], address_of(event)] += 1
    return seen, bulk


def seen_by_kernel(events, pid):
    seen = collections.Counter()
    for event in events:
        address = event.fields.get("ptr", 0) & (1 << 64) - 1
        # kfree(NULL) and kfree(ZERO_SIZE_PTR) do nothing; kmalloc(0) gives no object.
        if event.pid == pid and event.kind in kmem_trace.EVENTS and address > 16:
            seen["alloc" if kmem_trace.is_alloc(event) else "free", address] += 1
    return seen


def compare(got, wanted):
    """What differs between the two sets, as text; what is right, as a number."""
    missing, extra = wanted - got, got - wanted
    lines = [f"dill has not seen {count} × {kind} {address:#x}" for (kind, address), count in missing.items()]
    lines += [f"only dill has seen {count} × {kind} {address:#x}" for (kind, address), count in extra.items()]
    return "\n".join([f"{sum(missing.values())} missing, {sum(extra.values())} extra of {sum(wanted.values())}"] +
                     lines[:20]) if lines else ""


def callers(events, pid, seen):
    """Who called for what dill has not seen at all."""
    sites = collections.Counter((event.kind, event.fields["call_site"] & (1 << 64) - 1) for event in events
                                if event.pid == pid and set(seen_by_kernel([event], pid)) - set(seen))
    return "".join(f"\n{count} × {kind} from {site:#x}" for (kind, site), count in sites.most_common(8)) + "\n" + \
        guest.text("grep -E ' (_text|_stext)$' /proc/kallsyms")


def troubles():
    """Lines of the guest's log that tell of trouble."""
    return [line for line in guest.text("dmesg").splitlines()
            if re.search(TROUBLE, line) and not re.search(TIME_STOOD_STILL, line)]


def caches_by_address(events, pid):
    """{address: names} of what the kernel's own trace says is released to which cache, where it says so."""
    names = collections.defaultdict(set)
    for event in events:
        if event.pid == pid and event.text and event.kind == "kmem_cache_free":
            names[event.fields["ptr"] & (1 << 64) - 1].add(event.text)
    return names


@case
def process_is_followed():
    """every allocation and release of a followed process is the kernel's own, and none is missing"""
    before = troubles()
    guest.text("rm -f go said; mkfifo go; setsid kernel_allocs <>go >said 2>&1 & "
               "until grep -q pid said; do usleep 100000; done")
    pid = int(guest.text("cat said").split()[1])
    kmem_trace.start(guest)
    trace = Trace(pid)
    began = time.monotonic()
    with trace:
        guest.text(f"echo >go; i=0; until grep -q done said || [ $((i += 1)) -gt {WORK_S} ]; do sleep 1; done", WORK_S + 30)
    took = time.monotonic() - began
    recorded = kmem_trace.stop(guest)
    assert "done" in guest.text("cat said"), "the followed program's work failed"
    events = trace.events()
    seen, bulk = seen_by_dill(events, pid)
    print(f"# {len(events)} events in {took:.1f} s; {sum(bulk.values())} of bulk calls, which have no tracepoint")
    print("# " + trace.status.strip().replace("\n", "\n# "))
    difference = compare(seen, seen_by_kernel(recorded, pid))
    assert not difference, difference + callers(recorded, pid, seen)
    assert sum(seen.values()) >= 10000, "too few events to show anything"
    names = caches_by_address(recorded, pid)
    for event in events:
        address = address_of(event)
        if event["kind"] == "free" and event["function"] == "kmem_cache_free" and address in names:
            assert event["cache"] in names[address], f"{event}: the kernel says {names[address]}"
    after = troubles()
    assert after == before, "the guest's log has new trouble:\n" + "\n".join(after)
    guest.text(f"kill {pid}")


@case
def programs_are_followed_by_name():
    """processes that come to be called so are followed from then to their end"""
    kmem_trace.start(guest)
    trace = Trace("ls")
    with trace:
        assert guest.text("for i in 1 2 3 4 5; do ls /proc/self/task; done | wc -l", 200).strip() == "5"
    recorded = kmem_trace.stop(guest)
    events = trace.events()
    assert all(event["comm"] == "ls" for event in events)
    pids = {event["pid"] for event in events}
    assert len(pids) == 5, f"{len(pids)} processes instead of 5 were seen"
    for pid in pids:
        seen, _ = seen_by_dill(events, pid)
        mine = [event for event in recorded if seen_by_kernel([event], pid)]
        difference = compare(seen, seen_by_kernel(mine[-sum(seen.values()):], pid))
        assert not difference, f"process {pid}: {difference}"


main()
