#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""A kernel without a vmlinux in gdb: names, stacks, types and arguments are those that the guest itself knows.

On an old kernel, which calls on other stacks in assembler, and on a new one: it is long.
"""
# timeout: 600
# ruins: yes
# modules: zram
# once: yes
# kernels: 5.10 6.18
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import gdb_session  # noqa: E402
from target import Guest, Skip, case, main  # noqa: E402

AS_THEY_ARE = "set print demangle off"  # else gdb takes a__b and a.part.0 for names of Ada's
RUN, RUN_EVERY = 8, 700
STRUCTS = 40
INTERRUPTS = 12
PATH = "/tmp/who-opens-this"
BPFTOOL = shutil.which("bpftool", path=os.environ["PATH"] + ":/usr/sbin")

guest = Guest()
choice = random.Random(4)  # the same on every run
folder = tempfile.TemporaryDirectory(prefix="dill-symbols-")
elf = os.path.join(folder.name, "kernel.elf")
guest.text("cat /proc/kallsyms >kallsyms", 300)


def known_symbols(*words):
    """[(line's number, address, type, name, module)] of the guest's /proc/kallsyms, for arguments of kernel_names."""
    return [(int(number), int(address, 16), kind, name, (module or [""])[0]) for number, address, kind, name, *module in
            map(str.split, guest.text(" ".join(["kernel_names kallsyms", *words]), 100).splitlines())]


# Runs of neighbours here and there: all of them are a load that takes the emulated guest a minute to hand over.
runs, last, symbols = [], -1, {}
WANTED = ["_text", "_end", "do_exit", "do_sys_openat2", "do_sys_open", "__start_BTF", "__stop_BTF"]
for line_number, place, letter, title, owner in known_symbols(str(RUN), str(RUN_EVERY), *WANTED):
    if title in WANTED:
        symbols[title] = place
    if (line_number - 1) % RUN_EVERY < RUN and not owner:
        if line_number != last + 1:
            runs.append([])
        last = line_number
        runs[-1].append((place, letter, title))
# Exits, opens and timers go on while gdb holds the guest; nobody else can ask it for any.
# On one CPU: gdb's threads are CPUs, and `finish` waits for the one that it began on.
guest.text(f"echo hello >{PATH}; setsid taskset 1 sh -c 'while :; do cat {PATH}; sleep 0.1; done' >/dev/null 2>&1 </dev/null &")
saved = guest.records("kbase", "--save-symbols", elf, target="qmp:" + os.path.abspath("qmp.sock"))[0]


def session():
    """gdb on the stopped guest, with the saved symbols and nothing else."""
    gdb = gdb_session.Gdb(target=os.path.abspath("gdb.sock"), limit_s=30)
    gdb.run(f"symbol-file {elf}")
    gdb.run(AS_THEY_ARE)
    return gdb


def script(lines):
    """A file of gdb's commands, after the symbols."""
    path = os.path.join(folder.name, "script")
    with open(path, "w", encoding="ascii") as file:
        file.write("\n".join([f"symbol-file {elf}", AS_THEY_ARE, *lines]))
    return path


def frames(text):
    """[(address or None, name)] of a backtrace. Frames of interrupts have no name."""
    found = re.findall(r"^#\d+ +(?:(0x[0-9a-f]+) in )?(<signal handler called>|[^ ]+)", text, re.M)
    return [(int(address, 16) if address else None, "" if name.startswith("<") else name) for address, name in found]


def assert_names(found):
    """Each frame's name is of a function that the guest has there."""
    names = {name for address, name in found if address and name}
    known = {}
    for name, address in all_symbols(names):
        known.setdefault(name, []).append(address)
    for address, name in found:
        if address and name:
            assert any(0 <= address - each < 0x8000 for each in known[name]), (name, hex(address))


def all_symbols(names):
    """[(name, address)] of all that have these names."""
    names, found = sorted(names), []
    while names:
        found += [(name, address) for _, address, _, name, _ in known_symbols("0", "1", *names[:30])]
        names = names[30:]
    return found


@case
def file_is_valid():
    """others' tools read the file without complaint, and it has the kernel's build ID"""
    told = guest.text("hexdump -ve '1/1 \"%02x\"' /sys/kernel/notes")
    for command in ["readelf", "-hSlnsW", elf], ["eu-elflint", "--gnu-ld", "--debuginfo", elf]:
        if not shutil.which(command[0]):
            continue
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        assert done.returncode == 0 and not done.stderr, (done.stdout[-1000:], done.stderr)
        if command[0] == "readelf":
            assert re.search(rb"Build ID: ([0-9a-f]{40})", done.stdout)[1].decode() in told
    assert saved["functions"] > 10000 and saved["frames"] > 10000 and saved["types"] > 10000, saved


@case
def symbols_are_the_guests():
    """names of some 200 addresses, and where names are, agree with the guest's /proc/kallsyms"""
    start, end = symbols["_text"], symbols["_end"]
    lines, wanted = [], []
    for run in runs:
        # Alone at its address. The first and last of a run may have neighbours there that are not in it.
        for number in range(1, len(run) - 1):
            address, following = run[number][0], run[number + 1][0]
            if run[number - 1][0] < address < following and start <= address < end:
                inside = address + choice.randrange(min(following - address, 64))
                lines.append((f"info symbol {inside:#x}", [run[number][2]], inside - address))
                break
    assert len(lines) > 100, runs[:3]
    status, output, problems = gdb_session.batch([f"source {script(line for line, _, _ in lines)}"])
    assert status == 0, problems
    for answer, (_, names, offset) in zip(output.splitlines(), lines):
        found = re.fullmatch(r"(\S+)(?: \+ (\d+))? in section \S+(?: of \S+)?", answer)
        assert found and found[1] in names and int(found[2] or 0) == offset, (answer, offset, names)
    wanted = [each for run in runs for each in run if start <= each[0] < end and "." not in each[2]]
    wanted = choice.sample(wanted, 90)
    status, output, problems = gdb_session.batch(
        [f"source {script(f'info address {name}' for _, _, name in wanted)}"])
    assert status == 0, problems
    counts = {}
    for name, _ in all_symbols({name for _, _, name in wanted}):
        counts[name] = counts.get(name, 0) + 1
    for answer, (address, _, name) in zip(output.splitlines(), wanted):
        assert f"{address:#x}" in answer or counts[name] > 1, (answer, name, hex(address))


@case
def breakpoint_by_name():
    """a breakpoint on do_exit stops there, with the stack that leads to it and its argument"""
    address = symbols["do_exit"]
    with session() as gdb:
        gdb.run("break do_exit")
        for _ in range(10):  # of a process: a kernel's thread may end as well
            gdb.run("continue", 60)
            assert gdb.evaluate("$pc") == address
            stack = gdb.run("backtrace")
            if "do_group_exit" in stack:
                break
        gdb.run("delete")
    names = [name for _, name in frames(stack)]
    assert names[:2] == ["do_exit", "do_group_exit"] and names[-1].startswith("entry_SYSCALL_64"), stack
    assert re.search(r"^#0 .*do_exit \(code=0\)$", stack, re.M), stack
    assert "Backtrace stopped" not in stack, stack


@case
def interrupts():
    """backtraces out of interrupts reach the outermost frame, across stacks"""
    ends = re.compile(r"entry_SYSCALL|entry_INT80|secondary_startup|common_startup|ret_from_fork|start_secondary|x86_64_start")
    seen = []
    with session() as gdb:
        gdb.run("hbreak hrtimer_interrupt")
        for _ in range(INTERRUPTS):
            gdb.run("continue", 60)
            stack = gdb.run("backtrace")
            found = frames(stack)
            assert len(found) > 3 and any(not name for _, name in found), stack
            if found[-1][1]:
                assert ends.match(found[-1][1]), stack
                assert "Backtrace stopped" not in stack, stack
            else:  # it came from user mode
                assert "Cannot access memory at address 0x80" in stack, stack
            seen += found
        gdb.run("delete")
    assert_names(seen)


@case
def sleepers():
    """a sleeping task's stack, from its saved registers, is that of /proc/PID/stack"""
    guest.start_crowd()
    crowd = guest.text("pidof crowd").split()[0]
    wanted = [(name, int(offset, 16)) for name, offset in
              re.findall(r"\] (\S+)\+(0x[0-9a-f]+)/", guest.text(f"cat /proc/{crowd}/stack"))]
    task = next(each["addr"] for each in
                guest.records("ktask", crowd, target="qmp:" + os.path.abspath("qmp.sock")) if each["type"] == "task")
    with session() as gdb:
        kept = {name: gdb.evaluate(name) for name in ("$rip", "$rsp", "$rbp")}
        frame = f"((struct inactive_task_frame *)((struct task_struct *){task})->thread.sp)"
        gdb.run(f"set $frame = {frame}")
        for name, value in ("$rbp", "$frame->bp"), ("$rsp", "(long)($frame + 1)"), ("$rip", "$frame->ret_addr"):
            gdb.run(f"set {name} = {value}")
        stack = gdb.run("backtrace")
        for name, value in kept.items():
            gdb.run(f"set {name} = {value:#x}")
        assert {name: gdb.evaluate(name) for name in kept} == kept
    known = all_symbols({name for _, name in frames(stack)})
    found = [(name, address - max(each for other, each in known if other == name and each < address))
             for address, name in frames(stack)[1:]]
    assert wanted and found[-len(wanted):] == wanted, (stack, wanted)


@case
def modules():
    """a module's functions have names, sections and frames"""
    status, _ = guest.run("modprobe zram || insmod $(find /lib/modules -name 'zram.ko*' | head -n 1)", 100)
    own = {line.split()[2]: int(line.split()[0], 16) for line in
           guest.text("grep -F '[zram]' /proc/kallsyms || true", 200).splitlines() if line.split()[1] in "tT"}
    if status or not own:
        raise Skip("no zram in this guest")
    other = os.path.join(folder.name, "modules.elf")
    guest.dill("kbase", "--save-symbols", other, target="qmp:" + os.path.abspath("qmp.sock"))
    name = "zram_slot_free_notify" if "zram_slot_free_notify" in own else "disksize_store"
    status, output, problems = gdb_session.batch(
        [f"symbol-file {other}", AS_THEY_ARE, *[f"info symbol {address:#x}" for address in own.values()]])
    assert status == 0, problems
    places = dict(zip(own.values(), output.splitlines()))
    for function, address in own.items():
        assert re.match(r"\S+ in section zram\.(init\.)?(text|core)", places[address]), (function, places[address])
    assert places[own[name]].split()[0] == name, places[own[name]]
    text = subprocess.run(["readelf", "--debug-dump=frames", other], stdout=subprocess.PIPE, check=True).stdout
    assert f"pc={own[name]:016x}..".encode() in text


@case
def types():
    """sizes and offsets of 40 structs are those of the guest's BTF as bpftool reads it"""
    if not BPFTOOL:
        raise Skip("no bpftool")
    raw = os.path.join(folder.name, "btf")
    first, end = symbols["__start_BTF"], symbols["__stop_BTF"]
    with guest.stopped():
        guest.monitor("memsave", val=first - (1 << 64), size=end - first, filename=raw)
    dump = subprocess.run([BPFTOOL, "-j", "btf", "dump", "file", raw], stdout=subprocess.PIPE, check=True).stdout
    tags = ("STRUCT", "UNION", "ENUM", "ENUM64", "FWD")
    everything = [each for each in json.loads(dump)["types"] if each["kind"] in tags]
    names = [each["name"] for each in everything]
    # Of two with one name, gdb may take the other, also where one is no struct.
    structs = {each["name"]: each for each in everything
               if each["kind"] == "STRUCT" and each["name"] != "(anon)" and names.count(each["name"]) == 1}
    always = ["task_struct", "kmem_cache", "page", "mm_struct", "file"]
    lines, wanted = [], []
    for name in always + choice.sample(sorted(set(structs) - set(always)), STRUCTS):
        lines.append(f"output sizeof(struct {name})")
        wanted.append((name, structs[name]["size"]))
        for member in structs[name]["members"]:
            if member["name"] != "(anon)" and not member.get("bitfield_size"):
                lines.append(f"output (unsigned long)&((struct {name} *)0)->{member['name']}")
                wanted.append((f"{name}.{member['name']}", member["bits_offset"] // 8))
    status, output, problems = gdb_session.batch(
        [f"source {script(f'{line}{chr(10)}echo {chr(92)}n' for line in lines)}"], limit_s=100)
    assert status == 0, problems
    got = [(name, int(line)) for (name, _), line in zip(wanted, output.split())]
    assert got == wanted, [each for each in zip(got, wanted) if each[0] != each[1]]


@case
def arguments_and_results():
    """at a function's start its arguments are there, with their types; finish gives the result"""
    with session() as gdb:
        gdb.run("break do_sys_openat2" if "do_sys_openat2" in symbols else "break do_sys_open")
        for _ in range(40):
            hit = gdb.run("continue", 60)
            if f'"{PATH}"' in hit:
                break
        assert re.search(rf'do_sys_open\w* \(dfd=-100, filename=0x[0-9a-f]+ "{PATH}"', hit), hit
        assert gdb.run("whatis filename") == "type = const char *\n"
        gdb.run("delete")
        result = gdb.run("finish", 60)
        assert re.search(r"Value returned is \$\d+ = \d+\n", result), result


@case
def values():
    """what a struct holds is printed by its members' names"""
    with session() as gdb:
        assert gdb.run("output ((struct task_struct *)&init_task)->comm").startswith('"swapper/0\\000')
        assert gdb.evaluate("((struct task_struct *)&init_task)->pid") == 0
        assert "struct list_head {" in gdb.run("ptype struct list_head")


@case
def the_plugin_loads_them():
    """kbase --load-symbols gives gdb the same, out of a folder that goes with gdb"""
    address = symbols["do_exit"]
    with gdb_session.Gdb(gdb_session.plugin_path(guest.dill_path), target=os.path.abspath("gdb.sock")) as gdb:
        gdb.run("kbase --load-symbols")
        path = re.search(r'Symbols from "(.+)"', gdb.run("info files"))[1]
        assert gdb.evaluate("&do_exit") == address
        assert os.stat(path).st_mode & 0o777 == 0o600 and os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700
    assert not os.path.exists(os.path.dirname(path)), path


main()
