# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""dill inside gdb: `source dill.py`, then kbase, kstruct, ktask, kcache, kwhat, kbuddy, ksnap and dill.

Glue between gdb's Python and libdill-gdb.so (gdb/plugin.h): registers commands, functions and parameters,
splits and completes words, tells the library when the target has changed. Decodes and formats nothing.

Ctrl-C is held back (SIGINT is blocked) while the library works, for nobody could catch a KeyboardInterrupt at
a callback's first instruction; the library asks for it now and then. It is let through where gdb itself may
wait for the user, in its pager.
"""

import contextlib
import ctypes
import errno
import functools
import importlib.util
import os
import re
import signal
import sys

import gdb

NAMESPACE = dict(globals())
INTERFACE = 1
LIBRARY = "libdill-gdb.so"
# Beside this file when built, under the same prefix when installed, in the tree's build for who works on it.
PLACES = (".", "../../lib/dill", "../build/gdb")
# What a command's words are, for completion: the last kind is that of all further words, too.
WORD_KINDS = {"kstruct": ("type", "member"), "ktask": ("task",), "kcache": ("cache",)}
KERNEL_SYMBOLS = ("_text", "_stext", "init_task")
INTERRUPT = {signal.SIGINT}
EXIT_USAGE = 2
MASK = (1 << 64) - 1
PID_LIMIT = 1 << 22
QUOTED = r""" "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' """.replace(" ", "")


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


def library_path(script):
    folders = dict.fromkeys(os.path.dirname(path) for path in (os.path.abspath(script), os.path.realpath(script)))
    paths = [os.path.normpath(os.path.join(folder, place, LIBRARY)) for folder in folders for place in PLACES]
    for path in paths:
        if os.path.exists(path):
            return path
    raise gdb.GdbError(f"there is no {' nor '.join(paths)}: build it with make")


def load_library(script):
    """The library of this script's build or installation, its functions declared as in plugin.h."""
    path = library_path(script)
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
        self.handlers = [(registry, handler) for handler, registries in (
            (self.on_change, (events.cont, events.stop, events.memory_changed, events.register_changed)),
            (self.on_symbols, (events.new_objfile, events.clear_objfiles)),
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

    def on_change(self, _event):
        # Whichever inferior it was: several on one connection are one kernel.
        for session in self.sessions.values():
            session.forget()

    def on_symbols(self, _event):
        for session in self.sessions.values():
            session.are_symbols_right = False

    def on_inferior(self, event):
        self.drop(lambda session: session.inferior is event.inferior)

    def on_connection(self, event):
        self.drop(lambda session: session.connection is event.connection)

    def on_exit(self, _event):
        self.drop(lambda session: True)


# ---- words ----

def evaluate(expression, takes_pids):
    """An expression of gdb's as dill's commands take it: addresses hexadecimal, pids decimal."""
    value = gdb.parse_and_eval(expression)
    code = value.type.strip_typedefs().code
    if code == gdb.TYPE_CODE_VOID:
        raise gdb.GdbError(f"{expression} has no value")
    if code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION, gdb.TYPE_CODE_ARRAY, gdb.TYPE_CODE_FUNC):
        value = value.address
    number = int(value) & MASK
    return str(number) if takes_pids and number < PID_LIMIT else f"{number:#x}"


def split_words(text, takes_pids):
    """A command's words as gdb splits them. One that begins with $ or ( is an expression: its value instead."""
    words, pieces = [], re.findall(rf"(?:{QUOTED}|\\.|\S)+", text)
    while pieces:
        word = pieces.pop(0)
        if word[0] not in "$(":
            words += gdb.string_to_argv(word)
            continue
        while pieces and (bare := re.sub(QUOTED, "", word)).count("(") > bare.count(")"):
            word += " " + pieces.pop(0)
        words.append(evaluate(word, takes_pids))
    return words


def completions(command, text, word):
    """What the last word of `text` may become; gdb's `word` is the part of it after the last - or the like."""
    *earlier, prefix = re.split(r"\s+", text.lstrip())
    plain = [each for each in earlier if not each.startswith("-")]
    kinds = WORD_KINDS.get(command, ("",))
    kind = kinds[min(len(plain), len(kinds) - 1)]
    context = plain[0] if kind == "member" else ""
    if command == "dill":
        kind, context = "trace", " ".join(earlier)
    elif prefix.startswith("-"):
        kind, context = "option", command
    handle = None
    with contextlib.suppress(gdb.GdbError):
        handle = current_session().handle
    with interrupts(signal.SIG_BLOCK):
        lines = take_text(LIB.dill_gdb_complete(handle, kind.encode(), context.encode(), prefix.encode()))
    return [line[len(prefix) - len(word):] for line in lines.splitlines() if line.startswith(prefix)]


# ---- commands, functions, parameters ----

def reported(function):
    """Whatever goes wrong is one line for the user."""
    @functools.wraps(function)
    def run(*arguments):
        try:
            return function(*arguments)
        except (gdb.GdbError, KeyboardInterrupt):
            raise
        except gdb.error as problem:
            raise gdb.GdbError(str(problem)) from None
        except Exception as problem:
            raise gdb.GdbError(f"dill.py: {type(problem).__name__}: {problem}") from problem
    return run


class Command(gdb.Command):
    """One of dill's commands: `act(words)` does it, with the command's name as the first of the words."""

    def __init__(self, name, act, takes_pids=False):
        self.name, self.act, self.takes_pids = name, act, takes_pids
        self.__doc__ = take_text(LIB.dill_gdb_help(name.encode())) or f"dill's {name}."
        super().__init__(name, gdb.COMMAND_DATA)

    @reported
    def invoke(self, text, _from_tty):
        self.dont_repeat()
        self.act([self.name, *split_words(text, self.takes_pids)])

    def complete(self, text, word):
        if word is None:  # gdb asks where the word begins: as ever
            return []
        try:
            return completions(self.name, text, word)
        except Exception:  # pylint: disable=broad-except
            return []


def inspect(words):
    is_other = any(word.split("=")[0] == "--target" for word in words)
    session = current_session(needs_target=not is_other)
    if not is_other and words[0] != "kbase":
        session.check_symbols()
    session.say("run", words)


def inspect_base(words):
    if "--load-symbols" not in words:
        return inspect(words)
    files = [word for word in words[1:] if word != "--load-symbols"]
    if len(files) > 1 or any(word.startswith("-") for word in files):
        raise gdb.GdbError("usage: kbase --load-symbols [VMLINUX]")
    return load_symbols(current_session(), os.path.expanduser(files[0]) if files else None)


def trace(words):
    session = current_session(may_run=True)
    if not is_running():
        session.check_symbols()
    way = [gdb.parameter("dill trace-by")] if words[1:] == ["run"] else []
    session.say("trace", words[1:] + way)


def load_symbols(session, path):
    """Give gdb a vmlinux's symbols where the kernel is: those of `path`, or of the one that it has; else the
    kernel's own."""
    base = session.address("symbol", b"_text")
    if path:
        gdb.execute(f'symbol-file "{path}"')
    believed, percpu = gdb_symbol("_text"), gdb_symbol("__per_cpu_start")
    owner = path or next((each.filename for each in gdb.objfiles() if os.path.exists(each.filename or "")), None)
    if path and believed is None:
        raise gdb.GdbError(f"{path} has no _text: it is no vmlinux with its symbols")
    if believed is None or owner in (None, PLUGIN.written):
        written = ctypes.create_string_buffer(4096)
        session.call("write_symbols", None, written, len(written))
        owner = PLUGIN.written = written.value.decode()
        gdb.execute(f'symbol-file "{owner}"')
    elif believed != base:
        # Per-CPU variables have small numbers for addresses before Linux 6.15: these don't move with the kernel.
        stays = f" -s .data..percpu {percpu:#x}" if percpu is not None and percpu < believed else ""
        gdb.execute("symbol-file")
        gdb.execute(f'add-symbol-file "{owner}" -o {(base - believed) & MASK:#x}{stays}')
    session.check_symbols()
    gdb.write(f"{owner}: symbols for a kernel at {base:#x}\n")


class Function(gdb.Function):
    """A convenience function: `find(session, *arguments)` gives an address and a type or a type's name."""

    def __init__(self, name, find, text):
        self.find, self.__doc__ = find, text
        super().__init__(name)

    @reported
    def invoke(self, *arguments):
        session = current_session()
        session.check_symbols()
        address, wanted = self.find(session, *arguments)
        return gdb.Value(address).cast(pointer_type(wanted) if isinstance(wanted, str) else wanted)


def pointer_type(name):
    """A pointer to that type if gdb has it, else to void."""
    try:
        return gdb.lookup_type(name).pointer()
    except gdb.error:
        return gdb.lookup_type("void").pointer()


def as_word(value):
    """A name or a number given to a function."""
    is_text = value.type.strip_typedefs().code in (gdb.TYPE_CODE_ARRAY, gdb.TYPE_CODE_PTR)
    return (value.string() if is_text else str(int(value))).encode()


def find_percpu(session, pointer, cpu):
    if pointer.type.strip_typedefs().code not in (gdb.TYPE_CODE_PTR, gdb.TYPE_CODE_INT):
        pointer = pointer.address
    is_typed = pointer.type.strip_typedefs().code == gdb.TYPE_CODE_PTR
    return session.address("percpu", int(pointer) & MASK, int(cpu)), pointer.type if is_typed else "void"


class Setting(gdb.Parameter):
    """set and show dill NAME."""

    def __init__(self, name, kind, default, text, *choices):
        self.name, (summary, self.__doc__) = name, text
        self.set_doc, self.show_doc = f"Set {summary}", f"Show {summary}"
        super().__init__("dill " + name, gdb.COMMAND_DATA, kind, *choices)
        self.value = default

    def get_show_string(self, text):
        return f"dill {self.name} is {text}."


class Settings(gdb.Command):
    """dill's parameters."""


def register():
    """Tell gdb of all there is."""
    Settings("set dill", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)
    Settings("show dill", gdb.COMMAND_DATA, gdb.COMPLETE_NONE, True)
    Setting("direct", gdb.PARAM_AUTO_BOOLEAN, None,
            ("whether QEMU's memory is read out of its process.",
             "Faster than packets, and proved by comparison with what the stub says. auto: where it can be done."))
    Setting("trace-by", gdb.PARAM_ENUM, "auto",
            ("how `dill run` catches the kernel's allocator.",
             "data: by watchpoints on what it reads, cheap where QEMU translates code; code: by breakpoints."),
            ["auto", "data", "code"])
    Setting("check-symbols", gdb.PARAM_BOOLEAN, True,
            ("whether commands refuse to work while gdb's symbols are not where the kernel is.",
             "`kbase --load-symbols` puts them right."))
    Command("kbase", inspect_base)
    for name in "kstruct", "ktask", "kcache", "kwhat", "kbuddy", "ksnap":
        Command(name, inspect, takes_pids=name == "ktask")
    Command("dill", trace, takes_pids=True)
    Function("kbase", lambda session: (session.address("base"), integer_type()),
             "$kbase(): the kernel's base address, that of _text.")
    Function("ktask", lambda session, who: (session.address("task", as_word(who)), "struct task_struct"),
             "$ktask(NAME or PID): the task_struct of a task.")
    Function("kcache", lambda session, name: (session.address("cache", as_word(name)), "struct kmem_cache"),
             "$kcache(NAME): the kmem_cache of a slab cache.")
    Function("kobject", lambda session, address: (session.address("object", int(address) & MASK), "void"),
             "$kobject(ADDRESS): the slab object that covers it, from its first byte.")
    Function("kpercpu", find_percpu, "$kpercpu(POINTER, CPU): a per-CPU variable of that CPU.")


def integer_type():
    return gdb.selected_inferior().architecture().integer_type(64, False)


if __name__ == "dill_gdb":
    LIB = load_library(__file__)
    PLUGIN = Plugin()
    register()
else:
    # gdb runs all sourced scripts in one namespace. It is left as it was: this one lives in a module.
    def live_apart(namespace, before):
        try:
            if not hasattr(gdb, "RemoteTargetConnection") or not hasattr(gdb.events, "gdb_exiting"):
                raise gdb.GdbError(f"gdb {gdb.VERSION} is too old, its Python can't send packets: 12 is the least")
            spec = importlib.util.spec_from_file_location("dill_gdb", os.path.abspath(__file__))
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            if older := sys.modules.get("dill_gdb"):
                older.PLUGIN.end()
            sys.modules["dill_gdb"] = module
        except gdb.GdbError as reason:
            gdb.write(f"dill: {reason}\n", gdb.STDERR)
        namespace.clear()
        namespace.update(before)

    live_apart(globals(), NAMESPACE)
