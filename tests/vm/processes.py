# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""Child processes that never outlive the harness.

A child is started under BOUND_TO_PARENT, so that it ends even when the harness gets SIGKILL, and is known
here until it has ended, so that stop() can end all of them by pid.
"""

import contextlib
import os
import signal
import subprocess
import threading
import time

TERM_GRACE_S = 3
BOUND_TO_PARENT = ["setpriv", "--pdeathsig", "KILL"]


class Interrupted(Exception):
    """stop() was called: nothing more is started."""


class Processes:
    def __init__(self):
        self.lock = threading.Lock()
        self.children = set()
        self.stopped = threading.Event()

    def start(self, command, **options):
        """Start a child in a session of its own. The calling thread must live until the child has ended."""
        with self.lock:
            if self.stopped.is_set():
                raise Interrupted
            child = subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL, **options)
            self.children.add(child)
        return child

    def run(self, command, **options):
        """Run a command to its end. Returns (exit status, its stdout and stderr together)."""
        child = self.start([*BOUND_TO_PARENT, *command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                           text=True, errors="replace", **options)
        output, _ = child.communicate()
        self.forget(child)
        if self.stopped.is_set():
            raise Interrupted
        return child.returncode, output

    def forget(self, child):
        with self.lock:
            self.children.discard(child)

    def end(self, child):
        """End a child and the rest of its process group: SIGTERM, after a while SIGKILL."""
        signal_group(child, signal.SIGTERM)
        deadline = time.monotonic() + TERM_GRACE_S
        while child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        signal_group(child, signal.SIGKILL)
        child.wait()
        self.forget(child)

    def stop(self):
        """Start nothing more and tell every child to end; the threads that wait for them see them go."""
        with self.lock:
            self.stopped.set()
            children = list(self.children)
        for child in children:
            signal_group(child, signal.SIGTERM)


def signal_group(child, number):
    """Signal a child's process group, unless the child was reaped: its number may be another's by then."""
    with contextlib.suppress(ProcessLookupError):
        if child.poll() is None:
            os.killpg(child.pid, number)
