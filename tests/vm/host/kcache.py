#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""kcache's totals are those of /proc/slabinfo, for every cache of a stopped guest."""
# timeout: 400
# also: 6.1 6.12 6.18 7.0
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from target import Books, Guest, case, main  # noqa: E402

# slabinfo's name: ours.
NUMBERS = {"active_objs": "active_objs", "num_objs": "num_objs", "objsize": "size", "num_slabs": "slabs",
           "active_slabs": "slabs"}
PARTS = ["allocated", "free_slab", "free_cpu", "free_sheaf", "pending"]

guest = Guest()
guest.start_crowd()
last = {}


def look():
    last.clear()
    last.update((record["name"], record) for record in guest.records("kcache", target=guest.save_ram()))
    return dict(last)


def compare(cache, line, seen):
    """What is wrong with our record of a cache, "" if nothing is."""
    if cache not in seen:
        return "not listed"
    ours = seen[cache]
    wrong = [f"{key} {ours[key]}, not {line[column]}" for column, key in NUMBERS.items() if ours[key] != line[column]]
    if 1 << ours["order"] != line["pagesperslab"]:
        wrong.append(f"order {ours['order']}, but a slab has {line['pagesperslab']} pages")
    return ", ".join(wrong)


with Books(guest) as books:
    differences = books.compare_slabs(look, compare)
    names = set(books.slabs())


@case
def totals_are_slabinfo():
    """slabs, objects and active objects are slabinfo's for every cache"""
    assert len(names) > 50
    assert not differences, "\n".join(f"{cache}: {wrong}" for cache, wrong in differences.items())


@case
def caches_are_those_of_slabinfo():
    """there is no cache too many"""
    assert set(last) == names, set(last) ^ names


@case
def parts_make_the_whole():
    """allocated, free and pending objects add up to all objects"""
    for name, record in last.items():
        assert sum(record[part] for part in PARTS) == record["num_objs"], (name, record)
        assert record["allocated"] <= record["active_objs"], (name, record)


@case
def object_sizes_are_those_of_sysfs():
    """object sizes are those that the kernel gives in /sys/kernel/slab"""
    text = guest.text("cd /sys/kernel/slab && grep -H . */object_size")
    sizes = {line.split("/")[0]: int(line.split(":")[-1]) for line in text.splitlines()}
    known = [name for name in last if name in sizes]
    assert len(known) > 50
    wrong = {name: (last[name]["object_size"], sizes[name]) for name in known
             if last[name]["object_size"] != sizes[name]}
    assert not wrong, wrong


main()
