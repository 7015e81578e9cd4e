# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""One boot of one kernel in QEMU: started, watched, its reports read, ended.

It knows nothing of packages and does not judge tests. Always TCG: nested hypervisors fail on these kernels.
One thread for all CPUs: with thread=multi QEMU 7.2 can run a stale translation of kernel text that another
CPU has patched, so that switching tracepoints, kprobes and static keys ends in an int3 Oops or a hang.
"""

import contextlib
import os
import re
import shutil
import subprocess
import time

import initramfs
import machines
from processes import BOUND_TO_PARENT
from sockets import Agent, Lost

BOOT_LIMIT_S = 400
# A guest ends a slow test itself; when not even that works within this time, the guest hangs.
HANG_S = 180
POWEROFF_S = 10
KEEP_LIMIT_S = 8 * 3600
OUTPUT_LIMIT = 64 << 20
SOCKETS = ("console.sock", "qmp.sock", "gdb.sock", "agent.sock")
QEMU = "qemu-system-x86_64"

# A kept guest's parent: runs a command for at most $1 seconds, then removes its sockets from the folder.
SUPERVISOR = f"""limit=$1; shift
timeout --foreground -s KILL "$limit" "$@"
rm -f {' '.join(SOCKETS)} qemu.pid"""


class Result:
    """One test as the guest reported it; `status` is as subprocess gives it, negative for a signal."""

    def __init__(self, test, output, status, seconds):
        self.test, self.output, self.status, self.seconds = test, output, status, seconds
        # busybox's timeout ends a slow test by SIGKILL.
        self.timed_out = status == -9 and seconds >= test.timeout_s - 1


class Reports:
    """Reads the guest's reports (tests/vm/init describes them) as they arrive in a file."""

    def __init__(self, path, token):
        self.file = open(path, "rb")  # pylint: disable=consider-using-with
        self.marker = re.compile(rb"\n?^@@%s (.*)$" % token.encode(), re.M)
        self.pending = b""

    def read(self):
        """Yields (output before the report, [word, …]) for every report that is complete by now."""
        arrived = self.file.read()
        if not arrived:
            return
        self.pending += arrived
        complete = self.pending.rfind(b"\n") + 1
        position = 0
        for match in self.marker.finditer(self.pending, 0, complete):
            yield self.pending[position:match.start()], match[1].decode(errors="replace").split()
            position = min(match.end() + 1, complete)
        self.pending = self.pending[position:]

    def is_flooded(self):
        return self.file.tell() > OUTPUT_LIMIT

    def close(self):
        self.file.close()


def missing_tool():
    """What to install before a guest can be started, or None."""
    packages = {QEMU: "qemu-system-x86", "setpriv": "util-linux", "timeout": "coreutils",
                "apt-get": "apt", "dpkg-deb": "dpkg"}
    lacking = [f"{tool} not found: install the package {package}" for tool, package in packages.items()
               if not shutil.which(tool)]
    return lacking[0] if lacking else None


class Guest:
    """A guest with the folder for its logs and sockets, which nothing else uses while it is up.

    A kept one outlives the harness, unless it is_bound; both have their console on a socket.
    """

    def __init__(self, kernel, machine, folder, boot, children, is_kept, is_served=False, is_bound=False):
        self.kernel, self.machine, self.folder, self.children = kernel, machine, folder, children
        self.is_kept, self.is_served, self.is_bound = is_kept, is_served, is_bound
        suffix = f"-{boot}" if boot > 1 else ""
        self.console = f"console{suffix}.log"
        self.report_log = f"reports{suffix}.log"
        self.child = None
        self.boot_seconds = None
        self.release = None
        self.partial_output = b""

    def path(self, name):
        return os.path.join(self.folder, name)

    def command(self, limit):
        """The whole command line. Paths are relative to the log folder: a socket's path may not be long."""
        # A kernel that stumbled is a failure, even if it could go on; a kept one waits for the debugger.
        append = ["console=ttyS0", "quiet", f"panic={0 if self.is_kept else -1}", "oops=panic"]
        # Tests on the host compare addresses that /proc shows (5.12 on; 5.10 goes on showing hashes).
        append += ["no_hash_pointers"] * self.is_served
        append += self.machine.cmdline.split()
        server = "server=on,wait=off"
        qemu = [QEMU, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
                "-accel", "tcg,thread=single", *self.machine.arguments(), "-device", "vmcoreinfo",
                "-kernel", self.kernel.image, "-initrd", "initramfs.cpio", "-append", " ".join(append),
                "-serial", "chardev:console",
                "-serial", f"unix:agent.sock,{server}" if self.is_served else f"file:{self.report_log}"]
        if self.is_served or self.is_kept:
            qemu += ["-qmp", f"unix:qmp.sock,{server}", "-gdb", f"unix:gdb.sock,{server}", "-pidfile", "qemu.pid"]
        if self.is_kept:
            qemu += ["-chardev", f"socket,id=console,path=console.sock,{server},logfile={self.console}"]
            if not self.is_bound:
                return ["sh", "-c", SUPERVISOR, "sh", str(KEEP_LIMIT_S), *qemu]
            limit = KEEP_LIMIT_S
        else:
            qemu += ["-chardev", f"file,id=console,path={self.console}"]
        watchdog = ["timeout", "--foreground", "-s", "KILL", str(limit)]
        return [*BOUND_TO_PARENT, *watchdog, *BOUND_TO_PARENT, *qemu]

    def start(self, limit, inherit):
        if self.machine.disk_mib:
            with open(self.path(machines.DISK), "wb") as disk:
                disk.truncate(self.machine.disk_mib << 20)
        with open(self.path(self.report_log), "wb"), open(self.path("qemu.log"), "wb") as log:
            self.child = self.children.start(self.command(limit), cwd=self.folder, stdout=log, stderr=log,
                                             pass_fds=inherit)

    def serve(self, contents, modules, token, limit, inherit=()):
        """Boot with the agent (tests/vm/sockets.py) instead of a plan. Lost when it doesn't come up.

        Returns with nobody connected to the agent. The caller must end() the guest.
        """
        settings = {"token": token, "serve": "yes"}
        initramfs.build(self.path("initramfs.cpio"), self.kernel, *contents, (), settings, modules)
        start = time.monotonic()
        self.start(limit, inherit)
        # A socket's path may not be long, and the harness's own folder is another.
        folder = os.open(self.folder, os.O_PATH)
        try:
            agent = Agent(f"/proc/self/fd/{folder}/agent.sock", token)
            while True:
                try:
                    self.release = agent.wait_hello(0.5)
                    break
                except Lost as error:
                    if self.children.stopped.is_set():
                        raise Lost("interrupted") from error
                    if not self.is_up:
                        raise Lost(f"the guest ended while booting: {self.last_words()}") from error
                    if time.monotonic() - start > BOOT_LIMIT_S:
                        raise Lost("the guest hung while booting") from error
            agent.close()
            self.boot_seconds = time.monotonic() - start
        finally:
            os.close(folder)

    def run(self, tests, contents, token, on_up, on_result, inherit=()):
        """Boot, run `tests`. Calls on_up() and on_result(Result). Returns None or why the guest died.

        `contents` is what initramfs.build() takes after the kernel: the dill binary and the programs' folder.
        A kept guest stays up, with the file descriptors `inherit` open, as long as QEMU lives.
        """
        limit = BOOT_LIMIT_S + sum(test.timeout_s + HANG_S for test in tests) + HANG_S
        settings = {"token": token, "keep": "yes" if self.is_kept else "no"}
        death = "not started"
        try:
            modules = [name for test in tests for name in test.modules]
            initramfs.build(self.path("initramfs.cpio"), self.kernel, *contents, tests, settings, modules)
            self.start(limit, inherit)
            reports = Reports(self.path(self.report_log), token)
            death = self.watch(reports, tests, on_up, on_result)
            self.partial_output = reports.pending.lstrip(b"\n")
            reports.close()
            return death
        finally:
            self.end(death)

    def watch(self, reports, tests, on_up, on_result):
        start = time.monotonic()
        deadline, current, doing = start + BOOT_LIMIT_S, None, "booting"
        by_name = {test.name: test for test in tests}
        while not self.children.stopped.is_set():
            has_ended = self.child.poll() is not None
            for output, words in reports.read():
                deadline = time.monotonic() + HANG_S
                doing = "between tests"
                if words[0] == "hello":
                    self.boot_seconds, self.release = time.monotonic() - start, words[1]
                    on_up()
                elif words[0] == "begin":
                    current = by_name[words[1]]
                    deadline += current.timeout_s
                    doing = f"in test {current.name}"
                elif words[0] == "end":
                    status, seconds = int(words[2]), float(words[3])
                    on_result(Result(current, output, 128 - status if status > 128 else status, seconds))
                elif words[0] == "finished":
                    return None
            if has_ended:
                return f"the guest ended while {doing}: {self.last_words()}"
            if time.monotonic() > deadline:
                return f"the guest hung while {doing}"
            if reports.is_flooded():
                return f"more than {OUTPUT_LIMIT >> 20} MiB of output {doing}"
            time.sleep(0.03)
        return "interrupted"

    def last_words(self):
        """Why QEMU is gone, as far as it or the kernel said."""
        with open(self.path(self.console), "rb") as console:
            panic = re.findall(rb"Kernel panic - not syncing: (.*)", console.read())
        if panic:
            return "kernel panic: " + panic[0].decode(errors="replace").strip()
        with open(self.path("qemu.log"), "rb") as log:
            said = log.read().decode(errors="replace").strip()
        return said or f"QEMU's exit status is {self.child.returncode}"

    @property
    def is_up(self):
        return self.child is not None and self.child.poll() is None

    def end(self, death):
        """End the guest, unless it is to stay up, and remove what only it used."""
        rubbish = ["initramfs.cpio"]
        if self.is_kept and not self.is_bound and self.is_up and not self.children.stopped.is_set():
            self.children.forget(self.child)
        elif self.child:
            if not death:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.child.wait(POWEROFF_S)
            self.children.end(self.child)
            rubbish += ["qemu.pid", *SOCKETS]
        for name in rubbish:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self.path(name))
