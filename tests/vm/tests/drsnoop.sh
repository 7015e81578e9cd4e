#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# drsnoop shows each reclaim of a memory cgroup that is too small for what its task reads: who it was and from where in the
# program, whose memory it was, how much the machine had free.
# timeout: 900
# also: 6.12
# disk: 128
. /tests/trace-truth
sum() { awk '{ sum += $1 } END { print sum + 0 }'; }
echo +memory >/sys/fs/cgroup/cgroup.subtree_control || { echo "SKIP: no memory controller"; exit 77; }
mkdir /sys/fs/cgroup/drsnoop && echo 12M >/sys/fs/cgroup/drsnoop/memory.max || exit 1
dill drsnoop -v -K --json --cgroup drsnoop >events 2>errors &
tracer=$!
wait_tracing $tracer || exit 1
exec 3</dev/vda # held open: what was read stays in memory when read_through closes it, and counts as free on neither side
sh -c 'echo $$ >/sys/fs/cgroup/drsnoop/cgroup.procs; exec read_through /dev/vda 64 2000' || exit 1
free_kb=$(sed -n 's/^MemFree: *\([0-9]*\).*/\1/p' /proc/meminfo)
wanted=$(sed -n 's/^pgsteal //p' /sys/fs/cgroup/drsnoop/memory.stat)
kill -INT $tracer
wait $tracer || only_recursion events || { tail -5 errors; exit 1; }
tail -2 events
cut -d[ -f1 events | grep '"cgroup":"/drsnoop"' >heads # all but the stacks
grep '"comm":"read_through"' heads | grep '"kind":"memcg"' | grep '"memcg":"/drsnoop"' >reads
shown=$(sed -n 's/.*"reclaimed_pages":\([0-9]*\).*/\1/p' reads | sum)
echo "the cgroup's own count: $wanted pages, in events: $shown"
# Events may have more, never less. pgsteal lacks up to MEMCG_CHARGE_BATCH pages of each CPU that are not yet added up
# (__count_memcg_events(), memcg_rstat_updated()), and slab pages, which a reclaim's result included until 583c27a1671a
# ("mm: vmscan: ignore non-LRU-based reclaim in memcg reclaim"). Both are small beside what was read: 2 %.
misses=$(recursion_misses events) # each may be a whole reclaim
[ "$shown" -gt 1000 ] && { [ "$shown" -ge "$wanted" ] || [ "$misses" -gt 0 ]; } &&
	[ "$((shown - wanted))" -le "$((wanted / 50 + 2 * 64 * $(nproc)))" ] || { echo "not ok: pages"; exit 1; }
free=$(($(sed -n 's/.*"free_bytes":\([0-9]*\).*/\1/p' reads | tail -1) / 1024))
echo "free memory: $free_kb KiB, in the last event: $free KiB" # the program's own pages and those that CPUs hold back differ
[ $((free - free_kb)) -lt 8192 ] && [ $((free_kb - free)) -lt 8192 ] || { echo "not ok: free memory"; exit 1; }
awk 'index($0, "\"user_stack\"") && index($0, "\"read_piece\"") && index($0, "\"read_all\"") && index($0, "\"_start\"") { found = 1 }
     END { exit !found }' events ||
	{ echo "no user stack reaches _start"; tail -3 events | head -1; grep -v libbpf errors; exit 1; }
