# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""Runs dill without privileges and says in TAP whether it behaved. Imported by tests/cli/*.test."""

import json
import os
import re
import subprocess
import sys
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DILL = os.path.join(os.environ.get("O", os.path.join(ROOT, "build")), "dill")
DATA = os.path.join(ROOT, "tests", "data", "memleak")
CASES = []


def case(function):
    CASES.append(function)
    return function


def dill(*arguments, locale="C.UTF-8", **settings):
    environment = {"PATH": os.environ["PATH"], "LC_ALL": locale, "TERM": "dumb", "TZ": "UTC", **settings}
    return subprocess.run([DILL, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment,
                          timeout=60, check=False)


def replay(name, *options, **settings):
    return dill("memleak", "--replay", os.path.join(DATA, name), *options, **settings)


def same(got, wanted, what):
    assert got == wanted, f"{what}: {got!r}, not {wanted!r}"


def records(result, kind=None):
    lines = [json.loads(line) for line in result.stdout.decode("utf-8").splitlines()]
    return [line for line in lines if kind in (None, line["type"])]


def assert_harmless(output, what):
    """No byte that a terminal acts on: C0 but newline and tab, DEL, C1, and well-formed UTF-8 without bidi controls."""
    text = output.decode("utf-8")
    bad = re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]", text)
    assert not bad, f"{what}: {bad.group()!r} in {text[max(0, bad.start() - 40):bad.end() + 40]!r}"


def main():
    print(f"1..{len(CASES)}")
    failed = False
    for number, function in enumerate(CASES, 1):
        try:
            function()
            print(f"ok {number} - {function.__doc__}")
        except Exception:  # a test's failure is an output, whatever it is
            failed = True
            print("# " + traceback.format_exc().strip().replace("\n", "\n# "))
            print(f"not ok {number} - {function.__doc__}")
    sys.exit(failed)
