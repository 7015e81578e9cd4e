#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# hfaults: faults, collapses and splits of huge pages are those that a program made and the kernel counted, by each source.
# timeout: 700
# also: 6.18
. /tests/trace-truth
sys=/sys/kernel/mm/transparent_hugepage
[ -e $sys/enabled ] && [ -e /proc/sys/vm/nr_hugepages ] || { echo "SKIP: no huge pages"; exit 77; }
echo madvise >$sys/enabled
echo advise >$sys/shmem_enabled
# What a machine with less than 512 MiB has switched off, and khugepaged quick; another one would wait a minute for memory.
for setting in use_zero_page=1 defrag=madvise khugepaged/defrag=1 khugepaged/pages_to_scan=4096 \
	khugepaged/alloc_sleep_millisecs=100 khugepaged/scan_sleep_millisecs=100; do
	echo ${setting#*=} >$sys/${setting%=*}
done
echo 0 >/proc/sys/vm/nr_overcommit_hugepages
echo 8 >/proc/sys/vm/nr_hugepages
[ "$(cat /proc/sys/vm/nr_hugepages)" = 8 ] || { echo "SKIP: memory is in pieces"; exit 77; }
failed=0
# same WHAT SHOWN WANTED
same() {
	[ "$2" = "$3" ] && return
	echo "not ok: $1: shown '$2', wanted '$3'"
	failed=1
}
# counted SOURCE WHAT SHOWN WANTED
counted() { [ "$3" -ge $(($4 - $(recursion_misses events-$1))) ] && [ "$3" -le "$4" ] || same "$1: $2" "$3" "$4"; }
book() { sed -n "s/^$1 //p" /proc/vmstat; }
# count SOURCE KIND RESULT [MORE]: events of the programs
count() { grep '"type":"huge_page"' events-$1 | grep "\"pid\":\($first\|$second\),.*\"kind\":\"$2\",\"result\":\"$3\"" | grep -c "$4"; }
# run_held NAME SCENE…: the program up to its end, which `echo >&3` lets it reach; `pid`.
run_held() {
	name=$1
	shift
	rm -f held; mkfifo held
	huge_pages "$@" --hold <held >made-$name &
	program=$!
	exec 3>held
	until grep -q "^mapped Private_Hugetlb" made-$name; do
		kill -0 $program || { cat made-$name; failed=1; return; }
		sleep 0.2
	done
	pid=$(sed -n 's/^pid=//p' made-$name)
}
mapped() { sed -n 's/^\(AnonHuge\|ShmemPmd\|Private_H\|Shared_H\).*: *\([0-9]*\) kB/\2/p' /proc/$1/smaps_rollup | tr '\n' ' '; }

names="thp_fault_alloc thp_fault_fallback_charge thp_collapse_alloc thp_split_pmd thp_split_page"
for source in function tracepoints; do
	dill hfaults -v --json --source $source >events-$source 2>errors-$source &
	eval "tracer_$source=$!"
	until grep -q "hfaults: tracing" errors-$source; do
		kill -0 $! || { cat errors-$source; exit 1; }
		sleep 0.1
	done
done
for name in $names; do eval "$name=$(book $name)"; done

run_held first hugetlb thp unmap collapse
first=$pid
[ ! -e /sys/kernel/debug/split_huge_pages ] || echo 1 >/sys/kernel/debug/split_huge_pages
echo >&3
wait $program || failed=1

# A huge page is more than this cgroup may have.
mkdir /sys/fs/cgroup/hfaults
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
echo 2M >/sys/fs/cgroup/hfaults/memory.max
sh -c 'echo $$ >/sys/fs/cgroup/hfaults/cgroup.procs && exec huge_pages fallback' >fell || { cat fell; failed=1; }
fallen=$(sed -n 's/^pid=//p' fell)

run_held second khugepaged shmem
second=$pid
was_mapped=$(mapped $second)
# shellcheck disable=SC2154
kill -INT $tracer_function $tracer_tracepoints
for source in function tracepoints; do
	eval "wait \$tracer_$source" || only_recursion events-$source || { cat errors-$source; failed=1; }
done
for name in $names; do eval "$name=\$((\$(book $name) - $name))"; done
same "what is mapped stays as it is" "$(mapped $second)" "$was_mapped"
echo >&3
exec 3>&-
wait $program || failed=1
rmdir /sys/fs/cgroup/hfaults
echo 0 >/proc/sys/vm/nr_hugepages

cat made-first made-second >made
awk '/^made/ { sum[$2 " " $3] += $4 } END { for (i in sum) print i, sum[i] }' made >wanted
while read -r kind result wanted; do
	case $kind-$result in
	unmap-*) # by itself; others are those of the pages that are split
		counted function "$kind $result" "$(count function $kind $result '"by":"[^"]*","class"')" $wanted
		continue ;;
	collapse-*) # khugepaged may go on with what was split
		for source in function tracepoints; do
			shown=$(count $source $kind $result)
			[ $shown -ge $wanted ] || counted $source "$kind $result" $shown $wanted
		done
		continue ;;
	esac
	counted function "$kind $result" "$(count function $kind $result)" $wanted
	case $kind-$result in
	hugetlb-[acm]*) ;;
	*) counted tracepoints "$kind $result" "$(count tracepoints $kind $result)" $wanted ;;
	esac
done <wanted
counted tracepoints hugetlb $(count tracepoints hugetlb done) $(awk '/^hugetlb [acm]/ { sum += $3 } END { print sum }' wanted)
for source in function tracepoints; do
	# shellcheck disable=SC2154
	counted $source thp_fault_alloc "$(grep -c '"kind":"thp","result":"allocated"' events-$source)" $thp_fault_alloc
	counted $source "sigbus, no page is free" \
		"$(count $source hugetlb sigbus '"reason":"pool-empty",.*"pool_free":0,"pool_reserved":0,"pool_pages":8')" 1
	counted $source "the file of the pool" "$(count $source hugetlb '.*' '"class":"file","mapping":"/memfd:pool (deleted)"')" 5
	# Each success took a page; some that failed did, too, and those of files where they are not seen.
	# shellcheck disable=SC2154
	[ "$(grep -c '"kind":"collapse[-a-z]*","result":"done"' events-$source)" -le $thp_collapse_alloc ] ||
		same "$source: thp_collapse_alloc" "$(grep -c '"kind":"collapse' events-$source)" $thp_collapse_alloc
	# shellcheck disable=SC2154
	same "$source: fallbacks" "$(grep "\"pid\":$fallen,.*\"kind\":\"thp\",\"result\":\"fallback\",\"reason\":\"charge\"" events-$source |
		wc -l) $thp_fault_fallback_charge" "2 2"
	same "$source: mapped" "$(sed -n "/\"type\":\"mapped\",.*\"pid\":$second,/s/.*\"anonymous_huge_bytes\":\([0-9]*\),\"shmem_huge_bytes\":\([0-9]*\),.*\
\"hugetlb_private_bytes\":\([0-9]*\),\"hugetlb_shared_bytes\":\([0-9]*\),\"runs\":true.*/\1 \2 \4 \3/p" events-$source |
		awk '{ print $1 / 1024, $2 / 1024, $3 / 1024, $4 / 1024 " " }')" "$was_mapped"
	grep -q '"type":"losses",.*"dropped":0' events-$source || same "$source: losses" "$(tail -1 events-$source)" none
done
counted function "sigbus beyond the end" "$(count function hugetlb sigbus '"reason":"beyond-end"')" 1
# shellcheck disable=SC2154
counted function thp_split_pmd "$(grep -c '"type":"huge_page",.*"kind":"unmap"' events-function)" $thp_split_pmd
# shellcheck disable=SC2154
counted function thp_split_page "$(grep '"kind":"split","result":"done"' events-function | grep -c '"size_bytes":2097152,')" $thp_split_page
cat wanted
grep dill errors-function errors-tracepoints
grep '"kind":"\(split\|unmap\|collapse\)' events-function | sed 's/.*"comm"/"comm"/'
grep '"type":"\(machine\|scans\|mapped\|huge_pages\)"' events-function
[ $failed = 0 ] || { cat made fell; grep '"type":"huge_page"' events-tracepoints | cut -c110-500; }
exit $failed
