# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""libdill-gdb.so (gdb/plugin.h) in gdb's Python: the library, a session of it for each inferior, and the handlers of
gdb's events that keep sessions true. What users type is dill.py's, which loads this file.

Ctrl-C is held back (SIGINT is blocked) while the library works, for nobody could catch a KeyboardInterrupt at
a callback's first instruction; the library asks for it now and then. It is let through where gdb itself may
wait for the user, in its pager. For the same reason events around running and stopping have no handler in Python: a
Ctrl-C that came before it would be raised there, shown as the handler's failure, and lost to gdb, which goes on.
"""

import collections
import contextlib
import ctypes
import errno
import functools
import os
import signal

import gdb

INTERFACE = 1
LIBRARY = "libdill-gdb.so"
# Beside this file when built, under the same prefix when installed, in the tree's build for who works on it.
PLACES = (".", "../../lib/dill", "../build/gdb")
KERNEL_SYMBOLS = ("_text", "_stext", "init_task")
INTERRUPT = {signal.SIGINT}
EXIT_USAGE = 2
MASK = (1 << 64) - 1


# ---- the library ----

class Host(ctypes.Structure):
    """struct dill_gdb_host."""
    _fields_ = [("ask", ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_size_t)),
                ("read", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_size_t)),
                ("begin", ctypes.CFUNCTYPE(ctypes.c_int)),
                ("end", ctypes.CFUNCTYPE(None)),
                ("write", ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)),
                ("is_interrupted", ctypes.CFUNCTYPE(ctypes.c_int)),
                ("peer", ctypes.c_int), ("connection", ctypes.c_char_p)]


class Style(ctypes.Structure):
    """struct dill_gdb_style."""
    _fields_ = [("columns", ctypes.c_int), ("is_coloured", ctypes.c_int), ("is_direct", ctypes.c_int)]


def library_path():
    folder = os.path.dirname(os.path.abspath(__file__))
    paths = [os.path.normpath(os.path.join(folder, place, LIBRARY)) for place in PLACES]
    for path in paths:
        if os.path.exists(path):
            return path
    raise gdb.GdbError(f"there is no {' nor '.join(paths)}: build it with make")


def load_library():
    """The library of this file's build or installation, its functions declared as in plugin.h."""
    path = library_path()
    try:
        library = ctypes.CDLL(path)
        found = library.dill_gdb_interface()
    except (OSError, AttributeError) as problem:
        raise gdb.GdbError(f"{path} can't be used: {problem}") from None
    if found != INTERFACE:
        raise gdb.GdbError(f"{path} has interface {found}, dill.py needs {INTERFACE}: they are of different builds")
    session, text, word, number = ctypes.c_void_p, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    address, value = ctypes.c_uint64, ctypes.POINTER(ctypes.c_uint64)
    words, style = ctypes.POINTER(word), ctypes.POINTER(Style)
    for name, result, *arguments in (
            ("create", session, ctypes.POINTER(Host)), ("destroy", None, session), ("error", word, session),
            ("forget", None, session, number), ("peer", number, word), ("run", number, session, words, style),
            ("trace", number, session, words, style), ("help", text, word), ("free", None, text),
            ("complete", text, session, word, word, word), ("base", number, session, value),
            ("task", number, session, word, value), ("cache", number, session, word, value),
            ("object", number, session, address, value), ("symbol", number, session, word, value),
            ("percpu", number, session, address, ctypes.c_uint32, value),
            ("write_symbols", number, session, word, word, ctypes.c_size_t)):
        function = getattr(library, "dill_gdb_" + name)
        function.restype, function.argtypes = result, arguments
    return library


def take_text(pointer):
    """A text that the library allocated; "" for none."""
    text = ctypes.string_at(pointer).decode(errors="replace") if pointer else ""
    LIB.dill_gdb_free(pointer)
    return text


@contextlib.contextmanager
def interrupts(how):
    """Ctrl-C is held back (SIG_BLOCK) or let through (SIG_UNBLOCK) within."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        signal.pthread_sigmask(how, INTERRUPT)  # may raise KeyboardInterrupt, for one that was held back
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# ---- one session of the library for each inferior ----

def callback(failure):
    """Problems in Python are `failure` to the library that calls, never a traceback."""
    def wrap(function):
        @functools.wraps(function)
        def run(self, *arguments):
            try:
                return function(self, *arguments)
            except KeyboardInterrupt:
                return -errno.EINTR
            except Exception as problem:  # pylint: disable=broad-except
                self.problem = str(problem)
                return failure
        return run
    return wrap


class Session:
    """An inferior on its connection; without one (None), only targets named by --target can be looked into."""

    def __init__(self, inferior, connection):
        self.inferior, self.connection = inferior, connection
        self.problem = self.held = ""
        self.is_called = self.is_dropped = False
        self.are_symbols_right, self.has_process_ids = False, None
        offered = ["write", "is_interrupted"] + (["read"] if connection else [])
        self.host = Host()  # keeps the callbacks alive
        if isinstance(connection, gdb.RemoteTargetConnection):
            offered += ["ask", "begin", "end"]
            self.host.connection = (connection.details or "").encode()
            self.host.peer = LIB.dill_gdb_peer(self.host.connection)
        for name, kind in Host._fields_:
            if name in offered:
                setattr(self.host, name, kind(getattr(self, name)))
        self.handle = LIB.dill_gdb_create(self.host)
        if not self.handle:
            raise gdb.GdbError("out of memory")

    @callback(-errno.EIO)
    def ask(self, request, reply, capacity):
        is_monitor = request.startswith(b"qRcmd,")
        answer = monitor(request[6:]) if is_monitor else self.connection.send_packet(request) or b""
        if len(answer) >= capacity:
            return -errno.ENOSPC
        ctypes.memmove(reply, answer + b"\0", len(answer) + 1)
        return len(answer)

    @callback(-errno.EFAULT)
    def read(self, address, buffer, size):
        ctypes.memmove(buffer, bytes(self.inferior.read_memory(address, size)), size)
        return 0

    @callback(-errno.EIO)
    def begin(self):
        # gdb selects a thread at the stub only when it believes another one to be selected. This read, of
        # whatever, makes it believe that the user's is; end() makes that true again.
        with contextlib.suppress(gdb.error):
            self.inferior.read_memory(0, 1)
        if self.has_process_ids is None:
            self.has_process_ids = (self.connection.send_packet("qC") or b"").startswith(b"QCp")
        return 0

    @callback(None)
    def end(self):
        if thread := gdb.selected_thread():
            process, number, _ = thread.ptid
            self.connection.send_packet(f"Hgp{process:x}.{number:x}" if self.has_process_ids else f"Hg{number:x}")

    @callback(-errno.EIO)
    def write(self, text, size, is_error):
        text = ctypes.string_at(text, size).decode(errors="replace")
        with interrupts(signal.SIG_UNBLOCK):
            self.release()
            if is_error:
                self.held = text
            else:
                gdb.write(text)
        return 0

    def release(self):
        """Print the complaint that was held back: the last one before a failure is to be gdb's own error."""
        text, self.held = self.held, ""
        if text:
            gdb.write(text, gdb.STDERR)

    @callback(1)
    def is_interrupted(self):
        return signal.SIGINT in signal.sigpending()

    def message(self):
        return LIB.dill_gdb_error(self.handle).decode(errors="replace") or self.problem

    def call(self, name, *arguments, tolerated=0):
        """Call dill_gdb_NAME with Ctrl-C held back. When it gave up for that, that is a KeyboardInterrupt here; any
        other failure that isn't tolerated is gdb's error, with the library's message."""
        PLUGIN.take_events()
        self.problem, self.is_called = "", True
        try:
            with interrupts(signal.SIG_BLOCK):
                result = getattr(LIB, "dill_gdb_" + name)(self.handle, *arguments)
                if result == -errno.EINTR:
                    signal.sigtimedwait(INTERRUPT, 0)
            if result == -errno.EINTR:
                raise KeyboardInterrupt
            if result < 0 and result != tolerated:
                raise gdb.GdbError(self.message() or os.strerror(-result))
            return result
        finally:
            self.is_called = False
            PLUGIN.take_events(self)
            if self.is_dropped:
                self.drop()

    def drop(self):
        """The target is gone. That can be found out by a callback, when the library can't let go yet."""
        self.is_dropped = True
        if not self.is_called:
            LIB.dill_gdb_destroy(self.handle)
            self.handle = None

    def forget(self):
        if not self.is_called:
            LIB.dill_gdb_forget(self.handle, False)

    def address(self, name, *arguments):
        """The address that dill_gdb_NAME finds."""
        found = ctypes.c_uint64()
        self.call(name, *arguments, found)
        return found.value

    def say(self, name, words):
        """A command line for dill_gdb_run or dill_gdb_trace; dill's exit code is in $dill_status afterwards."""
        array = (ctypes.c_char_p * (len(words) + 1))(*[word.encode(errors="surrogateescape") for word in words])
        try:
            status = self.call(name, array, current_style())
            gdb.set_convenience_variable("dill_status", status)
            if status >= EXIT_USAGE and (message := self.held.strip()):
                self.held = ""
                raise gdb.GdbError(message)
        finally:
            self.release()

    def check_symbols(self):
        """Refuse to work beside symbols of gdb's that are not where the kernel is."""
        PLUGIN.take_events()
        if self.are_symbols_right or not gdb.parameter("dill check-symbols"):
            return
        for name in KERNEL_SYMBOLS:
            believed, found = gdb_symbol(name), ctypes.c_uint64()
            if believed is None or self.call("symbol", name.encode(), found, tolerated=-errno.ENOENT) < 0:
                continue
            if believed != found.value:
                raise gdb.GdbError(f"gdb's symbols are not where this kernel is: it has {name} at {found.value:#x}, "
                                   f"they have it at {believed:#x}. `kbase --load-symbols` puts them right")
        self.are_symbols_right = True


def monitor(command):
    """The answer to a qRcmd packet, of which gdb's send_packet() would give the first piece alone."""
    try:
        text = gdb.execute("monitor " + bytes.fromhex(command.decode()).decode(), to_string=True)
    except gdb.error:  # the stub has no monitor, or is gone, as the next packet will show
        return b""
    return text.encode().hex().encode() + b"OK"


def gdb_symbol(name):
    """A symbol's address in gdb's own tables, or None."""
    try:
        return int(gdb.parse_and_eval(f"&{name}")) & MASK
    except gdb.error:
        return None


def current_style():
    # As gdb itself decides whether it colours.
    is_coloured = gdb.parameter("style enabled") and os.isatty(1) and os.environ.get("TERM", "dumb") != "dumb"
    return Style(gdb.parameter("width") or 0, is_coloured, gdb.parameter("dill direct") is not False)


def current_session(needs_target=True, may_run=False):
    """The selected inferior's session."""
    inferior = gdb.selected_inferior()
    connection = inferior.connection
    if needs_target:
        if connection is None or not inferior.pid:
            raise gdb.GdbError("there is no target: connect gdb to a kernel's stub with `target remote`")
        if connection.type == "native":
            raise gdb.GdbError("the target is a process of this machine, not a kernel")
        if not may_run and is_running():
            raise gdb.GdbError("the target is running: stop it first, with Ctrl-C or `interrupt`")
    PLUGIN.drop(lambda session: session.inferior is inferior and session.connection is not connection)
    session = PLUGIN.sessions.get(inferior.num)
    if not session:
        session = PLUGIN.sessions[inferior.num] = Session(inferior, connection)
    if gdb.parameter("dill direct") and needs_target and not session.host.peer:
        raise gdb.GdbError("`dill direct` is on, but the stub is not seen to be a process of this machine")
    return session


def is_running():
    # Other threads are not asked: that would ask the stub, which is deaf while the target runs.
    thread = gdb.selected_thread()
    return thread is not None and thread.is_running()


class Plugin:
    """All sessions, and the handlers of gdb's events that keep them true."""

    def __init__(self):
        self.sessions, self.written, events = {}, None, gdb.events
        # Events of a kind that came; that one did is all that matters. append() runs nothing of Python's.
        self.changes, self.symbols = collections.deque(maxlen=1), collections.deque(maxlen=1)
        self.handlers = [(registry, handler) for handler, registries in (
            (self.changes.append, (events.cont, events.stop, events.memory_changed, events.register_changed)),
            (self.symbols.append, (events.new_objfile, events.clear_objfiles)),
            (self.on_inferior, (events.exited, events.inferior_deleted)),
            (self.on_connection, (events.connection_removed,)),
            (self.on_exit, (events.gdb_exiting,))) for registry in registries]
        for registry, handler in self.handlers:
            registry.connect(handler)

    def end(self):
        """The script is loaded once more: its older self lets go."""
        for registry, handler in self.handlers:
            registry.disconnect(handler)
        self.on_exit(None)

    def drop(self, is_gone):
        for number, session in list(self.sessions.items()):
            if is_gone(session):
                del self.sessions[number]
                session.drop()

    def take_events(self, called=None):
        """What events have told since the last time. While a session is called they are of its own doing."""
        for session in self.sessions.values():
            # Whichever inferior it was: several on one connection are one kernel.
            if self.changes and session is not called:
                session.forget()
            if self.symbols:
                session.are_symbols_right = False
        self.changes.clear()
        self.symbols.clear()

    def on_inferior(self, event):
        self.drop(lambda session: session.inferior is event.inferior)

    def on_connection(self, event):
        self.drop(lambda session: session.connection is event.connection)

    def on_exit(self, _event):
        self.drop(lambda session: True)


LIB = load_library()
PLUGIN = Plugin()
