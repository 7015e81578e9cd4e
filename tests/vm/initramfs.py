# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""Builds a guest's initramfs: busybox, dill, tests, test programs and the kernel modules that tests ask for.

It writes the newc cpio format itself (Documentation/driver-api/early-userspace/buffer-format.rst in the
kernel), so it needs neither root for device nodes nor a tool; uncompressed, for a guest unpacks slowly.
"""

import gzip
import lzma
import os
import re
import shutil
import stat
import struct
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


class Missing(Exception):
    """Something the guest needs is not on this machine; the text names the package that has it."""


class Cpio:
    """A newc archive under construction. Parent folders are added by themselves."""

    def __init__(self, file):
        self.file = file
        self.paths = set()

    def entry(self, path, mode, data=b"", device=(0, 0)):
        parent = os.path.dirname(path)
        if parent and parent not in self.paths:
            self.entry(parent, stat.S_IFDIR | 0o755)
        if path in self.paths:
            raise ValueError(f"two files for /{path} in the guest")
        self.paths.add(path)
        self.record(path, mode, data, device)

    def record(self, path, mode, data, device):
        name = os.fsencode(path) + b"\0"
        fields = (len(self.paths), mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + name
        self.file.write(header + bytes(-len(header) % 4) + data + bytes(-len(data) % 4))

    def file_from(self, path, source):
        with open(source, "rb") as file:
            self.entry(path, stat.S_IFREG | (0o755 if os.access(source, os.X_OK) else 0o644), file.read())

    def text(self, path, text):
        self.entry(path, stat.S_IFREG | 0o644, text.encode())

    def link(self, path, target):
        self.entry(path, stat.S_IFLNK | 0o777, target.encode())

    def finish(self):
        self.record("TRAILER!!!", 0, b"", (0, 0))


def find_busybox():
    """The path of a static busybox. Missing when there is none, or only a dynamic one."""
    path = shutil.which("busybox")
    if not path:
        raise Missing("busybox not found: install the package busybox-static")
    with open(path, "rb") as file:
        if elf_has_interpreter(file.read()):
            raise Missing(f"{path} is not static: install the package busybox-static")
    return path


def elf_has_interpreter(image):
    """Whether a 64-bit ELF file has a PT_INTERP (3) segment, so needs a dynamic linker."""
    offset, = struct.unpack_from("<Q", image, 32)
    size, count = struct.unpack_from("<HH", image, 54)
    return any(struct.unpack_from("<I", image, offset + index * size)[0] == 3 for index in range(count))


def elf_section(image, wanted):
    """The bytes of a 64-bit ELF file's section of that name, or b""."""
    offset, = struct.unpack_from("<Q", image, 40)
    size, count, names_index = struct.unpack_from("<HHH", image, 58)

    def header(index):
        return struct.unpack_from("<IIQQQQ", image, offset + index * size)
    names = header(names_index)[4]
    for index in range(count):
        name, _, _, _, start, length = header(index)
        if image.startswith(wanted + b"\0", names + name):
            return image[start:start + length]
    return b""


def read_module(path):
    """A module file's ELF image; .xz, .gz and .zst are decompressed, for busybox cannot load all of them."""
    with open(path, "rb") as file:
        data = file.read()
    if path.endswith(".xz"):
        return lzma.decompress(data)
    if path.endswith(".gz"):
        return gzip.decompress(data)
    if path.endswith(".zst"):
        if not shutil.which("zstd"):
            raise Missing(f"zstd not found, {path} needs it: install the package zstd")
        return subprocess.run(["zstd", "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


class ModuleTree:
    """The module files below a folder, found by name.

    Packages come without modules.dep (the installing machine makes it), so dependencies are read from each
    module's .modinfo section: `depends=` and the soft ones that must be loaded before it.
    """

    def __init__(self, folder):
        self.folder = folder
        self.files = {}
        for place, folders, names in os.walk(folder):
            folders.sort()
            for name in names:
                match = re.fullmatch(r"(.+)\.ko(\.xz|\.gz|\.zst)?", name)
                if match:
                    self.files.setdefault(match[1].replace("-", "_"), os.path.join(place, name))

    def closure(self, wanted):
        """{name: (image, names it needs, aliases)} of wanted modules and all they need, where files exist."""
        found, queue = {}, [name.replace("-", "_") for name in wanted]
        while queue:
            name = queue.pop()
            if name in found or name not in self.files:
                continue
            image = read_module(self.files[name])
            info = [item.partition("=") for item in
                    elf_section(image, b".modinfo").decode(errors="replace").split("\0")]
            needs = [need for key, _, value in info if key == "depends" for need in value.split(",") if need]
            for key, _, value in info:
                if key == "softdep" and value.startswith("pre:"):
                    needs += value.partition("post:")[0].split()[1:]
            needs = [need.replace("-", "_") for need in needs]
            found[name] = image, needs, [value for key, _, value in info if key == "alias"]
            queue += needs
        return found


def find_modules(folder, release):
    """The folder of module files below what --modules named: itself, or its [usr/]lib/modules/RELEASE."""
    for place in (f"lib/modules/{release}", f"usr/lib/modules/{release}", release):
        if os.path.isdir(os.path.join(folder, place)):
            return os.path.join(folder, place)
    return folder


def add_modules(cpio, kernel, wanted):
    """Put modules where modprobe and the kernel's own requests for modules find them."""
    if not kernel.modules or not wanted:
        return
    folder = f"lib/modules/{kernel.release}"
    found = ModuleTree(kernel.modules).closure(wanted)
    order = ["", ""]
    for name, (image, _, aliases) in found.items():
        cpio.entry(f"{folder}/{name}.ko", stat.S_IFREG | 0o644, image)
        order[0] += f"{name}.ko:" + "".join(f" {need}.ko" for need in needed_by(name, found)) + "\n"
        order[1] += "".join(f"alias {alias} {name}\n" for alias in aliases)
    cpio.text(f"{folder}/modules.dep", order[0])
    cpio.text(f"{folder}/modules.alias", order[1])
    builtin = os.path.join(kernel.modules, "modules.builtin")
    if os.path.exists(builtin):
        cpio.file_from(f"{folder}/modules.builtin", builtin)


def needed_by(name, found):
    """Everything a module needs, in modules.dep's order: what must be loaded first stands last."""
    load_order, seen = [], {name}

    def visit(module):
        for need in found[module][1]:
            if need in found and need not in seen:
                seen.add(need)
                visit(need)
                load_order.append(need)
    visit(name)
    return reversed(load_order)


def add_folder(cpio, folder, below):
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            source = os.path.join(place, name)
            cpio.file_from(os.path.join(below, os.path.relpath(source, folder)), source)


def build(path, kernel, dill, programs, tests, settings, modules):
    """Write the initramfs for one boot.

    `dill` and `programs` (a folder) may be None. `tests` are the tests to run in this boot, in order; every
    test file is in the guest, so that --keep can run others by hand. `settings` are words for the init, `modules`
    those that are to be in the guest, as far as the kernel has them.
    """
    busybox = find_busybox()
    listing = subprocess.run([busybox, "--list"], stdout=subprocess.PIPE, text=True, check=True)
    with open(path, "wb") as file:
        cpio = Cpio(file)
        cpio.entry("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
        cpio.file_from("bin/busybox", busybox)
        for applet in listing.stdout.split():
            if applet != "busybox":
                cpio.link(f"bin/{applet}", "busybox")
        for folder in ("sbin", "usr/bin", "usr/sbin"):
            cpio.link(folder, "/bin")
        cpio.file_from("init", os.path.join(HERE, "init"))
        cpio.text("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n")
        cpio.text("etc/group", "root:x:0:\nnogroup:x:65534:\n")
        cpio.text("etc/hosts", "127.0.0.1 localhost\n")
        cpio.text("etc/vm/settings", "".join(f"{key}='{value}'\n" for key, value in settings.items()))
        cpio.text("etc/vm/plan", "".join(f"{test.name} {test.timeout_s} {' '.join(test.modules)}\n"
                                         for test in tests))
        add_folder(cpio, os.path.join(HERE, "tests"), "tests")
        if dill:
            cpio.file_from("bin/dill", dill)
        if programs:
            add_folder(cpio, programs, "programs")
        add_modules(cpio, kernel, modules)
        cpio.finish()
