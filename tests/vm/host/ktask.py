#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""ktask on the RAM of a stopped guest equals the guest's own /proc."""
# timeout: 400
# also: 6.1 7.0
# once: yes
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from target import Books, Guest, assert_same, case, main  # noqa: E402

NAMESPACES = ["pid", "user", "mnt", "uts", "ipc", "net", "cgroup"]

guest = Guest()
guest.start_crowd()
crowd = guest.text("grep -lx crowd /proc/[0-9]*/comm 2>/dev/null || true").split("/")[2]
with Books(guest) as books:
    before = books.tasks()
    with guest.stopped():
        ram = guest.save_ram()
    after = books.tasks()
files = dict(re.findall(r" (\d+) -> (.*)$", guest.text(f"ls -l /proc/{crowd}/fd"), re.M))
stack = guest.text(f"cat /proc/{crowd}/stack")

records = guest.records("ktask", "-t", "--maps", target=ram)
tasks = {record["pid"]: record for record in records if record["type"] == "task"}
# What did not change from one print to the other was the same at the stop between them, but for busy CPUs.
still = {tid: book for tid, book in before.items() if tid in after}


def status(book):
    return dict(line.split(":", 1) for line in book["status"].splitlines() if ":" in line)


def switches(book):
    return [status(book)[name] for name in ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")]


def compare(what, of_task, of_book, is_whole=lambda book: True, must_sleep=False):
    """of_task(record) and of_book(status, book), for every thread for which the book says the same twice, and which
    did not run in between if it must_sleep."""
    got, wanted = {}, {}
    for tid, book in still.items():
        if tid not in tasks or not is_whole(book) or not is_whole(after[tid]):
            continue
        if must_sleep and switches(book) != switches(after[tid]):
            continue
        first, second = (of_book(status(one), one) for one in (book, after[tid]))
        if first == second:
            got[tid], wanted[tid] = of_task(tasks[tid]), first
    assert len(wanted) > 20, f"{what}: only {len(wanted)} threads to compare"
    assert_same(got, wanted, what)


@case
def every_thread():
    """every thread of /proc is there, and nothing else but what came and went"""
    missing = set(still) - set(tasks)
    assert not missing, f"missing: {sorted(missing)}"
    extra = {tid: tasks[tid]["comm"] for tid in set(tasks) - set(before) - set(after)}
    assert set(extra.values()) <= {"kernel_books"}, f"not in /proc: {extra}"


@case
def identity():
    """pid, tgid, parent, name; a kernel worker's name is that of its task_struct"""
    def of_task(task):
        return task["tgid"], task["ppid"], task["comm"]

    def of_book(fields, book):
        name = book["comm"][:-1]
        return int(fields["Tgid"]), int(fields["PPid"]), name

    got = {tid: of_task(tasks[tid]) for tid in still}
    for tid, book in still.items():
        tgid, ppid, name = of_book(status(book), book)
        is_thread_of_kernel = tasks[tid]["kthread"]
        assert got[tid][:2] == (tgid, ppid), (tid, got[tid], tgid, ppid)
        assert got[tid][2] == name or is_thread_of_kernel and name.startswith(got[tid][2]), (tid, got[tid], name)


@case
def states():
    """states by word and letter"""
    compare("state", lambda task: f"{task['state_letter']} ({task['state']})",
            lambda fields, book: fields["State"].strip(), must_sleep=True)


@case
def owners():
    """users and groups, namespaces, pids in them"""
    compare("uid and gid", lambda task: (task["uid"], task["euid"], task["gid"], task["egid"]),
            lambda fields, book: tuple(int(fields[name].split()[i]) for name in ("Uid", "Gid") for i in (0, 1)))
    compare("NSpid", lambda task: task["nspids"].split(), lambda fields, book: fields["NSpid"].split())
    compare("namespaces", lambda task: [task.get(f"{name}_ns") for name in NAMESPACES],
            lambda fields, book: [int(re.search(r"\[(\d+)\]", book[f"ns/{name}"])[1]) for name in NAMESPACES],
            lambda book: all(book.get(f"ns/{name}") for name in NAMESPACES))


@case
def groups():
    """the path in the unified hierarchy of control groups"""
    compare("cgroup", lambda task: task.get("cgroup"),
            lambda fields, book: re.search(r"^0::(.*)$", book["cgroup"], re.M)[1])


@case
def memory():
    """resident and virtual memory, to the page where /proc counts exactly"""
    def bytes_of(fields, name):
        return int(fields[name].split()[0]) * 1024 if name in fields else None

    compare("VmSize", lambda task: task.get("vsize_bytes"), lambda fields, book: bytes_of(fields, "VmSize"))
    slack = 4096 * 32 * guest.facts.get("cpus", 4)
    for tid, book in still.items():
        wanted, later = (bytes_of(status(one), "VmRSS") for one in (book, after[tid]))
        got = tasks[tid].get("rss_bytes")
        if wanted != later:
            continue
        assert got == wanted or wanted is not None and abs(got - wanted) <= slack, (tid, got, wanted)


@case
def schedule():
    """priority, niceness, number of threads, time of start"""
    def of_book(fields, book):
        words = book["stat"].rsplit(")", 1)[1].split()
        return int(words[15]), int(words[16]), int(words[17]), int(words[19])

    compare("stat", lambda task: (task["prio"] - 100, task["nice"], task.get("threads", 0),
                                  task["start_boottime_ns"] // 10000000), of_book)


@case
def maps():
    """all mappings, line by line"""
    lines = {}
    for record in records:
        if record["type"] == "mapping":
            name = record.get("name", "").replace("\n", "\\012")
            text = (f"{int(record['start'], 16):08x}-{int(record['end'], 16):08x} {record['permissions']} "
                    f"{int(record['offset'], 16):08x} {record['dev']} {record['inode']}")
            lines.setdefault(record["pid"], []).append(" ".join([*text.split(), *name.split()]))
    for tid in still:
        tasks[tid]["maps"] = lines.get(tid, [])
    compare("maps", lambda task: task["maps"],
            lambda fields, book: [" ".join(line.split()) for line in book.get("maps", "").splitlines()])


@case
def open_files():
    """the crowd's open files have the names of /proc/PID/fd"""
    found = guest.records("ktask", "--files", crowd, target=ram)
    got = {str(record["fd"]): record.get("path") for record in found if record["type"] == "file"}
    assert len(files) > 100, files
    assert_same(got, files, "files")


@case
def stacks():
    """the crowd's stack is that of /proc/PID/stack below the scheduler"""
    record = [one for one in guest.records("ktask", "--stack", crowd, target=ram) if one["type"] == "stack"][0]
    got = [(frame["symbol"], frame["offset"]) for frame in record["frames"]]
    wanted = [(name, int(offset, 16)) for name, offset in re.findall(r"\] (\S+)\+(0x[0-9a-f]+)/", stack)]
    assert wanted and record["method"] == "ORC" and not record.get("frames_truncated"), record
    got = got[-len(wanted):]
    places = guest.symbols(*(name for name, _ in got + wanted))
    assert len(got) == len(wanted), (got, wanted)
    for (name, offset), (own, own_offset) in zip(wanted, got):
        assert offset == own_offset and (name == own or places[name] == places[own]), (got, wanted)


@case
def by_address():
    """a task is found by its address and by its stack's"""
    task = tasks[int(crowd)]
    for address in (task["addr"], hex(int(task["stack"], 16) + 100)):
        text = guest.dill("ktask", address, target=ram).decode()
        assert text.splitlines()[0] == f"task_struct: {task['addr']}", text


@case
def flags():
    """flags by name, those that have kept their numbers in include/linux/sched.h"""
    bits = {"PF_EXITING": 0x4, "PF_WQ_WORKER": 0x20, "PF_FORKNOEXEC": 0x40, "PF_SUPERPRIV": 0x100,
            "PF_KTHREAD": 0x200000, "PF_RANDOMIZE": 0x400000}
    compare("flags", lambda task: sorted(set(task["flags"].split("|")) & set(bits)),
            lambda fields, book: sorted(name for name, bit in bits.items()
                                        if int(book["stat"].rsplit(")", 1)[1].split()[6]) & bit))


@case
def structures_are_where_it_says():
    """the memory at a thread's address holds its name, seen through the gdb stub"""
    with guest.stopped(), guest.gdb() as gdb:
        for tid in sorted(still)[::5]:
            if tasks[tid]["comm"] in ("timeout", "sh", "kernel_books"):  # the agent's, gone by now
                continue
            memory = gdb.read(int(tasks[tid]["addr"], 16), 8192)
            assert tasks[tid]["comm"].encode() + b"\0" in memory, tasks[tid]


@case
def damaged_list():
    """a list that is cut, or loops, is a finding, and no process is missing for it"""
    text = guest.dill("kstruct", "task_struct", "tasks", target=ram).decode()
    offset = int(re.search(r"offset: (0x[0-9a-f]+)", text)[1], 16)
    by_pid = [task for _, task in sorted(tasks.items()) if task["pid"] == task["tgid"]]
    first, middle = (int(by_pid[i]["addr"], 16) + offset for i in (2, len(by_pid) // 2))
    for value, word in ((0xdead000000000100, "unreadable"), (first, "loops")):
        with guest.stopped(), guest.gdb() as gdb:
            whole = guest.save_ram("whole.raw")
            link = gdb.read_u64(middle)
            gdb.write(middle, value.to_bytes(8, "little"))
            damaged = guest.save_ram("damaged.raw")
            gdb.write(middle, link.to_bytes(8, "little"))
        found = guest.records("ktask", target=damaged, statuses=(1,))
        finding = [record for record in found if record["type"] == "finding"]
        assert len(finding) == 1 and finding[0]["kind"] == "task_list" and word in finding[0]["what"], finding
        assert [record for record in found if record["type"] == "task"] == guest.records("ktask", target=whole)


@case
def not_found():
    """a name that no task has is an error that names one near"""
    assert guest.dill("ktask", "crowdy", target=ram, statuses=(3,)) == b""


main()
