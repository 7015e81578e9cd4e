# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""Folders for the logs and sockets of guests, which no two runs share. They know nothing of what is in them."""

import fcntl
import os


def empty_folder(folder):
    """Remove what an earlier run left in a log folder; make it if need be."""
    os.makedirs(folder, exist_ok=True)
    for old in os.listdir(folder):
        if old.endswith((".log", ".sock", ".cpio", ".pid", ".json", ".raw", ".elf", ".kdump")):
            os.unlink(os.path.join(folder, old))


def claim_folder(root, name):
    """A log folder that no other run uses: NAME, or NAME-2 … while others hold it. Returns (path, lock's fd).

    Closing the descriptor gives the folder free; a kept guest inherits it.
    """
    for number in range(1, 1000):
        folder = os.path.join(root, name if number == 1 else f"{name}-{number}")
        os.makedirs(folder, exist_ok=True)
        descriptor = os.open(os.path.join(folder, ".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        empty_folder(folder)
        return folder, descriptor
    raise OSError(f"no free log folder {root}/{name}")
