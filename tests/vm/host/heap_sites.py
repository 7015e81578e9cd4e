#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""Slab calls are met where lib/heap/heap_sites.h says, once each, with their arguments where it says.

On one CPU: of hits on several CPUs at once QEMU 7.2 tells one (lib/heap/heap_met.c).
"""
# timeout: 400
# also: 6.18
# cpus: 1
import collections
import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from sockets import Gdb, Lost  # noqa: E402
from target import Guest, Skip, case, main  # noqa: E402

# The order of QEMU's g packet (target/i386/gdbstub.c).
REGISTERS = ["rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", *(f"r{number}" for number in range(8, 16)), "rip"]
SECONDS = float(os.environ.get("HEAP_SITES_SECONDS", 15))
CALLS_OF_EACH = int(os.environ.get("HEAP_SITES_CALLS", 8))
# A call that takes longer (it sleeps) is left alone.
STOPS_OF_A_CALL = 400
WORD = 1 << 64
ZERO_SIZE_PTR = 16
KMALLOC_MAX_CACHE_SIZE = 8192
PAGE = 4096
WORK = ("while :; do cat /proc/mounts /proc/self/status | tail -n 1; mkdir -p /tmp/work; echo text >/tmp/work/file; "
        "mount -t tmpfs none /tmp/work; umount /tmp/work; rm -r /tmp/work; ls -l /proc/self/fd; dmesg -s 64; done")

guest = Guest()


def find_sites():
    """What the library finds, by a program of our own that is linked with it."""
    tool = os.path.join(os.path.dirname(guest.dill_path), "tests", "vm", "heap_sites")
    if not os.path.exists(tool):
        raise Skip(f"{tool} is not built")
    with guest.stopped():
        path = guest.save_ram()
    done = subprocess.run([tool, path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    os.unlink(path)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class Debugger(Gdb):
    """A gdb client that sets traps and lets the target run."""

    def trap(self, kind, address, size, is_set=True):
        answer = self.request(f"{'Z' if is_set else 'z'}{kind},{address % WORD:x},{size}")
        assert answer == "OK", f"trap {kind} at {address:#x}: {answer!r}"

    def select(self, thread):
        assert self.request(f"Hg{thread}") == "OK"

    def registers(self, thread):
        self.select(thread)
        data = bytes.fromhex(self.request("g"))
        return {name: int.from_bytes(data[8 * number:8 * number + 8], "little")
                for number, name in enumerate(REGISTERS)}

    def word(self, address):
        return self.read_u64(address % WORD)

    def stop_reply(self, limit_s):
        deadline = time.monotonic() + limit_s
        while not (match := re.search(rb"\$T\d\d([^#]*)#..", self.pending, re.S)):
            self.receive(deadline)
        self.pending = self.pending[match.end():]
        self.send(b"+")
        return re.search(rb"thread:([^;]+)", match[1])[1].decode()

    def resume(self, limit_s=5):
        """Let all run until something is met. Returns the thread that met it, None if nothing was."""
        self.send(b"$c#63")
        try:
            return self.stop_reply(limit_s)
        except Lost:
            # The stub drops what comes while the target runs, but for this.
            self.send(b"\x03")
            self.stop_reply(limit_s)
            return None


def value_at(debugger, place, registers, frame):
    """What the place says, None if it says nothing."""
    if place is None:
        return None
    if place["kind"] == "register":
        return registers[place["register"]]
    if place["kind"] == "memory":
        return debugger.word(registers[place["register"]] + place["offset"])
    return debugger.word(frame + place["offset"]) if place["kind"] == "stack" else place["offset"] % WORD


class Trial:
    """Calls of functions that are caught by data, followed from their first instruction to their return."""

    def __init__(self, debugger, found):
        self.debugger, self.found = debugger, found
        self.functions = found["functions"]
        self.by_ip = collections.defaultdict(list)
        for site in found["sites"]:
            self.by_ip[site["ip_after"] % WORD].append(site)
        caught = {site["function"] for site in found["sites"]}
        self.entries = {self.functions[number]["start"] % WORD: number for number in caught}
        self.calls, self.met, self.wrong = collections.Counter(), collections.Counter(), []
        self.compared = collections.Counter()

    def site_here(self, registers):
        """(site, frame) that the registers are at, or (None, None)."""
        for site in self.by_ip.get(registers["rip"], ()):
            if site["via_return"]:
                via = self.debugger.word(registers[site["via_register"]] + site["via_offset"])
                if via != site["via_return"] % WORD:
                    continue
            frame = registers[site["frame_register"]] + site["frame_offset"]
            if site["frame_is_stored"]:
                frame = self.debugger.word(frame) + site["frame_addend"]
            return site, frame % WORD
        return None, None

    def is_wanted(self, number):
        """Not enough was seen of this function. kfree(NULL) is frequent, and not met."""
        return self.met[number] < CALLS_OF_EACH and self.calls[number] < 4 * CALLS_OF_EACH

    def next_entry(self):
        """Run to a call's first instruction. Returns (thread, registers), or None if there is no call."""
        wanted = [start for start, number in self.entries.items() if self.is_wanted(number)]
        for start in wanted:
            self.debugger.trap(0, start, 1)
        thread = self.debugger.resume()
        for start in wanted:
            self.debugger.trap(0, start, 1, False)
        return thread and (thread, self.debugger.registers(thread))

    def is_excused(self, function, values):
        """A call that does nothing, or that other functions do: what is larger than a slab's objects is whole pages."""
        size, obj = values.get("size"), values.get("object")
        if function["call"].startswith("alloc"):
            return values.get("count") == 0 or (size is not None and not 0 < size <= KMALLOC_MAX_CACHE_SIZE)
        return obj is not None and (obj <= ZERO_SIZE_PTR or obj % PAGE == 0)

    def compare(self, number, site, registers, entry):
        name = self.functions[number]["name"]
        for role, place in site["arguments"].items():
            found = value_at(self.debugger, place, registers, entry["rsp"])
            if found is None:
                continue
            self.compared[name] += 1
            wanted = value_at(self.debugger, self.functions[number]["at_entry"][role], entry, entry["rsp"])
            if found != wanted:
                self.wrong.append(f"{name}: {role} is {found:#x} at {registers['rip']:#x}, was {wanted:#x}")

    def follow(self, thread, entry, number):
        """Note all sites that the call meets until it returns."""
        function, hits = self.functions[number], []
        caller = self.debugger.word(entry["rsp"])
        traps = [(3, each["address"] % WORD, each["size"]) for each in self.found["globals"]]
        traps.append((3, entry["rsp"], 8))
        for trap in traps:
            self.debugger.trap(*trap)
        seen, is_over = {}, False
        for _ in range(STOPS_OF_A_CALL):
            # Of two CPUs that stop at once QEMU names one; and a task may move to another CPU.
            stopped = self.debugger.resume()
            for cpu in {thread, stopped} if stopped else ():
                registers = self.debugger.registers(cpu)
                if registers == seen.get(cpu):
                    continue
                seen[cpu] = registers
                is_over = is_over or registers["rip"] == caller and registers["rsp"] == entry["rsp"] + 8
                site, frame = self.site_here(registers)
                if site and site["function"] == number and frame == entry["rsp"]:
                    hits.append(site)
                    self.compare(number, site, registers, entry)
            if is_over or not stopped:
                break
        for trap in traps:
            self.debugger.trap(*trap, False)
        self.judge(function, hits, is_over, entry)
        self.calls[number] += 1
        self.met[number] += bool(hits)

    def judge(self, function, hits, is_over, entry):
        name = function["name"]
        again = [site for site in hits[1:] if not site["may_be_repeated"]]
        if again:
            self.wrong.append(f"{name}: one call is met {len(hits)} times")
        values = {role: value_at(self.debugger, place, entry, entry["rsp"])
                  for role, place in function["at_entry"].items() if place}
        if is_over and not hits and not self.is_excused(function, values):
            self.wrong.append(f"{name}: a call isn't met: {values}")

    def run(self):
        end = time.monotonic() + SECONDS
        while time.monotonic() < end and len(self.wrong) < 10 and \
                any(self.is_wanted(number) for number in self.entries.values()):
            met = self.next_entry()
            if not met:
                break  # nobody calls those that are left
            number = self.entries.get(met[1]["rip"])
            if number is not None:
                self.follow(*met, number)


def table(trial):
    """Who is caught how, and what was seen of it."""
    found = trial.found
    yield f"{found['release']}: watched are {', '.join(each['name'] for each in found['globals'])}; " \
          f"found in {found['cpu_ms']:.0f} ms of CPU time"
    for number, function in enumerate(found["functions"]):
        how = "data" if function["start"] % WORD in trial.entries else "code" if function["is_by_code"] else "others"
        seen = f"{trial.met[number]} of {trial.calls[number]} calls met, " \
               f"{trial.compared[function['name']]} arguments right" if how == "data" else ""
        yield f"  {function['name']:38} by {how:7} {seen}".rstrip()
    for each in found["unseen"]:
        yield f"  {each['name']:38} unseen: {each['why']}"


@case
def calls_are_met_once_with_their_arguments():
    """each call is met once, and its arguments are there where they are said to be"""
    found = find_sites()
    guest.text(f"setsid sh -c '{WORK}' >/dev/null 2>&1 </dev/null &")
    time.sleep(1)
    debugger = Debugger("gdb.sock")
    try:
        debugger.request("qSupported:multiprocess+")
        debugger.request("?")
        trial = Trial(debugger, found)
        trial.run()
        debugger.request("D")
    finally:
        debugger.close()
    guest.monitor("cont")
    print("\n".join("# " + line for line in table(trial)))
    assert not trial.wrong, "\n".join(trial.wrong)
    assert sum(trial.met.values()) >= 50, "too few calls were made"
    frequent = [number for number in trial.entries.values()
                if trial.functions[number]["name"] in ("kfree", "kmem_cache_free")]
    assert len(frequent) == 2 and all(trial.met[number] for number in frequent)
    assert guest.text("echo alive") == "alive\n"


main()
