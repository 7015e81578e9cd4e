# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""Tests that run on the host against a guest: their directives, one boot for several of them, their processes.

A test is a process of its own (tests/vm/host/NAME.py) in the guest's folder. It may stop the guest, read and
write its memory; the guest is set going and cleaned of its processes after it, or thrown away.
"""

import json
import os
import secrets
import signal
import sys
import time

import machines
from guest import HANG_S, BOOT_LIMIT_S, Guest
from processes import BOUND_TO_PARENT
from sockets import Agent, Lost, Qmp

HERE = os.path.dirname(os.path.abspath(__file__))
# VMCOREINFO reaches the host through it.
MODULES = ["qemu_fw_cfg"]
RUINED = "ruins its guest"
CONSOLE_SHELL = "while :; do setsid cttyhack sh -l; usleep 200000; done >/dev/null 2>&1 </dev/null &"


class HostTest:
    """A host test and what its directives ask for. `machine` is None when it takes any variant."""

    def __init__(self, name, runner):
        self.name, self.path = name, os.path.join(HERE, "host", name + ".py")
        found = runner.directives(self.path, ["modules", "memory", "cmdline", "cpus", "nodes", "cpu", "ruins",
                                              "once", "kernels", "named", "also", "any"])
        self.timeout_s = runner.timeout_of(self.path, runner.DEFAULT_TIMEOUT_S)
        self.modules = found.pop("modules", "").split()
        self.is_ruinous = found.pop("ruins", "no") == "yes"
        self.is_once = found.pop("once", "no") == "yes"
        self.kernels = found.pop("kernels", "").split()
        self.also = found.pop("also", "").split()
        self.takes_any = found.pop("any", "no") == "yes"
        self.waits_for_name = found.pop("named", "no") == "yes"
        numbers = {key: int(found.pop(key)) for key in ("cpus", "nodes") if key in found}
        if "memory" in found:
            numbers["memory_mib"] = max(int(found.pop("memory")), machines.DEFAULT_MEMORY_MIB)
        self.machine = machines.Machine(f"for-{name}", **numbers, **found) if numbers or found else None


def boots(tests, variants, wants_all):
    """[(machine, tests)]: tests of any variant on each of them, or the first if once will do and not all are
    wanted; then the others. Tests that ruin their guest stand last."""
    plan = {machine: [] for machine in variants}
    for test in sorted(tests, key=lambda test: test.is_ruinous):
        places = [test.machine] if test.machine else variants[:1] if test.is_once and not wants_all else variants
        for machine in places:
            plan.setdefault(machine, []).append(test)
    return [(machine, wanted) for machine, wanted in plan.items() if wanted]


def write_facts(guest, token, dill):
    """What target.py reads: how the guest was made and how to talk to its agent."""
    machine = guest.machine
    with open(guest.path("guest.json"), "w", encoding="ascii") as file:
        json.dump({"token": token, "release": guest.release, "series": guest.kernel.name,
                   "variant": machine.name, "cpus": machine.cpus, "nodes": machine.nodes,
                   "memory_mib": machine.memory_mib, "cmdline": machine.cmdline,
                   "cpu": machine.cpu, "dill": dill}, file)


def start_shell(folder, token):
    """A kept guest has a shell on its console, like those of tests inside."""
    descriptor = os.open(folder, os.O_PATH)
    try:
        agent = Agent(f"/proc/self/fd/{descriptor}/agent.sock", token)
        agent.run(CONSOLE_SHELL, 10)
        agent.close()
    finally:
        os.close(descriptor)


class HostRun:
    """One boot with tests on the host. `judge(test, log_path, status, timed_out, seconds)` gets each result.

    `wait_exit(pid, seconds)` waits for a child without reaping it (tests/run).
    """

    def __init__(self, kernel, machine, folder, boot, children, is_kept, wait_exit):
        self.kernel, self.machine, self.folder, self.children = kernel, machine, folder, children
        self.wait_exit = wait_exit
        self.token = secrets.token_hex(8)
        self.guest = Guest(kernel, machine, folder, boot, children, is_kept, is_served=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, tests, contents, dill, on_up, judge, inherit=()):
        """Boot and run tests in turn. Returns (tests that are left because the guest is gone, why)."""
        limit = BOOT_LIMIT_S + sum(test.timeout_s + HANG_S for test in tests) + HANG_S
        modules = MODULES + [name for test in tests for name in test.modules]
        left, death = list(tests), "not started"
        try:
            self.guest.serve(contents, modules, self.token, limit, inherit)
            write_facts(self.guest, self.token, dill)
            on_up(self.guest)
            death = None
            while left and not death and not self.children.stopped.is_set():
                test = left.pop(0)
                judge(test, *self.run_test(test))
                death = self.make_clean(test)
        except Lost as error:
            death = str(error)
        finally:
            if self.guest.is_kept and not death:
                start_shell(self.folder, self.token)
            self.guest.end(death or "done")
        return left, death

    def run_test(self, test):
        """Returns (its log's path, exit status, whether it was too slow, seconds)."""
        start = time.monotonic()
        log_path = self.path(test.name + ".log")
        with open(log_path, "wb") as log:
            child = self.children.start([*BOUND_TO_PARENT, sys.executable, "-B", test.path], cwd=self.folder,
                                        stdout=log, stderr=log)
        timed_out = not self.wait_exit(child.pid, test.timeout_s)
        # The leader is not reaped yet, so the group is still its own: what it started ends with it.
        os.killpg(child.pid, signal.SIGKILL)
        status = child.wait()
        self.children.forget(child)
        return log_path, status, timed_out, time.monotonic() - start

    def make_clean(self, test):
        """Make the guest ready for the next test. Returns why it is gone, or None."""
        for name in os.listdir(self.folder):
            if name.endswith((".raw", ".elf", ".kdump")):
                os.unlink(self.path(name))
        if not self.guest.is_up:
            return f"the guest ended in test {test.name}: {self.guest.last_words()}"
        if test.is_ruinous:
            return f"test {test.name} {RUINED}"
        folder = os.open(self.folder, os.O_PATH)
        try:
            qmp = Qmp(f"/proc/self/fd/{folder}/qmp.sock")
            qmp.do("cont")
            qmp.close()
            agent = Agent(f"/proc/self/fd/{folder}/agent.sock", self.token)
            agent.result(agent.start("clean", "", 10), 60)
            agent.close()
        except (Lost, RuntimeError) as error:
            return f"after test {test.name} the guest did not answer: {error}"
        finally:
            os.close(folder)
        return None
