#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# drsnoop shows each reclaim of a memory cgroup that is too small for what its task reads, and who it was; and each direct
# reclaim of the whole machine, the same by every source.
# timeout: 300
# disk: 256
# modules: virtio_blk
echo +memory >/sys/fs/cgroup/cgroup.subtree_control || { echo "SKIP: no memory controller"; exit 77; }
mkdir /sys/fs/cgroup/small && echo 12M >/sys/fs/cgroup/small/memory.max || exit 1
vmstat_sum() { awk -v names=" $1 " 'index(names, " " $1 " ") { sum += $2 } END { print sum + 0 }' "$2"; }
STALLS="allocstall_dma allocstall_dma32 allocstall_normal allocstall_movable allocstall_device"
failed=0

for source in tracepoints kprobes fentry; do
	stacks=
	[ $source = fentry ] && stacks=-K
	dill drsnoop -v $stacks --json --source $source >"$source.events" 2>"$source.errors" &
	eval "tracer_$source=$!"
done
for source in tracepoints kprobes fentry; do
	until grep -q "drsnoop: tracing" "$source.errors"; do
		eval "kill -0 \$tracer_$source" || { tail -25 "$source.errors"; exit 1; }
		sleep 0.2
	done
done

# Programs can be preempted from 7.0 on, and the kernel leaves out, and counts, one that is being run on this CPU already.
finish() { # name
	eval "kill -INT \$tracer_$1; wait \$tracer_$1" || status=$?
	tail -1 "$1.events"
	misses=$(sed -n 's/.*"recursion_misses":\([0-9]*\).*/\1/p' "$1.events")
	[ "${status:-0}" = 0 ] || [ "$misses" -gt 0 ] && grep -q '"dropped":0' "$1.events" || { tail -5 "$1.errors"; exit 1; }
}

sh -c 'echo $$ >/sys/fs/cgroup/small/cgroup.procs; exec read_through /dev/vda 64 2000' || exit 1
free_kb=$(vmstat_sum MemFree: /proc/meminfo)
sleep 1
wanted=$(sed -n 's/^pgsteal //p' /sys/fs/cgroup/small/memory.stat)
cat /proc/vmstat >before
mount -o remount,size=100% /dev/shm
dd if=/dev/zero of=/dev/shm/ballast bs=1M count=$(($(vmstat_sum MemFree: /proc/meminfo) / 1024 - 64)) 2>/dev/null || exit 1
dd if=/dev/vda of=/dev/null bs=128k count=800 2>/dev/null &
one=$!
dd if=/dev/vda of=/dev/null bs=128k skip=800 count=800 2>/dev/null
wait $one
rm /dev/shm/ballast
sleep 1
cat /proc/vmstat >after
stalls=$(($(vmstat_sum "$STALLS" after) - $(vmstat_sum "$STALLS" before)))
steals=$(($(vmstat_sum pgsteal_direct after) - $(vmstat_sum pgsteal_direct before)))
waits=$(($(vmstat_sum pgscan_direct_throttle after) - $(vmstat_sum pgscan_direct_throttle before)))
echo "/proc/vmstat: $stalls stalls, $steals pages, $waits waits"
for source in tracepoints kprobes fentry; do
	finish $source
	grep '"comm":"read_through".*"cgroup":"/small".*"kind":"memcg".*"memcg":"/small"' $source.events >memcg
	pages=$(sed -n 's/.*"reclaimed_pages":\([0-9]*\).*/\1/p' memcg | awk '{ sum += $1 } END { print sum + 0 }')
	echo "$source: the cgroup's own count is $wanted pages, in events: $pages"
	[ "$pages" -gt 1000 ] && [ "$pages" -le "$wanted" ] || failed=1
	[ "$misses" -gt 0 ] || [ "$pages" -eq "$wanted" ] || failed=1
	free=$(sed -n 's/.*"free_bytes":\([0-9]*\).*/\1/p' memcg | tail -1)
	echo "$source: free memory $free_kb KiB, in the last event: $((free / 1024)) KiB"
	[ $((free / 1024 - free_kb)) -lt 16384 ] && [ $((free_kb - free / 1024)) -lt 16384 ] || failed=1
	[ $source != fentry ] || grep -q '"user_stack":.*"read_piece".*"read_all".*"main".*"_start"' memcg ||
		{ echo "no user stack reaches _start"; grep -o '"user_stack.*' memcg | tail -1; failed=1; }
	shown=$(grep -c '"kind":"direct".*"free_bytes":[1-9]' $source.events)
	pages=$(sed -n 's/.*"kind":"direct".*"reclaimed_pages":\([0-9]*\).*/\1/p' $source.events | awk '{ sum += $1 } END { print sum + 0 }')
	waited=$(grep -c '"kind":"throttled","latency_ns":[1-9]' $source.events)
	[ $source = tracepoints ] && waited=$waits
	echo "$source: $shown stalls, $pages pages, $waited waits, $misses missed"
	# What slab gave is among the pages here, and in none of the kernel's counters.
	[ "$shown" -le "$stalls" ] && [ "$shown" -ge $((stalls - misses)) ] && [ "$waited" -eq "$waits" ] || failed=1
	[ "$misses" -gt 0 ] || [ "$pages" -ge "$steals" ] || failed=1
done
[ "$stalls" -gt 0 ] || { echo "there was no direct reclaim"; failed=1; }
exit $failed
