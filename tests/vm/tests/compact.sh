#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# compact: pages scanned, migrated and failed are those of /proc/vmstat, whoever compacted; each zone that is asked for is shown.
# timeout: 120
# also: 6.1
# cmdline: dill_test=compact
# A boot of its own by that word: how memory is fragmented decides what compaction does.
. /tests/trace-truth
[ -e /proc/sys/vm/compact_memory ] && [ -e /proc/sys/vm/nr_hugepages ] || { echo "SKIP: no compaction or no huge pages"; exit 77; }
[ ! -e /proc/sys/vm/compaction_proactiveness ] || echo 0 >/proc/sys/vm/compaction_proactiveness
failed=0
# same WHAT SHOWN WANTED
same() {
	[ "$2" = "$3" ] && return
	echo "not ok: $1: shown '$2', wanted '$3'"
	failed=1
}
within() { [ $2 -le $3 ] && [ $2 -ge $(($3 * $4 / 10)) ] || same "$1 (at least $4 tenths)" $2 $3; } # WHAT SHOWN WANTED TENTHS
books() { for name in compact_migrate_scanned compact_free_scanned pgmigrate_success pgmigrate_fail; do sed -n "s/^$name //p" /proc/vmstat; done; }
# sum NAME: over all compactions
sum() { sed -n "/\"type\":\"compaction\"/s/.*\"$1\":\([0-9]*\).*/\1/p" events | awk '{ sum += $1 } END { print sum + 0 }'; }

memory_holder --anonymous=260 --pieces --hold >held &
holder=$!
until [ -s held ]; do sleep 0.1; done
before=$(books)
dill compact -v -F --json >events 2>errors &
tracer=$!
wait_tracing $tracer || exit 1
sh -c 'echo 140 >/proc/sys/vm/nr_hugepages' # more than there is in one piece
cat /proc/sys/vm/nr_hugepages
echo 0 >/proc/sys/vm/nr_hugepages
sh -c 'echo 1 >/proc/sys/vm/compact_memory'
kill -INT $tracer
wait $tracer || only_recursion events || { cat errors; failed=1; }
after=$(books)
kill $holder
set -- $before
was_scanned=$1 was_free=$2 was_migrated=$3 was_failed=$4
set -- $after
# Where tracepoints don't tell the kernel's own count (before 5.18, where they don't tell sync_light from sync), its short
# cuts are not seen: fast_find_migrateblock() looks at little, fast_isolate_freepages() at up to a third of the free pages
# here, as memory is in pieces.
if grep -q '"mode":"sync_light"' events; then
	same "pages scanned" $(sum scanned_pages) $(($1 - was_scanned))
	same "free pages scanned" $(sum free_scanned_pages) $(($2 - was_free))
else
	within "pages scanned" $(sum scanned_pages) $(($1 - was_scanned)) 8
	within "free pages scanned" $(sum free_scanned_pages) $(($2 - was_free)) 5
fi
same "pages migrated" $(sum migrated_pages) $(($3 - was_migrated))
same "pages failed" $(sum failed_pages) $(($4 - was_failed))
zones=$(awk '/^Node/ { zone = $4 } /^ *managed/ && $2 > 0 { print zone }' /proc/zoneinfo | sort | tr '\n' ' ')
same "zones that were asked for" "$(sed -n 's/.*"kind":"requested","node":0,"zone":"\([A-Za-z0-9]*\)".*"mode":"sync".*/\1/p' events |
	sort | tr '\n' ' ')" "$zones"
[ $(grep -c '"comm":"sh".*"kind":"direct","node":0,"zone":"DMA32","order":9.*"fragmentation_before":.*"fragmentation_after":' events) -gt 0 ] ||
	same "direct compactions" none some
grep -q '"type":"losses",.*"dropped":0' events || same "losses" "$(tail -1 events)" none
grep '"type":"compactions"' events | cut -c1-200
[ $failed = 0 ] || { head -20 events; exit 1; }
