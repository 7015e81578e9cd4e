# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""Writes the RAM of a machine with just enough of a kernel in it to be found: page tables, VMCOREINFO, a few
variables. Nothing of it runs. Imported by tests/cli/*.test."""

import struct

MAP = 0xffffffff80000000
LINK_BASE = 0xffffffff81000000
PAGE_OFFSET = {4: 0xffff888040000000, 5: 0xff11000080000000}
VMALLOC = {4: 0xffffc90000000000, 5: 0xffa0000000000000}
VMEMMAP = {4: 0xffffea0000000000, 5: 0xffd4000000000000}
IMAGE = 0x400000    # where _text lies
PRESENT, HUGE = 0x63, 0x80
BANNER = b"Linux version 9.9.9-test (a@b) (cc 1) #1 SMP\n"
CPUS = 3            # possible are 0 and 2


class KernelImage:
    def __init__(self, slide=0x5000000, levels=4, size=8 << 20):
        self.bytes = bytearray(size)
        self.levels = levels
        self.base = LINK_BASE + slide
        self.phys_base = IMAGE - (self.base - MAP)
        self.next_table = 0x1000
        self.next_variable = IMAGE + 0x1000
        self.symbols = {"_text": self.base, "_stext": self.base}
        self.root = self.take_table()
        self.map(self.base, IMAGE, 2)
        self.map(self.base + (2 << 20), IMAGE + (2 << 20), 2)
        self.map(PAGE_OFFSET[levels], 0, 3)
        self.map(VMALLOC[levels], 0x3000, 1)
        self.map(VMEMMAP[levels], 0x200000, 2)

    def take_table(self):
        table = self.next_table
        self.next_table += 0x1000
        return table

    def map(self, virtual, physical, leaf_level):
        """One page: 4 KiB, 2 MiB or 1 GiB for levels 1, 2 and 3."""
        table = self.root
        for level in range(self.levels, 0, -1):
            at = table + 8 * (virtual >> (12 + 9 * (level - 1)) & 511)
            entry, = struct.unpack_from("<Q", self.bytes, at)
            if level == leaf_level:
                struct.pack_into("<Q", self.bytes, at, physical | PRESENT | (HUGE if level > 1 else 0))
                return
            if not entry:
                entry = self.take_table() | PRESENT
                struct.pack_into("<Q", self.bytes, at, entry)
            table = entry & ~0xfff

    def virtual(self, physical):
        return physical - IMAGE + self.base

    def variable(self, name, value):
        """Bytes under a name, in the image; aligned to 64."""
        self.bytes[self.next_variable:self.next_variable + len(value)] = value
        self.symbols[name] = self.virtual(self.next_variable)
        self.next_variable += (len(value) + 63) & ~63

    def number(self, name, value, size=8):
        self.variable(name, value.to_bytes(size, "little"))

    def add_variables(self):
        self.number("page_offset_base", PAGE_OFFSET[self.levels])
        self.number("vmalloc_base", VMALLOC[self.levels])
        self.number("vmemmap_base", VMEMMAP[self.levels])
        self.number("max_pfn", len(self.bytes) >> 12)
        self.number("nr_cpu_ids", CPUS, 4)
        self.number("nr_node_ids", 2, 4)
        self.variable("__cpu_possible_mask", struct.pack("<Q", 0b101))
        self.variable("__per_cpu_offset", struct.pack("<3Q", PAGE_OFFSET[self.levels] + 0x10000, self.base,
                                                      PAGE_OFFSET[self.levels] + 0x20000))
        self.variable("linux_banner", BANNER)

    def add_vmcoreinfo(self, **changes):
        lines = {"OSRELEASE": "9.9.9-test", "BUILD-ID": "00" * 20, "SYMBOL(_stext)": f"{self.base:x}",
                 "SYMBOL(swapper_pg_dir)": f"{self.root - self.phys_base + MAP & (1 << 64) - 1:x}",
                 "SIZE(page)": "64", "NUMBER(phys_base)": str(self.phys_base),
                 "NUMBER(pgtable_l5_enabled)": str(self.levels - 4), "KERNELOFFSET": f"{self.base - LINK_BASE:x}",
                 **changes}
        text = "".join(f"{key}={value}\n" for key, value in lines.items()).encode()
        self.bytes[0x80000:0x80000 + len(text)] = text

    def write(self, path):
        with open(path, "wb") as file:
            file.write(self.bytes)
        return path

    def write_map(self, path, slide=0, **moved):
        """A System.map: addresses as linked, or with @slide less than that taken off."""
        with open(path, "w", encoding="ascii") as file:
            for name, address in sorted(self.symbols.items(), key=lambda item: item[1]):
                file.write(f"{address - slide + moved.get(name, 0):016x} D {name}\n")
        return path

    def write_vmlinux(self, path, build_id=b"\0" * 20, banner=BANNER):
        """An ELF executable as linked: the banner, a symbol table, and unless it is None, a build ID."""
        slide = self.base - LINK_BASE
        names, symbols = b"\0", bytes(24)
        for name, address in self.symbols.items():
            symbols += struct.pack("<IBBHQQ", len(names), 0x11, 0, 1, address - slide, 8)
            names += name.encode() + b"\0"
        note = b"" if build_id is None else struct.pack("<3I4s", 4, len(build_id), 3, b"GNU\0") + build_id
        section_names = b"\0.rodata\0.notes\0.symtab\0.strtab\0.shstrtab\0"
        parts, at = [], 64 + 2 * 56
        for part in (banner + b"\0", note, symbols, names, section_names):
            parts.append((at, part))
            at += len(part) + -len(part) % 8
        address = self.symbols["linux_banner"] - slide
        headers = [struct.pack("<IIQQQQQQ", 1, 4, parts[0][0], address, address, len(parts[0][1]), len(parts[0][1]), 1),
                   struct.pack("<IIQQQQQQ", 4, 4, parts[1][0], 0, 0, len(note), len(note), 4)]
        sections = [bytes(64)]
        for name, kind, (offset, part), link, entry in zip((1, 9, 16, 24, 32), (1, 7, 2, 3, 3), parts, (0, 0, 4, 0, 0),
                                                           (0, 0, 24, 0, 0)):
            sections.append(struct.pack("<IIQQQQIIQQ", name, kind, 2 if name == 1 else 0, address if name == 1 else 0,
                                        offset, len(part), link, 1, 8 if kind == 2 else 1, entry))
        with open(path, "wb") as file:
            file.write(b"\x7fELF\2\1\1" + bytes(9))
            file.write(struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, 0, 64, at, 0, 64, 56, 2, 64, len(sections), 5))
            file.write(b"".join(headers))
            for _, part in parts:
                file.write(part + bytes(-len(part) % 8))
            file.write(b"".join(sections))
        return path
