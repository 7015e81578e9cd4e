#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""ksnap shows the objects that a guest allocated and freed in between, and no others that are known to rest."""
# timeout: 400
# also: 7.0
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from target import Guest, case, main  # noqa: E402

FILES = 500
TURNS = 30
CACHE = "shmem_inode_cache"
TARGET = "qmp:" + os.path.abspath("qmp.sock")

guest = Guest()
guest.text("mkdir -p /tmp/files && mount -t tmpfs none /tmp/files")


def save(name):
    guest.dill("ksnap", "save", name, target=TARGET)
    return os.path.abspath(name)


def diff(before, after, *options):
    return guest.records("ksnap", "diff", "--all", "--filter", CACHE, *options, before, after)


def objects(records, change):
    return {line["addr"] for line in records if line["type"] == "object_diff" and line["change"] == change}


start = save("start.snap")
guest.text(f"cd /tmp/files && for i in $(seq {FILES}); do : >f$i; done")
full = save("full.snap")
guest.text(f"cd /tmp/files && for i in $(seq 1 2 {FILES}); do rm f$i; done")
for _ in range(TURNS):  # inodes go after a grace period
    half = save("half.snap")
    if any(line["allocated"] == -FILES // 2 for line in diff(full, half) if line["type"] == "cache_diff"):
        break
    guest.text("sleep 1")


@case
def allocated():
    """as many inodes are new as files were made"""
    records = diff(start, full, "--objects")
    cache = next(line for line in records if line["type"] == "cache_diff")
    assert (cache["allocated"], cache["newly_freed"]) == (FILES, 0), cache
    assert len(objects(records, "allocated")) == FILES and not objects(records, "freed")


@case
def freed():
    """as many inodes are gone as files were removed, and they are among those that had been new"""
    made, removed = diff(start, full, "--objects"), diff(full, half, "--objects")
    cache = next(line for line in removed if line["type"] == "cache_diff")
    assert (cache["allocated"], cache["newly_allocated"]) == (-FILES // 2, 0), cache
    assert len(objects(removed, "freed")) == FILES // 2
    assert objects(removed, "freed") <= objects(made, "allocated")


@case
def there_and_back():
    """what was made and removed again is no difference"""
    records = diff(start, half, "--objects")
    assert len(objects(records, "allocated")) == FILES // 2, records[:3]


@case
def allocated_in_sum():
    """a snapshot has as many objects as kcache counts in the same stopped guest"""
    with guest.stopped():
        saved = guest.records("ksnap", "save", "books.snap", target=TARGET)[0]
        caches = [line for line in guest.records("kcache", target=TARGET) if line["type"] == "cache"]
    assert saved["caches"] == len(caches)
    for key, name in ("allocated", "allocated"), ("objects", "num_objs"), ("slabs", "slabs"):
        assert saved[key] == sum(line[name] for line in caches), (key, saved)


main()
