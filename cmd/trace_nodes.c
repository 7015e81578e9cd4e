// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Tells programs on which node a page frame lies (bpf/page_node.bpf.h), by what zones span. Where zones of several nodes
 * lie within one another (no machine of this century is built so) the first one counts.
 */
#include "trace.h"

#include <stdio.h>

#include "cleanup.h"

#define RANGES 64 /* NODE_RANGES */

struct range { /* as node_ranges has them */
	uint64_t first, end, node;
};

/* Zones of one node that follow each other are one range. */
static size_t add_range(struct range *ranges, size_t count, struct range range)
{
	struct range *last = count ? &ranges[count - 1] : NULL;

	if (range.first == range.end)
		return count;
	if (last && last->node == range.node && last->end == range.first) {
		last->end = range.end;
		return count;
	}
	if (count == RANGES)
		return count;
	ranges[count] = range;
	return count + 1;
}

/* A zone's lines begin with its node, "spanned" stands before "start_pfn" (zoneinfo_show_print(), mm/vmstat.c). */
static size_t read_ranges(struct range *ranges)
{
	CLEANUP(fclose) FILE *file = fopen("/proc/zoneinfo", "re");
	unsigned long long node = 0, spanned = 0, first;
	size_t count = 0;
	char line[256];

	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Node %llu, zone", &node) == 1)
			spanned = 0;
		else if (sscanf(line, " spanned %llu", &spanned) != 1 && sscanf(line, " start_pfn: %llu", &first) == 1)
			count = add_range(ranges, count, (struct range){ first, first + spanned, node });
	}
	return count;
}

int trace_set_nodes(struct trace *trace, struct error *err)
{
	struct range ranges[RANGES] = { 0 };
	size_t count = read_ranges(ranges);
	uint64_t mask = 0;
	int status;

	for (size_t i = 0; i < count; i++)
		while (ranges[i].end > mask)
			mask = mask << 1 | 1;
	status = trace_set_bytes(trace, "node_ranges", ranges, sizeof(ranges), err);
	if (!status)
		status = trace_set(trace, "node_range_count", count, err);
	return status ? status : trace_set(trace, "node_frame_mask", mask, err);
}
