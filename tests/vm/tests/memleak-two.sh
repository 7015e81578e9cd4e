#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Two dills at once: the memory that one's maps take (before 5.11 the kernel counted it as locked memory of the
# user) keeps the other from nothing, and each has its own figures.
# timeout: 600
. /tests/memleak-truth

start_program leak_sites
dill memleak -p "${programs##*:}" -i 0 -T 0 --json >first.json 2>first.err &
first=$!
wait_tracing $first first.err
leak_sites=$programs programs=
start_program memaligns
trace_programs
check "exit code 0, not $status" [ "$status" = 0 ]
check "totals of the second" totals_agree_of memaligns.out dill.json
echo >>leak_sites.in
until_true 100 grep -q '^done' leak_sites.out || { echo "FAILED: leak_sites is not done"; exit 1; }
kill -TERM $first
wait $first
status=$?
programs="$programs $leak_sites"
excuse_refusals first.err
check "exit code 0, not $status" [ $status = 0 ]
check "totals of the first" totals_agree_of leak_sites.out first.json
end_programs
exit $((failures != 0))
