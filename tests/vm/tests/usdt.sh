#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# usdt shows a program's probes with the arguments that the program says, by each source there is, in one process and in all.
# timeout: 500
# also: 6.12
. /tests/trace-truth

said() { sed -n 's/^met //p' truth | sort; }
# "PROBE ARG…" of each event, "?" for those that could not be read.
shown() {
	awk "$json_functions"'/"type":"usdt"/ {
		line = of("probe"); count = gsub("=", "=", $0) # each argument has one in the text, and nothing else has
		for (i = 1; i <= count; i++) { value = of("arg" i); line = line " " (value == "" ? "?" : value) }
		print line
	}' events | sort
}
compare() {
	said >one
	shown >other
	diff one other && nothing_lost && return 0
	cat truth events; grep -v libbpf errors | tail -5
	return 1
}

for source in uprobe_multi perf; do
	# A file without probes is said to have none; where the source can't be used, that comes first.
	dill usdt --source $source probes -o /bin/busybox >out 2>errors; [ $? = 3 ] || { cat out errors; exit 1; }
	grep "can be used here" errors && continue
	grep -q "no such probe in 1 file, of which 0 have any" errors || { cat errors; exit 1; }
	sources="$sources $source"
	trace_program "usdt probes libc:* --source $source" -- probes || exit 1
	compare || exit 1
	grep -q "^watched 3" truth || { echo "the semaphore was not raised"; cat truth; exit 1; }
done
[ "$sources" ] || { echo "SKIP: no source of uprobes"; exit 77; }
echo "sources:$sources"

# A command from its first instruction on; what it starts, and the program that it becomes.
dill usdt probes 'libc:memory_*' -o /programs/probes --json -- sh -c '{ probes --again=2; exec probes; } >truth' >events 2>errors ||
	{ cat errors; exit 1; }
compare || exit 1

# Nobody watches any more: the semaphore is back at 0.
probes >truth
grep -q "^watched 0" truth || { echo "the semaphore stayed raised"; exit 1; }

# Unwound through the program; another process's events are left out.
mkfifo stay; probes --wait <stay >others & exec 4>stay
trace_program "usdt libc:memory_sbrk_more -K" -- probes || exit 1
echo >&4; exec 4>&-; wait
[ "$(grep -c '"type":"usdt"' events)" = 1 ] || { cat events; exit 1; }
grep -q '"stack":.*"allocator".*"main".*"_start"' events || { echo "no stack reaches _start"; cat events; exit 1; }
