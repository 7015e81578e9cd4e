#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# The running kernel read by BPF and by /proc/kcore is the same kernel: every address and count of kbase, which
# are also those that the kernel's own symbols say.
# timeout: 300
# also: 6.12

failures=0
same() {
	if [ "$2" = "$3" ] && [ -n "$2" ]; then
		echo "ok: $1"
	else
		echo "FAILED: $1: '$2' is not '$3'"
		failures=$((failures + 1))
	fi
}

# A key's value in a line of JSON.
value() {
	sed -n "s/.*\"$2\":\"\{0,1\}\([^,\"}]*\).*/\1/p" "$1"
}

for reader in bpf kcore; do
	dill kbase --target "live:$reader" --json >"$reader.json" || {
		echo "FAILED: kbase by $reader"
		exit 1
	}
	cat "$reader.json"
done
dill kbase --json >best.json
for key in kernel_base kaslr_offset physical_base page_offset_base vmalloc_base vmemmap_base cpus nodes banner; do
	same "$key by BPF and kcore" "$(value bpf.json $key)" "$(value kcore.json $key)"
done
same "BPF is the better one" "$(cat best.json)" "$(cat bpf.json)"

same "_text of kallsyms" "$(value bpf.json kernel_base)" \
	"0x$(awk '$3 == "_text" { sub("^0*", "", $1); print $1; exit }' /proc/kallsyms)"
same "CPUs" "$(value bpf.json cpus)" "$(nproc)"
same "banner" "$(value bpf.json banner | cut -d' ' -f1-3)" "$(cut -d' ' -f1-3 /proc/version)"
[ "$failures" = 0 ]
