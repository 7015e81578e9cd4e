#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# faults counts what the kernel counts for a process, to the fault, and of each kind what the program made: by each source.
# timeout: 500
# also: 6.1
. /tests/trace-truth
# Other tests of the boot may have given it a disk. Without one nothing is swapped in.
if [ -b /dev/vda ]; then mkswap /dev/vda >/dev/null && swapon /dev/vda || exit 1; fi
echo madvise >/sys/kernel/mm/transparent_hugepage/enabled
echo 4096 >/sys/kernel/debug/fault_around_bytes || exit 1
failed=0

for source in function software-events; do
	dill faults -v --json --source $source -n fault_kinds >counts-$source 2>errors-$source &
	eval "tracer_$(echo $source | tr -d -)=$!"
	until grep -q "faults: tracing" errors-$source; do kill -0 $! || { cat errors-$source; exit 1; }; sleep 0.1; done
done
fault_kinds /tmp/file >made || { cat made; exit 1; }
# shellcheck disable=SC2154
kill -INT "$tracer_function" "$tracer_softwareevents"
wait "$tracer_function" || only_recursion counts-function || failed=1
wait "$tracer_softwareevents" || only_recursion counts-software-events || failed=1
[ ! -b /dev/vda ] || swapoff /dev/vda
pid=$(sed -n 's/^usage pid=\([0-9]*\).*/\1/p' made)
also=$(sed -n 's/^also pid=//p' made)
minor=$(sed -n 's/.*minor=\([0-9]*\).*/\1/p' made)
major=$(sed -n 's/.*major=\([0-9]*\).*/\1/p' made)
awk '/^made/ { sum[$2 " " $3] += $4 } END { for (i in sum) print i, sum[i] }' made >wanted

for source in function software-events; do
	grep "^dill" errors-$source
	misses=$(recursion_misses counts-$source)
	sed -n "s/.*\"type\":\"faults\".*\"pid\":\($pid\|$also\),.*\"faults\":\([0-9]*\),\"major\":\([0-9]*\).*/\2 \3/p" counts-$source |
		awk -v minor="$minor" -v major="$major" -v source=$source -v misses="$misses" '{ all += $1; majors += $2 }
			END { print source ": " all - majors " minor, " majors + 0 " major; by wait4: " minor ", " major
			      exit all - majors > minor || majors > major || minor + major - all > misses }' ||
			{ echo "not ok: $source: sums"; failed=1; }
	while read -r kind mode wanted; do
		if [ "$mode" = pinned ] && [ $source = software-events ]; then kind=unlocated; fi
		shown=$(sed -n "s/.*\"type\":\"faults\".*\"pid\":$pid,.*\"kind\":\"$kind\",\"mode\":\"$mode\".*\"faults\":\([0-9]*\).*/\1/p" \
			counts-$source | awk '{ sum += $1 } END { print sum + 0 }')
		echo "$source: $kind $mode: made $wanted, shown $shown"
		# The child starts, prints and ends, too.
		[ "$shown" -ge $((wanted - misses)) ] && [ "$shown" -le $((wanted + 80)) ] || { echo "not ok: $source: $kind $mode"; failed=1; }
	done <wanted
	for name in '\[heap\]' '\[stack\]' /tmp/file; do
		grep -q "\"pid\":$pid,.*\"mapping\":\"$name\"" counts-$source || { echo "not ok: $source: no mapping $name"; failed=1; }
	done
	tail -1 counts-$source
done
exit $failed
