/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the files of cmd/trace.h share among themselves. */
#ifndef DILL_TRACE_PRIVATE_H
#define DILL_TRACE_PRIVATE_H

#include "trace.h"
#include "trace_mappings.h"

struct bpf_link;
struct cgroup_names;
struct ring_buffer;
struct stack_tables;
struct trace_schemas;
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
	struct trace_mappings *mappings;
	struct trace_schemas *schemas; /* of a recording that is replayed; NULL: none were told */
	uint64_t recorded_kinds;       /* 1 << number: told to the recording that is made */
	bool wants_user_stacks;
	bool is_nested; /* dill's PID namespace is not the machine's first */
	struct stack_tables *tables;
	uint64_t tables_budget; /* bytes */
	void *variables; /* the programs' section .bss, mapped; MAP_FAILED */
	size_t variables_size;
	uint32_t last_space; /* whose tables were made last, and when that was done: requests from before are served */
	uint64_t last_space_ns;
};

/* Open the object for run->rung, choose its programs, filter, load, attach. */
int trace_load(struct trace *trace, struct error *err);
void trace_unload(struct trace *trace);
/* Give the programs the shared options: in prepare(), before loading; then the maps, after. */
int trace_filter_constants(struct trace *trace, struct error *err);
int trace_filter_maps(struct trace *trace, struct error *err);

/* A row as bytes (trace_rows.c): added to @payload, which is the caller's. */
int trace_row_encode(struct trace *trace, const struct view_record *record, const struct view_value *values,
		     bool is_object, struct payload *payload, uint32_t *ret_type);

int trace_losses(struct trace *trace);

/* Once loaded: begin to make unwind tables. The walker wants those of @pid, as address space @space (0: names alone). */
int trace_tables_open(struct trace *trace, struct error *err);
void trace_tables_add(struct trace *trace, pid_t pid, uint32_t space);
void trace_tables_wanted(struct trace *trace, const struct trace_space_event *event);

/* Open what @pid maps, so that its addresses keep their names when it is gone. */
void trace_stacks_learn(struct trace *trace, pid_t pid);
const struct view_stack *trace_stacks_show(struct trace *trace, pid_t pid, const unsigned long long *addresses,
					   size_t count, bool is_truncated, bool is_second);
void trace_stacks_destroy(struct trace_stacks *stacks);

#endif
