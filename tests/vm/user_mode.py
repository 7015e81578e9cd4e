# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""gdb stopped while a process is in user mode, and what dill has to do there all the same.

Used on guests whose processes have page tables of their own there (page-table isolation, `pti=on`) and on guests
that have one set for both. Processes that never leave user mode but for interrupts are started in the guest.
"""

import contextlib
import json
import re
import time

from gdb_session import Gdb

USER_RING = 3
# arch/x86/include/asm/pgtable.h, PTI_PGTABLE_SWITCH_BIT: the user's copy is the page behind the kernel's.
USER_TABLE = 1 << 12
ATTEMPTS = 60


def has_isolation(guest):
    """Whether the guest's kernel says that it takes its page tables from user mode."""
    return "pti" in guest.text("grep -m1 ^flags /proc/cpuinfo").split()


@contextlib.contextmanager
def spinning(guest):
    """As many processes as there are CPUs that compute, and no more."""
    count = " ".join(map(str, range(guest.cpus)))
    line = f"for i in {count}; do setsid sh -c 'while :; do :; done' >/dev/null 2>&1 </dev/null & echo $!; done"
    pids = guest.text(line, 120).split()
    yield
    guest.text(f"kill {' '.join(pids)}")


def await_running(guest):
    """Once it runs, gdb doesn't lose a Ctrl-C: before it lets it run, it does."""
    end = time.monotonic() + 60
    while (seen := guest.monitor("query-status")["status"]) != "running":
        assert time.monotonic() < end, seen
        time.sleep(0.02)
    time.sleep(0.05)


def stop_in_user_mode(guest, gdb):
    """Let the target run and stop until the selected CPU is in user mode. Returns whether it ever was."""
    for _ in range(ATTEMPTS):
        if gdb.evaluate("$cs") & USER_RING == USER_RING:
            return True
        gdb.send("continue")
        await_running(guest)
        gdb.interrupt()
        gdb.settle()
    return False


def check_tables(gdb, address, is_isolated):
    """That the CPU's own page tables are as the guest says: under isolation gdb itself can't see kernel data."""
    assert not is_isolated or gdb.evaluate("$cr3") & USER_TABLE, gdb.run("info registers cr3")
    seen = gdb.run(f"x/gx {address:#x}")
    assert ("Cannot access memory" in seen) == is_isolated, seen


def check_commands(gdb, base):
    """Commands and functions find the kernel, whichever way memory comes."""
    for way in "off", "auto":
        gdb.run(f"set dill direct {way}")
        facts = gdb.run("kbase --json")
        assert int(json.loads(facts.splitlines()[0])["kernel_base"], 16) == base, (way, facts)
        assert "init" in gdb.run("ktask 1") and "findings" in gdb.run("kcache --check"), way
        assert gdb.evaluate('$kcache("kmalloc-64")') >> 63 == 1, way
        assert "user" in gdb.run("kwhat $pc"), gdb.run("kwhat $pc")


def check_symbols(gdb, do_exit):
    """The kernel's own symbols are made out of memory that gdb can't read, and a breakpoint by name is met."""
    said = gdb.run("kbase --load-symbols")
    assert gdb.evaluate("&do_exit") == do_exit, said
    gdb.run("break do_exit")


def check_trace(guest, gdb):
    """A trace that begins in user mode has the events of a process that comes later."""
    assert not gdb.run("dill run"), "dill run said something"
    gdb.run("dill cat")
    gdb.send("continue")
    gdb.wait_for("Continuing")
    guest.text("cat /proc/mounts")
    gdb.interrupt()
    said = gdb.settle()
    assert re.search(r"^kmem_cache_alloc\w*: .*, name: cat, ", said, re.M), said[-2000:]
    gdb.run("dill stop")


def check(guest, plugin, symbols, is_isolated):
    """All of it; `symbols` has _text, init_task and do_exit. False if no CPU was ever met in user mode."""
    assert has_isolation(guest) == is_isolated
    with spinning(guest):
        with Gdb(plugin, target="gdb.sock") as gdb:
            if not stop_in_user_mode(guest, gdb):
                return False
            check_tables(gdb, symbols["init_task"], is_isolated)
            check_commands(gdb, symbols["_text"])
            if is_isolated:  # without, gdb_trace and others show it
                check_trace(guest, gdb)
            if not stop_in_user_mode(guest, gdb):
                return False
            check_symbols(gdb, symbols["do_exit"])
            name = guest.agent.start("run", "true", 60)
            met = gdb.run("continue")
            assert "Breakpoint 1, " in met and "do_exit" in met, met
        guest.agent.result(name, 60)
    assert guest.text("echo alive") == "alive\n"
    return True
