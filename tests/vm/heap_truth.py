# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""A program whose slab calls are told one by one, and what the kernel's own trace says of them.

For tests of `dill …` inside gdb: compare() holds against that what dill recorded of the same process.
"""

import collections
import json

import kmem_trace

SLOW_S = 60
ZERO_SIZE_PTR = 16
POINTER = (1 << 64) - 1


class SlabCalls:
    """tests/programs/slab_calls in the guest, as a process of that name: do("send") and so on.

    It talks through pipes that are waited at without looking again and again: a trace sees each switch of tasks.
    """

    def __init__(self, guest, name="slab_calls"):
        self.guest, self.go, self.said = guest, f"{name}.go", f"{name}.said"
        line = guest.text(f"rm -f {self.go} {self.said}; mkfifo {self.go} {self.said}; cp /programs/slab_calls {name}.new; "
                          f"mv {name}.new {name}; setsid ./{name} <>{self.go} 1<>{self.said} 2>&1 & read -r line <{self.said}; "
                          "echo $line")
        self.pid = int(line.split()[1])

    def do(self, *words):
        """Have it do these things, one after the other."""
        self.begin(*words)
        self.wait()

    def begin(self, *words):
        """The same without waiting. Until wait() nobody else can ask the guest for anything."""
        self.words = words
        line = f"exec 3<>{self.said}; for word in {' '.join(words)}; do echo $word >{self.go}; read -r line <&3; echo $line; done"
        self.started = self.guest.agent.start("run", line, SLOW_S)

    def wait(self):
        status, said = self.guest.agent.result(self.started, SLOW_S)
        assert not status and said.decode().splitlines() == [f"did {word}" for word in self.words], (status, said)

    def end(self):
        self.guest.text(f"kill {self.pid}; rm -f {self.go} {self.said}")


def read_record(path):
    """(events, the sum) of a file that `dill record save` wrote."""
    with open(path, encoding="utf-8", errors="replace") as file:
        *events, total = map(json.loads, file)
    assert total["type"] == "heap_sum" and total["events"] == len(events), total
    return events, total


def is_bulk(event):
    """A function without a tracepoint."""
    return "bulk" in event["function"]


def seen_by_dill(events, pid):
    """{(kind, address): how often} of a task's calls that have a tracepoint."""
    return collections.Counter((event["kind"], int(event.get("addr", "0"), 16)) for event in events
                               if event["pid"] == pid and not is_bulk(event))


def seen_by_kernel(recorded, pid):
    """The same by the kernel's trace. kfree(NULL) does nothing, kmalloc(0) gives no object."""
    seen = collections.Counter()
    for event in recorded:
        address = event.fields.get("ptr", 0) & POINTER
        if event.pid == pid and event.kind in kmem_trace.EVENTS and address > ZERO_SIZE_PTR:
            seen["alloc" if kmem_trace.is_alloc(event) else "free", address] += 1
    return seen


def differences(got, wanted):
    """What differs between the two, as text; "" if nothing does."""
    missing, extra = wanted - got, got - wanted
    lines = [f"dill has not seen {count} × {kind} {address:#x}" for (kind, address), count in missing.items()]
    lines += [f"only dill has seen {count} × {kind} {address:#x}" for (kind, address), count in extra.items()]
    return "\n".join([f"{len(missing)} missing, {len(extra)} extra of {sum(wanted.values())}"] + lines) if lines else ""
