#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""However a trace in gdb ends, Ctrl-C, quit, a killed gdb or tracer, the guest runs on, and no trap is left in it."""
# timeout: 500
# named: yes
# once: yes
import contextlib
import os
import random
import re
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import heap_truth  # noqa: E402
from gdb_session import Gdb, plugin_path  # noqa: E402
from target import Guest, case, main  # noqa: E402

guest = Guest()
calls = heap_truth.SlabCalls(guest, "slab_ends")
random.seed(5)


def status():
    return guest.monitor("query-status")["status"]


def await_that(claim, limit_s=60):
    end = time.monotonic() + limit_s
    while not claim():
        assert time.monotonic() < end, status()
        time.sleep(0.05)


def tracers():
    """dill-tracers and their guards whose gdb began in this folder, which is this guest's alone."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.path.basename(os.readlink(f"/proc/{pid}/exe")) == "dill-tracer" and \
                    os.readlink(f"/proc/{pid}/cwd") == os.getcwd():
                found.append(int(pid))
    return found


def tracer():
    """The older of the two: its guard is its child."""
    return min(tracers())


def assert_free():
    """Nothing of a trace is left: the guest runs, and goes on running for whoever connects anew while it does what was
    traced; the stub reads virtual memory."""
    await_that(lambda: not tracers())
    await_that(lambda: status() == "running")
    calls.do("few")
    assert status() == "running"
    with Gdb(target="gdb.sock") as gdb:
        assert 'received: "0"' in gdb.run("maintenance packet qqemu.PhyMemMode")
        gdb.send("continue")
        calls.do("few")
        gdb.interrupt()
        said = gdb.wait()
        assert "SIGINT" in said, said
    calls.do("few")


@contextlib.contextmanager
def traced(way):
    """gdb, with all traps set and the target running. Killed in the end, if it lives."""
    gdb = Gdb(plugin_path(guest.dill_path), target="gdb.sock")
    try:
        for line in "set pagination off", f"set dill trace-by {way}", "dill slab_ends", "dill run":
            said = gdb.run(line)
            assert "dill: " not in said and "rror" not in said, said
        gdb.send("continue")
        gdb.wait_for("Continuing")
        calls.begin(*["few"] * (1 if way == "code" else 3))
        time.sleep(random.random())
        yield gdb
    finally:
        gdb.kill()


@case
def interrupted():
    """Ctrl-C at any moment stops the target, gdb can be used, and it goes on"""
    with traced("data") as gdb:
        for _ in range(10):
            time.sleep(random.random() * 0.2)
            gdb.interrupt()
            gdb.wait_for("SIGINT")
            gdb.settle()
            assert gdb.run("print 40 + 2").endswith("= 42\n")
            assert gdb.evaluate("$pc") and "by watchpoints" in gdb.run("dill status")
            gdb.send("continue")
            gdb.wait_for("Continuing")
        calls.wait()
        gdb.interrupt()
        gdb.wait_for("SIGINT")
        gdb.settle()
        gdb.close()
    assert_free()


@case
def left():
    """quit, by data and by code"""
    for way in "data", "code":
        with traced(way) as gdb:
            gdb.interrupt()
            gdb.wait_for("SIGINT")
            gdb.settle()
            gdb.close()
        calls.wait()
    assert_free()


@case
def killed():
    """a gdb that is killed, by data and by code"""
    for way in "data", "code":
        with traced(way) as gdb:
            gdb.kill()
        calls.wait()
    assert_free()


@case
def killed_tracer():
    """a tracer that is killed: gdb says so, and connects anew"""
    with traced("data") as gdb:
        os.kill(tracer(), signal.SIGKILL)
        said = gdb.wait()
        assert re.search("Remote connection closed|Target disconnected", said) and "Traceback" not in said, said
        assert gdb.run("print 40 + 2").endswith("= 42\n")
        calls.wait()
        assert "Remote debugging" in gdb.run("target remote gdb.sock")
        assert "To trace" in gdb.run("dill slab_ends")
        gdb.close()
    assert_free()


@case
def killed_reading():
    """a gdb that is killed while a command of dill reads physical memory over its packets"""
    with Gdb(plugin_path(guest.dill_path), target="gdb.sock") as gdb:
        gdb.run("set dill direct off")
        gdb.send("kcache --check")
        time.sleep(0.3)
        gdb.kill()
    await_that(lambda: status() != "unknown")
    guest.monitor("cont")
    with Gdb(plugin_path(guest.dill_path), target="gdb.sock") as gdb:
        gdb.run("set dill direct off")
        assert "kernel_base" in gdb.run("kbase --json")
        assert 'received: "0"' in gdb.run("maintenance packet qqemu.PhyMemMode")
    assert_free()


main()
