/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The inside of struct leak_source, for the files that implement it: leak_source.c, leak_load.c and
 * leak_counts.c.
 */
#ifndef DILL_LEAK_SOURCE_PRIVATE_H
#define DILL_LEAK_SOURCE_PRIVATE_H

#include "leak_source.h"

struct ring_buffer;

/* Mappings of one stack. They are counted here, not in BPF: munmap() works on ranges. */
struct mapped_site {
	uint64_t stack_key;
	uint32_t space;
	struct site_counts counts;
};

struct leak_source {
	struct run *run;
	const struct memleak_options *options;
	struct leak_listener listener;
	struct memleak_bpf *bpf;
	struct ring_buffer *ring;
	int epoll_fd; /* over the ring and the processes' pidfds */
	struct stack_tables *tables;
	struct leak_probes *probes;
	struct leak_process **processes;
	size_t process_count;
	void *mapped_sites; /* tsearch(3) tree of struct mapped_site */
	uint64_t budget;
	int cpu_count;
};

/* leak_load.c: what --max-memory is without the option; and open, configure, load. */
uint64_t leak_source_default_memory(void);
int leak_source_load(struct leak_source *source, struct error *err);

#endif
