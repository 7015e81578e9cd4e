#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# memleak's figures are the programs' own, to the byte, for several processes traced at once.
# timeout: 600
# also: 6.12
. /tests/memleak-truth

for program in leak_sites musl_leak realloc_storm mmap_halves threads memaligns exec_chain; do
	start_program $program
done
trace_programs
check "exit code 0, not $status" [ "$status" = 0 ]
check "totals of seven processes" totals_agree
check "figures of each site" sites_agree ./*.out
check "a report for each image" [ "$(grep -c '^{"type":"report"' dill.json)" = 8 ]
check "nothing dropped" nothing_dropped
check "stacks that are cut say so" stacks_whole_or_noted
check "stacks are whole" stacks_whole
end_programs
grep broken ./*.out && failures=1
exit $((failures != 0))
