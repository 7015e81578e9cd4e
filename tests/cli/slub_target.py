# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""Processes with libslub that do what they are told, for tests that look into them."""

import json
import os
import subprocess
import sys

from cli import ROOT, dill

BUILD = os.environ.get("O", os.path.join(ROOT, "build"))
LIBRARY = os.path.join(BUILD, "libslub.so")
PRELOAD = os.path.join(BUILD, "libslub-malloc.so")

# Flags of slub.h.
NO_SHEAVES, CPU_SLABS = 1 << 7, 1 << 10
NO_MERGE = 1 << 6

# Loads libslub, then evaluates a line at a time and answers with the result in JSON.
SERVER = """
import ctypes, json, os, sys
class Info(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char * 32)] + [(name, ctypes.c_uint) for name in (
        "object_size size align offset order objects_per_slab min_partial sheaf_capacity aliases flags").split()] + [
        (name, ctypes.c_size_t) for name in "slabs partial_slabs objects free_in_slabs free_in_sheaves".split()]
def load(path):
    lib = ctypes.CDLL(path)
    for name in "slub_kmem_cache_create slub_kmem_cache_alloc slub_kmalloc".split():
        getattr(lib, name).restype = ctypes.c_void_p
    lib.slub_slabinfo.restype = ctypes.c_size_t
    return lib
def create(name, size, align=0, flags=0):
    return slub.slub_kmem_cache_create(name.encode(), size, align, flags, None)
def alloc(cache, count):
    return [slub.slub_kmem_cache_alloc(ctypes.c_void_p(cache)) for i in range(count)]
def free(cache, objects):
    for each in objects:
        slub.slub_kmem_cache_free(ctypes.c_void_p(cache), ctypes.c_void_p(each))
def info():
    infos = (Info * 256)()
    count = slub.slub_slabinfo(infos, 256)
    return [{name: getattr(one, name).decode() if name == "name" else getattr(one, name) for name, kind in Info._fields_}
            for one in infos[:count]]
def write(address, data):
    ctypes.memmove(address, bytes(data), len(data))
def read(address, size):
    return list(ctypes.string_at(address, size))
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
for path in sys.argv[1:]:
    slub = load(path)
print("ready", flush=True)
for line in sys.stdin:
    try:
        result = eval(line)
    except SyntaxError:
        result = exec(line)
    print(json.dumps(result), flush=True)
"""


def build(folder, source, *flags):
    """Compiles a C program with libslub.a."""
    program = os.path.join(folder, "program")
    with open(program + ".c", "w", encoding="ascii") as file:
        file.write(source)
    subprocess.run(["gcc", "-O2", *flags, "-I", os.path.join(ROOT, "slub"), "-o", program, program + ".c",
                    os.path.join(BUILD, "libslub.a"), "-lpthread"], check=True)
    return program


class Target:
    """A python3 that has loaded libraries; ask(text) has it evaluate text."""

    def __init__(self, *libraries, **environment):
        self.process = subprocess.Popen([sys.executable, "-c", SERVER, *libraries], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
        assert self.process.stdout.readline() == "ready\n"
        self.pid = self.process.pid
        self.cpu = min(os.sched_getaffinity(self.pid))

    def ask(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def lines(result, kind):
    """The JSON lines of one type."""
    return [line for line in map(json.loads, result.stdout.decode().splitlines()) if line["type"] == kind]


def slabinfo(pid, *arguments):
    result = dill("slabinfo", str(pid), "--json", *arguments)
    assert result.returncode == 0, result
    return {line["name"]: line for line in lines(result, "cache")}


def kcache(pid, *arguments):
    return dill("kcache", "--target", f"pid:{pid}", *arguments)
