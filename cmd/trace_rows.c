// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Rows of event commands: to the view, and as bytes into a recording and back. A row's type is twice the number of its
 * kind, plus 1 for objects; its payload is the values in order: u64 kind of value, then the value. What the kind of row has
 * for columns stands before the first one: trace_schema.h. The number is the record's index among the command's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "trace_private.h"
#include "trace_schema.h"
#include "view.h"

#define MAX_FRAMES 4096
#define MAX_COUNTERS 64

/* Values as they stand in the recording, and what they point to. */
struct row_memory {
	struct view_value values[TRACE_COLUMNS_MAX];
	struct view_stack stacks[TRACE_COLUMNS_MAX];
	struct view_histogram histograms[TRACE_COLUMNS_MAX];
	void *blocks[TRACE_COLUMNS_MAX];
	size_t count;
};

static void release(struct row_memory *row)
{
	for (size_t i = 0; i < row->count; i++)
		free(row->blocks[i]);
	free(row);
}

DEFINE_CLEANUP(row_memory, struct row_memory *, if (v) release(v));

/* Writing ------------------------------------------------------------------------------------------------- */

/* A text that may have no NUL. */
static void put_text(struct payload *payload, const struct view_value *value)
{
	char *text = strndup(value->text.bytes, value->text.length);

	payload->has_failed |= !text;
	payload_u64(payload, value->text.level);
	payload_text(payload, text);
	free(text);
}

static void put_stack(struct payload *payload, const struct view_stack *stack)
{
	size_t count = stack->count < MAX_FRAMES ? stack->count : MAX_FRAMES;

	payload_u64(payload, count);
	payload_u64(payload, stack->is_truncated || count < stack->count);
	for (size_t i = 0; i < count; i++) {
		const struct view_frame *frame = &stack->frames[i];

		payload_u64(payload, frame->address);
		payload_u64(payload, frame->offset);
		payload_u64(payload, frame->line);
		payload_u64(payload, frame->is_inlined);
		payload_text(payload, frame->symbol);
		payload_text(payload, frame->object);
		payload_text(payload, frame->file);
	}
}

static void put_histogram(struct payload *payload, const struct view_histogram *histogram)
{
	size_t count = histogram->slot_count < HISTOGRAM_SLOTS_MAX ? histogram->slot_count : HISTOGRAM_SLOTS_MAX;

	payload_u64(payload, histogram->unit);
	payload_u64(payload, count);
	for (size_t i = 0; i < count; i++)
		payload_u64(payload, histogram->slots[i]);
}

static void put_value(struct payload *payload, const struct view_value *value)
{
	payload_u64(payload, value->kind);
	if (value->kind == VIEW_KIND_TEXT) {
		put_text(payload, value);
	} else if (value->kind == VIEW_KIND_STACK) {
		put_stack(payload, value->stack);
	} else if (value->kind == VIEW_KIND_HISTOGRAM) {
		put_histogram(payload, value->histogram);
	} else if (value->kind == VIEW_KIND_COUNTERS) {
		payload_u64(payload, value->counters.count);
		for (size_t i = 0; i < value->counters.count; i++) {
			payload_text(payload, value->counters.items[i].name);
			payload_u64(payload, value->counters.items[i].value);
		}
	} else if (value->kind == VIEW_KIND_BOOL) {
		payload_u64(payload, value->flag);
	} else if (value->kind != VIEW_KIND_ABSENT) {
		payload_u64(payload, value->u64); /* numbers by their bits */
	}
}

int trace_row_encode(struct trace *trace, const struct view_record *record, const struct view_value *values,
		     bool is_object, struct payload *payload, uint32_t *ret_type)
{
	const struct view_record *const *records = trace->run->invocation->command->records;
	uint32_t index = 0;

	while (records[index] && records[index] != record)
		index++;
	if (!records[index] || index >= TRACE_SCHEMAS_MAX || record->column_count > TRACE_COLUMNS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < record->column_count; i++)
		put_value(payload, &values[i]);
	*ret_type = 2 * index + is_object;
	return payload->has_failed ? -ENOMEM : 0;
}

/* The kind of rows of type @type, before the first one. */
static int record_schema(struct trace *trace, uint32_t type)
{
	struct payload payload = { 0 };
	int status;

	if (trace->private->recorded_kinds >> type / 2 & 1)
		return 0;
	trace->private->recorded_kinds |= 1ULL << type / 2;
	trace_schema_encode(trace->run->invocation->command->records, type / 2, &payload);
	status = payload.has_failed ? -ENOMEM : 0;
	if (!status)
		run_record(trace->run, TRACE_SCHEMA_BLOCK, &payload);
	payload_deinit(&payload);
	return status;
}

static int record_row(struct trace *trace, const struct view_record *record, const struct view_value *values, bool is_object)
{
	struct payload payload = { 0 };
	uint32_t type;
	int status = trace_row_encode(trace, record, values, is_object, &payload, &type);

	if (!status)
		status = record_schema(trace, type);
	if (!status)
		run_record(trace->run, type, &payload);
	payload_deinit(&payload);
	return status;
}

int trace_row(struct trace *trace, const struct view_record *record, const struct view_value *values)
{
	int status = run_is_recorded(trace->run) ? record_row(trace, record, values, false) : 0;

	return status ? status : view_row(trace->run->view, record, values);
}

int trace_object(struct trace *trace, const struct view_record *record, const struct view_value *values)
{
	int status = run_is_recorded(trace->run) ? record_row(trace, record, values, true) : 0;

	return status ? status : view_object(trace->run->view, record, values);
}

int trace_durations(struct trace *trace, const struct view_record *record, const struct view_value *kinds, uint64_t *slots)
{
	struct view_histogram histogram = { slots, HISTOGRAM_SLOTS_MAX, HISTOGRAM_DURATION_NS };
	struct view_value values[TRACE_COLUMNS_MAX];
	uint64_t all = 0;

	for (size_t i = 0; i < HISTOGRAM_SLOTS_MAX; i++)
		all |= slots[i];
	if (!all || !record->column_count || record->column_count > TRACE_COLUMNS_MAX)
		return all ? -EINVAL : 0;
	memcpy(values, kinds, (record->column_count - 1) * sizeof(*values));
	values[record->column_count - 1] = view_slots(&histogram);
	return trace_object(trace, record, values);
}

/* Reading: recordings may come from anywhere ----------------------------------------------------------------- */

static bool get_stack(struct payload_reader *reader, struct row_memory *row, size_t column)
{
	uint64_t count = payload_read_u64(reader);
	struct view_frame *frames;

	if (count > MAX_FRAMES)
		return false;
	row->stacks[column].count = count;
	row->stacks[column].is_truncated = payload_read_u64(reader);
	row->blocks[column] = frames = calloc(count + 1, sizeof(*frames));
	if (!frames)
		return false;
	row->stacks[column].frames = frames;
	for (uint64_t i = 0; i < count && !reader->has_failed; i++) {
		frames[i].address = payload_read_u64(reader);
		frames[i].offset = payload_read_u64(reader);
		frames[i].line = payload_read_u64(reader);
		frames[i].is_inlined = payload_read_u64(reader);
		frames[i].symbol = payload_read_text(reader);
		frames[i].object = payload_read_text(reader);
		frames[i].file = payload_read_text(reader);
	}
	row->values[column] = view_frames(&row->stacks[column]);
	return true;
}

static bool get_histogram(struct payload_reader *reader, struct row_memory *row, size_t column)
{
	uint64_t unit = payload_read_u64(reader), count = payload_read_u64(reader);
	uint64_t *slots;

	if (unit > HISTOGRAM_DURATION_NS || count > HISTOGRAM_SLOTS_MAX)
		return false;
	row->blocks[column] = slots = calloc(count + 1, sizeof(*slots));
	if (!slots)
		return false;
	for (uint64_t i = 0; i < count; i++)
		slots[i] = payload_read_u64(reader);
	row->histograms[column] = (struct view_histogram){ slots, count, (enum histogram_unit)unit };
	row->values[column] = view_slots(&row->histograms[column]);
	return true;
}

static bool get_counters(struct payload_reader *reader, struct row_memory *row, size_t column)
{
	uint64_t count = payload_read_u64(reader);
	struct view_counter *counters;

	if (count > MAX_COUNTERS)
		return false;
	row->blocks[column] = counters = calloc(count + 1, sizeof(*counters));
	if (!counters)
		return false;
	for (uint64_t i = 0; i < count; i++) {
		counters[i].name = payload_read_text(reader);
		counters[i].value = payload_read_u64(reader);
		if (!counters[i].name)
			return false;
	}
	row->values[column] = view_counters(counters, count);
	return true;
}

static bool get_value(struct payload_reader *reader, struct row_memory *row, size_t column)
{
	uint64_t kind = payload_read_u64(reader), level;
	struct view_value *value = &row->values[column];

	switch (kind) {
	case VIEW_KIND_ABSENT:
		return true;
	case VIEW_KIND_TEXT:
		level = payload_read_u64(reader);
		*value = view_text_at(payload_read_text(reader), level > VIEW_LEVELS_MAX ? VIEW_LEVELS_MAX : level);
		return true;
	case VIEW_KIND_STACK:
		return get_stack(reader, row, column);
	case VIEW_KIND_HISTOGRAM:
		return get_histogram(reader, row, column);
	case VIEW_KIND_COUNTERS:
		return get_counters(reader, row, column);
	case VIEW_KIND_BOOL:
		*value = view_bool(payload_read_u64(reader));
		return true;
	case VIEW_KIND_U64:
	case VIEW_KIND_I64:
	case VIEW_KIND_DOUBLE:
		value->kind = (enum view_kind)kind;
		value->u64 = payload_read_u64(reader);
		return true;
	}
	return false;
}

/* A recording from before kinds were told: rows are those of the command's records. */
static int assume_schema(const struct view_record *const *records, uint32_t number, struct trace_schema *ret_schema)
{
	uint32_t count = 0;

	while (records[count])
		count++;
	if (number >= count || records[number]->column_count > TRACE_COLUMNS_MAX)
		return -EBADMSG;
	ret_schema->record = records[number];
	ret_schema->count = records[number]->column_count;
	for (size_t i = 0; i < ret_schema->count; i++)
		ret_schema->columns[i] = i;
	return 0;
}

static int show_row(struct run *run, const struct trace_schema *schema, bool is_object, struct payload_reader *reader)
{
	CLEANUP(row_memory) struct row_memory *row = malloc(sizeof(*row));
	struct view_value values[TRACE_COLUMNS_MAX] = { 0 };

	if (!row)
		return -ENOMEM;
	row->count = schema->count;
	memset(row->values, 0, row->count * sizeof(*row->values));
	memset(row->blocks, 0, row->count * sizeof(*row->blocks));
	for (size_t i = 0; i < schema->count; i++) {
		if (!get_value(reader, row, i) || reader->has_failed)
			return -EBADMSG;
		if (schema->columns[i] < 0)
			continue;
		if (!view_value_fits(&schema->record->columns[schema->columns[i]], &row->values[i]))
			return -EBADMSG;
		values[schema->columns[i]] = row->values[i];
	}
	return is_object ? view_object(run->view, schema->record, values) : view_row(run->view, schema->record, values);
}

int trace_on_record(struct run *run, void *data, uint32_t type, struct payload_reader *reader)
{
	const struct view_record *const *records = run->invocation->command->records;
	struct trace *trace = data;
	const struct trace_schema *schema;
	struct trace_schema assumed;
	int status;

	if (type == TRACE_SCHEMA_BLOCK) {
		status = trace_schema_learn(&trace->private->schemas, records, reader);
		if (status == -ENOENT)
			run_incomplete(run, "the recording has rows that this dill cannot show");
		return status == -ENOENT ? 0 : status;
	}
	schema = trace_schema_of(trace->private->schemas, type / 2);
	if (!schema) {
		status = assume_schema(records, type / 2, &assumed);
		if (status)
			return status;
		schema = &assumed;
	}
	return schema->record ? show_row(run, schema, type % 2, reader) : 0;
}
