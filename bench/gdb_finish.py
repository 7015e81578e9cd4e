# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""A heap tracer as gdb's Python makes it natural to write one: breakpoints, FinishBreakpoints for results.

Sourced into gdb by bench/gdb, to have dill's trace beside it. It does what tracers of that kind do: a
breakpoint at each allocation and free function; at an allocation a gdb.FinishBreakpoint waits for the result;
whose event it is is looked at when it is printed. Nothing here is meant to be fast or slow. $FINISH_… say
where things are.
"""

import os

import gdb

MASK = (1 << 64) - 1
COMM_BYTES = 16
FOLLOWED = os.environ["FINISH_COMM"]
CURRENT_TASK = int(os.environ["FINISH_CURRENT_TASK"], 16)
COMM_OFFSET = int(os.environ["FINISH_COMM_OFFSET"])


def register(name):
    return int(gdb.selected_frame().read_register(name)) & MASK


def current_comm():
    """The comm of the selected CPU's task: in a kernel function gs_base is the kernel's."""
    memory = gdb.selected_inferior()
    task = int.from_bytes(bytes(memory.read_memory((register("gs_base") + CURRENT_TASK) & MASK, 8)), "little")
    return bytes(memory.read_memory(task + COMM_OFFSET, COMM_BYTES)).split(b"\0")[0].decode(errors="replace")


class Result(gdb.FinishBreakpoint):
    """At the return address of an allocation."""

    def __init__(self, function):
        super().__init__(gdb.newest_frame(), internal=True)
        self.function = function

    def stop(self):
        comm = current_comm()
        if comm == FOLLOWED:
            gdb.write(f"event {self.function} -> {register('rax'):#x}, name: {comm}\n")
        return False


class Allocation(gdb.Breakpoint):
    def __init__(self, function):
        super().__init__(function, internal=True)
        self.function = function

    def stop(self):
        Result(self.function)
        return False


class Release(gdb.Breakpoint):
    def __init__(self, function, argument):
        super().__init__(function, internal=True)
        self.function, self.argument = function, argument

    def stop(self):
        comm = current_comm()
        if comm == FOLLOWED:
            gdb.write(f"event {self.function} <- {register(self.argument):#x}, name: {comm}\n")
        return False


for name in os.environ["FINISH_ALLOCATIONS"].split():
    Allocation(name)
for word in os.environ["FINISH_RELEASES"].split():
    Release(*word.split(":"))
