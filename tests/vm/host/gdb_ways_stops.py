#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""`dill watch` and `dill break` in gdb stop where the object's call is, on its CPU, in its task; gdb goes on from there."""
# timeout: 500
# named: yes
# once: yes
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import heap_truth  # noqa: E402
from gdb_session import Gdb, plugin_path  # noqa: E402
from target import Guest, case, main  # noqa: E402

RECORD = os.path.abspath("stops.json")
MESSAGE_BYTES = 205 + 48
TRIES = 8
LINE = re.compile(r"(\w+): (\S+) (->|<-) (0x[0-9a-f]{16}), (?:size: \d+, )?name: (\S+), pid: (\d+), cpu: (\d+)"
                  r"(?:, caller: (\S+))?")

guest = Guest()
one, other = heap_truth.SlabCalls(guest, "slab_one"), heap_truth.SlabCalls(guest, "slab_other")


class Tracing:
    """gdb with dill's words said, in the target that stands still."""

    def __init__(self, way, *words):
        self.gdb = Gdb(plugin_path(guest.dill_path), target="gdb.sock")
        self.gdb.run(f"set dill trace-by {way}")
        for line in words:
            self.dill(line)

    def dill(self, words):
        said = self.gdb.run(f"dill {words}", 60)
        assert "Traceback" not in said and "dill: " not in said and "rror" not in said, said
        return said

    def let(self, *does):
        """Let it run until these are done, [(process, words…)]."""
        self.gdb.send("continue")
        for calls, *words in does:
            calls.do(*words)
        self.gdb.interrupt()
        said = self.gdb.wait()
        assert "SIGINT" in said and "stopped" not in said, said

    def begin(self, calls, *words):
        """Let it run until the process has begun, and pauses: what it does then, is done alone."""
        self.gdb.send("continue")
        calls.begin("pause", *words)
        time.sleep(1)
        self.gdb.interrupt()
        assert "SIGINT" in self.gdb.wait()

    def stops(self):
        """The event that stops it. Checks where it stands."""
        self.gdb.send("continue")
        said = self.gdb.wait()
        assert "SIGINT" not in said, said
        found = LINE.search(said)
        assert found, said
        function, cache, arrow, address, name, pid, cpu, caller = found.groups()
        event = {"function": function, "cache": cache, "is_alloc": arrow == "->", "address": int(address, 16),
                 "name": name, "pid": int(pid), "cpu": int(cpu), "caller": caller, "said": said}
        self.assert_stands(event)
        return event

    def assert_stands(self, event):
        """gdb's thread is the CPU of the event, whose current task it is, and stands in the function or where it has
        returned to."""
        thread = int(re.search(r"Current thread is (\d+)", self.gdb.run("thread"))[1])
        assert thread == event["cpu"] + 1, event
        symbols = guest_symbols
        current = symbols.get("current_task") or symbols["pcpu_hot"]
        percpu = self.gdb.evaluate(f"$kpercpu((void *){current:#x}, {event['cpu']})")
        task = self.gdb.evaluate(f"*(unsigned long *){percpu:#x}")
        assert task == self.gdb.evaluate(f"$ktask({event['pid']})"), event
        place = self.gdb.run("kwhat $pc").splitlines()[0]
        within = re.search(r"image text, ([\w.]+)\+?", place)[1]
        if event["is_alloc"]:
            assert within == event["caller"].split("+")[0], (place, event)
        else:
            assert within == event["function"] or within in FREEING, (place, event)
        # It can be used as ever.
        before = self.gdb.evaluate("$pc")
        said = self.gdb.run("stepi")
        assert "SIG" not in said and self.gdb.evaluate("$pc") != before, (said, self.gdb.run("info threads"), event)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.gdb.kill()

    def end(self):
        """Nothing of ours is left: who connects anew meets nothing, whatever the guest does."""
        assert self.dill("stop") == ""
        assert "No breakpoints or watchpoints" in self.gdb.run("info breakpoints")
        self.let((one, "few"), (other, "few"))
        self.gdb.close()
        with Gdb(target="gdb.sock") as gdb:
            gdb.send("continue")
            one.do("few")
            gdb.interrupt()
            said = gdb.wait()
            assert "SIGINT" in said and "SIGTRAP" not in said, said
        one.do("few")


# What a release is handed on to.
FREEING = {"slab_free", "__slab_free", "do_slab_free", "slab_free_freelist_hook", "__kmem_cache_free"}
guest_symbols = guest.symbols("current_task", "pcpu_hot")


def held_message(tracing):
    """The event of a message that is sent and kept."""
    tracing.dill("record clear")
    tracing.let((one, "send"))
    tracing.dill(f"record save {RECORD}")
    found = [event for event in heap_truth.read_record(RECORD)[0] if event.get("size") == MESSAGE_BYTES]
    assert len(found) == 1 and found[0]["kind"] == "alloc", found
    return found[0]


def watch(tracing):
    """Who releases the object and who takes it again, whoever is followed."""
    message = held_message(tracing)
    address, cache = int(message["addr"], 16), message["cache"]
    tracing.dill("nobody")
    tracing.begin(one, "receive", *["send"] * TRIES)
    tracing.dill(f"watch {address:#x} stop")
    assert f"{address:#x} (stop)" in tracing.dill("status")
    for is_alloc in False, True:
        event = tracing.stops()
        assert (event["is_alloc"], event["address"], event["pid"], event["cache"]) == (is_alloc, address, one.pid, cache), event
        assert f"dill: stopped: watch {address:#x}\n" in event["said"], event
    tracing.dill(f"unwatch {address:#x}")
    tracing.gdb.send("continue")
    one.wait()
    one.do(*["receive"] * TRIES)
    tracing.gdb.interrupt()
    assert "SIGINT" in tracing.gdb.wait()
    return cache


def break_at(tracing, cache):
    """Each allocation and release in the cache by a followed process, and by no other, whatever caches the filter names."""
    tracing.dill("slab_one")
    for words in "filter add cache names_cache", f"break {cache}":
        tracing.dill(words)
    assert re.search(f"^breaks +{cache}$", tracing.dill("status"), re.M)
    tracing.let((other, "send", "receive"))
    tracing.begin(one, "send", "receive")
    for is_alloc in True, False:
        event = tracing.stops()
        assert (event["is_alloc"], event["cache"], event["pid"]) == (is_alloc, cache, one.pid), event
        assert f"dill: stopped: break {cache}\n" in event["said"], event
    tracing.dill(f"unbreak {cache}")
    tracing.gdb.send("continue")
    one.wait()
    one.do("send", "receive")
    tracing.gdb.interrupt()
    assert "SIGINT" in tracing.gdb.wait()


def check(way):
    with Tracing(way, "slab_one", "off", "record on", "run") as tracing:
        break_at(tracing, watch(tracing))
        tracing.end()


@case
def by_data():
    """by data, watch and break stop at the calls that they name, and at no other"""
    check("data")


@case
def by_code():
    """by code too"""
    check("code")


main()
