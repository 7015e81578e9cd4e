# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""What a dill that was killed may not leave behind: objects of the kernel, processes in a wrong state."""

import json
import os
import shutil
import subprocess
import time

import truth
from truth import check

BPFTOOL = shutil.which("bpftool") or "/usr/sbin/bpftool"


def kernel_objects():
    """{(kind, id): bytes} of BPF programs, links and maps that no living process owns, and uprobes with a name."""
    found = {}
    if os.path.exists(BPFTOOL):
        for kind in ("prog", "link", "map"):
            shown = subprocess.run([BPFTOOL, "-j", kind, "show"], capture_output=True, text=True, check=False)
            for item in json.loads(shown.stdout or "[]"):
                if not item.get("pids"):
                    found[kind, item["id"]] = item.get("bytes_memlock", 0)
    try:
        with open("/sys/kernel/tracing/uprobe_events") as file:
            found.update({("uprobe_events", line): 0 for line in file})
    except OSError:
        pass
    return found


def check_nothing_left(before):
    """The kernel frees them a little after their last owner: wait for that. Ids are never used twice."""
    # bpftool opens every map. An array of programs that it opens while the kernel is emptying it stays for ever (6.18:
    # prog_array_map_clear() takes a reference though its work is queued already), so it is not called at once.
    time.sleep(3)
    left = {key: size for key, size in kernel_objects().items() if key not in before}

    def is_clean():
        now = kernel_objects()
        for key in [key for key in left if key not in now]:
            del left[key]
        return not left

    try:
        truth.wait_until(is_clean, "all of dill's objects are gone", 120)
    except truth.Broken:
        pass
    attached = [key for key in left if key[0] != "map"]
    check(not attached, f"programs, links and uprobes left in the kernel: {attached[:10]}")
    # A map that nothing uses harms nobody; a big one would.
    check(sum(left.values()) <= 65536, f"bytes of maps left: {sum(left.values())} {[key[1] for key in left][:10]}")


def state_of(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "-"


def is_tracing(tracer):
    try:
        with open(f"/proc/{tracer.child.pid}/syscall") as file:
            return file.read().split(" ")[0] in truth.EPOLL_CALLS
    except OSError:
        return False


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def images_of(pids):
    images = []
    for pid in pids:
        try:
            images.append(os.readlink(f"/proc/{pid}/exe"))
        except OSError:
            pass
    return images
