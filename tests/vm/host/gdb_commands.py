#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""dill's commands inside gdb on a stopped guest: true by the guest's own books, and what the CLI says."""
# timeout: 400
# any: yes
# once: yes
import json
import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from gdb_session import Gdb, batch, plugin_path  # noqa: E402
from target import Books, Guest, Skip, assert_same, case, main  # noqa: E402

MONITOR = "qmp:" + os.path.abspath("qmp.sock")
guest = Guest()
PLUGIN = plugin_path(guest.dill_path)
guest.start_crowd()
crowd = int(guest.text("grep -lx crowd /proc/[0-9]*/comm 2>/dev/null || true").split("/")[2])
symbols = guest.symbols("_text", "__per_cpu_offset", "linux_banner", "do_exit", "init_task")


def look(command, kind):
    """The records of a command in a gdb of its own, which leaves the guest running."""
    status, text, errors = batch(["target remote gdb.sock", f"{command} --json"], PLUGIN)
    assert status == 0, (text, errors)
    return [record for record in records(text) if record["type"] == kind]


def slab_records():
    return {record["name"]: record for record in look("kcache", "cache")}


def records(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def compare_slabs(cache, line, seen):
    names = {"active_objs": "active_objs", "num_objs": "num_objs", "objsize": "size", "num_slabs": "slabs"}
    if cache not in seen:
        return "not listed"
    return ", ".join(f"{ours} {seen[cache][ours]}, not {line[theirs]}" for theirs, ours in names.items()
                     if seen[cache][ours] != line[theirs])


with Books(guest) as books:
    wrong_slabs = books.compare_slabs(slab_records, compare_slabs)
    cache_count = len(books.slabs())
    tasks_before = books.tasks()
    seen_tasks = {record["pid"]: record for record in look("ktask -t", "task")}
    tasks_after = books.tasks()
gdb = Gdb(PLUGIN, target="gdb.sock")


def one_line(text):
    """An error: one line, no traceback."""
    assert len(text.splitlines()) == 1 and "Traceback" not in text and "Python" not in text, text
    return text.strip()


@case
def same_as_the_command_line():
    """every command writes, to the byte, what the CLI writes of the same stopped guest"""
    lines = ["kbase --json", "kcache --sort name", "kcache --json", "kcache kmalloc-64", "kcache filp --json",
             "kcache --check", "kcache kmalloc-96 --objects all --json", "kcache -q --next 5 kmalloc-128", "ktask",
             "ktask -t --json", "ktask --tree", f"ktask {crowd} --files --maps --stack", "ktask crowd --json",
             "kstruct task_struct", "kstruct kmem_cache name", "kstruct task_struct init_task --json",
             f"kwhat {symbols['do_exit'] + 5:x} init_task+8", "kbuddy", "kbuddy --json"]
    for line in lines:
        wanted = guest.dill(*line.split(), target=MONITOR).decode()
        got = gdb.run(line)
        assert got == wanted, f"{line}: gdb has\n{got[:3000]}\nthe CLI\n{wanted[:3000]}"
        assert len(wanted) > 20, line


@case
def base_is_text():
    """kbase gives the address of _text, by packets alone too"""
    for direct in "off", "auto":
        gdb.run(f"set dill direct {direct}")
        assert int(records(gdb.run("kbase --json"))[0]["kernel_base"], 16) == symbols["_text"]


@case
def totals_are_slabinfo():
    """kcache in gdb gives /proc/slabinfo's numbers for every cache"""
    assert cache_count > 50
    assert not wrong_slabs, wrong_slabs


@case
def tasks_are_those_of_proc():
    """ktask in gdb lists the threads of /proc, by name and process"""
    still = {tid: book["tgid"] for tid, book in tasks_before.items() if tid in tasks_after}
    assert_same({tid: seen_tasks.get(tid, {}).get("tgid") for tid in still}, still, "ktask -t")
    names = {tid: seen_tasks[tid]["comm"] for tid in still if not seen_tasks[tid]["kthread"]}
    assert_same(names, {tid: tasks_before[tid]["comm"][:-1] for tid in names}, "names")
    assert len(names) > 10


def member_offset(struct, member):
    return next(record["offset"] for record in records(gdb.run(f"kstruct {struct} {member} --json"))
                if record["type"] == "offset")


def text_at(expression):
    """The text in memory there, as gdb's own Python reads it."""
    return gdb.run(f"python print(gdb.parse_and_eval('(char *)({expression})').string())").strip()


@case
def functions():
    """$kbase, $ktask, $kcache, $kobject and $kpercpu give addresses that memory agrees with"""
    assert gdb.evaluate("$kbase()") == symbols["_text"]
    comm = member_offset("task_struct", "comm")
    assert text_at(f'(char *)$ktask("crowd") + {comm}') == "crowd"
    assert gdb.evaluate(f"$ktask({crowd})") == gdb.evaluate(f'$ktask("{crowd}")')
    assert text_at(f"(char *)$ktask({crowd}) + {comm}") == "crowd"
    name = member_offset("kmem_cache", "name")
    assert text_at(f'*(char **)((char *)$kcache("kmalloc-64") + {name})') == "kmalloc-64"
    thing = int(next(item for item in records(gdb.run("kcache kmalloc-64 --objects allocated --json"))
                     if item["type"] == "object")["addr"], 16)
    assert gdb.evaluate(f"$kobject({thing + 13:#x})") == thing
    assert gdb.evaluate(f"$kobject((char *){thing:#x})") == thing
    for cpu in range(guest.cpus):
        offset = gdb.evaluate(f"*(unsigned long *){symbols['__per_cpu_offset'] + 8 * cpu:#x}")
        assert gdb.evaluate(f"$kpercpu(0x40, {cpu})") == (offset + 0x40) & (1 << 64) - 1


@case
def functions_that_fail():
    """a function that finds nothing is an error of one line"""
    for call in ('$ktask("no such")', '$kcache("no-such")', f"$kobject({symbols['_text']:#x})", "$kpercpu(8, 4000)",
                 "$kobject()"):
        assert re.search(r"[a-z]{3}", one_line(gdb.run(f"print {call}"))), call


@case
def expressions():
    """words that gdb can evaluate are evaluated: registers, functions, casts"""
    where = symbols["do_exit"]
    gdb.run(f"set $place = {where:#x}")
    wanted = gdb.run(f"kwhat {where:x} {where + 4:x}")
    assert wanted.count("do_exit") == 2
    assert gdb.run('kwhat $place ((unsigned long) $place + 4)') == wanted
    task = gdb.evaluate('$ktask("crowd")')
    assert gdb.run('kstruct task_struct.pid $ktask("crowd")') == gdb.run(f"kstruct task_struct.pid {task:x}")
    assert f"= {crowd}" in gdb.run('kstruct task_struct.pid $ktask("crowd")')
    gdb.run(f"set $number = {crowd}")
    assert gdb.run("ktask $number") == gdb.run(f"ktask {crowd}")
    assert "no value" in one_line(gdb.run("kwhat $undefined"))
    one_line(gdb.run("kwhat ($place"))


@case
def typed_values():
    """a function's value has gdb's own type when gdb has one"""
    if not shutil.which("cc"):
        raise Skip("no compiler on the host")
    assert "(void *)" in gdb.run("print $ktask(1)")
    with open("types.c", "w", encoding="ascii") as file:
        file.write("struct task_struct { int x; } a; struct kmem_cache { int y; } b; int *word;")
    subprocess.run(["cc", "-g", "-c", "-o", "types.o", "types.c"], check=True)
    gdb.run("add-symbol-file types.o 0x1000")
    for call, name in (("$ktask(1)", "struct task_struct *"), ('$kcache("filp")', "struct kmem_cache *"),
                       ("$kpercpu(&word, 0)", "int **"), ("$kpercpu((int *)8, 0)", "int *"), ("$kbase()", "uint64_t")):
        gdb.run(f"set $value = {call}")
        assert gdb.run("whatis $value") == f"type = {name}\n", call
    gdb.run("remove-symbol-file -a 0x1000")


@case
def completion():
    """Tab offers caches, types, members, tasks and options"""
    for text, wanted in (("kcache kmalloc-6", "kcache kmalloc-64"), ("kcache --che", "kcache --check"),
                         ("kcache --check kmalloc-19", "kcache --check kmalloc-192"),
                         ("kstruct task_str", "kstruct task_struct"),
                         ("kstruct task_struct mm", "kstruct task_struct mm"),
                         ("kstruct kmem_cache refc", "kstruct kmem_cache refcount"), ("ktask crow", "ktask crowd"),
                         ("kwhat --js", "kwhat --json"), ("kbu", "kbuddy"), ("dill filter a", "dill filter add")):
        assert wanted in gdb.complete(text), (text, gdb.complete(text))
    assert not gdb.complete("kcache nonsense-")


@case
def settings():
    """parameters are shown as they were set, and wrong values refused"""
    for name, values in (("direct", ("off", "on", "auto")), ("trace-by", ("data", "code", "auto")),
                         ("check-symbols", ("off", "on"))):
        for value in values:
            assert not gdb.run(f"set dill {name} {value}")
            assert gdb.run(f"show dill {name}") == f"dill {name} is {value}.\n"
        one_line(gdb.run(f"set dill {name} nonsense"))
        assert gdb.run(f"help set dill {name}").startswith(f"Set ")


@case
def help_and_usage():
    """help is the CLI's, and a wrong option is one line"""
    for command in "kbase", "kstruct", "ktask", "kcache", "kwhat", "kbuddy", "dill":
        assert command in gdb.run(f"help {command}") and len(gdb.run(f"help {command}")) > 200, command
    assert "--nonsense" in one_line(gdb.run("kcache --nonsense"))
    assert gdb.evaluate("$dill_status") == 2
    assert "nosuch" in one_line(gdb.run("kstruct nosuch"))


@case
def pager_and_colour():
    """output goes through gdb's pager, where q and Ctrl-C end it, and has colours as gdb's style says"""
    gdb.run("set height 10")
    for key in "q\n", "\x03":
        gdb.send("kcache --json")
        gdb.wait_for("to continue without paging--")
        os.write(gdb.master, key.encode())
        assert gdb.wait().strip() == "Quit"
    gdb.run("set height 0")
    assert gdb.run("kcache --json").count("\n") > 50
    assert "\x1b[" not in gdb.run("kcache")
    gdb.run("set height unlimited")
    gdb.run("set style enabled off")


@case
def coloured():
    """on a terminal with colours, gdb's style decides whether there are any"""
    global gdb
    gdb.close()
    gdb = Gdb(PLUGIN, target="gdb.sock", terminal="xterm-256color")
    gdb.run("set style enabled on")
    assert "\x1b[" in gdb.run("kcache")
    gdb.run("set style enabled off")
    assert "\x1b[" not in gdb.run("kcache")


@case
def loaded_once_more():
    """the script may be sourced again, by another way, and leaves gdb's Python as it was"""
    names = ("python print(sorted(name for name, thing in list(globals().items()) "
             "if name[:2] != '__' and 'module' not in str(thing)))")
    assert gdb.run(names) == batch([names])[1]
    before = gdb.run("kbase")
    gdb.run(f"cd {os.path.dirname(PLUGIN)}")
    assert not gdb.run("source dill.py")
    gdb.run("cd /")
    assert gdb.run("kbase") == before
    assert gdb.run(names) == batch([names])[1]


@case
def no_library():
    """without its other half or its library, or with one of another build, the script says so in a line"""
    folder = os.path.abspath("plugin")
    os.makedirs(folder, exist_ok=True)
    shutil.copy(PLUGIN, folder)
    _, text, errors = batch(["kbase"], f"{folder}/dill.py")
    assert "dill_session.py" in errors.splitlines()[0] and "Undefined command" in errors and not text, (text, errors)
    shutil.copy(os.path.join(os.path.dirname(PLUGIN), "dill_session.py"), folder)
    _, text, errors = batch(["kbase"], f"{folder}/dill.py")
    assert "libdill-gdb.so" in errors.splitlines()[0] and "Undefined command" in errors and not text, (text, errors)
    if shutil.which("cc"):
        with open("other.c", "w", encoding="ascii") as file:
            file.write("unsigned dill_gdb_interface(void) { return 99; }")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", f"{folder}/libdill-gdb.so", "other.c"], check=True)
        _, text, errors = batch([], f"{folder}/dill.py")
        assert "interface 99" in one_line(errors), errors
    shutil.rmtree(folder)


@case
def guest_goes_on():
    """when gdb quits, the guest runs on"""
    gdb.close()
    assert guest.text("echo alive") == "alive\n"


main()
