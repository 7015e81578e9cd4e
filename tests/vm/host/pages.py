#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""kbuddy's zones and free blocks are those of /proc/zoneinfo and /proc/buddyinfo; kwhat's areas and names the kernel's."""
# timeout: 400
# also: 6.1
# once: yes
import os
import random
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from target import Guest, Skip, case, main  # noqa: E402

guest = Guest()
guest.start_crowd()
chance = random.Random(1)


def buddyinfo():
    """{(node, zone, order): blocks}"""
    found = {}
    for line in guest.text("cat /proc/buddyinfo").splitlines():
        node, zone, counts = re.fullmatch(r"Node (\d+), zone +(\S+) +(.*?) *", line).groups()
        found.update({(int(node), zone, order): int(count) for order, count in enumerate(counts.split())})
    return found


def zoneinfo():
    """{(node, zone): {"min": …, "managed": …}} of zones that have pages"""
    found = {}
    for part in re.split(r"^Node ", guest.text("cat /proc/zoneinfo"), flags=re.M)[1:]:
        node, zone = re.match(r"(\d+), zone +(\S+)", part).groups()
        numbers = {key: int(value) for key, value in
                   re.findall(r"^ +(min|low|high|spanned|present|managed) +(\d+)$", part, re.M)}
        if numbers.get("present"):
            found[int(node), zone] = numbers
    return found


books = zoneinfo()
# vmallocinfo: "0x…-0x… SIZE caller+0x…/0x… …"
def vmallocinfo():
    return re.findall(r"^0x([0-9a-f]+)-0x([0-9a-f]+) +\d+ (\w+)\S*\+0x([0-9a-f]+)/",
                      guest.text("cat /proc/vmallocinfo"), re.M)


areas = vmallocinfo()
# Each 1500th symbol, and all others at its address: the whole list takes minutes over a serial line.
symbols = [line.split() for line in guest.text(
    "awk 'NR == FNR { if (FNR % 1500 == 0) want[$1] = 1; next } $1 in want' /proc/kallsyms /proc/kallsyms",
    120).splitlines()]


def look():
    """(kbuddy's records, buddyinfo of what stood still around the stop, RAM)"""
    before = buddyinfo()
    guest.monitor("stop")
    ram = guest.save_ram()
    guest.monitor("cont")
    after = buddyinfo()
    return guest.records("kbuddy", target=ram), {key: before[key] for key in before if before[key] == after.get(key)}, ram


def differing():
    ours = {(item["node"], item["zone"], item["order"]): item["blocks"] for item in seen if item["type"] == "free_area"}
    return {key: (ours.get(key), blocks) for key, blocks in still.items() if ours.get(key) != blocks}


for _ in range(5):  # a block may have been split and put together again in between
    seen, still, ram = look()
    if not differing():
        break


def what(*addresses):
    """{address: its records}"""
    found, current = {}, None
    for record in guest.records("kwhat", *(f"{address:#x}" for address in addresses), target=ram):
        if record["type"] == "address":
            current = found.setdefault(int(record["addr"], 16), {})
        current[record["type"]] = record
    return found


@case
def free_blocks():
    """free blocks of each order are those of buddyinfo, where these stood still around the stop"""
    assert len(still) > 10, "buddyinfo does not stand still"
    assert not differing(), differing()


@case
def lists_agree():
    """the free lists hold as many blocks as the counters say, each a free block of that order"""
    assert not [item for item in seen if item["type"] == "finding"]
    names = ("unmovable", "movable", "reclaimable", "highatomic", "cma", "isolate")
    for item in seen:
        if item["type"] == "free_area":
            assert sum(item.get(name, 0) for name in names) == item["blocks"], item


@case
def zones():
    """sizes and watermarks of zones are those of zoneinfo"""
    ours = {(item["node"], item["zone"]): {
        "min": item["watermark_min_bytes"] >> 12, "low": item["watermark_low_bytes"] >> 12,
        "high": item["watermark_high_bytes"] >> 12, "spanned": item["spanned_pages"],
        "present": item["present_pages"], "managed": item["managed_bytes"] >> 12}
        for item in seen if item["type"] == "zone"}
    assert ours == books, (ours, books)


@case
def vmalloc_areas():
    """addresses in vmalloc space lie in the areas of vmallocinfo, with their callers"""
    lasting = sorted(set(areas) & set(vmallocinfo()))  # stacks come and go
    chosen = chance.sample(lasting, min(25, len(lasting)))
    assert len(chosen) > 10, chosen
    if any(int(start, 16) >> 56 != 0xff for start, _, _, _ in chosen):
        raise Skip("this kernel hides addresses in vmallocinfo")
    found = what(*(int(start, 16) + 8 for start, _, _, _ in chosen))
    for start, end, caller, _ in chosen:
        record = found[int(start, 16) + 8].get("vmalloc_area")
        assert record and record["start"] == f"0x{start}" and record["end"] == f"0x{end}", (start, end, record)
        assert record["caller"].split(".")[0] == caller, (caller, record)


@case
def names():
    """addresses have the names of kallsyms"""
    named = {}
    for address, _, name, *module in symbols:
        if not module and int(address, 16) >> 40 == 0xffffff:
            named.setdefault(int(address, 16), set()).add(name)
    chosen = chance.sample(sorted(named), min(60, len(named)))
    found = what(*chosen)
    for address in chosen:
        record = found[address]["address"]
        if record["region"] == "image" and "symbol" in record:
            assert record["symbol"] in named[address] and record["offset"] == "0x0", (record, named[address])
    assert sum(found[address]["address"]["region"] == "image" for address in chosen) > 20


@case
def modules():
    """addresses in modules are the modules'"""
    loaded = [line.split() for line in guest.text("cat /proc/modules").splitlines()]
    if not loaded:
        raise Skip("no module is loaded")
    found = what(*(int(words[5], 16) for words in loaded))
    for words in loaded:
        assert found[int(words[5], 16)]["module"]["module"] == words[0], (words, found)


@case
def per_cpu_variables():
    """a per-CPU variable's copies are each CPU's"""
    offsets = guest.symbols("__per_cpu_offset", "runqueues")
    with guest.stopped(), guest.gdb() as gdb:
        copies = [(offsets["runqueues"] + gdb.read_u64(offsets["__per_cpu_offset"] + 8 * cpu)) & (1 << 64) - 1
                  for cpu in range(guest.cpus)]
    found = what(*copies)
    for cpu, address in enumerate(copies):
        assert found[address]["percpu"]["cpu"] == cpu, found[address]
        assert found[address]["address"]["symbol"] == "runqueues", found[address]


main()
