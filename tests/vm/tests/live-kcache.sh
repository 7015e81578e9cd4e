#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# kcache of the running kernel, read by BPF and by /proc/kcore, against /proc/slabinfo before and after: a cache that
# stood still has these figures by both, another ones that lie between. Each cache must fit in some round. Static data
# are the same, and --check finds nothing.
# timeout: 600
# also: 6.1 6.18

cat >fits.awk <<'END'
function lies_between(found,    f, a, b, i) {
	if (split(found, f) != 3)
		return 0
	split(before[$1], a)
	split(after, b)
	for (i = 1; i <= 3; i++)
		if ((f[i] < a[i] && f[i] < b[i]) || (f[i] > a[i] && f[i] > b[i]))
			return 0
	return 1
}
FNR == 1 { part++ }
part == 1 { before[$1] = $2 " " $3 " " $4 }
part == 2 { bpf[$1] = $2 " " $3 " " $4 }
part == 3 { kcore[$1] = $2 " " $3 " " $4 }
part == 4 && $1 in before {
	after = $2 " " $3 " " $4
	if (lies_between(bpf[$1]) && lies_between(kcore[$1]))
		print $1
	else
		print $1 ": slabinfo " before[$1] ", then " after ", bpf " bpf[$1] ", kcore " kcore[$1] >"/dev/stderr"
}
END

# name, slabs, num_objs, active_objs
slabinfo() {
	awk 'NR > 2 { print $1, $15, $3, $2 }' /proc/slabinfo | sort
}

figures() {
	dill kcache --target "live:$1" --json | sed -n \
		's/^{"type":"cache","name":"\([^"]*\)".*"slabs":\([0-9]*\),"num_objs":\([0-9]*\),"active_objs":\([0-9]*\).*/\1 \2 \3 \4/p'
}

failures=0
: >fitted
for round in $(seq 30); do
	slabinfo >before
	figures bpf >bpf
	figures kcore >kcore
	slabinfo >after
	awk -f fits.awk before bpf kcore after >>fitted 2>moved
	awk '{ print $1 }' after | sort -u >names
	sort -u fitted | grep -vxFf - names >left
	echo "round $round: $(wc -l <names) caches, $(wc -l <left) have not fitted yet, $(wc -l <moved) had moved"
	[ -s left ] || break
done
if [ -s left ]; then
	echo "FAILED: never as in /proc/slabinfo:"
	cat left moved
	failures=1
fi

address=0x$(awk '$3 == "init_uts_ns" { print $1; exit }' /proc/kallsyms)
for reader in bpf kcore; do
	dill kstruct --target "live:$reader" uts_namespace "$address" --json >"uts.$reader" || failures=1
done
cmp uts.bpf uts.kcore || failures=1
grep -q "\"value\":\"$(uname -r)\"" uts.bpf || {
	echo "FAILED: no $(uname -r) in init_uts_ns"
	failures=1
}

for reader in bpf kcore; do
	dill kcache --target "live:$reader" --check >check || {
		echo "FAILED: --check by $reader"
		cat check
		failures=1
	}
done
[ "$failures" = 0 ]
