#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""The words of `dill …` in gdb do with a real guest what they say: filter, record, log, status, watch, break."""
# timeout: 500
# named: yes
# once: yes
import contextlib
import os
import re
import stat
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import heap_truth  # noqa: E402
from gdb_session import Gdb, plugin_path  # noqa: E402
from target import Guest, case, main  # noqa: E402

RECORD, LOG = os.path.abspath("words.json"), os.path.abspath("words.log")
MESSAGE_BYTES = 205 + 48
LINE = re.compile(r"(\w+): (\S+) (->|<-) (0x[0-9a-f]{16}), (?:size: (\d+), )?name: (\S+), pid: (\d+), cpu: (\d+)"
                  r"(?:, caller: (\S+))?$")

guest = Guest()
one, other = heap_truth.SlabCalls(guest, "slab_one"), heap_truth.SlabCalls(guest, "slab_other")
gdb = Gdb(plugin_path(guest.dill_path), target="gdb.sock", cwd=os.getcwd())


def dill(words):
    """What it answers."""
    said = gdb.run(f"dill {words}", 60)
    assert "Traceback" not in said and "Python" not in said and "xception" not in said, said
    return said


def assert_refused(words, reason):
    """In one line."""
    said = dill(words)
    assert reason in said and len(said.splitlines()) == 1 and said.endswith("\n"), (words, said)


def let(*does, quiet_s=0):
    """Let the target run until these are done, [(process, words…)]. What gdb showed meanwhile."""
    gdb.send("continue")
    for calls, *words in does:
        calls.do(*words)
    gdb.await_quiet(quiet_s)
    gdb.interrupt()
    return gdb.wait()


def recorded(*does):
    """The events of that."""
    dill("record clear")
    let(*does)
    dill(f"record save {RECORD}")
    return heap_truth.read_record(RECORD)[0]


def of(events, name=None, cache=None):
    return [event for event in events if name in (None, event["comm"]) and cache in (None, event["cache"])]


def message_cache(events):
    found = {event["cache"] for event in events if event.get("size") == MESSAGE_BYTES}
    assert len(found) == 1, found
    return found.pop()


@case
def before_a_trace():
    """words set what they say before a trace runs, and each answer and each refusal is as the manual says"""
    for words, answer in (
            ("slab_one", "To trace the process: slab_one\n"),
            (f"{one.pid} slab_other", f"To trace the process: {one.pid}\nTo trace the process: slab_other\n"),
            ("filter show", f"filter: process {one.pid}, slab_other\n"),
            ("filter add cache names_cache filp", f"filter: process {one.pid}, slab_other and cache names_cache, filp\n"),
            ("filter set or", f"filter: process {one.pid}, slab_other or cache names_cache, filp\n"),
            ("filter remove process slab_other", f"filter: process {one.pid} or cache names_cache, filp\n"),
            ("filter add process run", f"filter: process {one.pid}, run or cache names_cache, filp\n"),
            ("filter remove cache filp names_cache", f"filter: process {one.pid}, run\n"),
            ("filter clear", "filter: everything\n"), ("filter set and", "filter: everything\n"), ("on", ""), ("off", ""),
            ("record on", ""), ("record off", ""), ("record clear", ""), ("log off", ""), ("stop", ""), ("stop", "")):
        assert dill(words) == answer, (words, dill(words))
    for words, reason in (
            ("filter remove process nobody", "no process 'nobody'"), ("filter remove cache nothing", "no cache 'nothing'"),
            ("filter add process a_name_that_is_too_long", "15 bytes"), ("filter add", "wants one of: process, cache"),
            ("filter", "wants one of"), ("record", "wants one of"), ("record show many", "'many'"), ("record save", "a file"), ("record save /nonexistent/file", "No such"),
            ("record save /dev/null", "not a regular file"), ("log .", "irectory"), ("log /dev/full", "not a regular file"),
            ("watch here", "'here' is no address"), ("unwatch 0xffff888000000000", "not watched"), ("watch", "address"),
            ("unbreak filp", "no break"), ("statsu", "did you mean 'status'?"), ("run fast", "")):
        assert_refused(words, reason)
    assert dill("filter show") == "filter: everything\n", "a refusal has changed the filter"
    status = dill("status")
    assert re.search(r"^trace +off: dill run begins it$", status, re.M), status


@case
def filters():
    """events are those that processes, caches and their relation let through"""
    for words in "slab_one", "off", "record on", "run":
        dill(words)
    events = recorded((one, "send", "receive"), (other, "send", "receive"))
    cache = message_cache(events)
    assert len(of(events, "slab_one", cache)) == 2 and not of(events, "slab_other"), events
    dill(f"filter add cache {cache}")
    events = recorded((one, "few"), (other, "few"))
    assert [event["kind"] for event in events] == ["alloc", "free"], events
    assert of(events, "slab_one", cache) == events and events[0]["addr"] == events[1]["addr"], events
    dill("filter set or")
    events = recorded((one, "few"), (other, "few"))
    assert [event["kind"] for event in of(events, "slab_other")] == ["alloc", "free"], of(events, "slab_other")
    assert len(of(events, "slab_one")) > 40
    assert all(event["comm"] == "slab_one" or event["cache"] == cache for event in events)
    dill("filter remove process slab_one")
    dill("filter set and")
    events = recorded((one, "send", "receive"), (other, "send", "receive"))
    assert len(of(events, "slab_one")) == len(of(events, "slab_other")) == 2 and of(events, None, cache) == events, events
    dill("filter clear")
    dill(f"{other.pid}")
    events = recorded((one, "few"), (other, "few"))
    assert {event["pid"] for event in events} == {other.pid}


@case
def lines():
    """on and off, record and log: what is shown, kept and written is the same"""
    dill(f"{one.pid}")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(LOG)
    for words in "on", "record clear", f"log {os.path.basename(LOG)}":
        assert dill(words) == ""
    shown = [line for line in let((one, "send", "receive"), quiet_s=1).splitlines() if LINE.match(line)]
    assert dill("log off") == ""
    with open(LOG, encoding="utf-8") as file:
        begin, *logged = file.read().splitlines()
    assert re.fullmatch(rf"==== dill \S+ \S+ \S+: follows process {one.pid} ====", begin), begin
    assert stat.S_IMODE(os.stat(LOG).st_mode) == 0o600
    # Lines that are under way when Ctrl-C is pressed are dropped by the terminal: the log has all.
    assert logged[:len(shown)] == shown and len(shown) >= 2, (shown, logged)
    listed = [line for line in dill("record show").splitlines() if LINE.match(line)]
    assert listed == logged, (listed, logged)
    assert [line for line in dill("record show 1").splitlines() if LINE.match(line)] == logged[-1:]
    assert re.fullmatch(rf"{len(logged)} events? saved to {re.escape(RECORD)}\n", dill(f"record save {RECORD}"))
    events, total = heap_truth.read_record(RECORD)
    assert total["dropped"] == 0
    for line, event in zip(logged, events, strict=True):
        function, cache, arrow, address, size, name, pid, cpu, caller = LINE.match(line).groups()
        assert (function, cache, arrow, address, name, int(pid), int(cpu)) == \
            (event["function"], event["cache"], {"alloc": "->", "free": "<-"}[event["kind"]], event["addr"],
             event["comm"], event["pid"], event["cpu"]), (line, event)
        assert not size or int(size) == event["size"]
        assert not caller or caller == event["caller_symbol"]
    assert dill("off") == "" and dill("record off") == "" and dill("record clear") == ""
    assert not [line for line in let((one, "send", "receive")).splitlines() if LINE.match(line)]
    assert re.search("^record +off, 0 events$", dill("status"), re.M), dill("status")


@case
def status():
    """status counts what happened, says how fast that was, and what bounds it"""
    for words in "run", "off", "record clear", "record on":
        dill(words)
    let((one, "few"))
    dill(f"record save {RECORD}")
    events, _ = heap_truth.read_record(RECORD)
    said = dill("status")
    values = dict(re.findall(r"^(\S(?:.*?\S)?)  +(.*)$", said, re.M))
    assert values["follows"] == f"process {one.pid}" and int(values["events"]) == len(events), said
    assert int(values["stops"]) >= int(values["events"]) and values["calls lost"] == "0", said
    assert int(values["stops per second"]) >= int(values["events per second"]) > 0, said
    assert values["bounded by"], said
    unseen = re.findall(r"^not seen: (\w+): ", said, re.M)
    gdb.run("continue &")
    assert set(unseen) == set(guest.symbols(*unseen)), unseen
    assert "by " in dill("status") and dill("filter show") == f"filter: process {one.pid}\n"
    assert dill("stop") == "" and "off: dill run begins it" in dill("status")
    gdb.send("interrupt")
    gdb.wait_for("SIGINT")
    gdb.wait_for(r"0x\w+ in .*\n")


def main_and_end():
    try:
        main()
    finally:
        gdb.close()


main_and_end()
