#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# drsnoop shows each direct reclaim of the whole machine, the same by every source, the waits before them by those that can,
# and how long a reclaim of a memory cgroup waited for what was being written, as the kernel's own trace has it.
# timeout: 600
# named: yes
# disk: 256
# cmdline: dill_test=drsnoop_waits
# A boot of its own by that word: memory cgroups can be of version 1 then, which throttles within reclaim.
. /tests/trace-truth
vmstat_sum() { awk -v names=" $1 " 'index(names, " " $1 " ") { sum += $2 } END { print sum + 0 }' "$2"; }
sum() { awk '{ sum += $1 } END { print sum + 0 }'; }
now() { cat /proc/vmstat >"$1"; }
STALLS="allocstall_dma allocstall_dma32 allocstall_normal allocstall_movable allocstall_device"
failed=0
tracing=/sys/kernel/tracing
[ -e $tracing/trace ] || mount -t tracefs none $tracing || exit 1
throttled=$tracing/events/vmscan/mm_vmscan_throttled/enable # from 5.16 on
[ -e $throttled ] && echo 1 >$throttled
cat /sys/kernel/mm/lru_gen/enabled 2>/dev/null && echo 0 >/sys/kernel/mm/lru_gen/enabled
small=/tmp/memory/small
mkdir /tmp/memory && mount -t cgroup -o memory none /tmp/memory && mkdir $small &&
	echo 12M >$small/memory.limit_in_bytes || { echo "no memory cgroups of version 1"; small=; }

for source in tracepoints kprobes fentry; do
	dill drsnoop -v --json --source $source >$source 2>errors.$source &
	eval "tracer_$source=$!"
done
for source in tracepoints kprobes fentry; do
	until grep -q ": tracing" errors.$source; do
		eval "kill -0 \$tracer_$source" 2>/dev/null || { tail -5 errors.$source; exit 1; }
		sleep 0.2
	done
done

now before
mount -o remount,size=100% /dev/shm
dd if=/dev/zero of=/dev/shm/ballast bs=1M count=$(($(vmstat_sum MemFree: /proc/meminfo) / 1024 - 48)) 2>/dev/null || exit 1
dd if=/dev/vda of=/dev/null bs=128k count=640 2>/dev/null
# Less than half of the reserves is free when they become three times that: who wants memory then waits for kswapd
# (allow_direct_reclaim(), mm/vmscan.c), unless that was faster. So it gets no turn before the other one sleeps.
reserve=$(cat /proc/sys/vm/min_free_kbytes)
taskset -p 1 "$(pidof kswapd0)" >/dev/null && renice -n 19 -p "$(pidof kswapd0)" || exit 1
for piece in 1 2 3 4 5 6; do
	echo $(($(vmstat_sum MemFree: /proc/meminfo) * 3)) >/proc/sys/vm/min_free_kbytes
	taskset 1 dd if=/dev/vda of=/dev/null bs=128k skip=$((640 + piece * 80)) count=80 2>/dev/null
	echo "$reserve" >/proc/sys/vm/min_free_kbytes
	now after
	[ "$(vmstat_sum pgscan_direct_throttle after)" = "$(vmstat_sum pgscan_direct_throttle before)" ] || break
	dd if=/dev/vda of=/dev/null bs=128k skip=$((piece * 160)) count=480 2>/dev/null
done
now after
rm /dev/shm/ballast
[ -z "$small" ] || sh -c "echo \$\$ >$small/cgroup.procs; exec dd if=/dev/zero of=/dev/vda bs=64k count=512" 2>/dev/null || exit 1
delays=0
[ -e $throttled ] && delays=$(sed -n 's/^ *dd-.* mm_vmscan_throttled: .*_delayed=\([0-9]*\) .*/\1/p' $tracing/trace | sum)
stalls=$(($(vmstat_sum "$STALLS" after) - $(vmstat_sum "$STALLS" before)))
steals=$(($(vmstat_sum pgsteal_direct after) - $(vmstat_sum pgsteal_direct before)))
waits=$(($(vmstat_sum pgscan_direct_throttle after) - $(vmstat_sum pgscan_direct_throttle before)))
echo "/proc/vmstat: $stalls stalls, $steals pages, $waits waits"
[ $stalls -gt 0 ] && [ $waits -gt 0 ] || { echo "there was too little pressure"; failed=1; }

echo "throttled by the kernel's own trace: $delays us"
for source in tracepoints kprobes fentry; do
	status=0
	eval "kill -INT \$tracer_$source; wait \$tracer_$source" || status=$?
	[ $status = 0 ] || only_recursion $source || { tail -5 errors.$source; failed=1; }
	misses=$(sed -n 's/.*"recursion_misses":\([0-9]*\).*/\1/p' $source)
	grep '"kind":"direct"' $source >direct
	shown=$(grep -c '"free_bytes":[1-9]' direct)
	pages=$(sed -n 's/.*"reclaimed_pages":\([0-9]*\).*/\1/p' direct | sum)
	waited=$(grep '"kind":"throttled"' $source | grep -c '"latency_ns":[1-9]')
	echo "$source: $shown stalls, $pages pages, $waited waits, $misses missed"
	# Programs can be preempted from 7.0 on; the kernel leaves out, and counts, one that another task is in the middle of.
	[ "$shown" -le $stalls ] && [ "$shown" -ge $((stalls - misses)) ] || failed=1
	# What slab gave is among the pages here, and in none of the kernel's counters.
	[ "$misses" -gt 0 ] || [ "$pages" -ge $steals ] || failed=1
	delayed=$(($(grep '"comm":"dd"' $source | sed -n 's/.*"throttled_ns":\([0-9]*\).*/\1/p' | sum) / 1000))
	echo "$source: throttled for $delayed us"
	[ "$misses" -gt 0 ] || [ "$delayed" -eq "$delays" ] || failed=1
	# The kernel counts those too whose wait was over before they slept.
	if [ $source = tracepoints ]; then
		[ "$waited" -eq 0 ] || failed=1
	else
		[ "$waited" -gt 0 ] && [ "$waited" -le $waits ] || failed=1
	fi
done
grep '"kind":"throttled"' fentry | head -1
grep '"throttle_reasons"' fentry | head -1
exit $failed
