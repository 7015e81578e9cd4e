#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# With --follow memleak keeps books of children that fork, exec and exit, apart from their parent's.
# timeout: 600
. /tests/memleak-truth

# What libc allocates before main is in the totals of an image that is new, and such a short one may have no names.
followed_totals_agree() {
	totals_of_programs forks.out | grep -v "^$exec_child " >totals.programs
	totals_of_dill dill.json | grep -v "^$exec_child " >totals.dill
	same totals.programs totals.dill
}

# Each of the five children goes on when dill says that it traces it.
answer_children() {
	for child in 1 2 3 4 5; do
		until [ "$(grep -c '^asks ' forks.out)" = $child ]; do usleep 50000; done
		pid=$(sed -n 's/^asks //p' forks.out | tail -1)
		until grep -q "tracing process $pid:" dill.err; do usleep 50000; done
		echo >>forks.in
	done
}

start_program forks --ask
: >dill.err
answer_children &
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
