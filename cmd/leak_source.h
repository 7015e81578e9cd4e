/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * memleak's live side: the loaded BPF programs, the processes that they follow, and what they have counted.
 * Knows no symbols and makes no reports.
 */
#ifndef DILL_LEAK_SOURCE_H
#define DILL_LEAK_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "mapped_ranges.h"
#include "memleak.h"
#include "run.h"
#include "stack_layout.h"
#include "stack_tables.h"

struct leak_source;
struct memleak_bpf;
struct memleak_options;
struct uprobe_link;

/* Totals of one stack over all CPUs, mappings included. */
struct leak_counts {
	uint64_t stack_key;
	uint32_t space;
	struct site_counts counts; /* freed and dropped were read before seen, so seen is never behind */
};

struct leak_process {
	pid_t pid;
	int pidfd; /* readable once it has exited; -1: the kernel's event alone tells */
	uint32_t space;
	char comm[16];
	bool has_exited, is_attached;
	uint64_t last_report_ns; /* monotonic; 0: none of this image yet */
	struct mapped_ranges *ranges;
	struct leak_source *source;
};

/* What the source tells while events are consumed. */
struct leak_listener {
	/*
	 * The process's image is at its end (exec, exit): its space will get no more events. Its mappings
	 * are still known.
	 */
	void (*image_ends)(struct leak_process *process, bool has_exited, void *context);
	/* Its memory map has changed, or is there for the first time. */
	void (*map_changes)(struct leak_process *process, void *context);
	/* --no-aggregate */
	void (*event)(struct leak_process *process, const struct memleak_event *event, void *context);
	void *context;
};

/* Load for run->rung, follow run->targets, attach. On failure nothing is left behind. */
int leak_source_create(struct run *run, const struct memleak_options *options, const struct leak_listener *listener,
		       struct leak_source **ret_source, struct error *err);
void leak_source_destroy(struct leak_source *source);

int leak_source_event_fd(const struct leak_source *source);
int leak_source_consume(struct leak_source *source);
/* Take all probes out; counts don't change any more afterwards. Pending events are consumed. */
void leak_source_detach(struct leak_source *source);

struct leak_process *leak_source_process(struct leak_source *source, size_t index); /* NULL behind the last */
unsigned int leak_source_running(const struct leak_source *source);

/* Counts of all stacks of @space, to be freed by the caller. */
int leak_source_read_counts(struct leak_source *source, uint32_t space, struct leak_counts **ret_counts,
			    size_t *ret_count, struct error *err);
int leak_source_read_stack(struct leak_source *source, uint64_t stack_key, struct stack_trace *ret_trace);
/* Visit each held block of @space, mappings too. Blocks that come and go meanwhile may be missed or shown. */
int leak_source_each_block(struct leak_source *source, uint32_t space,
			   void (*visit)(uint64_t address, uint64_t size, uint64_t stack_key, uint64_t time_ns, void *context),
			   void *context, struct error *err);
void leak_source_read_counters(struct leak_source *source, struct counters *ret_counters);
/* Hits of probes for which the kernel did not run a program, since one was active on that CPU. */
uint64_t leak_source_missed_runs(struct leak_source *source);
/* Bytes that the maps take now, and the budget. */
void leak_source_memory(struct leak_source *source, uint64_t *ret_used, uint64_t *ret_budget);
void leak_source_tables(struct leak_source *source, struct stack_tables_totals *ret_totals);

/*
 * leak_probes.c: put probes into what @process maps now, unless they are there. -ENOENT: it has no
 * allocator (yet).
 */
struct leak_probes;
int leak_probes_create(struct run *run, const struct memleak_options *options, struct memleak_bpf *bpf,
		       struct leak_probes **ret_probes);
int leak_probes_attach(struct leak_probes *probes, pid_t pid, struct error *err);
/* Take out those of a process that has exited. */
void leak_probes_forget(struct leak_probes *probes, pid_t pid);
void leak_probes_detach(struct leak_probes *probes);
void leak_probes_destroy(struct leak_probes *probes);

#endif
