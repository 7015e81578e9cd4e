# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""Programs that are measured while tools follow them: start, work, attach, detach, CPU time."""

import os
import re
import select
import signal
import subprocess
import tempfile
import time

PATIENCE_S = 30
SETTLE_S = 0.3


class Unmeasured(Exception):
    """A tool that cannot be measured, with the reason for the report."""


def children(pid):
    """All descendants of a process."""
    parents = {}
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/stat", "rb") as stat:
                parents.setdefault(int(stat.read().rsplit(b")", 1)[1].split()[1]), []).append(int(entry))
        except (OSError, IndexError):
            continue
    found = [pid]
    for each in found:
        found += parents.get(each, [])
    return found[1:]


def last_words(log):
    """The line of a log that most likely says why the program ended: a plain refusal, else the last one."""
    log.seek(0)
    lines = [line.strip() for line in log.read().decode(errors="replace").splitlines() if line.strip()]
    refusals = [line for line in lines if re.search(r"\b(unable|cannot|denied|not permitted)\b", line, re.I)]
    return (refusals[:1] or lines[-1:] or ["no message"])[0]


def wait_asleep(pid, thread):
    """The kernel brings a thread's CPU time up to date when the thread leaves the CPU."""
    for _ in range(100):
        with open(f"/proc/{pid}/task/{thread}/stat", "rb") as stat:
            if stat.read().rsplit(b")", 1)[1].split()[0] != b"R":
                return
        time.sleep(0.0002)


def cpu_ns(pid):
    """CPU time of the living threads of a process. 0 when it is gone."""
    total = 0
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            wait_asleep(pid, thread)
            with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="ascii") as schedstat:
                total += int(schedstat.read().split()[0])
    except OSError:
        pass
    return total


class Target:
    """A running workload, by itself or under a tool. Does N units of work when told so."""

    def __init__(self, workload, prefix=(), scratch=None):
        self.workload = workload
        environment = {**os.environ, **workload.environment}
        arguments = [*prefix, *workload.command]
        self.marks, marks_end = os.pipe()
        self.log = tempfile.TemporaryFile(dir=scratch)
        self.process = subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=marks_end, stderr=self.log,
                                        env=environment, start_new_session=True)
        os.close(marks_end)
        self.pending = b""
        self.process.stdin.write(workload.preparation)
        self.process.stdin.flush()
        if workload.says_ready:
            self.read_answer("ready")
        else:
            self.work(1)
        self.pid = self.find_pid()

    def find_pid(self):
        """The program itself, where a tool is a wrapper around it."""
        program = os.path.realpath(self.workload.command[0])
        for pid in [self.process.pid, *children(self.process.pid)]:
            try:
                if os.path.realpath(os.readlink(f"/proc/{pid}/exe")) == program:
                    return pid
            except OSError:
                continue
        return self.process.pid

    def read_line(self, patience_s=PATIENCE_S * 4):
        while b"\n" not in self.pending:
            ready, _, _ = select.select([self.marks], [], [], patience_s)
            data = os.read(self.marks, 65536) if ready else b""
            if not data:
                raise Unmeasured(f"{self.workload.name} ended or hangs: {last_words(self.log)}")
            self.pending += data
        line, _, self.pending = self.pending.partition(b"\n")
        return line.decode(errors="replace")

    def read_answer(self, word):
        """Skips what tools say on the way."""
        while not self.read_line().startswith(word):
            pass

    def work(self, units):
        """Returns when `units` of work are done."""
        try:
            self.process.stdin.write(self.workload.order(units))
            self.process.stdin.flush()
        except OSError as error:
            raise Unmeasured(f"{self.workload.name} ended: {last_words(self.log)}") from error
        self.read_answer("round")

    def measure(self, units, tool_pids=()):
        """(CPU ns of the program, CPU ns of the tool's processes) per unit."""
        before, tool_before = cpu_ns(self.pid), sum(map(cpu_ns, tool_pids))
        self.work(units)
        return (cpu_ns(self.pid) - before) / units, (sum(map(cpu_ns, tool_pids)) - tool_before) / units

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self.marks)
        self.log.close()


class Workload:
    """How a program is started and told to work. It answers `round …` when the work is done."""

    def __init__(self, name, unit, command, *, order=None, preparation=b"", says_ready=True,
                 environment=None):
        self.name, self.unit, self.command = name, unit, command
        self.order = order or (lambda units: b"%d\n" % units)
        self.preparation, self.says_ready = preparation, says_ready
        self.environment = environment or {}


class Probed:
    """The first bytes of malloc and free in a process: breakpoints show there, whoever sets them."""

    LENGTH = 48

    def __init__(self, pid):
        self.pid = pid
        self.libc, base = self.find_libc()
        self.offsets = self.find_functions()
        self.addresses = [base + offset for offset in self.offsets.values()]
        self.clean = self.read()

    def find_libc(self):
        with open(f"/proc/{self.pid}/maps", encoding="utf-8", errors="replace") as maps:
            for line in maps:
                fields = line.split()
                if len(fields) > 5 and re.search(r"/libc[.-]", fields[5]) and fields[2] == "00000000":
                    return fields[5], int(fields[0].split("-")[0], 16)
        raise Unmeasured(f"process {self.pid} has no libc.so mapped")

    def find_functions(self):
        """{name: address in the file}; Debian's libc has equal addresses and file offsets in its code."""
        listing = subprocess.run(["nm", "-D", self.libc], capture_output=True, text=True, check=True).stdout
        found = {}
        for line in listing.splitlines():
            match = re.match(r"([0-9a-f]+) [TWi] (malloc|free)(@@.*)?$", line)
            if match:
                found[match[2]] = int(match[1], 16)
        if len(found) < 2:
            raise Unmeasured(f"{self.libc} has no malloc and free")
        return found

    def read(self):
        with open(f"/proc/{self.pid}/mem", "rb", buffering=0) as memory:
            return [os.pread(memory.fileno(), self.LENGTH, address) for address in self.addresses]

    def all_set(self):
        return all(now != clean for now, clean in zip(self.read(), self.clean))

    def none_set(self):
        return self.read() == self.clean

    def default_places(self):
        """malloc's entry and return, and where free can be probed without a single step."""
        malloc, free = self.offsets["malloc"], self.offsets["free"]
        return [f"{self.libc}:{self.emulated(malloc):#x}", f"{self.libc}:{malloc:#x}:return",
                f"{self.libc}:{self.emulated(free):#x}"]

    def emulated(self, offset):
        """The first push or nop among the first four instructions, else the entry."""
        code = subprocess.run(["objdump", "-d", "--no-show-raw-insn", f"--start-address={offset:#x}",
                               f"--stop-address={offset + self.LENGTH:#x}", self.libc],
                              capture_output=True, text=True, check=True).stdout
        instructions = re.findall(r"^\s*([0-9a-f]+):\s+(\S+)", code, re.M)[:4]
        for address, name in instructions:
            if name in ("push", "nop"):
                return int(address, 16)
        return offset


def wait_until(condition, process=None):
    """False when it doesn't come true in time, or `process` ended before."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline or (process and process.poll() is not None):
            return False
        time.sleep(0.02)
    return True


class Attached:
    """A tool attached to a target: ready when its breakpoints are in malloc and free."""

    def __init__(self, command, probed, scratch):
        self.probed = probed
        self.log = tempfile.TemporaryFile(dir=scratch)
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self.log, stderr=self.log,
                                        start_new_session=True)
        try:
            if not wait_until(probed.all_set, self.process):
                raise Unmeasured(f"did not attach: {last_words(self.log)}")
            time.sleep(SETTLE_S)
        except BaseException:
            self.detach()
            raise

    def pids(self):
        return [self.process.pid, *children(self.process.pid)]

    def detach(self):
        self.process.stdin.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.log.close()
        if not wait_until(self.probed.none_set):
            raise SystemExit("bench/memleak: a tool left breakpoints in the target; figures would be wrong")


def probes_of(pid, besides):
    """[OBJECT:OFFSET[:return]] of the uprobe_multi links that a process holds.

    [] where /proc/PID/fdinfo doesn't list them, as older kernels don't. `besides`: an object to leave out.
    """
    places = []
    for entry in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{entry}", encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        kind = re.search(r"^link_type:\s*(uprobe|uretprobe)_multi$", text, re.M)
        path = re.search(r"^path:\s*(.+)$", text, re.M)
        if not kind or not path or os.path.realpath(path[1]) == os.path.realpath(besides):
            continue
        suffix = ":return" if kind[1] == "uretprobe" else ""
        offsets = re.findall(r"^\d+\s+(0x[0-9a-f]+)\s+0x[0-9a-f]+\s*$", text, re.M)
        places += [f"{path[1]}:{offset}{suffix}" for offset in offsets]
    return sorted(set(places))
