#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""dill inside gdb that stopped in user mode, with page-table isolation: the CPU's tables have no kernel in them.

Without it: gdb_states. QEMU's CPUs are none that need it, so a kernel has it only when it is told to. On the oldest
and the newest kernel, for this is a boot of its own and the page tables of all between look the same.
"""
# timeout: 300
# cmdline: pti=on
# kernels: 5.10 7.3
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import user_mode  # noqa: E402
from gdb_session import plugin_path  # noqa: E402
from target import Guest, Skip, case, main  # noqa: E402

guest = Guest()


@case
def isolated():
    """in user mode with page-table isolation kernel memory is found, traced and has symbols"""
    symbols = guest.symbols("_text", "init_task", "do_exit")
    if not user_mode.check(guest, plugin_path(guest.dill_path), symbols, is_isolated=True):
        raise Skip("the CPU was never met in user mode")


main()
