# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""What a test on the host has: the guest it was started for, dill, the kernel's own books, TAP.

Imported by tests/vm/host/*.py, which run in the guest's folder. Nothing here takes dill's word for anything.
"""

import contextlib
import json
import os
import re
import subprocess
import sys
import traceback

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from sockets import Agent, Gdb, Lost, Qmp  # noqa: E402,F401

CASES = []


class Skip(Exception):
    """The case cannot be shown on this guest; the text says why."""


def case(function):
    """A test case; its docstring's first line is its name."""
    CASES.append(function)
    return function


def main(is_first_vital=False):
    """Run the cases in their order, say how they went in TAP. After a first one that is vital fails, none."""
    print(f"1..{len(CASES)}", flush=True)
    has_failed = False
    for number, function in enumerate(CASES, 1):
        name = function.__doc__.splitlines()[0]
        try:
            function()
            print(f"ok {number} - {name}", flush=True)
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}", flush=True)
        except Exception:  # pylint: disable=broad-except
            has_failed = True
            print("# " + traceback.format_exc().strip().replace("\n", "\n# "))
            print(f"not ok {number} - {name}", flush=True)
            if is_first_vital and number == 1:
                break
    sys.exit(has_failed)


def differences(got, wanted, limit=12):
    """What differs between two dictionaries, as text of some lines; "" if nothing does."""
    lines = [f"{key}: {got.get(key, 'missing')}, not {wanted.get(key, 'there at all')}"
             for key in sorted(set(got) | set(wanted), key=str) if got.get(key) != wanted.get(key)]
    more = [f"… {len(lines) - limit} more"] if len(lines) > limit else []
    return "\n".join(lines[:limit] + more)


def assert_same(got, wanted, what):
    text = differences(got, wanted)
    assert not text, f"{what}: dill says, not as it is:\n{text}"


class Guest:
    """The guest of the current folder. It is running, unless stop() was called or a gdb client connected."""

    def __init__(self):
        with open("guest.json", encoding="ascii") as file:
            self.facts = json.load(file)
        self.series, self.variant = self.facts["series"], self.facts["variant"]
        self.cpus, self.nodes = self.facts["cpus"], self.facts["nodes"]
        self.memory_bytes = self.facts["memory_mib"] << 20
        self.dill_path = self.facts["dill"]
        self.agent = Agent("agent.sock", self.facts["token"])

    def run(self, line, limit_s=60):
        """(exit status, output) of a shell line in the guest, which must be running."""
        return self.agent.run(line, limit_s)

    def text(self, line, limit_s=60):
        """The output of a shell line that must succeed."""
        status, output = self.run(line, limit_s)
        assert status == 0, f"in the guest, {line!r}: status {status}, {output!r}"
        return output.decode(errors="replace")

    def start_crowd(self):
        """Processes, threads and objects of many kinds, which then stand still."""
        self.text("mkfifo crowd.ready; setsid crowd >crowd.ready 2>crowd.log </dev/null & "
                  "read -r word <crowd.ready; rm crowd.ready; cat crowd.log; [ \"$word\" = ready ]")

    def symbols(self, *names):
        """{name: address} from the guest's /proc/kallsyms, of those names that it has."""
        lines = self.text(f"kernel_names /proc/kallsyms 0 1 {' '.join(names)}").splitlines()
        # A fifth word is a module.
        return {words[3]: int(words[1], 16) for words in map(str.split, lines) if len(words) == 4}

    @contextlib.contextmanager
    def stopped(self):
        """The guest stands still within; then it goes on."""
        self.monitor("stop")
        try:
            yield
        finally:
            self.monitor("cont")

    def monitor(self, command, **arguments):
        """One QMP command on a connection of its own, so that dill can have the socket afterwards."""
        qmp = Qmp("qmp.sock")
        try:
            return qmp.do(command, **arguments)
        finally:
            qmp.close()

    def registers(self):
        return self.monitor("human-monitor-command", **{"command-line": "info registers -a"})

    @contextlib.contextmanager
    def gdb(self):
        """A client of the gdb stub. The guest stops; who wants it to go on says so with QMP."""
        client = Gdb("gdb.sock")
        try:
            yield client
        finally:
            client.close()

    def save_ram(self, name="ram.raw"):
        """All RAM as one file. Only for guests whose RAM lies below the PCI hole, which ours are."""
        assert self.memory_bytes <= 2 << 30
        path = os.path.abspath(name)
        self.monitor("pmemsave", val=0, size=self.memory_bytes, filename=path)
        return path

    def save_dump(self, name="dump.elf", paging=False, form="elf"):
        path = os.path.abspath(name)
        self.monitor("dump-guest-memory", paging=paging, protocol=f"file:{path}", format=form)
        return path

    def dill(self, *arguments, target=None, statuses=(0,), limit_s=100):
        """What dill wrote to standard output; its status must be one of `statuses`."""
        command = ["setpriv", "--pdeathsig", "KILL", self.dill_path, *map(str, arguments)]
        command += ["--target", target] if target else []
        environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TERM": "dumb", "TZ": "UTC"}
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=environment, timeout=limit_s, check=False)
        said = done.stderr.decode(errors="replace").strip()
        assert done.returncode in statuses, f"{' '.join(command[3:])}: status {done.returncode}: {said}"
        return done.stdout

    def records(self, *arguments, **options):
        """dill's JSON objects, one a line."""
        return [json.loads(line) for line in self.dill(*arguments, "--json", **options).splitlines()]


class Books:
    """The kernel's own books (tests/programs/kernel_books.c). Within `with`, the agent can do nothing else."""

    def __init__(self, guest):
        self.guest, self.agent = guest, guest.agent
        self.name = self.agent.start("talk", f"kernel_books {guest.facts['token']}", 600)

    def slabs(self):
        """{cache: its line's numbers} of /proc/slabinfo, printed when it had stopped changing."""
        self.agent.send(b"slabs\n")
        text = None
        while True:
            name, data = self.agent.read_data(120)
            if name == "quiet":
                return parse_slabinfo(text)
            assert name != "restless", "the guest's slab caches do not come to rest"
            text = data.decode()

    def tasks(self):
        """{tid: {"tgid": …, file: text}} of every thread in /proc but the book keeper."""
        self.agent.send(b"tasks\n")
        _, data = self.agent.read_data(120)
        return parse_tasks(data)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.agent.send(b"end\n")
        self.agent.result(self.name, 20)

    def compare_slabs(self, look, compare, attempts=20):
        """Stop the guest, look() at it from outside, let it go on, and compare(cache, line, look's result) for
        every cache of /proc/slabinfo, "" being right. Returns {cache: what is wrong}.

        A cache that the kernel's own background work changed between the two prints around the stop is
        looked at again; so is one that is wrong, for it may have changed there and back.
        """
        wrong, lines = {}, self.slabs()
        waiting = set(lines)
        for _ in range(attempts):
            before = self.slabs()
            with self.guest.stopped():
                seen = look()
            after = self.slabs()
            for cache in list(waiting):
                if before.get(cache) != after.get(cache):
                    wrong[cache] = f"changed meanwhile: {before.get(cache)}, then {after.get(cache)}"
                    continue
                wrong[cache] = compare(cache, before[cache], seen)
                if not wrong[cache]:
                    waiting.discard(cache)
            if not waiting:
                break
        return {cache: wrong[cache] for cache in waiting}


def parse_slabinfo(text):
    """Columns by the names that the file's second line gives them: {name: {"active_objs": …}}."""
    lines = text.splitlines()
    columns = [word.strip("<>") for word in lines[1].split() if word.startswith("<")]
    caches = {}
    for line in lines[2:]:
        words = line.split()
        numbers = [int(word) for word in words[1:] if word.isdigit()]
        caches[words[0]] = dict(zip(columns, numbers, strict=True))
    return caches


def parse_tasks(data):
    tasks, position = {}, 0
    header = re.compile(rb"==> (\d+)/(\d+)/(\S+) (\d+)\n")
    while position < len(data):
        match = header.match(data, position)
        end = match.end() + int(match[4])
        task = tasks.setdefault(int(match[2]), {"tgid": int(match[1])})
        task[match[3].decode()] = data[match.end():end].decode(errors="surrogateescape")
        position = end + 1
    return tasks
