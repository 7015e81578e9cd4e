#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# With --follow memleak keeps books of children that fork, exec and exit, apart from their parent's.
# timeout: 200
. /tests/memleak-truth

# What libc allocates before main is in the totals of an image that is new, and such a short one may have no names.
followed_totals_agree() {
	totals_of_programs forks.out | grep -v "^$exec_child " >totals.programs
	totals_of_dill dill.json | grep -v "^$exec_child " >totals.dill
	same totals.programs totals.dill
}

# Attaching to a child takes a guest seconds, and detaching from the one before it, too.
start_program forks --pause=8000
trace_programs --follow
grep -v '^site leak_after_exec ' forks.out >known.out
exec_child=$(sed -n 's/^truth pid=\([0-9]*\) .*role=exec$/\1/p' forks.out)
check "exit code 0, not $status" [ "$status" = 0 ]
check "totals of the parent and each child that forks" followed_totals_agree
check "figures of each site" sites_agree known.out
check "two images of the child that execs" [ "$(grep -c "\"type\":\"report\",.*\"pid\":$exec_child," dill.json)" = 2 ]
check "nothing dropped" nothing_dropped
end_programs
grep broken ./*.out && failures=1
exit $((failures != 0))
