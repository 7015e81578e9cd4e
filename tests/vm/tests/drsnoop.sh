#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# drsnoop shows each reclaim of a memory cgroup that is too small for what its task reads, and who it was.
# timeout: 60
# disk: 128
echo +memory >/sys/fs/cgroup/cgroup.subtree_control || { echo "SKIP: no memory controller"; exit 77; }
mkdir /sys/fs/cgroup/small && echo 12M >/sys/fs/cgroup/small/memory.max || exit 1
dill drsnoop --json --cgroup small >events 2>errors &
tracer=$!
sleep 3
sh -c 'echo $$ >/sys/fs/cgroup/small/cgroup.procs; exec dd if=/dev/vda of=/dev/null bs=64k count=1024' || exit 1
sleep 1
kill -INT $tracer
wait $tracer || { cat errors; exit 1; }
cat errors
tail -2 events
wanted=$(sed -n 's/^pgsteal //p' /sys/fs/cgroup/small/memory.stat)
shown=$(sed -n 's/.*"comm":"dd".*"cgroup":"\/small".*"kind":"memcg".*"reclaimed_pages":\([0-9]*\).*/\1/p' events |
	awk '{ sum += $1 } END { print sum + 0 }')
echo "the cgroup's own count: $wanted pages, in events: $shown"
[ "$shown" -gt 1000 ] && [ "$shown" -eq "$wanted" ]
