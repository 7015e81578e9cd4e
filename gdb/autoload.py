# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""Loads dill.py as soon as gdb gets a vmlinux: for gdb's folder of start files, or `source` in a gdbinit.

gdb's own auto-loading goes by a file's full path, or by a section in the file; a kernel may lie anywhere and
names no script. Does nothing for other programs, nor after `set auto-load python-scripts off`.
"""


def dill_await_kernel(folder):
    """Everything is local to this: gdb runs all start files in one namespace, the user's."""
    import os
    import sys

    import gdb

    dill = os.path.join(os.path.abspath(folder), "dill.py")

    def is_kernel(objfile):
        """By its name first, which costs nothing: most programs are none."""
        name = os.path.basename(objfile.filename or "")
        if not (name.startswith("vmlinux") or "kernel" in name):
            return False
        try:
            gdb.parse_and_eval("&init_task")
            return True
        except gdb.error:
            return False

    def load(event):
        """Once; whatever goes wrong leaves gdb as it was."""
        if not gdb.parameter("auto-load python-scripts") or not is_kernel(event.new_objfile):
            return
        gdb.events.new_objfile.disconnect(load)
        if "dill_gdb" in sys.modules or not os.path.exists(dill):
            return
        try:
            gdb.execute(f"source {dill}")
        except gdb.error as problem:
            gdb.write(f"dill was not loaded: {problem}\n", gdb.STDERR)

    gdb.events.new_objfile.connect(load)


# Beside this file; in gdb's folder `make install` puts in the path.
dill_await_kernel(__file__ + "/..")
del dill_await_kernel
