# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""A Python program that allocates. For the distribution's python3 with PYTHONMALLOC=malloc.

Prints `ready PID`; then each line N on stdin does N turns and prints `round N`.
"""

import os
import sys


def turn(depth):
    """Some two hundred blocks made and freed, below a few Python frames."""
    if depth:
        return turn(depth - 1)
    table = {}
    for i in range(40):
        table[f"key {i}"] = [i * 1.5, (i, i + 1000)]
    return sorted(table, key=len)


print("ready", os.getpid(), flush=True)
for line in iter(sys.stdin.readline, ""):
    for _ in range(int(line)):
        turn(4)
    print("round", line, end="", flush=True)
