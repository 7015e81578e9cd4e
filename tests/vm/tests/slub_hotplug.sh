#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# libslub loses and doubles nothing while a CPU goes and comes: what it had stays its own until it is back, or a drain.
# timeout: 300
online=/sys/devices/system/cpu/cpu1/online
[ -x /programs/slub_stress ] || { echo "SKIP: no slub_stress in this guest"; exit 77; }
[ -w $online ] || { echo "SKIP: CPU 1 of this kernel stays"; exit 77; }
turns=0
while [ $turns -lt 2 ]; do # how long a turn lasts is up to the host
	slub_stress 15 7 4 >said 2>&1 &
	stress=$!
	while kill -0 $stress 2>/dev/null; do
		echo 0 >$online || { echo "not ok: CPU 1 does not go"; exit 1; }
		sleep 1
		echo 1 >$online || { echo "not ok: CPU 1 does not come"; exit 1; }
		sleep 1
		turns=$((turns + 1))
	done
	wait $stress
	status=$?
	cat said
	echo "CPU 1 went and came $turns times"
	[ $status -eq 0 ] && grep -q 'nothing found$' said || exit 1
done
