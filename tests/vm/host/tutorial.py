#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""docs/tutorial-qemu.md is true: each of its transcripts is typed again, and what comes is what stands there.

    tutorial.py            in a guest's folder: check
    tutorial.py --write    the same, and write what came into the document

A transcript is a block that begins ```console. Its lines that begin with a prompt are typed: `$ ` on the
host, `# ` in the guest, `(gdb) ` into one gdb that lives as long as the document; a `^C` is Ctrl-C in gdb.
What follows is the answer; a line `…` stands for any number of lines. Numbers, blanks and dashes that draw
tables are not compared, for they differ from boot to boot; words and the order of lines are. Addresses differ
as well, but what is one address in the document must be one address here: where an object was predicted that
then comes. A command that names an address of the document is typed with the one that stands for it here.
"""
# timeout: 600
# kernels: 6.12
# cpus: 1
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from gdb_session import PROMPT, Gdb, plugin_path  # noqa: E402
from target import CASES, Guest, Lost, main  # noqa: E402

ROOT = os.path.abspath(__file__).rsplit("/tests/", 1)[0]
DOCUMENT = os.path.join(ROOT, "docs", "tutorial-qemu.md")
PROMPTS = {"$ ": "host", "# ": "guest", "(gdb) ": "gdb", "^C": "interrupt"}
ELISION = "…"
LIMIT_S = 120
# What the document calls the folder of a lab's guest, as seen from where its reader types.
LAB_FOLDER = "build/lab/6.12"
# A running target's words come for a while after the guest's command is done.
QUIET_S = 2
POLL_S = 0.2
ADDRESS = re.compile(r"\b0x[0-9a-f]+\b|\b[0-9a-f]{16}\b")
# Also a cache's secret that free pointers are encoded with.
KERNEL_ADDRESS = re.compile(r"\b0x[0-9a-f]{12,16}\b")
TEMPORARY = re.compile(r"/tmp/dill-gdb-\w+")
DURATION = re.compile(r"\b(\d+[hm])+\d+s\b|\b\d+(\.\d+)? s\b")
BYTES = re.compile(r"\b[0-9a-f]{2}( [0-9a-f]{2}){3,}\b")
PLURAL = re.compile(r"\b(slab|object|event|finding)s\b")
NUMBER = re.compile(r"\d+(\.\d+)?( ?[KMG]iB)?")


class Step:
    """A typed line and its answer in the document, at lines[start:end] of it."""

    def __init__(self, kind, line, start, section):
        self.kind, self.line, self.start, self.section = kind, line, start, section
        self.end = start


def read_steps(lines):
    """The steps of a document, in order, with the heading that they stand under."""
    steps, section, inside = [], "", False
    for number, line in enumerate(lines):
        if line.startswith("#") and not inside:
            section = line.lstrip("# ")
        elif line.startswith("```"):
            inside, is_first = line == "```console", True
        elif inside:
            prompt = next((each for each in PROMPTS if line.startswith(each)), None)
            if prompt:
                steps.append(Step(PROMPTS[prompt], line[len(prompt):], number + 1, section))
            elif is_first:
                steps.append(Step("gdb goes on", "", number, section))
            steps[-1].end = number + 1
            is_first = False
    return steps


def comparable(line):
    """A line without what differs from boot to boot."""
    line = BYTES.sub("X", ADDRESS.sub("X", TEMPORARY.sub("TEMPORARY", line)))
    line = PLURAL.sub(r"\1", NUMBER.sub("N", DURATION.sub("N s", line)))
    return re.sub(r"[ \t-]+", " ", line).strip()


def pairs(wanted, got):
    """[(line of the document, line that came)], or None when they don't fit. `…` stands for any lines."""
    if not wanted:
        return None if got else []
    if wanted[0] == ELISION:
        tries = (pairs(wanted[1:], got[skipped:]) for skipped in range(len(got) + 1))
        return next((found for found in tries if found is not None), None)
    if not got or comparable(wanted[0]) != comparable(got[0]):
        return None
    rest = pairs(wanted[1:], got[1:])
    return rest if rest is None else [(wanted[0], got[0]), *rest]


def shortened(wanted, got):
    """What came, shortened as the document had it: the same lines, or as many before and after its `…`."""
    if ELISION not in wanted:
        return got
    if found := pairs(wanted, got):
        ours = iter(found)
        return [line if line == ELISION else next(ours)[1] for line in wanted]
    if wanted.count(ELISION) > 1:
        return wanted
    before = wanted.index(ELISION)
    after = len(wanted) - before - 1
    return got[:before] + [ELISION] + got[len(got) - after:] if len(got) > before + after else got


class Reader:
    """Who works through the document: a shell on the host, one in the guest, a gdb."""

    def __init__(self):
        self.guest = Guest()
        self.gdb = None
        self.folder = os.getcwd()
        self.scratch = tempfile.TemporaryDirectory(prefix="dill-tutorial-")
        self.is_running = False
        self.unfinished = None  # a line in the guest, which has stopped in it
        self.addresses = {}     # of the document: what they are here

    def close(self):
        if self.is_running:
            self.do_interrupt("")
        if self.gdb:
            self.gdb.close()
        self.scratch.cleanup()

    def here(self, text):
        """A command as it is typed here: the lab's folder and addresses are others than in the document."""
        text = KERNEL_ADDRESS.sub(lambda match: self.addresses.get(match[0], match[0]), text)
        return text.replace(LAB_FOLDER, self.folder)

    def learn(self, pair):
        """The addresses of lines that stand for each other. Returns what contradicts an earlier line, or ""."""
        for theirs, ours in zip(*map(KERNEL_ADDRESS.findall, pair)):
            if self.addresses.setdefault(theirs, ours) != ours:
                return f"{theirs} is {self.addresses[theirs]} here by an earlier line, {ours} by {pair[1]!r}"
        return ""

    def answer(self, step):
        """The lines that a step brings."""
        text = getattr(self, "do_" + step.kind.replace(" ", "_"))(self.here(step.line))
        text = text.replace(self.folder, LAB_FOLDER).replace("\r", "").replace(PROMPT, "")
        return [line.rstrip() for line in text.strip("\n").split("\n")] if text.strip() else []

    def do_host(self, line):
        if line.startswith("gdb "):
            words = shlex.split(line)
            self.gdb = Gdb(plugin_path(self.guest.dill_path), cwd=self.folder,
                           options=[word for word in words[words.index("-ex"):] if word != "-q"])
            return self.gdb.greeting
        build = os.path.dirname(self.guest.dill_path)
        environment = dict(os.environ, PATH=f"{build}:{os.environ['PATH']}:/usr/sbin:/sbin", LC_ALL="C.UTF-8")
        done = subprocess.run(["sh", "-c", line], cwd=self.scratch.name, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT_S, check=False,
                              env=environment)
        return done.stdout.decode(errors="replace")

    def do_guest(self, line):
        """What a line prints in the guest; nothing if gdb stops the guest in it."""
        agent, deadline = self.guest.agent, time.monotonic() + LIMIT_S
        self.unfinished = agent.start("run", line, LIMIT_S)
        while time.monotonic() < deadline and not (self.is_running and self.gdb.has_prompt()):
            try:
                agent.receive(time.monotonic() + POLL_S)
            except Lost:
                continue
            if b"result " + self.unfinished.encode() in agent.pending:
                name, self.unfinished = self.unfinished, None
                return agent.result(name, LIMIT_S)[1].decode(errors="replace")
        return ""

    def do_gdb(self, line):
        self.is_running = line in ("continue", "c")
        if not self.is_running:
            return self.gdb.run(line, LIMIT_S)
        self.gdb.send(line)
        text, match = self.gdb.wait_for(r"Continuing\.\n", LIMIT_S)
        return text + match[0]

    def do_interrupt(self, _):
        if self.unfinished:
            self.guest.agent.result(self.unfinished, LIMIT_S)
            self.unfinished = None
        self.gdb.await_quiet(QUIET_S)
        self.gdb.interrupt()
        return self.do_gdb_goes_on("")

    def do_gdb_goes_on(self, _):
        self.is_running = False
        return self.gdb.wait(LIMIT_S)


READER = Reader()
LINES = open(DOCUMENT, encoding="utf-8").read().split("\n")  # pylint: disable=consider-using-with
STEPS = read_steps(LINES)
CAME = {}


def check(section):
    """A case: all steps of a section."""
    for step in [step for step in STEPS if step.section == section]:
        CAME[step] = got = READER.answer(step)
        wanted = LINES[step.start:step.end]
        found = pairs(wanted, got)
        contradictions = [text for text in map(READER.learn, found or []) if text]
        if "--write" not in sys.argv:
            place = f"{os.path.basename(DOCUMENT)}:{step.start}: {step.line!r}"
            assert found is not None, f"{place} brings\n" + "\n".join(got) + "\nnot\n" + "\n".join(wanted)
            assert not contradictions, f"{place}: {contradictions[0]}"


def write():
    """Put into the document what came, from its end to its beginning, so that line numbers stay."""
    for step in sorted(CAME, key=lambda step: -step.start):
        LINES[step.start:step.end] = shortened(LINES[step.start:step.end], CAME[step])
        if step.kind != "gdb goes on":
            LINES[step.start - 1] = READER.here(LINES[step.start - 1]).replace(READER.folder, LAB_FOLDER)
    with open(DOCUMENT, "w", encoding="utf-8") as file:
        file.write("\n".join(LINES))


def make_cases():
    for section in dict.fromkeys(step.section for step in STEPS):
        def run(section=section):
            check(section)
        run.__doc__ = f"tutorial: {section}"
        CASES.append(run)


make_cases()
try:
    main()
finally:
    if "--write" in sys.argv:
        write()
    READER.close()
