#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# compact: pages scanned, migrated and failed are those of /proc/vmstat, whoever compacted; each zone that is asked for is shown.
# timeout: 300
# also: 6.1
# cmdline: slub_debug=FZPU,dentry,kmalloc-64
# A boot almost of its own by these words, which slub_rules wants: how memory is fragmented decides what compaction does.
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
BOOKS="compact_migrate_scanned compact_free_scanned pgmigrate_success pgmigrate_fail compact_daemon_migrate_scanned compact_daemon_free_scanned"
keep() { for name in $BOOKS; do eval "$1_$name=$(sed -n "s/^$name //p" /proc/vmstat)"; done; } # keep WHEN
went() { eval "echo \$((\$$3_$1 - \$$2_$1))"; } # went NAME FROM TO
# sum NAME [KIND]: over all compactions
sum() { sed -n "/\"type\":\"compaction\",.*\"kind\":\"${2:-[a-z]*}\"/s/.*\"$1\":\([0-9]*\).*/\1/p" events | awk '{ sum += $1 } END { print sum + 0 }'; }
# counted WHAT SHOWN WANTED: each of the misses is about one block at most
counted() { [ $2 -le $3 ] && [ $2 -ge $(($3 - misses * 512)) ] || same "$@"; }

settled $BOOKS
keep begin
dill compact -v -F --json >events 2>errors &
tracer=$!
wait_tracing $tracer || exit 1
memory_holder --anonymous=260 --pieces --hold >held &
holder=$!
until [ -s held ]; do sleep 0.1; done
sh -c 'echo 140 >/proc/sys/vm/nr_hugepages' # more than there is in one piece
cat /proc/sys/vm/nr_hugepages
echo 0 >/proc/sys/vm/nr_hugepages
settled $BOOKS
keep middle
sh -c 'echo 1 >/proc/sys/vm/compact_memory'
kill $holder
settled $BOOKS
keep end
kill -INT $tracer
wait $tracer || only_recursion events || { cat errors; failed=1; }
misses=$(recursion_misses events)
if grep -q '"mode":"sync_light"' events; then
	counted "pages scanned" $(sum scanned_pages) $(went compact_migrate_scanned begin end)
	counted "free pages scanned" $(sum free_scanned_pages) $(went compact_free_scanned begin end)
else
	# Where tracepoints don't tell the kernel's own count (before 5.18, where they don't tell sync_light from sync), its short
	# cuts are not seen, fast_find_migrateblock() and fast_isolate_freepages(). Who compacts for no order takes none.
	for pair in scanned_pages:migrate_scanned free_scanned_pages:free_scanned; do
		[ $(sum ${pair%:*}) -gt 0 ] && [ $(sum ${pair%:*}) -le $(went compact_${pair#*:} begin end) ] ||
			same "${pair%:*}, of all at most" $(sum ${pair%:*}) $(went compact_${pair#*:} begin end)
		same "${pair%:*}, requested" $(sum ${pair%:*} requested) \
			$(($(went compact_${pair#*:} middle end) - $(went compact_daemon_${pair#*:} middle end)))
	done
fi
counted "pages migrated" $(sum migrated_pages) $(went pgmigrate_success begin end)
counted "pages failed" $(sum failed_pages) $(went pgmigrate_fail begin end)
zones=$(awk '/^Node/ { zone = $4 } /^ *managed/ && $2 > 0 { print zone }' /proc/zoneinfo | sort | tr '\n' ' ')
same "zones that were asked for" "$(sed -n 's/.*"kind":"requested","node":0,"zone":"\([A-Za-z0-9]*\)".*"mode":"sync".*/\1/p' events |
	sort | tr '\n' ' ')" "$zones"
[ $(grep -c '"comm":"sh".*"kind":"direct","node":0,"zone":"DMA32","order":9.*"fragmentation_before":.*"fragmentation_after":' events) -gt 0 ] ||
	same "direct compactions" none some
grep -q '"type":"losses",.*"dropped":0' events || same "losses" "$(tail -1 events)" none
grep '"type":"compactions"' events | cut -c1-200
[ $failed = 0 ] || { head -20 events; exit 1; }
