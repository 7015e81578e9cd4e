# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""Runs ground-truth programs under dill and compares what both say.

tests/programs/README.md has the programs' lines. A test imports this, marks functions by @case and calls
run(); each case is one TAP line, what was compared stands in `#` lines above it. Nothing here measures time:
waits end when something is observed, and limits only keep a broken run from lasting.
"""

import atexit
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("O", "build"))
DILL = os.environ.get("DILL", os.path.join(BUILD, "dill"))
PROGRAMS = os.path.join(BUILD, "tests", "programs")
LIMIT_S = 150
EPOLL_CALLS = {"232", "281", "441"}  # epoll_wait, epoll_pwait, epoll_pwait2 of x86-64
FIGURES = ("seen", "freed", "held", "held_bytes")
# Frames that have no caller: the program's first, a thread's first.
FIRST_FRAMES = {"_start", "clone3", "__clone3", "clone", "__clone", "__GI___clone3", "__GI___clone"}
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")

_cases = []
_problems = []
_children = []


class Skip(Exception):
    """This case can't run here; the text says why."""


class Broken(Exception):
    """The case can't go on."""


def case(function):
    """Marks a function as a case; its docstring's first line is the case's name."""
    _cases.append(function)
    return function


def check(claim, text):
    """Notes @text as seen or as wrong; the case goes on."""
    print(f"# {'' if claim else 'WRONG: '}{printable(text)}")
    if not claim:
        _problems.append(text)
    return claim


def same(found, wanted, what):
    return check(found == wanted, f"{what}: {found}" if found == wanted else f"{what}: {found}, truth {wanted}")


def printable(text):
    return CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", str(text).replace("\n", "\\n"))


def run():
    """Runs the cases, or those whose function is named on the command line; ends the process."""
    chosen = [function for function in _cases if len(sys.argv) < 2 or function.__name__ in sys.argv[1:]]
    failed = False
    if os.geteuid():
        print("SKIP: only root may trace")
        sys.exit(77)
    print(f"1..{len(chosen)}", flush=True)
    for number, function in enumerate(chosen, 1):
        name = function.__doc__.strip().splitlines()[0].rstrip(".")
        skip = ""
        _problems.clear()
        started = time.monotonic()
        try:
            function()
        except Skip as reason:
            skip = f" # SKIP {printable(reason)}"
        except Exception as error:
            _problems.append(str(error))
            print(f"# WRONG: {type(error).__name__}: {printable(error)}")
            if not isinstance(error, Broken):
                print("".join(f"# {printable(line)}\n" for line in traceback.format_exc().splitlines()), end="")
        end_children()
        print(f"# {time.monotonic() - started:.1f} s")
        print(f"{'not ok' if _problems else 'ok'} {number} - {name}{skip}", flush=True)
        failed = failed or bool(_problems)
    sys.exit(1 if failed else 0)


# Processes ------------------------------------------------------------------------------------------------------
def end_children():
    for child in _children:
        if child.poll() is None:
            child.kill()
            child.wait()
    _children.clear()


atexit.register(end_children)


def start(arguments, **settings):
    child = subprocess.Popen(arguments, **settings)
    _children.append(child)
    return child


def wait_until(claim, what, limit_s=LIMIT_S):
    deadline = time.monotonic() + limit_s
    pause = 0.002
    while not claim():
        if time.monotonic() > deadline:
            raise Broken(f"waited {limit_s} s until {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def wait_end(child, what, limit_s=LIMIT_S):
    wait_until(lambda: child.poll() is not None, f"{what} ends", limit_s)
    return child.returncode


@contextlib.contextmanager
def folder():
    path = tempfile.mkdtemp(prefix="dill-live-")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


class Output:
    """A file that a child writes, kept after its name is gone."""

    def __init__(self):
        self.file = tempfile.TemporaryFile()

    def bytes(self):
        size = os.fstat(self.file.fileno()).st_size
        return os.pread(self.file.fileno(), size, 0)

    def text(self):
        return self.bytes().decode("utf-8", "surrogateescape")

    def lines(self):
        return self.text().splitlines()


class Program:
    """A ground-truth program that waits for go() at its start mark, and for let_go() when done."""

    def __init__(self, name, *arguments, path=None, environment=None, command=None, **settings):
        self.output = Output()
        self.name = name
        path = path or os.path.join(PROGRAMS, name)
        if not command and not os.path.exists(path):
            raise Skip(f"{name} was not built")
        self.child = start(command or [path, *arguments, "--wait", "--hold"], stdin=subprocess.PIPE,
                           stdout=self.output.file, stderr=self.output.file,
                           env={**os.environ, **(environment or {})}, **settings)
        self.wait_line("ready")
        self.pid = int(re.search(r"^ready (\d+)", self.output.text(), re.M)[1])

    def wait_line(self, word, limit_s=LIMIT_S):
        def is_there():
            if any(line.split(" ")[0] == word for line in self.output.lines()):
                return True
            if self.child.poll() is not None:
                raise Broken(f"{self.name} ended with {self.child.returncode}: {self.output.text()[-300:]}")
            return False

        wait_until(is_there, f"{self.name} says {word}", limit_s)

    def go(self):
        self.child.stdin.write(b"\n")
        self.child.stdin.flush()

    def work(self, limit_s=LIMIT_S):
        self.go()
        self.wait_line("done", limit_s)

    def let_go(self):
        self.child.stdin.close()
        return wait_end(self.child, self.name)


class Tracer:
    """A dill that traces. Its standard output is @output unless a descriptor is given."""

    def __init__(self, *arguments, command="memleak", defaults=("-i", "0", "-T", "0", "--json"), stdout=None, **settings):
        self.output, self.remarks = Output(), Output()
        self.child = start([DILL, command, *defaults, *map(str, arguments)],
                           stdin=settings.pop("stdin", subprocess.DEVNULL),
                           stdout=self.output.file if stdout is None else stdout,
                           stderr=self.remarks.file, **settings)

    def wait_tracing(self):
        """dill waits for events in epoll_wait, and comes there only when everything is attached."""
        def is_waiting():
            if self.child.poll() is not None:
                raise Broken(f"dill ended with {self.child.returncode}: {self.remarks.text()[-600:]}")
            try:
                with open(f"/proc/{self.child.pid}/syscall") as file:
                    return file.read().split(" ")[0] in EPOLL_CALLS
            except (FileNotFoundError, ProcessLookupError):
                return False

        wait_until(is_waiting, "dill is attached")
        return self

    def stop(self, number=signal.SIGINT):
        self.child.send_signal(number)
        return self.end()

    def end(self, limit_s=LIMIT_S):
        wait_end(self.child, "dill", limit_s)
        return Report(self)


class Report:
    """What a `dill COMMAND --json` printed; other lines are those of the program that it started."""

    def __init__(self, tracer):
        self.status = tracer.child.returncode
        self.remarks = tracer.remarks.text()
        self.text = tracer.output.text()
        self.records, self.others = [], []
        for line in tracer.output.bytes().split(b"\n"):
            if line.startswith(b"{"):
                self.records.append(json.loads(line.decode("utf-8")))  # strict: a wrong byte ends the case
            elif line:
                self.others.append(line.decode("utf-8", "surrogateescape"))
        if self.remarks:
            print(f"# dill says: {printable(self.remarks[:400])}")

    def of_type(self, name, pid=None):
        """Records of a type, of one process if @pid is given: a report's stacks and blocks follow it."""
        found, current = [], None
        for record in self.records:
            current = record["pid"] if record["type"] == "report" else current
            if record["type"] == name and pid in (None, record.get("pid", current)):
                found.append(record)
        return found

    def images(self):
        """[{report, stacks, blocks, summary}], one for each image of each process."""
        found = []
        for record in self.records:
            if record["type"] == "report":
                found.append({"report": record, "stack": [], "block": []})
            elif record["type"] == "summary":
                found[-1]["summary"] = record
            else:
                found[-1][record["type"]].append(record)
        return found


# Truth ----------------------------------------------------------------------------------------------------------
class Truth:
    """The site and truth lines of a program's output, by process image."""

    def __init__(self, lines):
        self.images = []  # {pid, seen, freed, held, held_bytes, sites: {function: (held, held_bytes)}, words}
        sites = {}
        for line in lines:
            fields = dict(re.findall(r"(\w+)=(\S+)", line))
            if line.startswith("broken"):
                raise Broken(line)
            if line.startswith("site "):
                sites[line.split(" ")[1]] = (int(fields["held"]), int(fields["held_bytes"]))
            elif line.startswith("truth "):
                self.images.append({**{name: int(fields[name]) for name in ("pid", *FIGURES)}, "sites": sites,
                                    "words": fields})
                sites = {}

    def figures(self, name):
        return sum(image[name] for image in self.images)

    def sites(self):
        total = {}
        for image in self.images:
            for site, (held, held_bytes) in image["sites"].items():
                before = total.get(site, (0, 0))
                total[site] = (before[0] + held, before[1] + held_bytes)
        return total


def by_pid(items, pid_of):
    found = {}
    for item in items:
        found.setdefault(pid_of(item), []).append(item)
    return found


def compare_totals(report, truth):
    """Each image's figures are the program's, to the byte."""
    wanted = by_pid(truth.images, lambda image: image["pid"])
    found = by_pid(report.of_type("summary"), lambda record: record["pid"])
    for pid, images in wanted.items():
        for index, image in enumerate(images):
            if index >= len(found.get(pid, [])):
                check(False, f"no report of image {index} of process {pid}")
                continue
            summary = found[pid][index]
            words = [image["words"].get("role", ""), f"pid {pid}"]
            same({name: summary[name] for name in FIGURES}, {name: image[name] for name in FIGURES},
                 " ".join(filter(None, words)))


def compare_books(report):
    """A report adds up in itself, whatever the program did."""
    for image in report.images():
        head, summary, stacks = image["report"], image["summary"], image["stack"]
        if not check(summary["seen"] == summary["freed"] + summary["held"] + summary["dropped"],
                     f"seen {summary['seen']} = freed + held + dropped"):
            continue
        same({name: head[name] for name in ("seen", "freed", "held", "dropped")},
             {name: summary[name] for name in ("seen", "freed", "held", "dropped")}, "report and summary")
        if summary["stacks_shown"] == summary["stacks"] and "older_than_ns" not in head:
            same(sum(stack["bytes"] for stack in stacks), summary["held_bytes"], "bytes of all stacks")
            same(sum(stack["count"] for stack in stacks), summary["held"], "blocks of all stacks")


def site_of(stack, sites, may_have_inner):
    """The first frame; of calls from within a library, the first frame that is a site."""
    names = [frame.get("symbol", "?") for frame in stack["frames"]]
    bare = [name.replace("(anonymous namespace)::", "").split("(")[0] for name in names]
    if may_have_inner:
        return next((name for name in bare if name in sites), bare[0] if bare else "?")
    return bare[0] if bare else "?"


def compare_sites(report, truth, may_have_inner=False, may_have_others=False, pid=None):
    """Held blocks and bytes of each site; sites that hold nothing are not shown."""
    wanted = {site: held for site, held in truth.sites().items() if held[0]}
    found = {}
    for stack in report.of_type("stack", pid):
        name = site_of(stack, wanted, may_have_inner)
        before = found.get(name, (0, 0))
        found[name] = (before[0] + stack["count"], before[1] + stack["bytes"])
    if may_have_others:
        found = {name: held for name, held in found.items() if name in wanted}
    for name in sorted(set(wanted) | set(found)):
        same(found.get(name, (0, 0)), wanted.get(name, (0, 0)), f"site {name}")


def compare_stacks(report, first_frames=FIRST_FRAMES):
    """Every stack is whole: it ends in a frame that has no caller."""
    stacks = report.of_type("stack")
    for stack in stacks:
        names = [frame.get("symbol", "?") for frame in stack["frames"]]
        if "stack_note" in stack or not names or names[-1] not in first_frames:
            check(False, f"stack {names} {stack.get('stack_note', '')}")
    check(True, f"{len(stacks)} stacks")


def compare_nothing_lost(report):
    for record in report.of_type("summary"):
        lost = {name: record["counters"][name] for name in record["counters"]
                if name.endswith("_lost") or name in ("stacks_unsaved", "sites_lost_bytes", "threads_lost_bytes")}
        check(not record["dropped"] and not record["dropped_bytes"] and not any(lost.values()), f"lost: {lost}")


def attach_and_work(program, *options, limit_s=LIMIT_S, meanwhile=None):
    """Traces a program from its start mark to its end: (report, truth). meanwhile(program, tracer) is called in between."""
    tracer = Tracer("-p", program.pid, *options).wait_tracing()
    program.go()
    if meanwhile:
        meanwhile(program, tracer)
    program.wait_line("done", limit_s)
    report = tracer.stop()
    return report, Truth(program.output.lines())


def compare(report, truth, first_frames=FIRST_FRAMES):
    """Everything that must agree for programs traced from their start marks to their ends."""
    inner = any(image["words"].get("inner") == "yes" for image in truth.images)
    same(report.status, 0, "exit code")
    if not inner:
        compare_totals(report, truth)
    compare_books(report)
    compare_sites(report, truth, inner)
    compare_stacks(report, first_frames)
    compare_nothing_lost(report)


def compare_program(name, *arguments, options=(), first_frames=FIRST_FRAMES, **settings):
    program = Program(name, *arguments, **settings)
    report, truth = attach_and_work(program, *options)
    compare(report, truth, first_frames)
    same(program.let_go(), 0, f"exit code of {program.name}")
    return report, truth


def library(pattern, package):
    """The path of a shared library that a package installs."""
    import glob
    found = sorted(glob.glob(f"/usr/lib/*/{pattern}") + glob.glob(f"/usr/lib/{pattern}"))
    if not found:
        raise Skip(f"no {pattern}: package {package} is not installed")
    return found[0]
