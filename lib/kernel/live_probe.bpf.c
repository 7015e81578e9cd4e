// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Tells addresses that every BPF program knows. It reads nothing. */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "live_probe.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, unsigned int);
	__type(value, unsigned long long);
} witness SEC(".maps");

struct live_probe probe;

/* A raw tracepoint's program can be run on a CPU of choice. */
SEC("raw_tp") int tell_addresses(void *context)
{
	unsigned int key = 0;
	void *element = bpf_map_lookup_elem(&witness, &key);

	if (!element)
		return 0;
	probe.task = bpf_get_current_task();
	probe.map = (unsigned long long)&witness;
	probe.element = (unsigned long long)element;
	return 0;
}

char licence[] SEC("license") = "Dual BSD/GPL";
