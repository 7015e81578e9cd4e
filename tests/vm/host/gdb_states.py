#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""dill inside gdb whatever state gdb and its target are in: it works, or says why not, and leaves both usable."""
# timeout: 600
# ruins: yes
# once: yes
import contextlib
import itertools
import json
import os
import random
import re
import select
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import damage  # noqa: E402
import user_mode  # noqa: E402
from gdb_session import Gdb, plugin_path  # noqa: E402
from target import Guest, Skip, case, main  # noqa: E402

MONITOR = "qmp:" + os.path.abspath("qmp.sock")
guest = Guest()
PLUGIN = plugin_path(guest.dill_path)
guest.start_crowd()
symbols = guest.symbols("_text", "_stext", "init_task", "do_exit")
clock = guest.symbols("jiffies_64")["jiffies_64"]
random.seed(4)


def virtual_again():
    """A connection that broke while physical memory was read leaves QEMU's stub reading that, for whoever comes."""
    with guest.gdb() as client:
        assert client.request("Qqemu.PhyMemMode:0") == "OK"
        client.request("D")
    guest.monitor("cont")
    assert guest.text("echo alive") == "alive\n"


def attached(**options):
    return Gdb(PLUGIN, target="gdb.sock", **options)


def records(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def base(gdb):
    found = gdb.run("kbase --json")
    assert records(found), found
    return int(records(found)[0]["kernel_base"], 16)


def assert_refused(text, *words):
    """One line, without traceback, that has these words."""
    assert len(text.splitlines()) == 1 and "Traceback" not in text and "Python" not in text, text
    assert all(word in text for word in words), text


def assert_usable(gdb):
    assert gdb.run("print 40 + 2").endswith("= 42\n")
    assert base(gdb) == symbols["_text"]
    assert 'received: "0"' in gdb.run("maintenance packet qqemu.PhyMemMode"), "the stub still reads physical memory"


virtual_again()


# ---- where the target stands ----

@case
def user_mode_stop():
    """with a CPU in user mode, kernel memory is found, traced and has symbols (with isolation: gdb_pti)"""
    if not user_mode.check(guest, PLUGIN, symbols, user_mode.has_isolation(guest)):
        raise Skip("the CPU was never met in user mode")


@case
def threads_stay_selected():
    """gdb and the stub agree on the thread as before, whichever one is selected, and registers are each CPU's own"""
    with attached() as gdb:
        gdb.run("set dill direct off")
        shown = {}
        for thread in {1, guest.cpus}:
            gdb.run(f"thread {thread}")
            shown[thread] = gdb.run("info registers")
        for before, thread, after in itertools.product(shown, repeat=3):
            gdb.run(f"thread {before}")
            gdb.run("set var *(char *)$sp = *(char *)$sp")  # so that all CPUs' registers are asked for anew
            gdb.run(f"thread {thread}")
            assert base(gdb) == symbols["_text"]
            assert f"thread is {thread} " in gdb.run("thread")
            gdb.run(f"thread {after}")
            gdb.run("maintenance flush register-cache")
            assert gdb.run("info registers") == shown[after], (before, thread, after)


@case
def target_ran():
    """what changed in the guest while it ran is seen changed"""
    with attached() as gdb:
        assert_refused(gdb.run("ktask newcomer"), "newcomer")
        before = gdb.run("ktask --json")
        gdb.send("continue")
        gdb.wait_for("Continuing")
        guest.text("mkdir -p n; cp /bin/busybox n/newcomer; (exec -a sleep n/newcomer 1000) >/dev/null 2>&1 &")
        guest.text("until grep -qx newcomer /proc/[0-9]*/comm 2>/dev/null; do :; done")
        gdb.interrupt()
        gdb.settle()
        assert "comm                  newcomer" in gdb.run("ktask newcomer")
        assert gdb.run("ktask --json") != before
    guest.text("killall newcomer || true")


@case
def memory_written():
    """what is written from gdb is seen written"""
    with attached() as gdb:
        offset = next(record["offset"] for record in records(gdb.run("kstruct task_struct comm --json"))
                      if record["type"] == "offset")
        place = gdb.evaluate('$ktask("crowd")') + offset
        gdb.run(f"set var *(char *){place:#x} = 'K'")
        assert "comm                  Krowd" in gdb.run("ktask Krowd")
        gdb.run(f"set var *(char *){place:#x} = 'c'")
        assert_refused(gdb.run("ktask Krowd"), "Krowd")


@case
def running_target():
    """while the target runs in the background, a command asks to stop it"""
    with attached() as gdb:
        gdb.run("continue &")
        assert_refused(gdb.run("kcache"), "running")
        gdb.send("interrupt")
        gdb.wait_for("SIGINT")
        gdb.wait_for(r"0x\w+ in .*\n")  # after which gdb shows no prompt
        gdb.settle()
        assert base(gdb) == symbols["_text"]


# ---- symbols ----

def write_vmlinux(path, addresses):
    """An ELF file that has nothing but these symbols in its .text, and a .data..percpu at 0."""
    names = b"\0" + b"".join(name.encode() + b"\0" for name in [*addresses, "__per_cpu_start"])
    table, at = bytes(24), 1
    low = min(addresses.values())
    for name, address in [*addresses.items(), ("__per_cpu_start", 0)]:
        table += struct.pack("<IBBHQQ", at, 0x12, 0, 1 if address else 5, address, 8)
        at += len(name) + 1
    sections = b"\0.text\0.symtab\0.strtab\0.shstrtab\0.data..percpu\0"
    places, offset = [], 64
    for part in table, names, sections:
        places.append((offset, len(part)))
        offset += len(part)

    def header(name, kind, flags, address, place, link=0, info=0, entry=0):
        return struct.pack("<IIQQQQIIQQ", sections.index(name), kind, flags, address, *place, link, info, 8, entry)

    headers = bytes(64) + header(b".text", 8, 6, low, (64, 1 << 25))
    headers += header(b".symtab", 2, 0, 0, places[0], 3, 1, 24) + header(b".strtab", 3, 0, 0, places[1])
    headers += header(b".shstrtab", 3, 0, 0, places[2]) + header(b".data..percpu", 8, 3, 0, (64, 1 << 16))
    start = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, low, 0, offset, 0, 64, 56, 0, 64, 6, 4)
    with open(path, "wb") as file:
        file.write(start + table + names + sections + headers)


def shifted(by):
    return {name: address + by for name, address in symbols.items()}


@case
def symbols_at_the_wrong_address():
    """with symbols that are not where the kernel is, all commands but kbase refuse, and say what helps"""
    write_vmlinux("vmlinux-wrong", shifted(0x1200000))
    with attached() as gdb:
        assert "init" in gdb.run("ktask 1")
        gdb.run(f"symbol-file {os.path.abspath('vmlinux-wrong')}")
        for line in "ktask 1", "kcache", "kwhat $pc", "kstruct task_struct", "print $ktask(1)", "dill run":
            assert_refused(gdb.run(line), "kbase --load-symbols", f"{symbols['_text']:#x}")
        assert base(gdb) == symbols["_text"]
        gdb.run("set dill check-symbols off")
        assert "init" in gdb.run("ktask 1")
        gdb.run("set dill check-symbols on")
        assert_refused(gdb.run("ktask 1"), "kbase --load-symbols")
        gdb.run("symbol-file")
        assert "init" in gdb.run("ktask 1")
        write_vmlinux("vmlinux-right", symbols)
        gdb.run(f"symbol-file {os.path.abspath('vmlinux-right')}")
        assert "init" in gdb.run("ktask 1")


@case
def symbols_put_right():
    """kbase --load-symbols moves a vmlinux's symbols to where the kernel is: one that gdb has, or one that is named"""
    path = os.path.abspath("vmlinux-wrong")
    write_vmlinux(path, shifted(-0x400000))
    for before, line in ((f"symbol-file {path}", "kbase --load-symbols"),
                         ("symbol-file", f"kbase --load-symbols {path}")):
        with attached() as gdb:
            gdb.run(before)
            said = gdb.run(line)
            assert gdb.evaluate("&do_exit") == symbols["do_exit"], said
            assert gdb.evaluate("&__per_cpu_start") == 0, said
            assert "init" in gdb.run("ktask 1")


@case
def symbols_made():
    """without a vmlinux kbase --load-symbols gives gdb the kernel's own symbols, and break takes them"""
    with attached() as gdb:
        said = gdb.run("kbase --load-symbols")
        assert gdb.evaluate("&do_exit") == symbols["do_exit"], said
        assert "do_exit" in gdb.run("info symbol do_exit")
        assert f"{symbols['do_exit'] >> 12:x}" in gdb.run("break do_exit")
        assert "init" in gdb.run("ktask 1")
        gdb.run("delete")


# ---- no kernel ----

class Listener(threading.Thread):
    """Waits at a socket for one client, whom run() serves."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        self.listener.bind(path)
        self.listener.listen()
        self.start()


class Stub(Listener):
    """A gdb stub of a program that is no kernel: no memory, registers all zero."""

    ANSWERS = {"?": "S05", "g": "00" * 164, "qSupported": "PacketSize=1000", "qAttached": "1", "H": "OK", "D": "OK",
               "m": "E01", "qC": "QC1", "qfThreadInfo": "m1", "qsThreadInfo": "l", "T": "OK"}

    def run(self):
        client, _ = self.listener.accept()
        pending = b""
        while data := client.recv(1 << 16):
            pending += data
            while match := re.search(rb"\$([^#]*)#..", pending, re.S):
                pending = pending[match.end():]
                request = match[1].decode("latin-1")
                answer = next((text for start, text in self.ANSWERS.items() if request.startswith(start)), "")
                client.sendall(b"+$%s#%02x" % (answer.encode(), sum(answer.encode()) & 0xff))


@case
def no_kernel():
    """without a target, on a program of this machine, and on a stub that has no kernel, commands refuse"""
    with Gdb(PLUGIN) as gdb:
        assert_refused(gdb.run("kcache"), "no target")
        assert_refused(gdb.run("print $ktask(1)"), "no target")
        gdb.run("file /bin/true")
        if "ptrace" not in gdb.run("starti"):
            assert_refused(gdb.run("kcache"), "not a kernel")
            assert_refused(gdb.run("kbase --load-symbols"), "not a kernel")
    Stub("stub.sock")
    with Gdb(PLUGIN, options=["-ex", "set architecture i386:x86-64"], target="stub.sock") as gdb:
        for line in "kbase", "kcache", "print $kbase()":
            assert_refused(gdb.run(line), "kernel")


@case
def two_inferiors():
    """each inferior has its own target: one that is no kernel changes nothing for the other"""
    Stub("stub.sock")
    with attached() as gdb:
        assert base(gdb) == symbols["_text"]
        gdb.run("add-inferior -no-connection")
        gdb.run("inferior 2")
        assert_refused(gdb.run("kcache"), "no target")
        gdb.run("set architecture i386:x86-64")
        gdb.run("target remote stub.sock")
        assert_refused(gdb.run("ktask 1"), "kernel")
        gdb.run("inferior 1")
        assert "init" in gdb.run("ktask 1")
        gdb.run("inferior 2")
        gdb.run("detach")
        gdb.run("inferior 1")
        gdb.run("remove-inferiors 2")
        assert base(gdb) == symbols["_text"]


@case
def connected_again():
    """after detach commands refuse, and after another target remote they work"""
    with attached() as gdb:
        assert base(gdb) == symbols["_text"]
        gdb.run("detach")
        assert_refused(gdb.run("kcache"), "no target")
        gdb.run("target remote gdb.sock")
        assert base(gdb) == symbols["_text"]


# ---- trouble ----

@case
def interrupted():
    """Ctrl-C at any moment leaves gdb, stub and guest usable"""
    quits = 0
    with attached() as gdb:
        gdb.run("set dill check-symbols off")
        for way, times in ("off", 1), ("auto", 2):
            gdb.run(f"set dill direct {way}")
            for line in ("kcache --check", "ktask --maps --files", "kcache --objects all", "kbase")[:2 * times] * times:
                gdb.send(line)
                time.sleep(random.random() * 0.1)
                gdb.interrupt()
                said = gdb.settle()
                assert "Traceback" not in said and "xception" not in said, said[-500:]
                quits += said.endswith("Quit\n")
                assert_usable(gdb)
    assert quits, "nothing was interrupted"
    assert guest.text("echo alive") == "alive\n"


@case
def breakpoints_before_the_trace():
    """a breakpoint that is in the stub before `dill run` comes stops the target afterwards"""
    with attached() as gdb:
        gdb.run("set breakpoint always-inserted on")
        gdb.run(f"break *{symbols['do_exit']:#x}")
        gdb.run("dill run")
        gdb.run("dill nobody")
        name = guest.agent.start("run", "true", 60)
        assert "Breakpoint 1, " in gdb.run("continue")
        gdb.run("delete")
        gdb.run("dill stop")
    guest.agent.result(name, 60)


@case
def quit_takes_breakpoints_away():
    """after quit the guest runs through what had breakpoints, watchpoints and a heap trace"""
    with attached() as gdb:
        gdb.run("dill run")
        gdb.run("dill nobody")
        gdb.run(f"break *{symbols['do_exit']:#x}")
        name = guest.agent.start("run", "true", 60)
        assert "Breakpoint 1, " in gdb.run("continue")
        assert "atchpoint 2: " in gdb.run(f"watch *(long *){clock:#x}")
        gdb.run("dill filter clear")
    guest.agent.result(name, 60)
    assert guest.text("for i in 1 2 3; do (true); done; echo alive") == "alive\n"
    assert guest.monitor("query-status")["status"] == "running"


# ---- a damaged heap ----

class HeapInGdb:
    """What damage.py needs, by way of gdb."""

    def __init__(self, gdb):
        self.gdb = gdb

    def python(self, expression):
        return self.gdb.run(f"python print({expression})")

    def read(self, address, size):
        return bytes.fromhex(
            self.python(f"gdb.selected_inferior().read_memory({address}, {size}).tobytes().hex()"))

    def write(self, address, data):
        self.python(f"gdb.selected_inferior().write_memory({address}, bytes.fromhex('{data.hex()}'))")

    def records(self, *arguments, statuses=(0,)):
        text = self.gdb.run(" ".join([*map(str, arguments), "--json"]))
        assert "Traceback" not in text, text
        return records(text)

    def partial_caches(self):
        """Names of caches that have partial slabs on a node, those with most room first."""
        caches = [item for item in self.records("kcache") if item["type"] == "cache" and
                  item["slabs_node_partial"] and item["num_objs"] - item["active_objs"] >= 2]
        caches.sort(key=lambda item: item["active_objs"] - item["num_objs"])
        return [item["name"] for item in caches][:8]


def found_in_a_cache(way):
    """Inflict a damage on the first cache that it fits, find it, and find nothing when it is undone."""
    with attached() as gdb:
        heap = HeapInGdb(gdb)
        for cache in heap.partial_caches():
            try:
                assert damage.inflict(damage.Heap(heap.read, heap.write, heap.records, cache), way)
                break
            except damage.NotHere:
                continue
        else:
            raise Skip("no cache has a partial slab with two free objects")
        assert heap.records("kcache", "--check", cache)[-1]["findings"] == 0
        assert_usable(gdb)


@case
def cyclic_freelist():
    """a freelist that leads back to itself is found and told, and is no endless loop"""
    found_in_a_cache(damage.freelist_loop)


@case
def cyclic_list():
    """so is a list of slabs that does"""
    found_in_a_cache(damage.list_loop)


@case
def unreadable_page():
    """a list of slabs that leads to a page that isn't there is found and told"""
    found_in_a_cache(damage.list_unreadable)


@case
def unreadable_address():
    """addresses that can't be read are told in a line"""
    with attached() as gdb:
        for line in ("kstruct task_struct 0xfffff00000000000", "kstruct task_struct.pid 0x10", "ktask 0xfffff00000000000",
                     "kcache --slab 0xfffff00000000000"):
            text = gdb.run(line)
            assert 0 < len(text.splitlines()) <= 2 and "Traceback" not in text, (line, text)
        assert_usable(gdb)


class Relay(Listener):
    """Stands between gdb and the stub, and breaks both connections after so many packets of gdb's."""

    def __init__(self, path, most_packets):
        self.left = most_packets
        super().__init__(path)

    def run(self):
        client, _ = self.listener.accept()
        stub = socket.socket(socket.AF_UNIX)
        stub.connect("gdb.sock")
        while self.left > 0:
            for side in select.select([client, stub], [], [])[0]:
                data = side.recv(1 << 16)
                if not data:
                    self.left = 0
                self.left -= side is client and data.count(b"$")
                (stub if side is client else client).sendall(data)
        for each in client, stub, self.listener:
            each.close()


@case
def target_dies():
    """when the target goes in the middle of a command, that is one error, and gdb lives on"""
    for packets in 70, 200, 1500:
        relay = Relay("relay.sock", packets)
        with Gdb(PLUGIN, target="relay.sock") as gdb:
            said = gdb.run("kcache --check")
            if relay.is_alive():
                said = gdb.run("kcache --objects all --json")
            assert not relay.is_alive(), f"alive after {packets} packets"
            assert "Traceback" not in said and "xception" not in said and said.strip(), said
            assert "42" in gdb.run("print 40 + 2")
            assert_refused(gdb.run("kcache"), "no target")
            virtual_again()
            gdb.run("target remote gdb.sock")
            assert base(gdb) == symbols["_text"], "not usable on a new target"
    assert guest.text("echo alive") == "alive\n"


main()
