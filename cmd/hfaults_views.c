// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* hfaults' records, and an event in words: hfaults_views.h. */
#include "hfaults_views.h"

#include <stdio.h>
#include <string.h>

#include "mapping_names.h"
#include "trace_mappings.h"

const char *const huge_kind_names[] = { "hugetlb", "thp", "thp-write", "thp-map", "collapse", "collapse-file", "unmap", "split",
					NULL };
static const char *const result_names[] = { "allocated", "mapped", "copied", "zero-page", "done", "fallback", "sigbus", "failed",
					    NULL };
static const char *const reason_texts[HUGE_REASONS] = { NULL, "pool-empty", "limit", "beyond-end", "poisoned", "no-memory",
							"charge", "policy", "unknown" };

static const struct view_column event_columns[HUGE_EVENT_COLUMNS] = {
	TRACE_HEAD_COLUMNS,
	[HUGE_EVENT_KIND] = { .name = "kind", .type = VIEW_ENUM, .names = huge_kind_names, .width = 13 },
	[HUGE_EVENT_RESULT] = { .name = "result", .type = VIEW_ENUM, .names = result_names, .width = 9 },
	[HUGE_EVENT_REASON] = { .name = "reason", .type = VIEW_TEXT, .width = 15, .is_optional = true },
	[HUGE_EVENT_SIZE] = { .name = "size_bytes", .title = "SIZE", .type = VIEW_BYTES, .width = 8 },
	[HUGE_EVENT_LATENCY] = { .name = "latency_ns", .title = "LATENCY", .type = VIEW_DURATION_NS, .is_optional = true },
	[HUGE_EVENT_ADDRESS] = { .name = "address", .type = VIEW_HEX, .is_optional = true, .width = 14 },
	[HUGE_EVENT_FREE] = { .name = "pool_free", .title = "FREE", .type = VIEW_U64, .is_optional = true, .width = 5 },
	[HUGE_EVENT_RESERVED] = { .name = "pool_reserved", .title = "RESVD", .type = VIEW_U64, .is_optional = true, .width = 5 },
	[HUGE_EVENT_POOL] = { .name = "pool_pages", .type = VIEW_U64, .is_optional = true, .is_json_only = true },
	[HUGE_EVENT_BY] = { .name = "by", .type = VIEW_TEXT, .is_optional = true, .width = 20 },
	[HUGE_EVENT_BY_PID] = { .name = "by_pid", .type = VIEW_U64, .is_optional = true, .is_json_only = true },
	[HUGE_EVENT_CLASS] = { .name = "class", .type = VIEW_ENUM, .names = trace_mapping_classes, .is_json_only = true },
	[HUGE_EVENT_MAPPING] = { .name = "mapping", .type = VIEW_PATH, .is_optional = true },
	[HUGE_EVENT_BY_STACK] = { .name = "kernel_stack", .type = VIEW_STACK, .is_optional = true },
	[HUGE_EVENT_STACK] = { .name = "stack", .type = VIEW_STACK, .is_optional = true },
};
const struct view_record huge_event_record = { .type = "huge_page", .columns = event_columns,
					       .column_count = HUGE_EVENT_COLUMNS };

#define COMM { .name = "comm", .type = VIEW_TEXT, .width = 15 }
#define PID { .name = "pid", .type = VIEW_U64, .width = 7 }

static const struct view_column sum_columns[HUGE_SUM_COLUMNS] = {
	[HUGE_SUM_COMM] = COMM,
	[HUGE_SUM_PID] = PID,
	[HUGE_SUM_KIND] = { .name = "kind", .type = VIEW_ENUM, .names = huge_kind_names, .width = 13 },
	[HUGE_SUM_COUNT] = { .name = "count", .type = VIEW_U64, .width = 8 },
	[HUGE_SUM_HUGE] = { .name = "succeeded", .title = "DONE", .type = VIEW_U64, .width = 8 },
	[HUGE_SUM_FALLBACK] = { .name = "fallbacks", .type = VIEW_U64, .width = 9 },
	[HUGE_SUM_FAILED] = { .name = "failed", .type = VIEW_U64, .width = 7 },
	[HUGE_SUM_BYTES] = { .name = "succeeded_bytes", .title = "BYTES", .type = VIEW_BYTES },
	[HUGE_SUM_LATENCY] = { .name = "latency_ns", .title = "LATENCY", .type = VIEW_DURATION_NS, .is_optional = true },
	[HUGE_SUM_LONGEST] = { .name = "latency_max_ns", .title = "LONGEST", .type = VIEW_DURATION_NS, .is_optional = true },
};
const struct view_record huge_sum_record = { .type = "huge_pages", .columns = sum_columns, .column_count = HUGE_SUM_COLUMNS,
					     .starts_section = true };

static const char *const scan_kinds[] = { "memory", "file", NULL };
static const struct view_column scan_columns[HUGE_SCAN_COLUMNS] = {
	[HUGE_SCAN_COMM] = COMM,
	[HUGE_SCAN_PID] = PID,
	[HUGE_SCAN_KIND] = { .name = "scanned", .type = VIEW_ENUM, .names = scan_kinds, .width = 7 },
	[HUGE_SCAN_STATUS] = { .name = "status", .type = VIEW_TEXT, .width = 24 },
	[HUGE_SCAN_COUNT] = { .name = "scans", .type = VIEW_U64, .width = 8 },
};
const struct view_record huge_scan_record = { .type = "scans", .columns = scan_columns, .column_count = HUGE_SCAN_COLUMNS,
					      .starts_section = true };

static const struct view_column mapped_columns[HUGE_MAPPED_COLUMNS] = {
	[HUGE_MAPPED_COMM] = COMM,
	[HUGE_MAPPED_PID] = PID,
	[HUGE_MAPPED_RSS] = { .name = "rss_bytes", .title = "RSS", .type = VIEW_BYTES },
	[HUGE_MAPPED_ANON] = { .name = "anonymous_huge_bytes", .title = "ANON-HUGE", .type = VIEW_BYTES },
	[HUGE_MAPPED_SHMEM] = { .name = "shmem_huge_bytes", .title = "SHMEM-HUGE", .type = VIEW_BYTES },
	[HUGE_MAPPED_FILE] = { .name = "file_huge_bytes", .title = "FILE-HUGE", .type = VIEW_BYTES },
	[HUGE_MAPPED_SHARE] = { .name = "huge_percent", .title = "OF-RSS", .type = VIEW_PERCENT, .is_optional = true },
	[HUGE_MAPPED_PRIVATE] = { .name = "hugetlb_private_bytes", .title = "HUGETLB-PRIV", .type = VIEW_BYTES },
	[HUGE_MAPPED_SHARED] = { .name = "hugetlb_shared_bytes", .title = "HUGETLB-SHARED", .type = VIEW_BYTES },
	[HUGE_MAPPED_RUNS] = { .name = "runs", .type = VIEW_BOOL },
};
const struct view_record huge_mapped_record = { .type = "mapped", .columns = mapped_columns,
						.column_count = HUGE_MAPPED_COLUMNS, .starts_section = true };

static const struct view_column pool_columns[HUGE_POOL_COLUMNS] = {
	[HUGE_POOL_SIZE] = { .name = "size_bytes", .title = "POOL", .type = VIEW_BYTES },
	[HUGE_POOL_PAGES] = { .name = "pages", .type = VIEW_U64 },
	[HUGE_POOL_FREE] = { .name = "free", .type = VIEW_U64 },
	[HUGE_POOL_RESERVED] = { .name = "reserved", .type = VIEW_U64 },
	[HUGE_POOL_SURPLUS] = { .name = "surplus", .type = VIEW_U64 },
	[HUGE_POOL_CHANGE] = { .name = "free_change", .title = "FREE-CHANGE", .type = VIEW_I64 },
};
const struct view_record huge_pool_record = { .type = "pool", .columns = pool_columns, .column_count = HUGE_POOL_COLUMNS,
					      .starts_section = true };

static const struct view_column machine_columns[] = { { .name = "vmstat", .type = VIEW_COUNTERS } };
const struct view_record huge_machine_record = {
	.type = "machine", .columns = machine_columns, .column_count = 1, .starts_section = true,
	.text = "the whole machine, by /proc/vmstat: {vmstat}",
};

static const struct view_column latency_columns[HUGE_LATENCY_COLUMNS] = {
	[HUGE_LATENCY_KIND] = { .name = "kind", .type = VIEW_ENUM, .names = huge_kind_names },
	[HUGE_LATENCY_HISTOGRAM] = { .name = "latency_ns", .type = VIEW_HISTOGRAM },
};
const struct view_record huge_latency_record = { .type = "latencies", .columns = latency_columns,
						 .column_count = HUGE_LATENCY_COLUMNS, .text = "{kind}, latency:",
						 .starts_section = true };

static const struct view_column more_columns[] = { { .name = "left_out", .type = VIEW_U64 } };
const struct view_record huge_more_record = {
	.type = "more", .columns = more_columns, .column_count = 1,
	.text = "{left_out} {left_out:event is|events are} not in the sums: there were too many processes",
};

const char *huge_scan_text(struct trace *trace, int status, char *text, size_t size)
{
	static const char prefix[] = "SCAN_";
	const char *name = kernel_targets_enumerator(trace_targets(trace), "scan_result", status);
	size_t length = 0;

	if (!name || strncmp(name, prefix, sizeof(prefix) - 1) != 0) {
		snprintf(text, size, "%d", status);
		return text;
	}
	for (name += sizeof(prefix) - 1; name[length] && length < size - 1; length++)
		text[length] = name[length] >= 'A' && name[length] <= 'Z' ? name[length] | 0x20 : name[length];
	text[length] = '\0';
	return text;
}

/* The function that wanted the split: the first above those that are only ways to it. NULL: not known. */
static const char *asking_function(const struct view_stack *stack)
{
	static const char *const ways[] = { "split_huge_p", "__split_huge_p", "__folio_split", "folio_split", "split_folio",
					    "__split_folio", "try_folio_split", "try_to_split_", "try_to_unmap", "try_to_migrate",
					    "rmap_walk", "unmap_page", "unmap_folio" };

	for (size_t i = 0; stack && i < stack->count; i++) {
		const char *symbol = stack->frames[i].symbol;
		bool is_way = !symbol || !strncmp(symbol, "bpf_", 4);

		for (size_t way = 0; !is_way && way < sizeof(ways) / sizeof(*ways); way++)
			is_way = strncmp(symbol, ways[way], strlen(ways[way])) == 0;
		if (!is_way)
			return symbol;
	}
	return NULL;
}

static struct view_value size_or_absent(uint64_t pages_of_pool, uint64_t value)
{
	return pages_of_pool ? view_u64(value) : view_absent();
}

int huge_show_event(struct trace *trace, const struct huge_event *event, const struct trace_stack *stack, bool wants_stack)
{
	const struct view_stack *frames = stack ? trace_frames(trace, 0, stack, true) : NULL;
	bool is_collapse = event->kind == HUGE_COLLAPSE || event->kind == HUGE_COLLAPSE_FILE;
	struct view_value values[HUGE_EVENT_COLUMNS];
	const char *by = asking_function(frames);
	char text[40];
	const char *reason = event->reason < HUGE_REASONS ? reason_texts[event->reason] : NULL;

	if (event->result == HUGE_FAILED && is_collapse)
		reason = huge_scan_text(trace, event->status, text, sizeof(text));
	if (event->result == HUGE_FAILED && event->kind == HUGE_SPLIT)
		reason = errno_text(-event->status, text, sizeof(text));
	trace_head_values(trace, &event->head, values);
	values[HUGE_EVENT_KIND] = view_u64(event->kind);
	values[HUGE_EVENT_RESULT] = view_u64(event->result);
	values[HUGE_EVENT_REASON] = view_text(reason);
	values[HUGE_EVENT_SIZE] = view_u64(event->size_bytes);
	values[HUGE_EVENT_LATENCY] = event->latency_ns ? view_u64(event->latency_ns) : view_absent();
	values[HUGE_EVENT_ADDRESS] = event->address ? view_u64(event->address) : view_absent();
	values[HUGE_EVENT_POOL] = size_or_absent(event->pool_pages, event->pool_pages);
	values[HUGE_EVENT_FREE] = size_or_absent(event->pool_pages, event->pool_free);
	values[HUGE_EVENT_RESERVED] = size_or_absent(event->pool_pages, event->pool_reserved);
	values[HUGE_EVENT_BY] = by ? view_text(by) :
				event->is_by_other ? view_text_n(event->by_comm, sizeof(event->by_comm)) : view_absent();
	values[HUGE_EVENT_BY_PID] = event->is_by_other && event->by_pid ? view_u64(event->by_pid) : view_absent();
	values[HUGE_EVENT_CLASS] = view_u64(event->mapping.class);
	values[HUGE_EVENT_MAPPING] = view_text(trace_mapping_name(trace, &event->mapping));
	values[HUGE_EVENT_BY_STACK] = view_frames(wants_stack ? frames : NULL);
	values[HUGE_EVENT_STACK] = view_frames(trace_user_frames(trace, event->head.pid, event->stack, false));
	return trace_row(trace, &huge_event_record, values);
}
