# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""A real gdb under a test's control: batch() runs commands to their end, Gdb is one with a terminal; and Terminal, for
any other program that wants one.

Knows gdb alone: no guest, and of dill only where its plugin is. Every wait has a limit, and a gdb never
outlives its test.
"""

import codecs
import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

PROMPT = "(gdb under test) "
QUIET = ["set confirm off", "set width 0", "set height 0", "set debuginfod enabled off"]
BOUND_TO_PARENT = ["setpriv", "--pdeathsig", "KILL"]


class GdbLost(Exception):
    """gdb, or what else is at the terminal, ended or did not answer in time; the text has what it said last."""


def plugin_path(dill_path):
    """dill.py of the build that this dill is of; $DILL_GDB_PLUGIN takes another."""
    return os.environ.get("DILL_GDB_PLUGIN") or os.path.join(os.path.dirname(dill_path), "gdb", "dill.py")


def command_line(commands, plugin=None, options=()):
    """gdb's arguments to run these commands, after the plugin is loaded."""
    first = QUIET + ([f"source {plugin}"] if plugin else [])
    return ["gdb", "-q", "-nx", *options, *[word for line in [*first, *commands] for word in ("-ex", line)]]


def environment():
    return dict(os.environ, LC_ALL="C.UTF-8", TERM="dumb", TZ="UTC", HOME="/nonexistent")


def batch(commands, plugin=None, limit_s=150, options=(), cwd=None):
    """(exit status, standard output, standard error) of a gdb -batch that runs these commands."""
    done = subprocess.run([*BOUND_TO_PARENT, *command_line(commands, plugin, ["-batch", *options])],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd,
                          env=environment(), timeout=limit_s, check=False)
    return done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")


class Terminal:
    """A program on a terminal of its own, in a session of its own."""

    def __init__(self, command, cwd=None, env=None):
        self.master, slave = pty.openpty()
        settings = termios.tcgetattr(slave)
        settings[1] &= ~termios.OPOST  # output as it is
        settings[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, settings)
        self.pending, self.transcript = "", ""
        self.decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        # The terminal must be the controlling one of a session: Ctrl-C goes to its foreground process group.
        self.process = subprocess.Popen(["setsid", "--ctty", *BOUND_TO_PARENT, *command], stdin=slave, stdout=slave,
                                        stderr=slave, cwd=cwd, env=env)
        os.close(slave)

    def send(self, line):
        """Type a line; its answer is wait()'s."""
        os.write(self.master, line.encode() + b"\n")

    def interrupt(self):
        """Press Ctrl-C."""
        os.write(self.master, b"\x03")

    def wait_for(self, pattern, limit_s=150):
        """(text before the first match of a pattern, the match), both taken away. GdbLost after limit_s."""
        deadline = time.monotonic() + limit_s
        while not (match := re.search(pattern, self.pending)):
            self.receive(deadline, pattern)
        text, self.pending = self.pending[:match.start()], self.pending[match.end():]
        return text, match

    def receive(self, deadline, what="anything"):
        ready, _, _ = select.select([self.master], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise GdbLost(f"no {what!r} in time: {self.transcript[-2000:]!r}")
        try:
            data = os.read(self.master, 1 << 16)
        except OSError:  # EIO: nobody has the terminal open any more
            data = b""
        if not data:
            raise GdbLost(f"the program ended before {what!r}: {self.transcript[-2000:]!r}")
        text = self.decoder.decode(data)
        self.pending += text
        self.transcript += text

    def is_alive(self):
        return self.process.poll() is None

    def kill(self):
        """End it as a crash would."""
        if self.is_alive():
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Gdb(Terminal):
    """gdb on a terminal of its own.

        with Gdb(plugin, target="gdb.sock") as gdb:
            print(gdb.run("kbase"))

    run() gives what a command printed, output and errors as they came. send(), then interrupt() and settle(), are
    for commands that take long. gdb's exit from the target lets QEMU's guest run on.
    """

    def __init__(self, plugin=None, target=None, options=(), cwd=None, terminal="dumb", limit_s=150):
        super().__init__(command_line(["set editing off", f"set prompt {PROMPT}"], plugin, options), cwd,
                         dict(environment(), TERM=terminal))
        self.settled = 0
        self.greeting = self.wait(limit_s)
        if target:
            self.greeting += self.run(f"target remote {target}", limit_s)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def run(self, line, limit_s=150):
        """What gdb says to a line, until its next prompt."""
        self.send(line)
        return self.wait(limit_s)

    def wait(self, limit_s=150):
        """What is printed until the next prompt, without that."""
        return self.wait_for(re.escape(PROMPT), limit_s)[0]

    def settle(self, limit_s=150):
        """After interrupt(): whenever that came, gdb is at its prompt and has said all. Returns that."""
        self.settled += 1
        # gdb keeps a Ctrl-C that came while it talked to the stub for the next command that asks.
        self.send("python pass")
        self.send(f"echo settled-{self.settled}\\n")
        text = self.wait_for(f"settled-{self.settled}\n{re.escape(PROMPT)}", limit_s)[0]
        return text.replace(PROMPT, "")

    def has_prompt(self):
        """Whether gdb is done with what was sent; its answer is wait()'s."""
        if select.select([self.master], [], [], 0)[0]:
            self.receive(time.monotonic() + 1)
        return PROMPT in self.pending

    def await_quiet(self, quiet_s, limit_s=150):
        """Wait until gdb has printed nothing for a while. Before Ctrl-C: it makes a terminal drop what is on its way."""
        deadline, quiet_since, seen = time.monotonic() + limit_s, time.monotonic(), None
        while time.monotonic() < min(quiet_since + quiet_s, deadline):
            self.has_prompt()
            if seen != (seen := len(self.pending)):
                quiet_since = time.monotonic()
            time.sleep(0.01)

    def complete(self, text):
        """What Tab would offer, whole lines as `complete` prints them."""
        return self.run(f"complete {text}").splitlines()

    def evaluate(self, expression):
        """An expression's value as an unsigned number."""
        answer = self.run(f"output/x (unsigned long)({expression})")
        if not re.fullmatch(r"0x[0-9a-f]+", answer):
            raise ValueError(f"{expression}: {answer}")
        return int(answer, 16)

    def await_end(self, limit_s):
        """It ends by itself. What it still says is read: it may have to wait for that."""
        deadline = time.monotonic() + limit_s
        while self.is_alive() and time.monotonic() < deadline:
            try:
                self.receive(min(deadline, time.monotonic() + 0.1))
            except GdbLost:  # nothing more to read, now or for good
                time.sleep(0.01)
        return not self.is_alive()

    def close(self, limit_s=150):
        """quit, as a user would; a gdb that doesn't is killed, and that is an error."""
        stuck = False
        if self.is_alive():
            with contextlib.suppress(OSError):
                self.send("quit")
            stuck = not self.await_end(limit_s)
            self.kill()
        os.close(self.master)
        if stuck:
            raise GdbLost(f"gdb did not quit: {self.transcript[-2000:]!r}")
