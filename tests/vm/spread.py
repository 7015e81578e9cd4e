# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
"""Which kernels a test is run on when not all of them are (--spread), and which boot begins first.

The oldest kernel and the newest one have every test. Between them a test has those that it names by `# also:`:
where what it is about changed, so that neither end shows how it is there. One with `# any: yes` is about something
else than the kernel, and has the newest one alone.
"""

# What tells the boots of one test from those of many: a boot lasts about as long as a short test.
BOOT_S = 10


def kernels_for(test, series):
    """Those of `series`, oldest first, that the test is run on."""
    wanted = test.kernels or (series[0], *test.also, series[-1])
    found = [name for name in series if name in wanted]
    return found[-1:] if test.takes_any else found


def weight(tests):
    """Grows with how long a boot lasts that has these tests: what they ask for says how long each one is."""
    return BOOT_S + sum(test.timeout_s for test in tests)
