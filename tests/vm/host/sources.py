#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""Every source of the same stopped guest gives the same bytes, and leaves the guest as it was."""
# timeout: 400
# any: yes
# once: yes
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from target import Guest, case, main  # noqa: E402

COMMANDS = {"kbase": ["kbase"], "ktask": ["ktask", "-t"], "kcache": ["kcache"]}

guest = Guest()
guest.start_crowd()
guest.monitor("stop")
sources = {"gdb stub": "gdb:./gdb.sock", "QMP": "qmp:./qmp.sock", "raw RAM": guest.save_ram(),
           "ELF dump": guest.save_dump("dump.elf"),
           "kdump-compressed dump": guest.save_dump("zlib.kdump", form="kdump-zlib")}
# QEMU 7.2 leaves the second node's memory out of such a dump's direct map: FileSiz < MemSiz.
if guest.nodes == 1:
    sources["ELF dump with paging"] = guest.save_dump("paging.elf", paging=True)


def compare(command):
    wanted = guest.dill(*COMMANDS[command], "--json", target=sources["raw RAM"])
    assert wanted
    wrong = []
    for name, target in sources.items():
        try:
            output = guest.dill(*COMMANDS[command], "--json", target=target)
        except AssertionError as error:
            wrong.append(f"{name}: {error}")
            continue
        if output != wanted:
            pairs = zip(output.splitlines(), wanted.splitlines())
            first = next(((ours, theirs) for ours, theirs in pairs if ours != theirs), "another number of lines")
            wrong.append(f"{name} differs from raw RAM: {first}")
    assert not wrong, "\n".join(wrong)


@case
def kbase():
    """kbase: the same bytes from all sources"""
    compare("kbase")


@case
def ktask():
    """ktask: the same bytes from all sources"""
    compare("ktask")


@case
def kcache():
    """kcache: the same bytes from all sources"""
    compare("kcache")


@case
def stopped_stays_stopped():
    """a stopped guest is stopped after a look through the gdb stub and QMP"""
    for name in "gdb stub", "QMP":
        guest.dill("kbase", target=sources[name])
        assert not guest.monitor("query-status")["running"], name


@case
def running_goes_on():
    """a running guest runs after a look through the gdb stub and QMP"""
    for name in "gdb stub", "QMP":
        guest.monitor("cont")
        guest.dill("kbase", target=sources[name])
        assert guest.monitor("query-status")["running"], name
        assert guest.text("echo alive") == "alive\n"


main()
