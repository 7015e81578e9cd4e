#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# usdt shows a program's probes with the arguments that the program says, by each source there is, in one process and in all.
# timeout: 300
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
	if ! dill usdt --source $source probes:none -o /programs/probes -d 0.01s >/dev/null 2>errors; then
		grep "can be used here" errors && continue
		cat errors; exit 1
	fi
	sources="$sources $source"
	trace_program "usdt probes libc:* --source $source" -- probes || exit 1
	compare || exit 1
	grep -q "^watched 3" truth || { echo "the semaphore was not raised"; cat truth; exit 1; }

	# A command from its first instruction on; what it starts, and programs that it becomes.
	for command in "exec probes --again=3 >truth" "{ probes; exec probes; } >truth"; do
		dill usdt probes 'libc:memory_*' --source $source -o /programs/probes --json -- sh -c "$command" >events 2>errors ||
			{ cat errors; exit 1; }
		compare || exit 1
	done
	dill usdt probes:twice --source $source --json -- probes >out 2>errors || { cat errors; exit 1; }
	[ "$(grep -c probes:twice out)" = 4 ] || { echo "the command's own file was not looked in"; cat out errors; exit 1; }
done
[ "$sources" ] || { echo "SKIP: no source of uprobes"; exit 77; }
echo "sources:$sources"

# Nobody watches any more: the semaphore is back at 0.
probes >truth
grep -q "^watched 0" truth || { echo "the semaphore stayed raised"; exit 1; }

# Unwound through the program; another process's events are left out.
mkfifo stay; probes --wait <stay >others & exec 4>stay
trace_program "usdt libc:memory_sbrk_more -K" -- probes || exit 1
echo >&4; exec 4>&-; wait
[ "$(grep -c '"type":"usdt"' events)" = 1 ] || { cat events; exit 1; }
grep -q '"stack":.*"allocator".*"main".*"_start"' events || { echo "no stack reaches _start"; cat events; exit 1; }

# A C library without probes is said to have none; nothing else is made up.
dill usdt -o /bin/busybox >out 2>errors; [ $? = 3 ] || exit 1
grep -q "no such probe in 1 file, of which 0 have any" errors || { cat errors; exit 1; }
