#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""gdb with dill-tracer between it and QEMU's stub: works as without, and whoever dies leaves a healthy guest.

What is in between knows the stub, not the kernel, and it is long: so on four CPUs of the oldest kernel and on two of the
newest.
"""
# timeout: 600
# any: yes
# ruins: yes
# once: yes
# kernels: 5.10 7.3
import contextlib
import os
import random
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from gdb_session import Gdb, plugin_path  # noqa: E402
from target import Guest, case, main  # noqa: E402

guest = Guest()
PLUGIN = plugin_path(guest.dill_path)
TRACER = os.path.join(os.path.dirname(PLUGIN), "dill-tracer")
SYMBOLS = guest.symbols("gfp_allowed_mask", "jiffies_64", "__x64_sys_openat")
INTERRUPTED = r"SIGINT"
LOST = "Remote connection closed|Target disconnected"
# What interpose.c does, for a target that the plugin can't know: it is no kernel.
INTERPOSE = f"""python
import os, socket, subprocess
fd = [int(n) for n in os.listdir("/proc/self/fd") if os.path.exists("/proc/self/fd/" + n)
      and os.readlink("/proc/self/fd/" + n).startswith("socket:")][0]
gdb_end, tracer_end = socket.socketpair()
control = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
back = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
theirs = [tracer_end.fileno(), fd, control[1].fileno(), back[1].fileno()]
subprocess.run(["{TRACER}", *map(str, theirs), "0"], pass_fds=theirs, check=True)
for one in tracer_end, control[1], back[1]: one.close()
print("ready", back[0].recv(1000)[:4])
os.dup2(gdb_end.fileno(), fd)
gdb_end.close()
end"""


def status():
    return guest.monitor("query-status")["status"]


def await_status(wanted, limit_s=60):
    """Seen once: while traps are met a running guest stands still now and then."""
    end = time.monotonic() + limit_s
    while (seen := status()) != wanted:
        assert time.monotonic() < end, (seen, wanted)
        time.sleep(0.05)


def processes():
    """dill-tracers whose gdb began in this folder, which is this guest's alone: {pid: parent}."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if os.path.basename(os.readlink(f"/proc/{pid}/exe")) == "dill-tracer" and \
                    os.readlink(f"/proc/{pid}/cwd") == os.getcwd():
                with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                    found[int(pid)] = int(file.read().rpartition(")")[2].split()[1])
    return found


def tracers():
    """Without their guards."""
    found = processes()
    return [pid for pid, parent in found.items() if parent not in found]


def await_no_tracer(limit_s=60):
    end = time.monotonic() + limit_s
    while processes() and time.monotonic() < end:
        time.sleep(0.05)
    assert not processes(), processes()


def is_healthy():
    """It runs, and goes on running while it meets everything that was trapped."""
    await_status("running")
    assert guest.text("i=0; while [ $i -lt 50 ]; do ls /bin >/dev/null; i=$((i+1)); done; echo alive") == "alive\n"
    assert status() == "running"
    await_no_tracer()


@contextlib.contextmanager
def load():
    """ls, over and over, in the guest, which must run again at the end."""
    pid = guest.text("setsid sh -c 'while :; do ls /bin >/dev/null; done' >/dev/null 2>&1 </dev/null & echo $!")
    try:
        yield
    except BaseException:
        guest.monitor("cont")  # however the case has left it: the next ones find a guest that runs, without this load
        guest.run(f"kill {pid.strip()}")
        raise
    guest.text(f"kill {pid.strip()}")


def traced(gdb):
    """Put the tracer there, with all its traps."""
    gdb.run("set pagination off")
    gdb.run("set architecture i386:x86-64")
    answer = gdb.run("dill run") + gdb.run("dill ls") + gdb.run("dill on")
    assert len(tracers()) == 1, answer
    return tracers()[0]


@case
def gdb_works_as_without():
    """breakpoints, watchpoints, steps, threads and memory are as without the tracer"""
    with Gdb(PLUGIN, target="gdb.sock") as gdb:
        def seen():
            return [gdb.run(line) for line in
                    ("info threads", f"x/4gx {SYMBOLS['gfp_allowed_mask']:#x}", f"thread {min(guest.cpus, 2)}",
                     "info registers rip rsp", "x/2i $pc", "thread 1", "info registers rip gs_base", "x/x 0x10")]
        gdb.run("set architecture i386:x86-64")
        before = seen()
        traced(gdb)
        assert seen() == before
        gdb.run("dill stop")
        assert seen() == before
    is_healthy()


@case
def gdbs_own_stops():
    """gdb's breakpoints, watchpoints and steps stop the target while traps of ours are met"""
    with load(), Gdb(PLUGIN, target="gdb.sock") as gdb:
        traced(gdb)
        for kind in "break", "hbreak":
            gdb.run(f"{kind} *{SYMBOLS['__x64_sys_openat']:#x}")
            for _ in range(3):
                answer = gdb.run("continue")
                assert "reakpoint" in answer and "SIG" not in answer, answer
                assert gdb.evaluate("$pc") == SYMBOLS["__x64_sys_openat"]
                gdb.run("stepi")
                assert gdb.evaluate("$pc") != SYMBOLS["__x64_sys_openat"]
            gdb.run("delete")
        # A trap that is ours as well.
        gdb.run(f"rwatch *(int *){SYMBOLS['gfp_allowed_mask']:#x}")
        for _ in range(5):
            answer = gdb.run("continue")
            assert "read watchpoint" in answer and "SIG" not in answer, answer
        gdb.run("delete")
        gdb.run(f"watch *(long *){SYMBOLS['jiffies_64']:#x}")
        answer = gdb.run("continue")
        assert re.search(r"Old value = (\d+)\s+New value = (\d+)", answer), answer
        gdb.run("delete")
        places = []
        for _ in range(20):
            assert "SIG" not in gdb.run("stepi")
            places.append(gdb.evaluate("$pc"))
        # A string instruction takes many steps.
        assert len(set(places)) > 3, places
        gdb.run("detach")
    is_healthy()


@case
def ctrl_c_twenty_times():
    """Ctrl-C stops the target whatever is under way, twenty times"""
    with load(), Gdb(PLUGIN, target="gdb.sock") as gdb:
        traced(gdb)
        def stops_after(pause_s):
            gdb.send("continue")
            gdb.wait_for("Continuing")
            time.sleep(pause_s)
            gdb.interrupt()
            text = gdb.wait()
            assert re.search(INTERRUPTED, text), text[-500:]
            assert status() in ("paused", "debug")

        for turn in range(20):
            # In the first milliseconds gdb hasn't let the target run yet.
            stops_after(0.05 * (turn % 7) if turn % 2 else random.random() * 0.004)
        end = time.monotonic() + 120
        while int(re.search(r"^stops +(\d+)", answer := gdb.run("dill status"), re.M)[1]) <= 100:
            assert time.monotonic() < end, answer
            stops_after(1)
        gdb.run("detach")
    is_healthy()


@case
def words_while_it_runs():
    """words to the tracer while the target runs go unnoticed, and gdb stops it afterwards"""
    with load(), Gdb(PLUGIN, target="gdb.sock") as gdb:
        traced(gdb)
        gdb.run("continue&")
        time.sleep(0.5)
        for line in "dill status", "dill off", "dill on", "dill stop", "dill status":
            gdb.run(line)
            await_status("running")
        gdb.send("interrupt")
        gdb.wait_for(INTERRUPTED)
        gdb.wait_for(r"0x\w+ in .*\n")  # after which gdb shows no prompt
        assert status() in ("paused", "debug")
        assert "SIG" not in gdb.run("stepi")
        gdb.run("detach")
    is_healthy()


@case
def leaving():
    """detach, quit, disconnect and a killed gdb leave no trap behind"""
    for way in "detach", "quit":
        with load(), Gdb(PLUGIN, target="gdb.sock") as gdb:
            traced(gdb)
            gdb.send("continue")
            gdb.wait_for("Continuing")
            time.sleep(0.5)
            gdb.interrupt()
            assert re.search(INTERRUPTED, gdb.wait())
            if way == "detach":
                gdb.run("detach")
        is_healthy()
    with Gdb(PLUGIN, target="gdb.sock") as gdb:
        traced(gdb)
        gdb.run("disconnect")
        await_no_tracer()
        assert status() != "running"
        guest.monitor("cont")
    is_healthy()


@case
def killed_gdb():
    """a gdb that is killed sets a running guest free, and leaves a stopped one stopped, without traps"""
    for pause_s in 0.02, 0.3:
        with load(), Gdb(PLUGIN, target="gdb.sock") as gdb:
            traced(gdb)
            gdb.send("continue")
            gdb.wait_for("Continuing")
            time.sleep(pause_s)
            gdb.kill()
            await_status("running")
        is_healthy()
    with Gdb(PLUGIN, target="gdb.sock") as gdb:
        traced(gdb)
        gdb.kill()
        await_no_tracer()
        assert status() != "running"
        guest.monitor("cont")
    is_healthy()


@case
def killed_tracer():
    """a tracer that is killed sets a running guest free; gdb lives, is told, and may connect anew"""
    for is_running in True, False:
        with load(), Gdb(PLUGIN, target="gdb.sock") as gdb:
            pid = traced(gdb)
            gdb.send("continue")
            gdb.wait_for("Continuing")
            time.sleep(0.5)
            if not is_running:
                gdb.interrupt()
                assert re.search(INTERRUPTED, gdb.wait())
            os.kill(pid, signal.SIGKILL)
            await_no_tracer()
            if is_running:
                assert re.search(LOST, gdb.wait())
                await_status("running")
            else:
                assert re.search(LOST, gdb.run("stepi"))
                time.sleep(1)  # the guard has something to say
                assert status() != "running"
            answer = gdb.run("target remote gdb.sock")
            assert "Remote debugging" in answer, answer
            assert "SIG" not in gdb.run("stepi")
            gdb.run("detach")
        is_healthy()


@case
def killed_target():
    """gdb lives when the target is killed under it"""
    with subprocess.Popen(["qemu-system-x86_64", "-nodefaults", "-display", "none", "-S", "-gdb",
                           "unix:bare.sock,server=on,wait=off"], stdin=subprocess.DEVNULL) as qemu:
        try:
            while not os.path.exists("bare.sock"):
                time.sleep(0.05)
            with Gdb(target="bare.sock") as gdb:
                for line in INTERPOSE.split("\n")[:-1]:
                    gdb.send(line)
                assert "ready b'\\x00\\x00\\x00\\x00'" in gdb.run("end")
                assert len(tracers()) == 1
                assert "SIG" not in gdb.run("stepi")
                gdb.send("continue")
                gdb.wait_for("Continuing")
                qemu.kill()
                assert re.search(LOST, gdb.wait())
                assert gdb.run("print 6 * 7") == "$1 = 42\n"
            await_no_tracer()
        finally:
            qemu.kill()
            os.unlink("bare.sock")


main()
