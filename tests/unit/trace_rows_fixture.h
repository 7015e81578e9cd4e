/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Rows of event commands without a run: as bytes, which are kept, and handed back. For the unit
 * test and the fuzz target of cmd/trace_rows.c. It has a record with a column of every kind.
 */
#ifndef DILL_TESTS_TRACE_ROWS_FIXTURE_H
#define DILL_TESTS_TRACE_ROWS_FIXTURE_H

#include <errno.h>
#include <string.h>

#include "trace_private.h"
#include "trace_schema.h"
#include "view.h"

static const char *const fixture_names[] = { "zero", "one", NULL };
enum { KIND_TEXT, KIND_PATH, KIND_ENUM, KIND_U64, KIND_I64, KIND_REAL, KIND_BOOL, KIND_STACK, KIND_HISTOGRAM, KIND_COUNTERS,
       KIND_COLUMNS };
static const struct view_column fixture_columns[KIND_COLUMNS] = {
	[KIND_TEXT] = { .name = "text", .type = VIEW_TEXT, .is_optional = true },
	[KIND_PATH] = { .name = "path", .type = VIEW_PATH },
	[KIND_ENUM] = { .name = "enum", .type = VIEW_ENUM, .names = fixture_names },
	[KIND_U64] = { .name = "u64", .type = VIEW_U64 },
	[KIND_I64] = { .name = "i64", .type = VIEW_I64 },
	[KIND_REAL] = { .name = "real", .type = VIEW_PERCENT },
	[KIND_BOOL] = { .name = "bool", .type = VIEW_BOOL },
	[KIND_STACK] = { .name = "stack", .type = VIEW_STACK, .is_optional = true },
	[KIND_HISTOGRAM] = { .name = "histogram", .type = VIEW_HISTOGRAM },
	[KIND_COUNTERS] = { .name = "counters", .type = VIEW_COUNTERS },
};
static const struct view_record fixture_record = { .type = "fixture", .columns = fixture_columns, .column_count = KIND_COLUMNS };
static const struct view_column other_columns[] = { { .name = "u64", .type = VIEW_U64 } };
static const struct view_record other_record = { .type = "other", .columns = other_columns, .column_count = 1,
						 .text = "{u64} of them" };
static const struct view_record *const fixture_records[] = { &other_record, &fixture_record, NULL };
static const struct command fixture_command = { .name = "fixture", .records = fixture_records };

/* What fixture_emit() made last. */
static struct {
	unsigned char bytes[1 << 20];
	size_t size;
	uint32_t type;
} emitted;

/* In place of the runner's: nothing is recorded here. */
bool run_is_recorded(const struct run *run)
{
	(void)run;
	return false;
}

void run_record(struct run *run, uint32_t type, const struct payload *payload)
{
	(void)run;
	(void)type;
	(void)payload;
}

void run_incomplete(struct run *run, const char *format, ...)
{
	(void)run;
	(void)format;
}

struct fixture {
	struct invocation invocation;
	struct run run;
	struct trace trace;
	struct trace_private private;
};

/* The view may be NULL where nothing is to be read back. */
static inline void fixture_init(struct fixture *fixture, struct view *view)
{
	*fixture = (struct fixture){ .invocation = { .command = &fixture_command } };
	fixture->run = (struct run){ .invocation = &fixture->invocation, .view = view, .is_replay = true };
	fixture->trace.run = &fixture->run;
	fixture->trace.private = &fixture->private;
}

static inline void fixture_deinit(struct fixture *fixture)
{
	trace_schemas_destroy(fixture->private.schemas);
}

static inline int fixture_emit(struct fixture *fixture, const struct view_record *record, const struct view_value *values,
			       bool is_object)
{
	struct payload payload = { 0 };
	int status = trace_row_encode(&fixture->trace, record, values, is_object, &payload, &emitted.type);

	if (!status && payload.size > sizeof(emitted.bytes))
		status = -ENOMEM;
	if (!status && payload.size)
		memcpy(emitted.bytes, payload.bytes, payload.size);
	emitted.size = payload.size;
	payload_deinit(&payload);
	return status;
}

#endif
