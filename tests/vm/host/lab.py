#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""`make lab` boots a guest, gdb reaches it by the very command that is printed, and its end leaves nothing behind.

Its guests are its own; the one of this boot idles meanwhile.
"""
# timeout: 600
# once: yes
# kernels: 6.12
import contextlib
import json
import os
import re
import shlex
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from gdb_session import BOUND_TO_PARENT, Gdb, Terminal  # noqa: E402
from target import case, main  # noqa: E402

ROOT = os.path.abspath(__file__).rsplit("/tests/", 1)[0]
O = os.environ.get("O", "build")
LIMIT_S = 240
PRINTED = re.compile(r"^    (gdb -q .*)$", re.M)
LINKED_AT = 0xffffffff81000000
# Beside the labs of who works here, which `lab-end` would end as well.
PLACE = tempfile.TemporaryDirectory(prefix="lab-", dir=os.path.join(ROOT, O))  # pylint: disable=consider-using-with
FOLDER = os.path.relpath(PLACE.name, ROOT)


def lab(*words, goal="lab"):
    """The command line that a reader types, with these words."""
    return ["make", "--no-print-directory", goal, f"O={O}", f"LAB={FOLDER}", *words]


def run(*words, goal):
    done = subprocess.run([*BOUND_TO_PARENT, *lab(*words, goal=goal)], cwd=ROOT, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_S, check=False)
    text = done.stdout.decode(errors="replace")
    assert done.returncode == 0, text
    return text


def gdb_as_printed(text):
    """gdb started by the command in the lab's greeting."""
    words = shlex.split(PRINTED.search(text)[1])
    assert words[:2] == ["gdb", "-q"] and "-x" in words and FOLDER in words[-1], words
    return Gdb(options=words[2:], cwd=ROOT)


def kernel_base(gdb):
    return int(json.loads(gdb.run("kbase --json").splitlines()[0])["kernel_base"], 16)


def left_behind():
    """Processes that live in a lab's folder, and what but logs is in one."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/cwd").startswith(PLACE.name + "/"):
                found.append(f"process {pid}")
    for folder, _, names in os.walk(PLACE.name):
        found += [os.path.join(folder, name) for name in names
                  if not name.endswith((".log", ".json")) and name != ".lock"]
    return found


@contextlib.contextmanager
def nothing_stays():
    try:
        yield
    finally:
        run(goal="lab-end")


class Console:
    """The guest's console on its socket."""

    def __init__(self, folder):
        place = os.open(folder, os.O_PATH)  # a socket's path may not be long
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(f"/proc/self/fd/{place}/console.sock")
        self.socket.settimeout(LIMIT_S)
        os.close(place)

    def run(self, line, wanted):
        self.socket.sendall(line.encode() + b"\n")
        said = b""
        while not re.search(wanted, said):
            data = self.socket.recv(1 << 12)
            assert data, said
            said += data
        self.socket.close()


@case
def in_the_background():
    """BACKGROUND=1 returns when the guest is up; gdb comes and goes; lab-end ends it and leaves nothing"""
    with nothing_stays():
        said = run("KERNEL=6.12", "BACKGROUND=1", goal="lab")
        assert "Linux 6.12" in said and "1 CPU, KASLR on" in said, said
        folder = os.path.join(PLACE.name, "6.12")
        assert {"gdb.sock", "qmp.sock", "console.sock", "qemu.pid"} <= set(os.listdir(folder))
        with gdb_as_printed(said) as gdb:
            assert "Remote debugging using" in gdb.greeting, gdb.greeting
            assert kernel_base(gdb) >> 31 == 0x1ffffffff
            assert "init" in gdb.run("ktask 1")
        Console(folder).run("echo alive-$((6 * 7))", rb"alive-42")
        assert run(goal="lab-end") == "1 guest ended\n"
        assert not left_behind(), left_behind()
    assert run(goal="lab-end") == "0 guests ended\n"


@case
def on_a_terminal():
    """in the foreground a terminal is the guest's console; KASLR, SMP and DEBUG are obeyed; Ctrl-] ends it"""
    terminal = Terminal(lab("KERNEL=6.12", "KASLR=off", "SMP=2", "DEBUG=1"), cwd=ROOT,
                        env=dict(os.environ, TERM="dumb"))
    try:
        said, _ = terminal.wait_for(r"press Enter\. Ctrl-\] ends it\.", LIMIT_S)
        assert "2 CPUs, KASLR off, slub_debug=FZPU" in said, said
        terminal.send("")
        terminal.wait_for("# ", LIMIT_S)
        with gdb_as_printed(said) as gdb:
            assert kernel_base(gdb) == LINKED_AT
            assert gdb.evaluate("$kbase()") == LINKED_AT
            # Symbols of a vmlinux are right as they are.
            gdb.run("kbase --load-symbols")
            assert f"{LINKED_AT:#x}" in gdb.run("info address _text") and "init" in gdb.run("ktask 1")
        terminal.send("echo $(nproc) $(cat /sys/kernel/slab/kmalloc-64/red_zone) $(grep -w _text /proc/kallsyms)")
        terminal.wait_for(rf"2 1 {LINKED_AT:x} T _text", LIMIT_S)
        os.write(terminal.master, b"\x1d")
        assert terminal.process.wait(LIMIT_S) == 0
        assert not left_behind(), left_behind()
    finally:
        terminal.kill()
        os.close(terminal.master)


try:
    main()
finally:
    PLACE.cleanup()
