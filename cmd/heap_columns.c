// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Columns of heap events: one declaration for each colour, with the same names. */
#include "heap_columns.h"

#include <inttypes.h>
#include <stdio.h>

enum heap_column {
	HEAP_TIME,
	HEAP_KIND,
	HEAP_FUNCTION,
	HEAP_CACHE,
	HEAP_CACHE_ADDR,
	HEAP_ADDR,
	HEAP_FAILED,
	HEAP_SIZE,
	HEAP_OBJECT_SIZE,
	HEAP_SHOWN_SIZE,
	HEAP_PID,
	HEAP_TGID,
	HEAP_SHOWN_TGID,
	HEAP_COMM,
	HEAP_CPU,
	HEAP_CALLER,
	HEAP_CALLER_SYMBOL,
	HEAP_SHOWN_CALLER,
	HEAP_COLUMN_COUNT,
};

static const char *const kinds[] = { [HEAP_ALLOC] = "alloc", [HEAP_FREE] = "free", NULL };

/* What the text composes of other columns stands as shown_…, not in JSON. */
#define HEAP_COLUMNS(colour)                                                                           \
	{                                                                                              \
		[HEAP_TIME] = { .name = "time", .type = VIEW_TIME },                                   \
		[HEAP_KIND] = { .name = "kind", .type = VIEW_ENUM, .names = kinds },                   \
		[HEAP_FUNCTION] = { .name = "function", .type = VIEW_SYMBOL, .style = colour },        \
		[HEAP_CACHE] = { .name = "cache", .type = VIEW_TEXT, .style = colour, .is_optional = true },   \
		[HEAP_CACHE_ADDR] = { .name = "cache_addr", .type = VIEW_HEX, .is_optional = true },   \
		[HEAP_ADDR] = { .name = "addr", .type = VIEW_HEX, .style = colour, .is_optional = true },\
		[HEAP_FAILED] = { .name = "failed", .type = VIEW_BOOL, .is_optional = true },          \
		[HEAP_SIZE] = { .name = "size", .type = VIEW_U64, .is_optional = true },               \
		[HEAP_OBJECT_SIZE] = { .name = "object_size", .type = VIEW_U64, .is_optional = true }, \
		[HEAP_SHOWN_SIZE] = { .name = "shown_size", .type = VIEW_U64, .style = colour,         \
				      .is_optional = true, .is_text_only = true },                     \
		[HEAP_PID] = { .name = "pid", .type = VIEW_I64, .style = colour },                     \
		[HEAP_TGID] = { .name = "tgid", .type = VIEW_I64 },                                    \
		[HEAP_SHOWN_TGID] = { .name = "shown_tgid", .type = VIEW_I64, .style = colour,         \
				      .is_optional = true, .is_text_only = true },                     \
		[HEAP_COMM] = { .name = "comm", .type = VIEW_TEXT, .style = colour },                  \
		[HEAP_CPU] = { .name = "cpu", .type = VIEW_U64, .style = colour },                     \
		[HEAP_CALLER] = { .name = "caller", .type = VIEW_HEX, .is_optional = true },           \
		[HEAP_CALLER_SYMBOL] = { .name = "caller_symbol", .type = VIEW_SYMBOL, .is_optional = true },  \
		[HEAP_SHOWN_CALLER] = { .name = "shown_caller", .type = VIEW_SYMBOL, .style = colour,  \
					.is_optional = true, .is_text_only = true },                   \
	}

static const struct view_column alloc_columns[] = HEAP_COLUMNS(COLOUR_SYMBOL);
static const struct view_column free_columns[] = HEAP_COLUMNS(COLOUR_NUMBER);
static const struct view_column failure_columns[] = HEAP_COLUMNS(COLOUR_BAD);

#define WHO                                                                                            \
	"{?, size: {shown_size}?}, name: {comm}, pid: {pid}{?, tgid: {shown_tgid}?}, cpu: {cpu}"       \
	"{?, caller: {shown_caller}?}"

static const struct view_record alloc_record = {
	.type = "heap_event",
	.columns = alloc_columns,
	.column_count = HEAP_COLUMN_COUNT,
	.text = "{function}: {cache} -> {addr}" WHO,
};

static const struct view_record failure_record = {
	.type = "heap_event",
	.columns = failure_columns,
	.column_count = HEAP_COLUMN_COUNT,
	.text = "{function}: {cache} -> failed" WHO,
};

static const struct view_record free_record = {
	.type = "heap_event",
	.columns = free_columns,
	.column_count = HEAP_COLUMN_COUNT,
	.text = "{function}: {cache} <- {addr}" WHO,
};

static const struct view_column sum_columns[] = {
	{ .name = "events", .type = VIEW_U64 },
	{ .name = "dropped", .type = VIEW_U64, .is_bad_when_set = true },
};

static const struct view_record sum_record = {
	.type = "heap_sum",
	.columns = sum_columns,
	.column_count = 2,
	.text = "{events} {events:event|events}{?, {dropped} before them dropped?}",
};

const struct view_record *const heap_columns_records[] = { &alloc_record, &free_record, &failure_record,
							   &sum_record, NULL };

static struct view_value known(uint64_t value)
{
	return value ? view_u64(value) : view_absent();
}

static struct view_value known_text(const char *text, size_t size)
{
	return *text ? view_text_n(text, size) : view_absent();
}

static const struct view_record *record_of(const struct heap_event *event)
{
	if (event->kind == HEAP_FREE)
		return &free_record;
	return event->object ? &alloc_record : &failure_record;
}

int heap_columns_show(struct view *view, const struct heap_event *event)
{
	const struct view_record *record = record_of(event);
	struct view_value values[HEAP_COLUMN_COUNT] = { 0 };
	char address[20];

	values[HEAP_TIME] = view_u64(event->time_ns);
	values[HEAP_KIND] = view_u64(event->kind);
	values[HEAP_FUNCTION] = view_text_n(event->function, sizeof(event->function));
	values[HEAP_CACHE] = known_text(event->cache, sizeof(event->cache));
	values[HEAP_CACHE_ADDR] = known(event->cache_address);
	/* kfree(NULL) is an event as well: its address is 0, not unknown. */
	if (record != &failure_record)
		values[HEAP_ADDR] = view_u64(event->object);
	else
		values[HEAP_FAILED] = view_bool(true);
	values[HEAP_SIZE] = known(event->size_bytes);
	values[HEAP_OBJECT_SIZE] = known(event->object_size_bytes);
	if (event->kind == HEAP_ALLOC)
		values[HEAP_SHOWN_SIZE] =
			known(event->size_bytes ? event->size_bytes : event->object_size_bytes);
	values[HEAP_PID] = view_i64(event->pid);
	values[HEAP_TGID] = view_i64(event->tgid);
	if (event->tgid != event->pid)
		values[HEAP_SHOWN_TGID] = view_i64(event->tgid);
	values[HEAP_COMM] = view_text_n(event->comm, sizeof(event->comm));
	values[HEAP_CPU] = view_u64(event->cpu);
	values[HEAP_CALLER] = known(event->caller);
	values[HEAP_CALLER_SYMBOL] = known_text(event->caller_symbol, sizeof(event->caller_symbol));
	values[HEAP_SHOWN_CALLER] = values[HEAP_CALLER_SYMBOL];
	if (event->caller && !*event->caller_symbol) {
		snprintf(address, sizeof(address), "0x%" PRIx64, event->caller);
		values[HEAP_SHOWN_CALLER] = view_text(address);
	}
	return view_object(view, record, values);
}

int heap_columns_show_sum(struct view *view, uint64_t events, uint64_t dropped)
{
	return view_object(view, &sum_record, (struct view_value[]){ view_u64(events), view_u64(dropped) });
}
