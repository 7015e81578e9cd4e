#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# migrate shows all pages that /proc/vmstat counts as migrated and failed, by reason, node and task; by each source.
# timeout: 500
# also: 6.12
# nodes: 2
. /tests/trace-truth
[ -d /sys/devices/system/node/node1 ] || { echo "SKIP: one node"; exit 77; }
[ ! -e /proc/sys/vm/compaction_proactiveness ] || echo 0 >/proc/sys/vm/compaction_proactiveness
echo madvise >/sys/kernel/mm/transparent_hugepage/enabled
failed=0
# same WHAT SHOWN WANTED
same() {
	[ "$2" = "$3" ] && return
	echo "not ok: $1: shown '$2', wanted '$3'"
	failed=1
}

# counted WHAT SHOWN WANTED: of $source
counted() { [ "$2" -lt "$3" ] && [ "$(recursion_misses events-$source)" -gt 0 ] || same "$@"; }

books() { sed -n "s/^$1 //p" /proc/vmstat; }
balancing() { # NAME VALUE: where debugfs has it since 8a99b6833c88, 5.13
	if [ -d /sys/kernel/debug/sched/numa_balancing ]; then echo "$2" >"/sys/kernel/debug/sched/numa_balancing/$1"
	else echo "$2" >"/proc/sys/kernel/numa_balancing_$1"; fi
}
names="pgmigrate_success pgmigrate_fail thp_migration_success thp_migration_fail thp_migration_split numa_pages_migrated numa_hint_faults"

# trace SOURCES OPTIONS: begin to trace by each source
trace() {
	sources=$1; shift
	settled $names
	for source in $sources; do
		rm -f errors-$source # an earlier trace by this source said that it was tracing
		dill migrate -v --json --source "$source" "$@" >events-$source 2>errors-$source &
		eval "tracer_$source=$!"
		until grep -q "migrate: tracing" errors-$source 2>/dev/null; do
			eval "kill -0 \$tracer_$source" || { cat errors-$source; exit 1; }
			sleep 0.1
		done
	done
	for name in $names; do eval "begun_$name=$(books $name)"; done
}
# finish: of each book $NAME is the difference up to the end of what was traced, $NAME_later that up to the tracers' end
finish() {
	settled $names
	for name in $names; do eval "differ $name $name"; done
	for source in $sources; do eval "kill -INT \$tracer_$source"; done
	for source in $sources; do
		eval "wait \$tracer_$source" || only_recursion events-$source || { tail -5 errors-$source; failed=1; }
		grep -q '"type":"losses",.*"dropped":0' events-$source || same "losses by $source" "$(tail -1 events-$source)" none
	done
	for name in $names; do eval "differ ${name}_later $name"; done
}
# differ VARIABLE NAME
differ() { eval "$1=\$((\$(books $2) - \$begun_$2))"; }
# sum TYPE KEY PATTERN: over lines of file `events-$source`
sum() {
	awk -v type="\"type\":\"$1\"" -v key="\"$2\":[0-9]+" -v wanted="$3" 'index($0, type) && $0 ~ wanted && match($0, key) {
		number = substr($0, RSTART, RLENGTH); sub(".*:", "", number); sum += number } END { print sum + 0 }' events-$source
}
# said WORD REASON: what the program said
said() { awk -v word="$1" -v reason="$2" '$1 == word && $2 == reason { sum += $3 } END { print sum + 0 }' truth; }

echo 0 >/proc/sys/kernel/numa_balancing
trace "functions tracepoints"
page_mover >truth || { cat truth; exit 1; }
sh -c 'echo 1 >/proc/sys/vm/compact_memory'
finish
cat truth
for source in functions tracepoints; do
	grep "^dill" errors-$source
	for type in migration reason_migrations task_migrations; do
		counted "pages moved, $type by $source" "$(sum $type succeeded_pages .)" "$pgmigrate_success"
		counted "pages failed, $type by $source" "$(sum $type failed_pages .)" "$pgmigrate_fail"
	done
	counted "huge pages moved by $source" "$(sum migration thp_succeeded .)" "$thp_migration_success"
	counted "huge pages failed by $source" "$(sum migration thp_failed .)" "$thp_migration_fail"
	counted "huge pages split by $source" "$(sum migration thp_split .)" "$thp_migration_split"
	counted "pages of mbind by $source" "$(sum migration succeeded_pages '"comm":"page_mover".*"reason":"mempolicy_mbind"')" \
		"$(said moved mempolicy_mbind)"
	# by move_pages(), and by migrate_pages(2) back
	counted "huge pages of page_mover by $source" "$(sum migration thp_succeeded '"comm":"page_mover"')" 4
	# migrate_pages(2) also moves what the program has besides, and says of that nothing
	shown=$(sum migration succeeded_pages '"comm":"page_mover".*"reason":"syscall"')
	[ "$shown" -ge "$(said moved syscall)" ] || same "pages of system calls by $source" "$shown" "$(said moved syscall)"
	[ "$(sum migration failed_pages '"comm":"page_mover".*"reason":"syscall"')" -ge "$(said stayed syscall)" ] ||
		same "pinned pages by $source" fewer "$(said stayed syscall)"
	[ "$(sum migration succeeded_pages '"comm":"sh".*"reason":"compaction","mode":"sync"')" -gt 0 ] || same "compaction by $source" none some
	if ! grep -q "nodes that pages" errors-$source; then
		shown=$(sum migration succeeded_pages '"comm":"page_mover".*"from_nodes":"0","to_nodes":"1"')
		counted "pages from 0 to 1 by $source" "$shown" $((2 * 200 + 2 * 512))
		counted "huge pages from 0 to 1 by $source" "$(sum migration thp_succeeded '"from_nodes":"0","to_nodes":"1"')" 2
	fi
	grep -q "latency is not" errors-$source || [ "$(grep -c '"type":"migration"' events-$source)" = \
		"$(grep -c '"type":"migration".*"latency_ns":[1-9]' events-$source)" ] || same "latencies by $source" "not all" all
	tail -1 events-$source
done

balancing scan_delay_ms 20
balancing scan_period_min_ms 50
balancing scan_period_max_ms 200
trace functions --summary --top 0
echo 1 >/proc/sys/kernel/numa_balancing
page_mover --balance >truth || { cat truth; exit 1; }
echo 0 >/proc/sys/kernel/numa_balancing
finish
cat truth
# between WHAT SHOWN NAME: what is marked for a fault still faults later, in dill and shell too
between() {
	eval "least=\$$3 most=\$${3}_later"
	# shellcheck disable=SC2154
	[ "$2" -ge "$least" ] && [ "$2" -le "$most" ] || same "$1" "$2" "$least to $most"
}
source=functions
between "pages moved while balancing" "$(sum reason_migrations succeeded_pages .)" pgmigrate_success
between "pages of NUMA balancing" "$(sum reason_migrations succeeded_pages '"reason":"numa_misplaced"')" numa_pages_migrated
between "pages of NUMA balancing, by tasks" "$(sum task_migrations numa_succeeded_pages .)" numa_pages_migrated
between "hint faults" "$(sum task_migrations hint_faults .)" numa_hint_faults
shown=$(sum task_migrations numa_succeeded_pages '"comm":"page_mover"')
[ "$shown" -ge "$(said moved numa_misplaced)" ] && [ "$shown" -gt 0 ] || same "pages of the task" "$shown" "$(said moved numa_misplaced)"
tail -1 events-functions
[ $failed = 0 ] || { cut -c1-300 events-functions | tail -30; exit 1; }
