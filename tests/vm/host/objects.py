#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""Every object that the kernel's own trace says is live is allocated for dill, and every freed one is free."""
# timeout: 400
# also: 6.18
# once: yes
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import kmem_trace  # noqa: E402
from target import Books, Guest, case, main  # noqa: E402

OBJECTS_WANTED = 2000
CACHES_WANTED = 6
# Callbacks that free what was closed come a grace period later.
SETTLE_S = 3

guest = Guest()


class History:
    """What the trace says of each address that the allocating program had.

    Left out are addresses with events around the stop, and those whose events do not alternate: kernels before 6.1
    record a free after it was done (another CPU's allocation can come first), and frees in bulk have no event.
    """

    def __init__(self, events, pid):
        marks = {event.text: event.when for event in events if event.kind == "print"}
        last, own, touched, odd = {}, set(), set(), set()
        for event in events:
            if event.kind == "print":
                continue
            pointer = event.fields["ptr"]
            if marks["before"] < event.when < marks["after"]:
                touched.add(pointer)
            if event.when < marks["before"]:
                if pointer in last and kmem_trace.is_alloc(last[pointer]) == kmem_trace.is_alloc(event):
                    odd.add(pointer)
                last[pointer] = event
                if event.pid == pid and kmem_trace.is_alloc(event):
                    own.add(pointer)
        sure = own - touched - odd
        self.live = {pointer: last[pointer].fields for pointer in sure if kmem_trace.is_alloc(last[pointer])}
        self.freed = {pointer for pointer in sure if not kmem_trace.is_alloc(last[pointer])}


def record():
    """Let the program work under trace and look at the stopped guest. Returns (history, lines it said, RAM)."""
    guest.text("rm -f go; mkfifo go; setsid kernel_allocs <>go >said 2>&1 & until grep -q pid said; do usleep 100000; done")
    kmem_trace.start(guest)
    guest.text(f"echo go >go; until grep -q done said; do usleep 100000; done; sleep {SETTLE_S}", 150)
    kmem_trace.mark(guest, "before")
    with guest.stopped():
        ram = guest.save_ram()
    kmem_trace.mark(guest, "after")
    said = [line.split() for line in guest.text("cat said").splitlines()]
    pid = next(int(words[1]) for words in said if words[0] == "pid")
    return History(kmem_trace.stop(guest), pid), said, ram


def is_slab_size(fields):
    return fields["bytes_alloc"] <= 8192


def cache_names(sizes):
    """Caches that have objects of the sizes that the trace names."""
    with Books(guest) as books:
        return [name for name, line in books.slabs().items() if line["objsize"] in sizes and line["num_objs"]]


history, said, ram = record()
states = {}


@case
def trace_is_complete():
    """the trace has every message that the program holds"""
    held = {int(words[1]): int(words[2]) for words in said if words[0] == "held"}
    assert len(held) == 8, said
    for size, count in held.items():
        assert sum(fields["bytes_req"] == size for fields in history.live.values()) == count, (size, count)
    assert len(history.live) + len(history.freed) > OBJECTS_WANTED


@case
def objects_are_listed():
    """all objects of the caches are listed once, as many as their totals say"""
    for name in cache_names({fields["bytes_alloc"] for fields in history.live.values()}):
        objects = guest.records("kcache", name, "--objects", "all", target=ram)
        cache = guest.records("kcache", name, target=ram)[0]
        objects = [record for record in objects if record["type"] == "object"]
        assert len(objects) == cache["num_objs"], (name, len(objects), cache["num_objs"])
        for record in objects:
            address = int(record["addr"], 16)
            assert address not in states, (name, record, states[address])
            states[address] = name, record["state"]


@case
def live_ones_are_allocated():
    """live objects are allocated"""
    live = {pointer for pointer, fields in history.live.items() if is_slab_size(fields)}
    wrong = {hex(pointer): (states.get(pointer), history.live[pointer]) for pointer in live
             if states.get(pointer, (None, None))[1] != "allocated"}
    print(f"# {len(live)} live objects in {len({states[pointer][0] for pointer in live if pointer in states})} caches")
    assert not wrong, f"{len(wrong)} of {len(live)}: {dict(list(wrong.items())[:8])}"


@case
def freed_ones_are_free():
    """freed objects are free, wherever they wait"""
    places = {}
    for pointer in history.freed:
        name, state = states.get(pointer, ("", "gone with its slab"))
        places.setdefault(state, set()).add((name, hex(pointer)))
    print("# freed: " + ", ".join(f"{len(objects)} {state}" for state, objects in places.items()))
    wrong = list(places.get("allocated", ())) + list(places.get("unknown", ()))
    assert not wrong, f"{len(wrong)} of {len(history.freed)}: {wrong[:8]}"


@case
def there_are_many():
    """over 2,000 objects of several caches were compared"""
    seen = {pointer for pointer in [*history.live, *history.freed] if pointer in states}
    caches = {states[pointer][0] for pointer in seen}
    print(f"# {len(seen)} objects in {len(caches)} caches")
    assert len(seen) >= OBJECTS_WANTED and len(caches) >= CACHES_WANTED


main()
