#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""QEMU's gdb stub and its monitor as targets: the guest is left as it was found, and all ways show the same."""
# timeout: 400
# any: yes
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from target import Guest, case, main  # noqa: E402

guest = Guest()
TARGETS = {"gdb stub": "gdb:" + os.path.abspath("gdb.sock"), "process": "qmp:" + os.path.abspath("qmp.sock"),
           "saved memory": "qmp:" + os.path.abspath("qmp.sock") + ",save"}


def state():
    return guest.monitor("query-status")["status"]


def await_state(wanted, limit_s=60):
    """The state, once it is as wanted or when that has taken too long."""
    end = time.monotonic() + limit_s
    while state() != wanted and time.monotonic() < end:
        time.sleep(0.05)
    return state()


@case
def same_from_everywhere():
    """kbase, kcache and ktask are the same over the stub, out of QEMU's process, saved by QEMU, and in a dump"""
    for command in ["kbase"], ["kcache", "--sort", "name"], ["ktask"]:
        with guest.stopped():
            wanted = guest.dill(*command, "--json", target=guest.save_ram())
            for name, target in TARGETS.items():
                assert guest.dill(*command, "--json", target=target) == wanted, (command, name)


@case
def running_guests_run_on():
    """a guest that runs is running again afterwards"""
    for name, target in TARGETS.items():
        assert state() == "running"
        guest.dill("kbase", target=target)
        assert await_state("running") == "running", name
    assert guest.text("echo alive") == "alive\n"


@case
def stopped_guests_stay_stopped():
    """a guest that is stopped stays so, unless it is to run on"""
    with guest.stopped():
        for name, target in TARGETS.items():
            guest.dill("kbase", target=target)
            assert state() == "paused", name
        guest.dill("kbase", target=TARGETS["gdb stub"] + ",resume")
        assert await_state("running") == "running"
        guest.dill("kbase", target=TARGETS["gdb stub"] + ",stay-stopped")
        assert state() == "paused"


@case
def killed_looks_leave_it_running():
    """a guest runs on when dill is killed while it looks, whatever it was doing"""
    for name, target in TARGETS.items():
        for delay_s in (0.02, 0.1, 0.3):
            with subprocess.Popen([guest.dill_path, "kcache", "--objects", "all", "--json", "--target", target],
                                  stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as dill:
                time.sleep(delay_s)
                dill.send_signal(signal.SIGKILL)
            assert await_state("running") == "running", (name, delay_s)
    assert guest.text("echo alive") == "alive\n"
    with guest.gdb() as gdb:
        assert gdb.request("qqemu.PhyMemMode") == "0", "the stub still reads physical memory"
    guest.monitor("cont")


@case
def busy_stub():
    """a stub that serves another debugger is given up, and the guest runs on when that one has gone"""
    with guest.gdb() as gdb:
        gdb.request("qSupported")
        done = subprocess.run([guest.dill_path, "kbase", "--target", TARGETS["gdb stub"]], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
        assert done.returncode == 3 and b"another debugger" in done.stderr, done
        gdb.request("D")
    time.sleep(1)  # QEMU takes up the connection that was given up, and stops for it
    assert await_state("running") == "running"


@case
def no_stub():
    """a socket where nobody answers is a message, exit 3"""
    done = subprocess.run([guest.dill_path, "kbase", "--target", "gdb:" + os.path.abspath("absent.sock")],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 3 and b"absent.sock" in done.stderr, done


main()
