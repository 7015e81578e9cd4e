#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""What the tests on the host count on: agent, machine, stopping, gdb stub. No dill."""
# timeout: 200
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
from target import Guest, case, main  # noqa: E402

guest = Guest()


@case
def agent_runs_lines():
    """the agent gives status and output of shell lines"""
    assert guest.run("echo one; echo two >&2; exit 7") == (7, b"one\ntwo\n")
    assert len(guest.text("head -c 100000 /dev/zero | tr '\\0' x")) == 100000


@case
def machine_is_as_asked():
    """CPUs, nodes and command line are those of the variant"""
    assert int(guest.text("grep -c ^processor /proc/cpuinfo")) == guest.cpus
    assert int(guest.text("ls -d /sys/devices/system/node/node* | wc -l")) == guest.nodes
    assert guest.facts["cmdline"] in guest.text("cat /proc/cmdline")


@case
def gdb_reads_and_writes():
    """memory read through the gdb stub is the kernel's, and what is written stays"""
    banner = guest.text("cat /proc/version").encode()
    address = guest.symbols("linux_banner")["linux_banner"]
    with guest.stopped(), guest.gdb() as gdb:
        assert gdb.read(address, len(banner)) == banner
        gdb.write(address, b"l")
        assert gdb.read(address, len(banner)) == b"l" + banner[1:]
        gdb.write(address, banner[:1])


main()
