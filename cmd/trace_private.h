/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the files of cmd/trace.h share among themselves. */
#ifndef DILL_TRACE_PRIVATE_H
#define DILL_TRACE_PRIVATE_H

#include "trace.h"

struct bpf_link;
struct cgroup_names;
struct ring_buffer;
struct trace_stacks;

struct trace_private {
	struct bpf_link **links;
	size_t link_count;
	struct ring_buffer *ring;
	int timer_fd;
	int status;              /* first failure of on_event() */
	uint64_t process_count;  /* of the wanted ones, how many live */
	struct cgroup_names *cgroups;
	struct trace_stacks *stacks;
};

/* Open the object for run->rung, choose its programs, filter, load, attach. */
int trace_load(struct trace *trace, struct error *err);
void trace_unload(struct trace *trace);
/* Give the programs the shared options: in prepare(), before loading; then the maps, after. */
int trace_filter_constants(struct trace *trace, struct error *err);
int trace_filter_maps(struct trace *trace, struct error *err);

/* A row as bytes and back (trace_rows.c). */
int trace_row_emit(struct trace *trace, const struct view_record *record, const struct view_value *values,
		   bool is_object);

int trace_losses(struct trace *trace);

void trace_stacks_destroy(struct trace_stacks *stacks);

#endif
