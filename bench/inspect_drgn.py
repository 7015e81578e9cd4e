# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""bench/inspect's questions asked of drgn: DUMP VMLINUX QUESTION ADDRESS. Prints one line of JSON."""

import json
import sys
import time

import drgn
from drgn.helpers.linux.list import list_for_each_entry
from drgn.helpers.linux.nodemask import for_each_online_node
from drgn.helpers.linux.slab import find_containing_slab_cache, for_each_slab_cache, slab_cache_for_each_allocated_object


def totals(program, _):
    """What /proc/slabinfo says of each cache, from the same counters and lists."""
    answer = {}
    for cache in for_each_slab_cache(program):
        slabs = total = free = 0
        for number in for_each_online_node(program):
            node = cache.node[number]
            slabs += node.nr_slabs.counter.value_()
            total += node.total_objects.counter.value_()
            for slab in list_for_each_entry("struct slab", node.partial.address_of_(), "slab_list"):
                free += slab.objects.value_() - slab.inuse.value_()
        answer[cache.name.string_().decode()] = [slabs, total, total - free]
    return answer


def objects(program, _):
    answer = {}
    for cache in for_each_slab_cache(program):
        count = sum(1 for _ in slab_cache_for_each_allocated_object(cache, "void"))
        if count:
            answer[cache.name.string_().decode()] = count
    return answer


def lookup(program, address):
    return find_containing_slab_cache(program, address).name.string_().decode()


def main():
    dump, vmlinux, question, address = sys.argv[1:]
    program = drgn.Program()
    program.set_core_dump(dump)
    program.load_debug_info([vmlinux])
    start = time.monotonic()
    answer = {"totals": totals, "objects": objects, "lookup": lookup}[question](program, int(address, 16))
    print(json.dumps({"seconds": time.monotonic() - start, "answer": answer}))


main()
