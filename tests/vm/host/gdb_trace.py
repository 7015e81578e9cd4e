#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""`dill run` in gdb shows a process's heap calls as the kernel's own tracepoints record them at the same time."""
# timeout: 600
# also: 6.18
# ruins: yes
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

# What QEMU's standing still does to a kernel's sense of time.
TIME_STOOD_STILL = r"clocksource|hrtimer: interrupt took|timekeeping watchdog|sched: RT throttling|perf: interrupt took"
TROUBLE = r"BUG|Oops|WARNING|general protection|double fault|stall|lockup|hung|corrupt|segfault|Call Trace"
WORK_S = 400
# Emulation on a busy machine takes its time: all of the program's work is done on one kernel, least with debug settings,
# where each call unwinds the stack over watched words. Rounds, and how many events they give at least.
WORK = {"6.12": (160, 10000), "debug": (12, 1000)}
WORK_ELSE = 32, 2000

guest = Guest()


class Trace:
    """gdb, attached to the guest, following a process; within `with` the guest runs, and events are recorded."""

    def __init__(self, process):
        self.record = os.path.abspath(f"heap-{process}.json")
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
        self.gdb.run(f"dill record save {self.record}", 120)
        self.gdb.run("dill stop", 120)
        self.gdb.close()

    def events(self):
        with open(self.record, encoding="utf-8", errors="replace") as file:
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


def compare(got, wanted, events, recorded, pid):
    """What differs between the two sets, as text, with where it was seen; "" if nothing does."""
    missing, extra = wanted - got, got - wanted
    if not missing and not extra:
        return ""
    lines = [f"{sum(missing.values())} missing, {sum(extra.values())} extra of {sum(wanted.values())}"]
    lines += [f"dill has not seen {count} × {kind} {address:#x}" for (kind, address), count in missing.items()][:20]
    sites = collections.Counter((event.kind, event.fields["call_site"] & (1 << 64) - 1) for event in recorded
                                if set(seen_by_kernel([event], pid)) & set(missing))
    lines += [f"of these addresses {count} × {kind} from {site:#x}" for (kind, site), count in sites.most_common(8)]
    lines += [f"only dill has seen {event}" for event in events if (event["kind"], address_of(event)) in extra][:20]
    return "\n".join(lines) + "\n" + guest.text("grep -E ' (_text|_stext)$' /proc/kallsyms")


def troubles():
    """Lines of the guest's log that tell of trouble."""
    return [line for line in guest.text("dmesg").splitlines()
            if re.search(TROUBLE, line) and not re.search(TIME_STOOD_STILL, line)]


def in_pairs(events, recorded, pid):
    """(dill's, the kernel's) of each event: with one address they have one order."""
    told = collections.defaultdict(list)
    for event in events:
        if event["pid"] == pid and "bulk" not in event["function"]:
            told[event["kind"], address_of(event)].append(event)
    for one in recorded:
        for key in seen_by_kernel([one], pid):
            yield told[key].pop(0), one


def kmalloc_class(name):
    """Bytes of a kmalloc cache's objects, by its name: kmalloc-8k, kmalloc-rnd-03-96, msg_msg-512; else None."""
    found = re.search(r"-(\d+)([kM]?)$", name)
    return found and int(found[1]) * {"": 1, "k": 1 << 10, "M": 1 << 20}[found[2]]


def check_caches(events, recorded, pid):
    """Each event's cache is as the kernel's record names it, or of the size that it tells. Returns for how many."""
    classes = {kmalloc_class(name) for name in guest.text("sed 's/ .*//' /proc/slabinfo").split() if "kmalloc-" in name}
    named = sized = 0
    for event, one in in_pairs(events, recorded, pid):
        told = f"{event}: the kernel says {one.kind} {one.fields} {one.text}"
        bytes_asked = one.fields.get("bytes_req", 0)
        if one.text is not None:
            named += 1
            assert event["cache"] == one.text, told
        elif one.kind.startswith("kmalloc") and bytes_asked <= max(classes):
            sized += 1
            assert kmalloc_class(event["cache"]) == min(size for size in classes if size >= bytes_asked), told
        elif one.kind.startswith("kmem_cache_alloc"):
            sized += 1
            assert event["object_size"] == bytes_asked, told
    return named, sized


@case
def process_is_followed():
    """every allocation and release of a followed process is the kernel's own, with its cache, and none is missing"""
    rounds, least = WORK.get(guest.series) or WORK.get(guest.variant, WORK_ELSE)
    before = troubles()
    guest.text(f"rm -f go said; mkfifo go; setsid kernel_allocs --rounds {rounds} <>go >said 2>&1 & "
               "until grep -q pid said; do usleep 100000; done")
    pid = int(guest.text("cat said").split()[1])
    kmem_trace.start(guest)
    trace = Trace(pid)
    began = time.monotonic()
    with trace:
        guest.text(f"echo >go; i=0; until grep -q done said || [ $((i += 1)) -gt {WORK_S} ]; do sleep 1; done",
                   WORK_S + 30)
    took = time.monotonic() - began
    recorded = kmem_trace.stop(guest)
    assert "done" in guest.text("cat said"), "the followed program's work failed"
    events = trace.events()
    seen, bulk = seen_by_dill(events, pid)
    print(f"# {len(events)} events in {took:.1f} s; {sum(bulk.values())} of bulk calls, which have no tracepoint")
    print("# " + trace.status.strip().replace("\n", "\n# "))
    difference = compare(seen, seen_by_kernel(recorded, pid), events, recorded, pid)
    assert not difference, difference
    assert sum(seen.values()) >= least, "too few events to show anything"
    print("# caches by name, by size:", *check_caches(events, recorded, pid))
    after = troubles()
    assert after == before, "the guest's log has new trouble:\n" + "\n".join(after)
    guest.text(f"kill {pid}")


@case
def programs_are_followed_by_name():
    """processes that come to be called so are followed from then to their end"""
    kmem_trace.start(guest)
    trace = Trace("ls")
    with trace:
        assert guest.text("for i in 1 2 3; do ls /proc/self/task; done | wc -l", 200).strip() == "3"
    recorded = kmem_trace.stop(guest)
    events = trace.events()
    assert all(event["comm"] == "ls" for event in events)
    pids = {event["pid"] for event in events}
    assert len(pids) == 3, f"{len(pids)} processes instead of 3 were seen"
    for pid in pids:
        seen, _ = seen_by_dill(events, pid)
        # Before it was called so it had events as well.
        mine = [event for event in recorded if seen_by_kernel([event], pid)][-sum(seen.values()):]
        difference = compare(seen, seen_by_kernel(mine, pid), events, mine, pid)
        assert not difference, f"process {pid}: {difference}"
        assert sum(seen.values()) > 30, f"process {pid}: too few events to show anything"


main()
