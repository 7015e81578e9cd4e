#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# mmapsnoop shows what a program says that it asked for and got, and VmSize as the kernel has it; 32-bit calls, too.
# timeout: 500
# also: 7.0
. /tests/trace-truth

said() {
	awk '/^call/ {
		for (i = 3; i <= NF; i++) { split($i, word, "="); v[word[1]] = word[2] == "0x0" ? 0 : word[2] }
		name[0] = "-"; name[9] = "EBADF"; name[12] = "ENOMEM"; name[14] = "EFAULT"; name[22] = "EINVAL"
		print $2, v["address"], $2 == "mremap" ? v["a2"] : v["a1"], $2 == "mmap" ? v["a5"] : 0,
			v["result"], name[v["error"]], v["net"]
	}' truth
}
shown() {
	awk "$json_functions"'/"type":"mapping_call"/ {
		print of("call"), either(of("address"), 0), hex(of("length_bytes")), either(of("offset"), 0), either(of("result"), 0),
			either(of("error"), "-"), of("net_bytes")
	}' events
}
try() {
	trace_program mmapsnoop -- mappings "$@" || return 1
	said >one
	shown >other
	diff one other && nothing_lost || { cat truth events; return 1; }
}

try || exit 1
wanted=$(awk '/^statm/ { print $2 }' truth)
last=$(awk "$json_functions"'/"mapping_call"/ { last = of("mapped_bytes") } END { print last }' events)
echo "VmSize: $wanted, shown: $last"
[ "$wanted" = "$last" ] || exit 1
grep -q '"prot":"READ|WRITE","flags":"PRIVATE|ANONYMOUS|NORESERVE"' events || exit 1
grep -q '"prot":"READ","flags":"SHARED","offset":"0x2000",.*"file":"/tmp/mappings-file"' events || exit 1
grep -q '"prot":"READ|EXEC",.*"file":"/tmp/mappings-file (deleted)"' events || exit 1
grep -q '"call":"madvise",.*"flags":"DONTNEED"' events || exit 1

# The same in sums: calls by name, failed ones, and what was added and removed.
trace_program mmapsnoop --summary -- mappings || exit 1
nothing_lost || exit 1
awk '/^call/ { calls[$2]++; split($9, error, "="); failed += error[2] != 0 }
	END { printf "failed %d mmap %d munmap %d mremap %d mprotect %d madvise %d brk %d\n", failed, calls["mmap"], calls["munmap"],
		calls["mremap"], calls["mprotect"], calls["madvise"], calls["brk"] }' truth >one
awk "$json_functions"'/"process_mappings"/ { printf "failed %d mmap %d munmap %d mremap %d mprotect %d madvise %d brk %d\n",
	of("failed"), of("mmap"), of("munmap"), of("mremap"), of("mprotect"), of("madvise"), of("brk") }' events >other
diff one other || exit 1

mappings --int80 >/dev/null || { echo "this kernel has no 32-bit calls"; exit 0; }
try --int80 && [ "$(grep -c '"is_32bit":true' events)" -eq 2 ]
