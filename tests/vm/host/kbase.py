#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""kbase's addresses are those that the guest knows itself to have."""
# timeout: 200
# also: 6.12
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from target import Guest, case, main  # noqa: E402

LINK_BASE = 0xffffffff81000000
KERNEL_MAP = 0xffffffff80000000
VARIABLES = ["page_offset_base", "vmalloc_base", "vmemmap_base"]

guest = Guest()
symbols = guest.symbols("_text", "phys_base", *VARIABLES)
version = guest.text("cat /proc/version").strip()
iomem = guest.text("cat /proc/iomem")
with guest.stopped():
    with guest.gdb() as gdb:
        variables = {name: gdb.read_u64(symbols[name]) for name in [*VARIABLES, "phys_base"]}
    registers = guest.registers()
    ram = guest.save_ram()
text = guest.dill("kbase", target=ram).decode()
found = guest.records("kbase", target=ram)[0]


def number(name):
    """A fact's value: addresses are text, signed offsets and counts numbers."""
    return int(found[name], 16) if isinstance(found[name], str) else found[name]


@case
def first_line():
    """the first line is the kernel's base"""
    assert text.splitlines()[0] == f"kernel_base: {symbols['_text']:#x}", text


@case
def base():
    """kernel base and KASLR offset are those of _text"""
    assert found["type"] == "kbase"
    assert number("kernel_base") == symbols["_text"]
    assert number("kaslr_offset") == symbols["_text"] - LINK_BASE
    assert (symbols["_text"] == LINK_BASE) == ("nokaslr" in guest.facts["cmdline"]), "the variant is not as asked"


@case
def physical_base():
    """the physical base is the kernel's own, and leads to where /proc/iomem has its code"""
    code = int(re.search(r"([0-9a-f]+)-[0-9a-f]+ : Kernel code", iomem)[1], 16)
    wanted = variables["phys_base"]
    assert symbols["_text"] - KERNEL_MAP + wanted & (1 << 64) - 1 == code, "the books contradict each other"
    assert number("phys_base") & (1 << 64) - 1 == wanted, (found["phys_base"], hex(wanted))


@case
def bases():
    """direct map, vmalloc and vmemmap begin where the kernel's variables say"""
    for name in VARIABLES:
        assert number(name) == variables[name], (name, found[name], hex(variables[name]))


@case
def paging_levels():
    """paging levels are those of CR4"""
    has_la57 = {int(value, 16) >> 12 & 1 for value in re.findall(r"CR4=([0-9a-f]+)", registers)}
    assert found["paging_levels"] == 4 + max(has_la57), (found["paging_levels"], has_la57)


@case
def machine():
    """CPUs, nodes and banner are the guest's"""
    assert found["cpus"] == guest.cpus and found["nodes"] == guest.nodes, found
    assert found["banner"] == version, (found["banner"], version)


main()
