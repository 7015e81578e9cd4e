# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""Damage to slab caches, made on purpose in a stopped guest's memory, and undone.

Each function takes a Heap, writes what a bug would write, and returns what must be found: the kind, and the
addresses that the finding must name. Addresses of victims come from dill's own listing of an undamaged heap;
what is checked is that the damage is found, named, and found nowhere else.
"""

MASK = (1 << 64) - 1


class NotHere(Exception):
    """This heap has no victim for this damage; the text says what is missing."""


class Heap:
    """A cache in stopped memory. `read(address, size)`, `write(address, bytes)`; `records(*arguments)` runs dill."""

    def __init__(self, read, write, records, cache):
        self.read, self._write, self.records, self.cache = read, write, records, cache
        self.undo = []
        self.facts = None
        self.load()

    def load(self):
        self.items = self.records("kcache", self.cache)
        self.facts = next(item for item in self.items if item["type"] == "cache_facts")

    def offset(self, struct, path):
        """Of the first of `path`'s alternatives that the struct has."""
        for name in path.split("|"):
            found = [item for item in self.records("kstruct", struct, name, statuses=(0, 2, 3))
                     if item["type"] == "offset"]
            if found:
                return found[0]["offset"]
        raise NotHere(f"struct {struct} has no {path}")

    @property
    def slab_struct(self):
        return "slab" if self.records("kstruct", "slab", statuses=(0, 2, 3)) else "page"

    def slab_member(self, path):
        return self.offset(self.slab_struct, path)

    def u64(self, address):
        return int.from_bytes(self.read(address, 8), "little")

    def write(self, address, data):
        self.undo.append((address, self.read(address, len(data))))
        self._write(address, data)

    def write_u64(self, address, value):
        self.write(address, (value & MASK).to_bytes(8, "little"))

    def restore(self):
        for address, data in reversed(self.undo):
            self._write(address, data)
        self.undo.clear()

    def encode(self, slot, pointer):
        """A free pointer as it is stored at `slot` (mm/slub.c, freelist_ptr_encode)."""
        how = self.facts["freelist_encoding"]
        value = pointer
        if how != "plain":
            value ^= int(self.facts.get("random", "0x0"), 16)
            value ^= int.from_bytes(slot.to_bytes(8, "little"), "big") if how == "xor_swap" else slot
        return value & MASK

    def link(self, free_object, pointer):
        """Let a free object lead to `pointer`."""
        slot = free_object + self.facts["offset"]
        self.write_u64(slot, self.encode(slot, pointer))

    def slabs(self, place):
        return [item for item in self.items if item["type"] == "slab" and item["place"] == place]

    def partial_slab(self, least=1):
        """(slab, its free objects in order): a slab on a node's partial list with at least so many free."""
        for slab in self.slabs("node_partial"):
            free = [int(item["addr"], 16) for item in self.items
                    if item["type"] == "free_object" and item.get("slab") == slab["slab"] and item["state"] == "free"]
            if len(free) >= least:
                return slab, sorted(free, key=lambda address: self.position(slab, address))
        raise NotHere(f"no slab on a node's partial list has {least} objects free")

    def position(self, slab, address):
        return next(item["position"] for item in self.items if item["type"] == "free_object"
                    and item.get("slab") == slab["slab"] and int(item["addr"], 16) == address)

    def node(self):
        for item in self.items:
            if item["type"] == "node" and item["nr_partial"]:
                return item
        raise NotHere("no node has partial slabs")


def address_of(item, key="slab"):
    return int(item[key], 16)


def pointer_outside(heap):
    """a free pointer that leads out of the slab"""
    slab, free = heap.partial_slab(2)
    heap.link(free[0], 0xffff888000abc000)
    return "freelist-outside", {"slab": slab["slab"], "object": hex(free[0])}


def pointer_overwritten(heap):
    """a free pointer overwritten with text, as an overflow or a write after free does"""
    slab, free = heap.partial_slab(2)
    heap.write(free[0] + heap.facts["offset"], b"AAAAAAAA")
    return "freelist-outside", {"slab": slab["slab"], "object": hex(free[0])}


def pointer_misaligned(heap):
    """a free pointer that leads between objects"""
    slab, free = heap.partial_slab(2)
    heap.link(free[0], free[1] + 4)
    return "freelist-misaligned", {"slab": slab["slab"], "object": hex(free[0])}


def freelist_loop(heap):
    """an object freed twice: its list leads back to it"""
    slab, free = heap.partial_slab(2)
    heap.link(free[-1], free[0])
    return ("freelist-loop", "freelist-too-long"), {"slab": slab["slab"]}


def freelist_cut(heap):
    """a free pointer that ends the list too early"""
    slab, free = heap.partial_slab(2)
    heap.link(free[0], 0)
    return "freelist-too-short", {"slab": slab["slab"]}


def inuse_too_high(heap):
    """a slab that counts one object more in use than its freelist leaves"""
    slab, _ = heap.partial_slab(2)
    place = address_of(slab) + heap.slab_member("inuse")
    heap.write(place, (slab["inuse"] + 1).to_bytes(2, "little"))
    return "freelist-too-long", {"slab": slab["slab"]}


def counters_impossible(heap):
    """a slab with more objects in use than it has"""
    slab, _ = heap.partial_slab()
    heap.write(address_of(slab) + heap.slab_member("inuse"), (0x7fff).to_bytes(2, "little"))
    return "bad-counters", {"slab": slab["slab"]}


def frozen_on_list(heap):
    """a slab on a node's list that is marked as frozen"""
    slab, _ = heap.partial_slab()
    place = address_of(slab) + heap.slab_member("inuse") + 3
    heap.write(place, bytes([heap.read(place, 1)[0] | 0x80]))
    return "bad-frozen", {"slab": slab["slab"]}


def back_link(heap):
    """a slab whose back pointer was overwritten"""
    slab, _ = heap.partial_slab()
    heap.write_u64(address_of(slab) + heap.slab_member("slab_list|lru") + 8, address_of(slab))
    return "list-bad-back-link", {}


def list_unreadable(heap):
    """a list pointer that leads nowhere"""
    slab, _ = heap.partial_slab()
    heap.write_u64(address_of(slab) + heap.slab_member("slab_list|lru"), 0xfffff00000000010)
    return "list-unreadable", {}


def list_loop(heap):
    """a slab that is its own successor"""
    slab, _ = heap.partial_slab()
    place = address_of(slab) + heap.slab_member("slab_list|lru")
    heap.write_u64(place, place)
    return ("list-loop", "listed-twice", "list-too-long"), {}


def partial_count(heap):
    """a node's counter of partial slabs that is one too high"""
    node = heap.node()
    place = address_of(node, "kmem_cache_node") + heap.offset("kmem_cache_node", "nr_partial")
    heap.write_u64(place, node["nr_partial"] + 1)
    return "list-count", {}


def slab_lost(heap):
    """a slab that was taken off its list, though it has objects free"""
    slab, _ = heap.partial_slab()
    node = heap.node()
    link = address_of(slab) + heap.slab_member("slab_list|lru")
    following, before = heap.u64(link), heap.u64(link + 8)
    heap.write_u64(before, following)
    heap.write_u64(following + 8, before)
    heap.write_u64(address_of(node, "kmem_cache_node") + heap.offset("kmem_cache_node", "nr_partial"),
                   node["nr_partial"] - 1)
    return "not-listed", {"slab": slab["slab"]}


def foreign_cache(heap):
    """a slab that says it is another cache's"""
    slab, _ = heap.partial_slab()
    other = next(item for item in heap.records("kcache", "dentry") if item["type"] == "cache_facts")
    heap.write_u64(address_of(slab) + heap.slab_member("slab_cache"), address_of(other, "addr"))
    return "wrong-cache", {"slab": slab["slab"]}


def slab_books(heap):
    """a node that counts one slab too many"""
    node = heap.node()
    heap.write_u64(address_of(node, "kmem_cache_node") + heap.offset("kmem_cache_node", "nr_slabs"),
                   node["nr_slabs"] + 1)
    return "books-slabs", {}


def object_books(heap):
    """a node that counts objects that no slab has"""
    node = heap.node()
    heap.write_u64(address_of(node, "kmem_cache_node") + heap.offset("kmem_cache_node", "total_objects"),
                   node["total_objects"] + 3)
    return "books-objects", {}


def cpu_pointer(heap):
    """a pointer in a CPU's lockless freelist that was overwritten"""
    free = [item for item in heap.items if item["type"] == "free_object" and item["state"] == "cpu_freelist"]
    if len(free) < 2:
        raise NotHere("no CPU has two objects in its lockless freelist")
    heap.write(address_of(free[0], "addr") + heap.facts["offset"], b"BBBBBBBB")
    return "freelist-outside", {"object": free[0]["addr"]}


def sheaf(heap):
    found = [item for item in heap.items if item["type"] == "cpu_sheaves" and item["main_size"] >= 2]
    if not found:
        raise NotHere("no CPU has a main sheaf with two objects")
    return found[0]


def sheaf_size(heap):
    """a sheaf whose size is beyond its capacity"""
    main = address_of(sheaf(heap), "main")
    heap.write(main + heap.offset("slab_sheaf", "size"), (9999).to_bytes(4, "little"))
    return "sheaf-too-large", {}


def sheaf_object(heap):
    """a sheaf with a pointer to no object of its cache"""
    place = address_of(sheaf(heap), "main") + heap.offset("slab_sheaf", "objects")
    heap.write_u64(place, heap.u64(place) + 4)
    return "sheaf-bad-object", {}


def sheaf_twice(heap):
    """an object freed twice into a sheaf"""
    place = address_of(sheaf(heap), "main") + heap.offset("slab_sheaf", "objects")
    first = heap.u64(place)
    heap.write_u64(place + 8, first)
    return "free-twice", {"object": hex(first)}


def sheaf_cache(heap):
    """a sheaf that says it is another cache's"""
    other = next(item for item in heap.records("kcache", "dentry") if item["type"] == "cache_facts")
    heap.write_u64(address_of(sheaf(heap), "main") + heap.offset("slab_sheaf", "cache"), address_of(other, "addr"))
    return "sheaf-wrong-cache", {}


def objects(heap, which):
    found = [item for item in heap.records("kcache", heap.cache, "--objects", which)
             if item["state"] in ("allocated", "free")]
    if not found:
        raise NotHere(f"no object is {which}")
    return found


def needs_flag(heap, flag):
    if flag not in heap.facts["flags"].split("|"):
        raise NotHere(f"the cache was made without {flag}: boot with slub_debug=FZPU")


def overflow(heap):
    """a byte written behind an allocated object"""
    needs_flag(heap, "RED_ZONE")
    victim = objects(heap, "allocated")[0]
    heap.write(address_of(victim, "addr") + heap.facts["object_size"], b"!")
    return "red-zone-right", {"object": victim["addr"]}


def underflow(heap):
    """a byte written before an allocated object"""
    needs_flag(heap, "RED_ZONE")
    victim = objects(heap, "allocated")[0]
    heap.write(address_of(victim, "addr") - 1, b"!")
    return "red-zone-left", {"object": victim["addr"]}


def write_after_free(heap):
    """a byte written into a free object"""
    # Caches with a constructor or TYPESAFE_BY_RCU are POISON too, yet nothing fills their free objects.
    needs_flag(heap, "OBJECT_POISON")
    victim = objects(heap, "free")[0]
    heap.write(address_of(victim, "addr") + 3, b"!")
    return "poison", {"object": victim["addr"]}


def far_overflow(heap):
    """a byte written behind an object's metadata"""
    needs_flag(heap, "POISON")
    victim = objects(heap, "allocated")[0]
    slot = heap.facts["size"] - heap.facts.get("red_left_pad", 0)
    heap.write(address_of(victim, "addr") + slot - 1, b"!")
    return "padding", {"object": victim["addr"]}


WAYS = [pointer_outside, pointer_overwritten, pointer_misaligned, freelist_loop, freelist_cut, inuse_too_high,
        counters_impossible, frozen_on_list, back_link, list_unreadable, list_loop, partial_count, slab_lost,
        foreign_cache, slab_books, object_books, cpu_pointer, sheaf_size, sheaf_object, sheaf_twice, sheaf_cache,
        overflow, underflow, write_after_free, far_overflow]


def inflict(heap, way):
    """Damage the heap in one way, check that it is found and what else is said, and undo it."""
    try:
        kinds, wanted = way(heap)
        kinds = (kinds,) if isinstance(kinds, str) else kinds
        findings = [item for item in heap.records("kcache", "--check", heap.cache, statuses=(0, 1, 3))
                    if item["type"] == "finding"]
    finally:
        heap.restore()
    fitting = [finding for finding in findings if finding["kind"] in kinds and
               all(finding.get(key) == value for key, value in wanted.items())]
    assert fitting, f"{way.__name__}: {kinds} {wanted} not among {findings}"
    strangers = [finding for finding in findings if "slab" in wanted and finding.get("slab", wanted["slab"]) !=
                 wanted["slab"]]
    assert not strangers, f"{way.__name__}: only {wanted['slab']} was damaged, but {strangers}"
    return findings
