#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# memcycles says which of the processor's counters the machine lacks, exit 3 where all; page faults as the kernel counts them.
# timeout: 200
# also: 6.1
. /tests/trace-truth

dill memcycles --list --json >list; code=$?
[ "$(grep -c '"type":"counter"' list)" = 11 ] || { cat list; exit 1; }
here=$(grep '"is_here":true' list | grep -c -e cycles -e instructions -e llc -e dtlb)
cat list
if [ "$here" = 0 ]; then
	[ $code = 3 ] || { echo "exit $code"; exit 1; }
	dill memcycles -- touch /tmp/started >out 2>errors; code=$?
	[ $code = 3 ] && [ ! -e /tmp/started ] && [ ! -s out ] || { echo "exit $code"; cat out errors; exit 1; }
	for name in cycles instructions llc_loads llc_misses dtlb_loads dtlb_misses stall_cycles; do
		grep -q "none of the processor's counters.*$name (E" errors || { echo "not said: $name"; cat errors; exit 1; }
	done
fi

# The same of the kernel's own, by wait4(2) for a program and its children.
dill memcycles --software --json -- fault_kinds /tmp/file >out 2>errors; code=$?
[ "$here" != 0 ] || [ $code = 3 ] || { echo "exit $code"; exit 1; }
minor=$(sed -n 's/.*minor=\([0-9]*\).*/\1/p' out)
# Pages that are pinned for the kernel count for the task, but not as events: mm_account_fault(), mm/memory.c (bce617edecad, 5.9).
pinned=$(awk '/^made anonymous pinned/ { sum += $4 } END { print sum + 0 }' out)
counted=$(sed -n 's/.*"minor_faults":\([0-9]*\).*/\1/p' out)
echo "minor faults: by wait4 $minor, $pinned of them pinned, counted $counted"
# The truth is of the children; the program itself starts, makes the file and prints: some tens of faults.
[ "$counted" -ge $((minor - pinned)) ] && [ "$counted" -le $((minor - pinned + 200)) ] || { cat out errors; exit 1; }
