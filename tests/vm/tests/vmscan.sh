#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# vmscan's counts are those of /proc/vmstat, for reclaim of the whole machine, and of memory.stat, for a cgroup's with swap.
# timeout: 500
# also: 6.18
# disk: 256
# modules: virtio_blk
. /tests/trace-truth
vmstat_sum() { awk -v names=" $1 " 'index(names, " " $1 " ") { sum += $2 } END { print sum + 0 }' "${2:-/proc/vmstat}"; }
json_sum() { sed -n "s/.*\"$1\":\([0-9]*\).*/\1/p" "$2" | awk '{ sum += $1 } END { print sum + 0 }'; }
STALLS="allocstall_dma allocstall_dma32 allocstall_normal allocstall_movable allocstall_device"
SCANS="pgscan_kswapd pgscan_direct pgscan_khugepaged"
STEALS="pgsteal_kswapd pgsteal_direct pgsteal_khugepaged"
failed=0
same() { # what, wanted, got, how far off the kernel's own figure may be
	echo "$1: $2, in rows: $3"
	[ $(($2 - $3)) -le $((${4:-0} + misses * 64)) ] && [ $(($3 - $2)) -le "${4:-0}" ] || { echo "not ok: $1"; failed=1; }
}

trace() { # output, options...
	output=$1
	shift
	rm -f errors # the trace before this one said that it was tracing
	dill vmscan -v --json -i 0 "$@" >"$output" 2>errors &
	tracer=$!
	wait_tracing $tracer || exit 1
}

# Programs can be preempted from 7.0 on, and the kernel leaves out one that another task is in the middle of on this CPU. It
# counts these: then, and only then, rows may have less, by a batch of pages each.
finish() {
	kill -INT $tracer
	status=0
	wait $tracer || status=$?
	tail -1 "$output"
	misses=$(json_sum recursion_misses "$output")
	[ "$status" = 0 ] || [ "$misses" -gt 0 ] && grep -q '"dropped":0' "$output" || { cat errors; exit 1; }
}

cat /sys/kernel/mm/lru_gen/enabled 2>/dev/null

settled $SCANS pageoutrun
trace machine --by process --top 0
cat /proc/vmstat >before
# All but 64 MiB are taken by what can't be reclaimed without swap.
mount -o remount,size=100% /dev/shm
dd if=/dev/zero of=/dev/shm/ballast bs=1M count=$(($(vmstat_sum MemFree: /proc/meminfo) / 1024 - 64)) 2>/dev/null || exit 1
dd if=/dev/vda of=/dev/null bs=128k count=800 2>/dev/null &
one=$!
dd if=/dev/vda of=/dev/null bs=128k skip=800 count=800 2>/dev/null
wait $one
rm /dev/shm/ballast # when dill ends nothing is short of memory any more
settled $SCANS pageoutrun
cat /proc/vmstat >after
finish
grep '"type":"process_reclaim"' machine
for pair in "direct_count:$STALLS" "scanned_pages:$SCANS" "reclaimed_pages:$STEALS" "kswapd_runs:pageoutrun"; do
	same "${pair%%:*}" $(($(vmstat_sum "${pair#*:}" after) - $(vmstat_sum "${pair#*:}" before))) "$(json_sum "${pair%%:*}" machine)"
done
[ "$(json_sum reclaimed_pages machine)" -gt 5000 ] || { echo "hardly anything was reclaimed"; failed=1; }
grep -q '"shrinker":"[a-z_]*".*"calls":[1-9]' machine || { echo "no shrinker has a name"; failed=1; }
# A node that kswapd found hopeless before (kswapd_failures, mm/vmscan.c) is left to direct reclaim: then it did not run.
runs=$(($(vmstat_sum pageoutrun after) - $(vmstat_sum pageoutrun before)))
[ $runs = 0 ] || grep -q '"comm":"kswapd0".*"kswapd_ns":[1-9]' machine || { echo "kswapd's time is missing"; failed=1; }

echo 3 >/proc/sys/vm/drop_caches # kswapd will have nothing to do
mkswap /dev/vda >/dev/null && swapon /dev/vda || exit 1
echo +memory >/sys/fs/cgroup/cgroup.subtree_control && mkdir /sys/fs/cgroup/small &&
	echo 12M >/sys/fs/cgroup/small/memory.max || { echo "SKIP: no memory controller"; exit 77; }
trace cgroup --by cgroup
cat /proc/sys/vm/stat_refresh # adds up what CPUs have apart
written=$(vmstat_sum nr_vmscan_write)
sh -c 'echo $$ >/sys/fs/cgroup/small/cgroup.procs; exec dd if=/dev/zero of=/dev/shm/much bs=64k count=640' 2>/dev/null || exit 1
cat /proc/sys/vm/stat_refresh
written=$(($(vmstat_sum nr_vmscan_write) - written))
cat /sys/fs/cgroup/small/memory.stat >stat
finish
rm /dev/shm/much
swapoff /dev/vda
grep '"type":"cgroup_reclaim"' cgroup
grep -q '"cgroup":"/small"' cgroup || { echo "the cgroup is missing"; failed=1; }
# Up to MEMCG_CHARGE_BATCH (32, later 64) pages of each CPU are not yet in memory.stat, and as many again may wait until
# somebody adds them up (memcg_rstat_updated(), mm/memcontrol.c). Rows have what came off the LRU lists, as pgsteal has, no
# slab pages.
batch=$((2 * 64 * $(nproc)))
grep '"cgroup":"/small"' cgroup >small
same "scanned_pages of the cgroup" "$(vmstat_sum pgscan stat)" "$(json_sum scanned_pages small)" $batch
same "reclaimed_pages of the cgroup" "$(vmstat_sum pgsteal stat)" "$(json_sum reclaimed_pages small)" $batch
same written_pages "$written" "$(json_sum written_pages cgroup)"
[ "$written" -gt 1000 ] || { echo "hardly anything was written"; failed=1; }
exit $failed
