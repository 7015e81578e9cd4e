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

CACHES = ["kmalloc-64", "kmalloc-96", "kmalloc-128", "kmalloc-192", "kmalloc-512", "filp", "dentry",
          "vm_area_struct"]
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


def find_victim(way):
    why = None
    with guest.gdb() as gdb:
        for cache in CACHES:
            heap = damage.Heap(gdb.read, gdb.write, records, cache)
            try:
                damage.inflict(heap, way)
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


main(is_first_vital=True)
