/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * On which node a page lies: by its frame's number, with the constants that trace_set_nodes() fills, or by its struct
 * page, which has it in its highest bits (NODES_PGOFF, include/linux/mmzone.h, with SPARSEMEM_VMEMMAP, as x86-64 has).
 */
#ifndef DILL_BPF_PAGE_NODE_BPF_H
#define DILL_BPF_PAGE_NODE_BPF_H

#include "kernel_types.h"

#define NODE_RANGES 64 /* as trace_set_nodes() fills */
#define NODE_NUMBERS 64 /* that are told apart; those above have no bit */

enum zone_type { __MAX_NR_ZONES = 5 }; /* include/linux/mmzone.h */

volatile const __u64 node_ranges[NODE_RANGES][3]; /* first frame, end, node */
volatile const __u32 node_range_count;
volatile const __u64 node_frame_mask; /* bits that a frame's number may have: what else stands in an entry is none */

/* A set of nodes with this one in it, 1 << number; 0: not known. A function of scalars, so that it is verified once. */
__noinline u64 node_of_frame(u64 frame)
{
	frame &= node_frame_mask;
	for (u32 i = 0; i < NODE_RANGES && i < node_range_count; i++)
		if (frame >= node_ranges[i][0] && frame < node_ranges[i][1])
			return node_ranges[i][2] < NODE_NUMBERS ? 1ULL << node_ranges[i][2] : 0;
	return 0;
}

/* Bits of a node's number, CONFIG_NODES_SHIFT, out of what zonelists have room for: each zone of each node, and an end. */
static __always_inline u32 node_bits(void)
{
	u64 zones = bpf_core_type_size(struct zonelist) / bpf_core_type_size(struct zoneref) - 1;
	u64 nodes = zones / bpf_core_enum_value(enum zone_type, __MAX_NR_ZONES);
	u32 bits = 0;

	for (; bits < 16 && nodes >> bits > 1; bits++)
		;
	return bits;
}

/* As node_of_frame(). */
static __always_inline u64 node_of_page(const void *page)
{
	u64 flags = 0, node = 0;
	u32 bits = node_bits();

	if (bpf_probe_read_kernel(&flags, sizeof(flags), page)) /* its first word, as a number or a struct */
		return 0;
	if (bits)
		node = flags >> (64 - bits);
	return node < NODE_NUMBERS ? 1ULL << node : 0;
}

#endif
