#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""Damage that is written into slab caches through the gdb stub is found: each kind by its name, in its place."""
# timeout: 300
# once: yes
# ruins: yes
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import damage  # noqa: E402
from target import CASES, Guest, Skip, case, main  # noqa: E402

ALWAYS = ["kmalloc-64", "filp", "vm_area_struct"]
MOST = 8
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
    checked = records("kcache", "--check")[-1]
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


main(is_first_vital=True)
