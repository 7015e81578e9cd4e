#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# memleak traces a command from its first instruction to its exit, and reports what it held then.
# timeout: 600
. /tests/memleak-truth

# What libc allocates before main is in the totals, so figures are compared site by site.
run_command() {
	dill memleak -i 0 -T 0 --json -- "$@" >all.out 2>dill.err </dev/null
	status=$?
	[ ! -s dill.err ] || sed 's/^/dill: /' dill.err
	excuse_refusals
	grep '^{"type"' all.out >dill.json
	check "$1: exit code 0, not $status" [ "$status" = 0 ]
	check "$1: figures of each site" sites_agree all.out
	check "$1: nothing dropped" nothing_dropped
}

run_command leak_sites
run_command early_exit
run_command exec_chain
run_command threads
exit $((failures != 0))
