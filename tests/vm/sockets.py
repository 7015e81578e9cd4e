# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""Clients of a guest's three sockets: the agent inside (tests/vm/init), QMP and the gdb stub.

They are made for tests: small, no reconnecting, every wait has a limit, and all of them raise Lost when the
other side is gone or silent. None of them shares code or knowledge with dill's own clients.
"""

import json
import re
import secrets
import socket
import time


# Until a machine that is up is taken for dead: a busy host may give an emulated one no turn for long.
PATIENCE_S = 60


class Lost(Exception):
    """The guest is gone or does not answer."""


class Stream:
    """A UNIX stream socket, read with a deadline."""

    def __init__(self, path, limit_s=PATIENCE_S):
        deadline = time.monotonic() + limit_s
        self.socket = socket.socket(socket.AF_UNIX)
        self.pending = b""
        while True:
            try:
                self.socket.connect(path)
                return
            except (FileNotFoundError, ConnectionRefusedError, BlockingIOError) as error:
                if time.monotonic() > deadline:
                    raise Lost(f"{path}: {error.strerror}") from error
                time.sleep(0.02)

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Lost(f"sending: {error}") from error

    def receive(self, deadline):
        """Wait for more bytes and add them to `pending`."""
        self.socket.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            data = self.socket.recv(1 << 16)
        except socket.timeout as error:
            raise Lost("no answer in time") from error
        except OSError as error:
            raise Lost(f"receiving: {error}") from error
        if not data:
            raise Lost("the other side closed the connection")
        self.pending += data

    def take(self, count, deadline):
        while len(self.pending) < count:
            self.receive(deadline)
        data, self.pending = self.pending[:count], self.pending[count:]
        return data

    def close(self):
        self.socket.close()


class Agent(Stream):
    """Runs shell lines in the guest, one at a time, as root in /tmp with PATH=/bin:/programs."""

    def __init__(self, path, token, limit_s=PATIENCE_S):
        super().__init__(path, limit_s)
        self.marker = re.compile(rb"(?:^|\n)@@%s (.*)\n" % token.encode())

    def report(self, deadline):
        """The words of the next report line; what came before it is dropped."""
        while not (match := self.marker.search(self.pending)):
            self.receive(deadline)
        self.pending = self.pending[match.end():]
        return match[1].decode(errors="replace").split()

    def wait_hello(self, limit_s):
        """The kernel's release, once the guest is up. The connection must be older than the guest's greeting."""
        deadline = time.monotonic() + limit_s
        while (words := self.report(deadline))[0] != "hello":
            pass
        return words[1]

    def start(self, how, line, limit_s):
        if "\n" in line or len(line) > 3000:
            raise ValueError("the agent takes one line of 3000 bytes at most")
        name = secrets.token_hex(4)
        self.send(f"{how} {name} {limit_s} {line}\n".encode())
        return name

    def result(self, name, limit_s):
        """(exit status, output) of the command that start() named."""
        deadline = time.monotonic() + limit_s + PATIENCE_S
        while (words := self.report(deadline))[:2] != ["result", name]:
            pass
        return int(words[2]), self.take(int(words[3]), deadline)

    def run(self, line, limit_s=60):
        return self.result(self.start("run", line, limit_s), limit_s)

    def read_data(self, limit_s=60):
        """What a program that talks sent: a report `data NAME LENGTH`, then the bytes. Returns (name, bytes)."""
        deadline = time.monotonic() + limit_s
        while (words := self.report(deadline))[0] != "data":
            if words[0] == "result":
                raise Lost(f"the program ended with status {words[2]}: {self.take(int(words[3]), deadline)!r}")
        return words[1], self.take(int(words[2]), deadline)


class Qmp(Stream):
    """QEMU's monitor (docs/interop/qmp-spec.rst in QEMU)."""

    def __init__(self, path, limit_s=PATIENCE_S):
        super().__init__(path, limit_s)
        self.answer(time.monotonic() + limit_s, "QMP")
        self.do("qmp_capabilities")

    def answer(self, deadline, wanted):
        while True:
            while b"\n" not in self.pending:
                self.receive(deadline)
            line, _, self.pending = self.pending.partition(b"\n")
            answer = json.loads(line)
            if "error" in answer:
                raise RuntimeError(f"QMP: {answer['error']['desc']}")
            if wanted in answer:
                return answer[wanted]

    def do(self, command, limit_s=120, **arguments):
        self.send(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        return self.answer(time.monotonic() + limit_s, "return")

    def monitor(self, line):
        """The output of a human monitor command."""
        return self.do("human-monitor-command", **{"command-line": line})


class Gdb(Stream):
    """The gdb remote protocol, as far as reading and writing memory goes. The guest stops when this connects."""

    CHUNK = 1024

    def request(self, text, limit_s=PATIENCE_S):
        data = text.encode()
        deadline = time.monotonic() + limit_s
        self.send(b"$%s#%02x" % (data, sum(data) & 0xff))
        while True:
            while not (match := re.search(rb"\$([^#]*)#..", self.pending, re.S)):
                self.receive(deadline)
            self.pending = self.pending[match.end():]
            self.send(b"+")
            # A stop reply is no answer: the stub sends it when the guest stops.
            if not re.match(rb"T\d\d", match[1]) or text == "?":
                return match[1].decode("latin-1")

    def read(self, address, length):
        """Virtual memory as the stub's current CPU sees it."""
        data = b""
        while len(data) < length:
            count = min(self.CHUNK, length - len(data))
            answer = self.request(f"m{address + len(data):x},{count:x}")
            if len(answer) != 2 * count:
                raise OSError(f"cannot read {count} bytes at {address + len(data):#x}: {answer!r}")
            data += bytes.fromhex(answer)
        return data

    def read_u64(self, address):
        return int.from_bytes(self.read(address, 8), "little")

    def write(self, address, data):
        for start in range(0, len(data), self.CHUNK):
            part = data[start:start + self.CHUNK]
            if self.request(f"M{address + start:x},{len(part):x}:{part.hex()}") != "OK":
                raise OSError(f"cannot write {len(part)} bytes at {address + start:#x}")

    def detach(self):
        """Let the guest go on, as a debugger that leaves does."""
        self.request("D")
        self.close()
