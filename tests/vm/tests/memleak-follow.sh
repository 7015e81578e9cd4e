#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# With --follow memleak keeps books of children that fork, exec and exit, apart from their parent's.
# timeout: 200
. /tests/memleak-truth

start_program forks
trace_programs --follow
check "exit code 0, not $status" [ "$status" = 0 ]
check "totals of the parent and each child" totals_agree
check "figures of each site" sites_agree
check "nothing dropped" nothing_dropped
end_programs
grep broken ./*.out && failures=1
exit $((failures != 0))
