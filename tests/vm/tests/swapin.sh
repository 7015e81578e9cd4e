#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# swapin's pages are those of /proc/vmstat, for a disk, zram, zswap and zeros, by each source; the memory's cgroup is told.
# timeout: 600
# also: 6.12
# disk: 256
# modules: virtio_blk zram zstd
. /tests/trace-truth
failed=0

start() { # source, options...
	source=$1
	shift
	rm -f "errors-$source" # an earlier trace by this source said that it was tracing
	dill swapin -v --json -i 0 --source "$source" "$@" >"rows-$source" 2>"errors-$source" &
	tracer=$!
}

started() {
	until grep -q "swapin: tracing" "errors-$source" 2>/dev/null; do kill -0 $tracer || { cat "errors-$source"; exit 1; }; sleep 0.2; done
	cat "errors-$source"
	cat /proc/uptime
}

trips() { # what the books are called before and after, words...
	cat /proc/vmstat >"books-$1"
	after=$2
	shift 2
	sh -c 'echo $$ >/sys/fs/cgroup/trips/cgroup.procs; exec swap_trips cgroup=/sys/fs/cgroup/trips "$@"' trips "$@" >made || exit 1
	cat made /proc/vmstat >"books-$after"
	cat made
}

echo +memory >/sys/fs/cgroup/cgroup.subtree_control && mkdir /sys/fs/cgroup/trips || { echo "SKIP: no memory controller"; exit 77; }
[ ! -e /sys/module/zswap/parameters/enabled ] || echo 0 >/sys/module/zswap/parameters/enabled
echo madvise >/sys/kernel/mm/transparent_hugepage/enabled
echo 0 >/sys/block/vda/queue/rotational # else no huge page is written in one piece
echo zstd >/sys/block/zram0/comp_algorithm && echo 64M >/sys/block/zram0/disksize || exit 1
mkswap /dev/vda >/dev/null && mkswap /dev/zram0 >/dev/null || exit 1
start functions
functions=$tracer
started
start tracepoints
tracepoints=$tracer
started

swapon /dev/vda || exit 1
trips none disk private=2 huge=2 zeros=1
trips disk2 shared shared=1
trips shared2 ahead ahead=1
swapoff /dev/vda
swapon /dev/zram0 || exit 1
trips ahead2 zram private=1
if [ -e /sys/module/zswap/parameters/enabled ]; then
	echo 1 >/sys/module/zswap/parameters/enabled || exit 1
	trips zram2 zswap private=1 huge=2 zeros=1
	echo 0 >/sys/module/zswap/parameters/enabled
fi
cat /proc/uptime
kill -INT $functions $tracepoints
wait $functions || only_recursion rows-functions || { cat errors-functions; failed=1; }
wait $tracepoints || only_recursion rows-tracepoints || { cat errors-tracepoints; failed=1; }
# Kernels in which zram takes pages without telling the block layer.
grep -q "way of its own" errors-tracepoints && hidden=1 || hidden=0

# Pages are counted when a device is asked, as the kernel does, and zswap's when it is done: numbers are equal. But programs
# can be preempted from 7.0 on, and the kernel leaves out one that another task is in the middle of on this CPU. It counts
# these: then, and only then, each may be about a huge page.
awk -v hidden=$hidden "$json_functions"'
function went(name, from, to) { return book[to, name] - book[from, name] }
function same(what, wanted, got,   off, source) {
	print what ": " wanted + 0 ", in rows: " got + 0
	off = wanted - got
	source = what
	sub(":.*", "", source)
	if (off > 512 * misses[source] || -off > 512 * misses[source]) { print "not ok: " what; failed = 1 }
}
function sum(source, scene, store, column) { return sums[source, book[scene, "pid"], store, column] }
function ahead(scene,   store, all) {
	for (store in stores) all += sum("functions", scene, store, "readahead_pages")
	return all
}
function compare(source, from, to, device,   what, zeros) {
	what = source ": " to ": "
	zeros = went("swpout_zero", from, to)
	if (source == "tracepoints" && hidden && device == "zram")
		zeros += went("pswpout", from, to)
	else {
		same(what device " in", went("pswpin", from, to), sum(source, to, device, "in_pages"))
		same(what device " out", went("pswpout", from, to), sum(source, to, device, "out_pages"))
		same(what "complete", sum(source, to, device, "in_folios") + sum(source, to, device, "out_folios"),
		     sum(source, to, device, "in_timed") + sum(source, to, device, "out_timed"))
	}
	same(what "zswap in", went("zswpin", from, to), sum(source, to, "zswap", "in_pages"))
	same(what "zswap out", went("zswpout", from, to), sum(source, to, "zswap", "out_pages"))
	if (source == "tracepoints") { # which does not tell all apart, but tells of it
		same(what "unknown", zeros, sum(source, to, "unknown", "out_pages"))
		return
	}
	same(what "zeros in", went("swpin_zero", from, to), sum(source, to, "zeros", "in_pages"))
	same(what "zeros out", zeros, sum(source, to, "zeros", "out_pages"))
	if (to == "ahead") { # by MADV_WILLNEED, but for a few pages of the program itself that it came upon
		same(what "ahead", went("pswpin", from, to) - sum(source, to, "disk", "demanded_pages"), ahead(to))
		if (sum(source, to, "disk", "demanded_pages") > 32) { print "not ok: " to ": too much was demanded"; failed = 1 }
	} else
		same(what "ahead", went("swap_ra", from, to), ahead(to))
}
FILENAME ~ /^books-/ { book[substr(FILENAME, 7), $1] = $2 }
FILENAME ~ /^rows-/ && of("type") == "swap" {
	print
	source = substr(FILENAME, 6)
	stores[of("store")] = 1
	n = split("in_pages out_pages demanded_pages readahead_pages in_folios out_folios in_timed out_timed", columns, " ")
	for (i = 1; i <= n; i++)
		sums[source, of("pid"), of("store"), columns[i]] += of(columns[i])
	if (of("owner") != "/trips" || (of("store") == "disk") != (of("device") == "vda") ||
	    (of("store") == "zram") != (of("device") == "zram0")) {
		print "not ok: owner or device of " $0
		failed = 1
	}
}
FILENAME ~ /^rows-/ && of("type") == "losses" { print; misses[substr(FILENAME, 6)] = of("recursion_misses") }
END {
	n = split("none disk disk disk2 shared disk shared2 ahead disk ahead2 zram zram zram2 zswap zram", scenes, " ")
	for (i = 1; i <= n; i += 3) {
		from = scenes[i]; to = scenes[i + 1]; device = scenes[i + 2]
		if (book[to, "pid"] == "") continue
		compare("functions", from, to, device)
		compare("tracepoints", from, to, device)
		if (to != "zswap" && went("pswpin", from, to) < 128) { print "not ok: " to ": hardly anything was read"; failed = 1 }
	}
	same("tracepoints: ahead", sum("functions", "disk", "disk", "readahead_pages"), sum("tracepoints", "disk", "disk", "readahead_pages"))
	same("tracepoints: demanded", sum("functions", "disk", "disk", "demanded_pages"), sum("tracepoints", "disk", "disk", "demanded_pages"))
	exit failed
}' books-* rows-functions rows-tracepoints || failed=1

mkdir /sys/fs/cgroup/others
# The source that attaches sooner, where it sees all of zram.
[ $hidden = 1 ] && start functions --events --cgroup trips || start tracepoints --events --cgroup trips
started
trips before after private=1
sh -c 'echo $$ >/sys/fs/cgroup/others/cgroup.procs; exec swap_trips private=1' || exit 1 # not wanted
kill -INT $tracer
wait $tracer || only_recursion "rows-$source" || { cat "errors-$source"; failed=1; }
swapoff /dev/zram0
awk "$json_functions"'
FILENAME ~ /^books-/ { book[FILENAME, $1] = $2; next }
# Besides the program, those write its pages who reclaim for a cgroup above its memory.high (high_work_func()), or for all.
function is_wanted(by) {
	by = of("comm") == "swap_trips" || (of("direction") == "out" && of("comm") ~ /^(kworker|kswapd)/)
	return by && of("owner") == "/trips" && of("device") == "zram0" && of("latency_ns") > 0 && of("swap_offset_pages") > 0
}
of("type") == "swapped" && of("owner") == "/trips" && of("store") ~ /^(zeros|unknown)$/ { # pages of the program itself
	zeros[of("direction")] += of("pages"); next
}
of("type") == "swapped" && is_wanted() { pages[of("direction")] += of("pages"); reasons[of("reason")] += of("pages"); row = $0; next }
of("type") == "swapped" { print "not wanted: " $0; strangers++ }
of("type") == "losses" { print; misses = of("recursion_misses") }
END {
	print row
	wanted_in = book["books-after", "pswpin"] - book["books-before", "pswpin"]
	wanted_out = book["books-after", "pswpout"] - book["books-before", "pswpout"]
	wanted_zeros = book["books-after", "swpout_zero"] - book["books-before", "swpout_zero"]
	print "events: " pages["in"] " in, " pages["out"] " out; in books: " wanted_in " in, " wanted_out " out"
	print "zeros: " zeros["in"] + 0 " in, " zeros["out"] + 0 " out; in books: " wanted_zeros " out"
	if (strangers || wanted_in < 128 || reasons["demanded"] != pages["in"]) exit 1
	if (zeros["out"] > wanted_zeros || zeros["out"] + misses < wanted_zeros) exit 1
	exit !(pages["in"] <= wanted_in && pages["out"] <= wanted_out && pages["in"] + pages["out"] + misses >= wanted_in + wanted_out)
}' books-before books-after "rows-$source" || failed=1
exit $failed
