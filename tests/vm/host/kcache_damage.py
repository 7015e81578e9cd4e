#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""Damage that is written into slab caches through the gdb stub is found: each kind by its name, in its place."""
# timeout: 600
# also: 6.18
# once: yes
# ruins: yes
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import damage  # noqa: E402
from target import CASES, Guest, Skip, case, main  # noqa: E402

ALWAYS = ["kmalloc-64", "filp", "vm_area_struct"]
MOST = 8
TURNS = 20
shown = []
guest = Guest()
monitor = f"qmp:{os.path.abspath('qmp.sock')}"


def records(*arguments, statuses=(0,)):
    return guest.records(*arguments, target=monitor, statuses=statuses)


@case
def sound_heap():
    """a heap that nobody damaged has no findings"""
    guest.start_crowd()
    guest.monitor("stop")
    *found, checked = records("kcache", "--check", statuses=(0, 1))
    for _ in range(TURNS):  # a CPU may have been stopped with a slab in its hands; nothing of that lasts
        if not checked["findings"]:
            break
        print(f"# where the CPUs stand: {found}")
        guest.monitor("cont")
        time.sleep(0.2)
        guest.monitor("stop")
        *found, checked = records("kcache", "--check", statuses=(0, 1))
    assert checked["type"] == "checked" and checked["findings"] == 0 and checked["objects"] > 10000, checked


def victims():
    """Caches with partial slabs on nodes and objects free in them, most first; then some that are always busy."""
    found = [item for item in records("kcache") if item["type"] == "cache" and item["slabs_node_partial"] and
             item["num_objs"] - item["active_objs"] >= 2 and not item["name"].startswith(("kmem_cache", "dentry"))]
    found.sort(key=lambda item: item["active_objs"] - item["num_objs"])
    return list(dict.fromkeys([item["name"] for item in found[:MOST]] + ALWAYS))


def find_victim(way):
    why = None
    with guest.gdb() as gdb:
        for cache in victims():
            heap = damage.Heap(gdb.read, gdb.write, records, cache)
            try:
                damage.inflict(heap, way)
                shown.append(way.__name__)
                return
            except damage.NotHere as reason:
                why = reason
    raise Skip(why)


for each in damage.WAYS:
    def show(way=each):
        find_victim(way)
    show.__doc__ = each.__doc__ + " is found"
    CASES.append(show)


@case
def restored_heap():
    """when all damage is undone, nothing is found"""
    checked = records("kcache", "--check")[-1]
    assert checked["findings"] == 0, checked


@case
def most_ways_had_a_victim():
    """at least twelve kinds of damage could be made here"""
    assert len(shown) >= 12, shown


FORGED = 0xffff888000abc000


def forecast(cache, statuses=(0,)):
    """{CPU: what --next says it hands out, as [(address, from, is_certain, damage)]}"""
    rows = {}
    for item in records("kcache", cache, "--next", 5000, statuses=statuses):
        rows.setdefault(item["cpu"], []).append(
            (int(item["addr"], 16), item["from"], item["is_certain"], item.get("damage")))
    return rows


def forge(place, is_certain, least=2):
    """Overwrite the pointer of the first of `least` objects in a row that some CPU's forecast has from that place.

    Returns what was said before and what is said then, of that CPU, and the object's number in it.
    """
    with guest.gdb() as gdb:
        for cache in victims():
            heap = damage.Heap(gdb.read, gdb.write, records, cache)
            before = forecast(cache)
            for cpu, rows in before.items():
                places = [row[1:3] == (place, is_certain) for row in rows]
                at = places.index(True) if True in places else len(rows)
                if places[at:at + least] != [True] * least:
                    continue
                try:
                    heap.link(rows[at][0], FORGED)
                    after = forecast(cache, (0, 1))[cpu]
                finally:
                    heap.restore()
                assert forecast(cache) == before, "what was restored is said to be different"
                return rows, after, at
    raise Skip(f"no CPU has {least} objects from {place}")


@case
def next_behind_cpu_pointer():
    """behind an overwritten pointer in a CPU's freelist --next has what it says, and nothing that is certain"""
    before, after, at = forge("cpu_freelist", True)
    assert after[:at + 1] == before[:at + 1], (before, after)
    assert after[at + 1] == (FORGED, "cpu_freelist", False, "freelist-outside"), after
    assert all(row[2:] == (False, "freelist-outside") for row in after[at + 1:]), after


@case
def next_behind_node_pointer():
    """behind an overwritten pointer in a node's slab --next has what it says, and names the damage"""
    before, after, _ = forge("free", False)
    said = next(row for row in after if row[0] == FORGED)
    assert said == (FORGED, "free", False, "freelist-outside"), after
    assert [row for row in after if row[2]] == [row for row in before if row[2]], (before, after)


@case
def next_in_a_sheaf():
    """what is written into an object in a sheaf changes nothing that --next says: there is no pointer in it"""
    before, after, at = forge("sheaf_main", True)
    assert after == before, (at, before, after)


main(is_first_vital=True)
