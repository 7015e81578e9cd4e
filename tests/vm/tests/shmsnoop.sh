#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# shmsnoop shows the calls that a program says it made, whose segment each is, and which one is left behind; 32-bit ipc() too.
# timeout: 500
# also: 6.18
[ -r /proc/sysvipc/shm ] || { echo "SKIP: no SysV shared memory"; exit 77; }
. /tests/trace-truth
[ ! -e /proc/sys/vm/nr_hugepages ] || echo 0 >/proc/sys/vm/nr_hugepages # a test before may have left some

said() {
	awk '/^call/ {
		for (i = 3; i <= NF; i++) { split($i, word, "="); v[word[1]] = word[2] }
		name[0] = "-"; name[12] = "ENOMEM"; name[17] = "EEXIST"; name[22] = "EINVAL"
		print $2, v["pid"], v["error"] && $2 == "shmget" ? "-" : v["id"], v["result"], name[v["error"]]
	}
	/^segment/ { split($3, key, "="); split($4, size, "="); split($5, creator, "="); split($6, state, "=")
		print "segment", $2, key[2], size[2], creator[2], state[2] }' truth | sort
}
shown() {
	awk "$json_functions"'/"type":"shm_call"/ && !/"call":"shm_|"call":"memfd/ {
		print of("call"), of("pid"), either(of("id"), "-"), of("result") + 0, either(of("error"), "-")
	}
	/"type":"shm_segment"/ { key = of("key"); sub("0x0*", "0x", key); if (key == "PRIVATE") key = 0
		print "segment", of("id"), key, of("size_bytes"), of("creator_pid"), of("state") }' events | sort
}
undo() { segments --remove="$(sed -n 's/^segment \([0-9]*\) .*left_behind/\1/p' truth)"; }
try() {
	trace_program shmsnoop --posix --follow -- segments "$@" || return 1
	undo || return 1
	said >one
	shown >other
	diff one other && nothing_lost && return 0
	cat truth events
	return 1
}

try || exit 1
grep -q '"call":"shmget",.*"key":"0x0064d111","size_bytes":40960,.*"flags":"IPC_CREAT|IPC_EXCL|0640"' events || exit 1
grep -q '"call":"shmget",.*"flags":"IPC_CREAT|SHM_HUGETLB|SHM_HUGE_2MB|0600"' events || exit 1
grep -q '"call":"shmat",.*"key":"0x0064d111","size_bytes":40960,.*"flags":"SHM_RDONLY"' events || exit 1
grep -q '"call":"shmctl",.*"command":"IPC_RMID"' events || exit 1
grep -q '"call":"shm_open",.*"flags":"O_RDWR|O_CREAT|O_EXCL|0600",.*"name":"dill-object"' events || exit 1
grep -q '"call":"shm_unlink",.*"result":"0x0",.*"name":"dill-object"' events || exit 1
grep -q '"call":"memfd_create",.*"flags":"MFD_CLOEXEC|MFD_ALLOW_SEALING",.*"name":"dill-memfd"' events || exit 1
grep -q '"state":"left_behind",.*"attachers":"[0-9]* segments, [0-9]* segments"' events || exit 1

mappings --int80 >/dev/null || { echo "this kernel has no 32-bit calls"; exit 0; }
try --int80 && [ "$(grep -c '"is_32bit":true' events)" -ge 10 ]
