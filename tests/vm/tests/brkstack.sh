#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# brkstack adds up what a program says that its functions grew, shrank and failed to grow, also by mappings with --mmap.
# timeout: 500
. /tests/trace-truth

said() { sed -n 's/^heap \([a-z_]*\) grown=\([0-9]*\) shrunk=\([0-9]*\) calls=\([0-9]*\) failed=\([0-9]*\)/\1 \2 \3 \4 \5/p' truth | sort; }
# By the function of the program that the stack leads through.
shown() {
	awk "$json_functions"'/"type":"heap_growth"/ {
		for (name in functions_) if (index($0, "\"" name "\"")) {
			grown[name] += of("grown_bytes"); shrunk[name] += of("shrunk_bytes"); calls[name] += of("calls")
			failed[name] += of("failed")
		}
	}
	BEGIN { split("grow_break shrink_break fail_break grow_arena map_block", list, " "); for (i in list) functions_[list[i]] = 1 }
	END { for (name in calls) print name, grown[name], shrunk[name], calls[name], failed[name] }' events | sort
}
try() {
	trace_program brkstack $1 --top 0 -- heap_growth $1 || return 1
	said >one
	shown >other
	diff one other && nothing_lost && grep -q '"stacks_lost":0' events && return 0
	cat truth events
	grep -v libbpf errors | tail -5
	return 1
}
try || exit 1
grep -q '"stack":.*"grow_break".*"main".*"_start"' events || { echo "no stack reaches _start"; cat events; exit 1; }
try --mmap || exit 1

# Each call by itself: the break goes on where it was.
trace_program brkstack --events -- heap_growth || exit 1
nothing_lost || exit 1
awk "$json_functions"'/"heap_call"/ {
	if (last && of("old_break") != last) { print "break at " of("old_break") ", was " last; bad = 1 }
	last = of("new_break"); change += of("change_bytes"); failed += of("error") == "ENOMEM"; calls++
}
END { print calls, failed, change; exit bad }' events >sums || { cat sums; exit 1; }
cat sums
[ "$(cat sums)" = "10 1 69732" ] # 7 * 12288 + 100 - 16384
