#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""kcache --next predicts what the kernel then hands out on a CPU, as the kernel's own trace records it."""
# timeout: 400
# also: 6.12
# once: yes
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import kmem_trace  # noqa: E402
from target import Books, Guest, Skip, case, main  # noqa: E402

REQUEST = 205
# Where messages of that size come from, by era: buckets of their own, accounted memory, all alike.
CACHES = ["msg_msg-256", "kmalloc-cg-256", "kmalloc-256"]
PREDICTED = 4
BATCH_S = 4
ATTEMPTS = 8

guest = Guest()
with Books(guest) as books:
    listed = books.slabs()
    cache = next(name for name in CACHES if name in listed)


def attempt(cpu, pid, pause_s):
    """(predicted, handed out) of one batch that the program on that CPU sends after a stop, if it did within pause_s."""
    kmem_trace.start(guest)
    kmem_trace.mark(guest, "before")
    with guest.stopped():
        ram = guest.save_ram()
    # Whatever is run in the guest now could take an object first.
    time.sleep(pause_s)
    events = kmem_trace.stop(guest)
    before = next(event.when for event in events if event.text == "before")
    records = guest.records("kcache", cache, "--next", PREDICTED, "--cpu", cpu, target=ram)
    predicted = [int(record["addr"], 16) for record in records
                 if record["type"] == "next" and record["is_certain"]]
    # Where messages have no cache of their own, their queue's structure comes from the same one.
    taken = [event.fields["ptr"] for event in events if event.when > before and kmem_trace.is_alloc(event)
             and event.pid == pid and 192 < event.fields["bytes_req"] <= 256
             and (event.fields["bytes_req"] == REQUEST or not cache.startswith("msg_msg"))]
    return predicted, taken


def compare(cpu):
    pid = int(guest.text(f"setsid kernel_allocs --batches {cpu} {REQUEST} </dev/null >/dev/null 2>&1 & "
                         "echo $!; sleep 1"))
    seen, pause_s = ["the program did not work: the trace has nothing of it"], BATCH_S * 2
    for _ in range(ATTEMPTS):
        predicted, taken = attempt(cpu, pid, pause_s)
        if len(taken) < PREDICTED:  # a busy host gave it no turn
            pause_s = min(pause_s * 2, BATCH_S * 10)
            continue
        if not predicted:
            raise Skip("this cache has nothing on its CPUs: debug settings have each object come from a node's list")
        # A batch may have come between the mark and the stop.
        if len(predicted) > 1 and any(taken[start:start + len(predicted)] == predicted for start in range(len(taken))):
            break
        seen.append(f"predicted {[hex(pointer) for pointer in predicted]}, "
                    f"handed out {[hex(pointer) for pointer in taken]}")
    else:
        raise AssertionError(f"{cache} on CPU {cpu}:\n" + "\n".join(seen))
    guest.text(f"kill {pid}")


@case
def first_cpu():
    """what CPU 0 hands out next is predicted"""
    compare(0)


@case
def last_cpu():
    """what the last CPU hands out next is predicted"""
    compare(guest.cpus - 1)


main()
