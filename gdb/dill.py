# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""dill inside gdb: `source dill.py`, then kbase, kstruct, ktask, kcache, kwhat, kbuddy, ksnap and dill.

Registers commands, functions and parameters with gdb, splits and completes words, and has dill_session.py, beside
this file, ask libdill-gdb.so. Decodes and formats nothing.
"""

import contextlib
import ctypes
import functools
import importlib.util
import os
import re
import signal
import sys

import gdb

NAMESPACE = dict(globals())
# What a command's words are, for completion: the last kind is that of all further words, too.
WORD_KINDS = {"kstruct": ("type", "member"), "ktask": ("task",), "kcache": ("cache",)}
PID_LIMIT = 1 << 22
QUOTED = r""" "(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*' """.replace(" ", "")


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
    way = [gdb.parameter("dill trace-by")] if words[1:] == ["run"] else []
    if is_running():
        session.say("trace", words[1:] + way)
        return
    session.check_symbols()
    with breakpoints_set_anew():
        session.say("trace", words[1:] + way)


@contextlib.contextmanager
def breakpoints_set_anew():
    """The tracer knows gdb's breakpoints when gdb sets them through it, and takes a stop at any other for none. Most
    are set when the target goes on; but some may be in the stub already when it comes."""
    is_early = gdb.parameter("breakpoint always-inserted")
    early = [each for each in gdb.breakpoints() if each.enabled] if is_early else []
    for each in early:
        each.enabled = False
    try:
        yield
    finally:
        for each in early:
            each.enabled = True


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


# gdb runs all sourced scripts in one namespace. It is left as it was: this script lives in a module.
if __name__ == "dill_gdb":
    from dill_gdb_session import LIB, MASK, PLUGIN, current_session, gdb_symbol, interrupts, is_running, take_text
    register()
else:
    def load_module(name, file):
        """The file beside this one, or beside what this is a link to."""
        for path in os.path.abspath(__file__), os.path.realpath(__file__):
            path = os.path.join(os.path.dirname(path), file)
            if os.path.exists(path):
                break
        else:
            raise gdb.GdbError(f"there is no {path}: dill.py needs it beside itself")
        spec = importlib.util.spec_from_file_location(name, path)
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])

    def live_apart(namespace, before):
        names = ("dill_gdb_session", "dill_gdb")
        older = {name: sys.modules.get(name) for name in names}
        try:
            if not hasattr(gdb, "RemoteTargetConnection") or not hasattr(gdb.events, "gdb_exiting"):
                raise gdb.GdbError(f"gdb {gdb.VERSION} is too old, its Python can't send packets: 12 is the least")
            load_module("dill_gdb_session", "dill_session.py")
            load_module("dill_gdb", os.path.basename(__file__))
            if older["dill_gdb"]:
                older["dill_gdb"].PLUGIN.end()
        except BaseException as reason:  # pylint: disable=broad-except
            for name in names:
                sys.modules.pop(name, None)
            sys.modules.update({name: module for name, module in older.items() if module})
            if not isinstance(reason, gdb.GdbError):
                raise
            gdb.write(f"dill: {reason}\n", gdb.STDERR)
        finally:
            namespace.clear()
            namespace.update(before)

    live_apart(globals(), NAMESPACE)
