#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# The guest is what the other tests count on: BTF, tracepoints and file systems are there, and dill starts.
# timeout: 200
# also: 6.1 6.12 6.18 7.0

failures=0
expect() {
	what=$1
	shift
	if "$@"; then
		echo "ok: $what"
	else
		echo "FAILED: $what"
		failures=$((failures + 1))
	fi
}

has_btf() {
	[ "$(od -An -tx1 -N2 /sys/kernel/btf/vmlinux | tr -d ' ')" = 9feb ]
}

lists_events() {
	grep -q '^kmem:kmalloc$' /sys/kernel/tracing/available_events &&
		[ -e /sys/kernel/tracing/events/sched/sched_process_exit/id ]
}

mounted() {
	awk -v want="$1 $2" '$2 " " $3 == want { found = 1 } END { exit !found }' /proc/mounts
}

loopback_is_up() {
	ping -c 1 -W 5 127.0.0.1 >/dev/null
}

echo "kernel $(uname -r), $(wc -l </sys/kernel/tracing/available_events) events"
expect "BTF of the kernel" has_btf
expect "tracepoints in tracefs" lists_events
expect "/proc" mounted /proc proc
expect "/sys" mounted /sys sysfs
expect "/dev" mounted /dev devtmpfs
expect "/tmp" mounted /tmp tmpfs
expect "tracefs" mounted /sys/kernel/tracing tracefs
expect "debugfs" mounted /sys/kernel/debug debugfs
expect "bpf file system" mounted /sys/fs/bpf bpf
expect "cgroup v2" mounted /sys/fs/cgroup cgroup2
expect "loopback" loopback_is_up
if [ -e /bin/dill ]; then
	expect "dill --version" dill --version
else
	echo "no dill in this guest: that part is left out"
fi
[ "$failures" = 0 ]
