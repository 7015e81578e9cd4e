#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# oomkill on each rung: what it shows of a kill is what the kernel's log says of it, and it shows each kill.
# timeout: 600
# also: 7.0
grep -q memory /sys/fs/cgroup/cgroup.controllers || { echo "SKIP: no memory controller"; exit 77; }
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir -p /sys/fs/cgroup/scarce || exit 1
echo 1 >/proc/sys/kernel/sysrq
[ ! -e /proc/sys/kernel/printk ] || echo 1 >/proc/sys/kernel/printk # the console is slow
failed=0

# same WHAT SHOWN WANTED
same() {
	[ "$2" = "$3" ] && return
	echo "not ok: $rung: $1: shown '$2', the kernel says '$3'"
	failed=1
}
killed() { sed -n 's/^oom_kill //p' "$1"; }
# by_event NAME …: values of each event in $events, in one line; kib: bytes as KiB
by_event() {
	echo $(echo "$events" | awk -v names="$*" -v unit=${unit:-1} 'BEGIN { count = split(names, name, " ") }
		{ for (i = 1; i <= count; i++) {
			value = match($0, "\"" name[i] "\":\"?[^,\"}]*") ? substr($0, RSTART, RLENGTH) : "?"
			sub(/^"[^"]*":"?/, "", value)
			print (unit > 1 ? value / unit : value)
		} }')
}
kib() { unit=1024 by_event "$@"; }
# told PATTERN SED: words of the log's lines, in one line
told() { told=$(echo $(sed -n "/$1/{$2;p}" log)); }
# near WHAT SHOWN WANTED TOLERANCE
near() {
	echo "$2 / $3" | awk -v most=$4 -F/ '{ n = split($1, a, " "); m = split($2, b, " "); bad = n != m || !n
		for (i = 1; i <= n; i++) bad = bad || a[i] - b[i] > most || b[i] - a[i] > most; exit bad }' || same "$@"
}
# freed: for each event the KiB of those whom the same trigger had killed before: they may go while the kernel still writes
# its line of the next one, which then says more than there is when that one is killed.
freed() {
	echo $(echo "$events" | awk 'function value(name,   text) {
			return match($0, "\"" name "\":[0-9]*") ? substr($0, RSTART + length(name) + 3, RLENGTH - length(name) - 3) : 0
		}
		{ pid = value("pid"); print freed[pid] + 0
		freed[pid] += (value("victim_anon_bytes") + value("victim_file_bytes") + value("victim_shmem_bytes")) / 1024 }')
}
# usage: that of the cgroup is the kernel's, but for what others in it charge meanwhile, 64 pages at once, and what is freed()
usage() {
	told 'memory: usage' 's/.*memory: usage \([0-9]*\)kB, limit .*/\1/'
	echo "$(kib memcg_bytes) / $told / $(freed)" | awk -F/ '{ n = split($1, a, " "); m = split($2, b, " "); split($3, less, " ")
		bad = n != m || !n; for (i = 1; i <= n; i++) bad = bad || a[i] - b[i] > 256 || b[i] - a[i] > 256 + less[i]; exit bad }' ||
		same "usage (may be less by $(freed))" "$(kib memcg_bytes)" "$told"
}
# trace SCENE …: events of kills in `events` by their kinds, the kernel's log of them in `log`
trace() {
	before=$(killed /proc/vmstat) before_cgroup=$(killed /sys/fs/cgroup/scarce/memory.events)
	dmesg -c >/dev/null
	dill oomkill --json --source $rung -- sh /tests/oomkill-scenes "$@" >report 2>errors ||
		{ cat report; failed=1; }
	cat errors
	# With memory.oom.group the kernel kills the chosen one a second time, with the others, and counts that, too.
	dmesg | awk '/Killed process/ { pid = $0; sub(/.*Killed process /, "", pid); sub(/ .*/, "", pid); twice = seen[pid]++ }
		!twice { print > "log" } twice { print > "again"; twice = 0 }'
	events=$(grep '"type":"oom_kill"' report)
	again=$(cat again 2>/dev/null | wc -l)
	rm -f again
	same "kills" $(($(echo "$events" | wc -l) + again)) $(($(killed /proc/vmstat) - before))
	same "kills in /scarce" $(($(echo "$events" | grep -c '"victim_cgroup":"/scarce"') + again)) \
		$(($(killed /sys/fs/cgroup/scarce/memory.events) - before_cgroup))
	told 'Killed process' 's/.*Killed process \([0-9]*\) (\([^)]*\)).*UID:\([0-9]*\).*oom_score_adj:\(-*[0-9]*\).*/\1 \2 \3 \4/'
	same "pid, comm, uid, oom_score_adj" "$(by_event victim_pid victim_comm victim_uid victim_oom_score_adj)" "$told"
	told 'Killed process' 's/.*total-vm:\([0-9]*\)kB.*pgtables:\([0-9]*\)kB.*/\1 \2/'
	same "total-vm, page tables" "$(kib victim_virtual_bytes victim_page_table_bytes)" "$told"
	# Up to 6.1 a thread keeps pages of a kind apart until it counted more than 64 faults (check_sync_rss_stat()): 66. The
	# victim may settle them before the line is written.
	told 'Killed process' 's/.*anon-rss:\([0-9]*\)kB.*file-rss:\([0-9]*\)kB.*shmem-rss:\([0-9]*\)kB.*/\1 \2 \3/'
	near "anon-rss, file-rss, shmem-rss" "$(kib victim_anon_bytes victim_file_bytes victim_shmem_bytes)" "$told" 264
	events=$(echo "$events" | grep '"kind":"killed"')
	told 'invoked oom-killer' 's/^\[[^]]*\] \(.*\) invoked.*/\1/'
	same "trigger" "$(by_event comm)" "$told"
}
request() {
	told 'invoked oom-killer' 's/.*gfp_mask=\([^(]*\)(\([^)]*\)), order=\(-*[0-9]*\),.*/\1 \2 \3/'
	same "gfp, order" "$(sorted $(by_event gfp_flags gfp order))" "$(sorted $told)"
}
# The names in a word, whose order is the kernel's own business.
sorted() {
	for word in "$@"; do
		echo $word | tr '|' '\n' | sort | tr '\n' '|'
	done
}
constraints() {
	told 'oom-kill:constraint' 's/.*CONSTRAINT_\([A-Z_]*\),.*/\1/'
	told=$(echo "$told" | sed 'y/ABCDEFGHIJKLMNOPQRSTUVWXYZ/abcdefghijklmnopqrstuvwxyz/' | sed "s/none/$1/g")
	same "constraint" "$(by_event constraint)" "$told"
}

for rung in fentry kprobe; do
	[ $rung = fentry ] && trace limit group sysrq || trace limit
	request
	constraints global
	[ $rung = fentry ] && same "kinds" "$(grep -c '"kind":"killed_with_group"' report)" 2
	events=$(echo "$events" | grep '"constraint":"memcg"')
	usage
	told 'memory: usage' 's/.*memory: usage [0-9]*kB, limit \([0-9]*\)kB.*/\1/'
	same "limit" "$(kib memcg_limit_bytes)" "$told"
	told 'oom_memcg=' 's/.*oom_memcg=\([^,]*\),task_memcg=\([^,]*\),.*/\1 \2/'
	same "cgroups" "$(by_event memcg victim_cgroup)" "$told"
	told 'memory: usage' "s/.*/$((24 << 10))/"
	same "total" "$(kib domain_total_bytes)" "$told"
done
rung=tracepoints
trace group machine
constraints not_memcg
same "kinds" "$(grep -c '"kind":"killed_with_group"' report)" 2
same "greatest" "$(grep '"type":"oom_task".*"comm":"memory_holder"' report | wc -l)" 4
same "stacks" "$(grep '"type":"oom_stack".*oom_kill_process' report | wc -l)" 2
events=$(echo "$events" | grep '"load_1":[0-9]')
[ -e /proc/pressure/memory ] && events=$(echo "$events" | grep '"pressure_some_10s_percent":[0-9]')
same "load and pressure" "$(echo "$events" | wc -l)" 2
events=$(echo "$events" | tail -1)
grep 'invoked oom-killer' log | tail -1 >last
mv last log
request
events=$(grep '"type":"oom_kill".*"constraint":"memcg"' report)
same "cgroup at its limit" "$(by_event memcg memcg_limit_bytes)" "/scarce $((24 << 20)) /scarce $((24 << 20)) /scarce $((24 << 20))"

# The trigger's code has no frame pointers; its tables are there before it begins.
echo 24M >/sys/fs/cgroup/scarce/memory.max
sh -c 'echo 0 >/sys/fs/cgroup/scarce/cgroup.procs; exec memory_holder --anonymous=40 --stopped' &
holder=$!
until grep -q ' T ' /proc/$holder/stat; do sleep 0.1; done
dill oomkill --json -p $holder -- kill -CONT $holder >report 2>errors || failed=1
cat errors
names=$(sed -n '/"type":"oom_stack"/{s/.*"user_stack"//;s/"symbol":"/\n/g;p}' report | sed -n '2,$s/".*//p')
same "functions of the trigger's stack" "$(echo "$names" | grep -x -e 'take.*' -e main -e _start | sed 's/^take.*/take/')" \
	"$(printf 'take\nmain\n_start')"
[ $failed = 0 ] || { cat report; exit 1; }
