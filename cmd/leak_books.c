// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Makes memleak's records out of counts, stacks and names. */
#include "leak_books.h"

#include <errno.h>
#include <math.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "memleak_options.h"
#include "stack_layout.h"
#include "symbolizer.h"

/* What the last report said of a stack. */
struct history {
	uint64_t stack_key;
	uint64_t bytes;
	unsigned int reports, grown;
};

struct leak_books {
	struct run *run;
	const struct memleak_options *options;
	struct leak_source *source;
	struct symbolizer *symbolizer;
	void *histories; /* tsearch(3) tree of struct history */
	struct payload payload;
};

int leak_books_create(struct run *run, const struct memleak_options *options, struct leak_books **ret_books,
		      struct error *err)
{
	struct symbolizer_options names = { .wants_lines = !options->no_lines, .wants_inlines = !options->no_lines,
					    .uses_debuginfod = options->uses_debuginfod };
	struct leak_books *books = calloc(1, sizeof(*books));
	int status;

	if (!books)
		return -ENOMEM;
	books->run = run;
	books->options = options;
	status = symbolizer_create(&names, &books->symbolizer, err);
	if (status) {
		free(books);
		return status;
	}
	*ret_books = books;
	return 0;
}

void leak_books_destroy(struct leak_books *books)
{
	if (!books)
		return;
	symbolizer_destroy(books->symbolizer);
	tdestroy(books->histories, free);
	payload_deinit(&books->payload);
	free(books);
}

void leak_books_set_source(struct leak_books *books, struct leak_source *source)
{
	books->source = source;
}

void leak_books_learn(struct leak_books *books, pid_t pid)
{
	struct error err = { 0 };
	int status = symbolizer_refresh(books->symbolizer, pid, &err);

	if (status && status != -ESRCH)
		run_notice(books->run, "addresses of process %d get no names: %s", pid, err.text);
}

static int compare_histories(const void *a, const void *b)
{
	const struct history *x = a, *y = b;

	return x->stack_key < y->stack_key ? -1 : x->stack_key > y->stack_key;
}

/* Compare with the last report, and remember this one. */
static void note_growth(struct leak_books *books, bool was_reported, struct leak_site *site)
{
	struct history *new = calloc(1, sizeof(*new)), **found, *history;

	if (!new)
		return;
	new->stack_key = site->stack_key;
	found = tsearch(new, &books->histories, compare_histories);
	history = found ? *found : NULL;
	if (history != new)
		free(new);
	if (!history)
		return;
	site->has_growth = was_reported;
	site->growth_bytes = (int64_t)(site->bytes - history->bytes);
	if (site->has_growth) {
		history->reports++;
		history->grown += site->bytes > history->bytes;
	}
	site->is_growing = history->reports >= 2 && history->grown == history->reports;
	history->bytes = site->bytes;
}

static int append_frame(struct leak_site *site, const struct source_frame *frame, uint64_t address)
{
	struct source_frame *frames = reallocarray(site->frames, site->frame_count + 1, sizeof(*frames));
	uint64_t *addresses;

	if (!frames)
		return -ENOMEM;
	site->frames = frames;
	addresses = reallocarray(site->addresses, site->frame_count + 1, sizeof(*addresses));
	if (!addresses)
		return -ENOMEM;
	site->addresses = addresses;
	frames[site->frame_count] = *frame;
	addresses[site->frame_count++] = address;
	return 0;
}

/* The names stay the symbolizer's: free only the arrays. */
static void release_frames(struct leak_site *site)
{
	free(site->frames);
	free(site->addresses);
	site->frames = NULL;
	site->addresses = NULL;
	site->frame_count = 0;
}

static int resolve(struct leak_books *books, pid_t pid, struct leak_site *site)
{
	struct stack_trace trace;
	int status = 0;

	if (!(site->stack_key & STACK_KEY_IS_HASH) || leak_source_read_stack(books->source, site->stack_key, &trace))
		return 0;
	site->stack_flags = trace.flags;
	for (unsigned int i = 0; i < trace.count && i < WALK_MAX_FRAMES && !status; i++) {
		struct source_frames frames;

		status = symbolizer_resolve(books->symbolizer, pid, trace.addresses[i], true, &frames, NULL);
		for (size_t f = 0; !status && f < frames.count; f++)
			status = append_frame(site, &frames.list[f], trace.addresses[i]);
	}
	return status;
}

static int emit(struct leak_books *books, enum leak_record type)
{
	int status = run_emit(books->run, type, &books->payload);

	books->payload.size = 0;
	books->payload.has_failed = false;
	return status;
}

/* Blocks of one report: old enough ones are counted by stack, and shown if asked. */
struct block_context {
	struct leak_books *books;
	struct leak_site *sites;
	size_t site_count;
	uint64_t now_ns;
	int status;
};

static int compare_sites(const void *a, const void *b)
{
	const struct leak_site *x = a, *y = b;

	return x->stack_key < y->stack_key ? -1 : x->stack_key > y->stack_key;
}

static void visit_block(uint64_t address, uint64_t size, uint64_t stack_key, uint64_t time_ns, void *data)
{
	struct block_context *context = data;
	const struct memleak_options *options = context->books->options;
	uint64_t age_ns = context->now_ns > time_ns ? context->now_ns - time_ns : 0;
	struct leak_block block = { stack_key, address, size, age_ns };
	struct leak_site wanted = { .stack_key = stack_key }, *site;

	if (age_ns < options->older_than_ns || context->status)
		return;
	site = bsearch(&wanted, context->sites, context->site_count, sizeof(wanted), compare_sites);
	if (site && options->older_than_ns) {
		site->count++;
		site->bytes += size;
	}
	if (!options->shows_allocations)
		return;
	leak_encode_block(&context->books->payload, &block);
	context->status = emit(context->books, LEAK_RECORD_BLOCK);
}

static int visit_blocks(struct leak_books *books, const struct leak_process *process, struct leak_site *sites,
			size_t site_count, struct error *err)
{
	struct block_context context = { books, sites, site_count, run_monotonic_ns(), 0 };
	int status;

	if (!books->options->older_than_ns && !books->options->shows_allocations)
		return 0;
	qsort(sites, site_count, sizeof(*sites), compare_sites);
	status = leak_source_each_block(books->source, process->space, visit_block, &context, err);
	return status ? status : context.status;
}

static void make_site(const struct leak_books *books, const struct leak_counts *entry, struct leak_site *ret_site)
{
	const struct site_counts *counts = &entry->counts;
	bool counts_blocks = books->options->older_than_ns;
	double variance = (double)(int64_t)(counts->estimate_seen_variance - counts->estimate_freed_variance);

	*ret_site = (struct leak_site){
		.stack_key = entry->stack_key,
		.count = counts_blocks ? 0 : counts->seen - counts->freed - counts->dropped,
		.bytes = counts_blocks ? 0 : counts->seen_bytes - counts->freed_bytes - counts->dropped_bytes,
		.dropped = counts->dropped,
		.dropped_bytes = counts->dropped_bytes,
		.estimate_count = (counts->estimate_seen - counts->estimate_freed + 512) >> 10,
		.estimate_bytes = counts->estimate_seen_bytes - counts->estimate_freed_bytes,
		.estimate_error_bytes = variance > 0 ? (uint64_t)(1024 * sqrt(variance)) : 0,
	};
}

static void add_totals(struct leak_report_head *head, const struct site_counts *counts)
{
	head->seen += counts->seen;
	head->seen_bytes += counts->seen_bytes;
	head->freed += counts->freed;
	head->freed_bytes += counts->freed_bytes;
	head->dropped += counts->dropped;
	head->dropped_bytes += counts->dropped_bytes;
	head->held = head->seen - head->freed - head->dropped;
	head->held_bytes = head->seen_bytes - head->freed_bytes - head->dropped_bytes;
}

static int emit_sites(struct leak_books *books, const struct leak_process *process, struct leak_site *sites, size_t count)
{
	int status = 0;

	for (size_t i = 0; i < count && !status; i++) {
		note_growth(books, process->last_report_ns != 0, &sites[i]);
		if (!sites[i].count && !sites[i].dropped)
			continue;
		status = resolve(books, process->pid, &sites[i]);
		if (!status) {
			leak_encode_site(&books->payload, &sites[i]);
			status = emit(books, LEAK_RECORD_SITE);
		}
		release_frames(&sites[i]);
	}
	return status;
}

static int emit_end(struct leak_books *books)
{
	struct leak_report_end end = { 0 };

	leak_source_read_counters(books->source, &end.counters);
	end.recursion_misses = leak_source_missed_runs(books->source);
	leak_source_memory(books->source, &end.memory_used, &end.memory_budget);
	leak_encode_end(&books->payload, &end);
	return emit(books, LEAK_RECORD_END);
}

int leak_books_report(struct leak_books *books, struct leak_process *process, enum leak_reason reason,
		      struct error *err)
{
	CLEANUP(free) struct leak_counts *counts = NULL;
	CLEANUP(free) struct leak_site *sites = NULL;
	uint64_t now_ns = run_monotonic_ns();
	struct leak_report_head head = {
		.time_ns = run_wall_ns(books->run, now_ns), .pid = process->pid, .comm = process->comm, .reason = reason,
		.interval_ns = process->last_report_ns ? now_ns - process->last_report_ns : 0,
		.older_than_ns = books->options->older_than_ns, .sample_bytes = books->options->sample_bytes,
	};
	size_t count;
	int status;

	status = leak_source_read_counts(books->source, process->space, &counts, &count, err);
	if (status)
		return status;
	sites = calloc(count + 1, sizeof(*sites));
	if (!sites)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		make_site(books, &counts[i], &sites[i]);
		add_totals(&head, &counts[i].counts);
	}
	leak_encode_head(&books->payload, &head);
	status = emit(books, LEAK_RECORD_REPORT);
	if (!status)
		status = visit_blocks(books, process, sites, count, err);
	if (!status)
		status = emit_sites(books, process, sites, count);
	if (!status)
		status = emit_end(books);
	process->last_report_ns = reason == LEAK_AT_EXEC ? 0 : now_ns;
	return status;
}

int leak_books_event(struct leak_books *books, const struct leak_process *process, const struct memleak_event *event)
{
	struct leak_event record = { .time_ns = run_wall_ns(books->run, event->time_ns), .pid = process->pid,
				     .tid = event->tid, .kind = event->type, .address = event->address,
				     .size = event->size, .stack.stack_key = event->stack_key };
	int status = resolve(books, process->pid, &record.stack);

	if (!status) {
		leak_encode_event(&books->payload, &record);
		status = emit(books, LEAK_RECORD_EVENT);
	}
	release_frames(&record.stack);
	return status;
}
