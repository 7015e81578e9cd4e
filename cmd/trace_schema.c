// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Kinds of rows in recordings, written and understood: trace_schema.h. */
#include "trace_schema.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

/* Of a record whose rows lack columns that may not be absent: the same, where they may. */
struct lenient_record {
	struct view_record record;
	struct view_column columns[TRACE_COLUMNS_MAX];
};

struct trace_schemas {
	struct trace_schema *list[TRACE_SCHEMAS_MAX]; /* by number */
	struct lenient_record *lenient[TRACE_SCHEMAS_MAX];
};

void trace_schema_encode(const struct view_record *const *records, uint32_t index, struct payload *payload)
{
	const struct view_record *record = records[index];
	uint64_t before = 0;

	for (uint32_t i = 0; i < index; i++)
		before += strcmp(records[i]->type, record->type) == 0;
	payload_u64(payload, index);
	payload_text(payload, record->type);
	payload_u64(payload, before);
	payload_u64(payload, record->column_count);
	for (size_t i = 0; i < record->column_count; i++)
		payload_text(payload, record->columns[i].name);
}

/* The record of type @type before which @before others have it, or the last of them. */
static const struct view_record *find_record(const struct view_record *const *records, const char *type, uint64_t before)
{
	const struct view_record *found = NULL;

	for (; *records; records++) {
		if (strcmp((*records)->type, type) != 0)
			continue;
		found = *records;
		if (!before--)
			break;
	}
	return found;
}

static int place_of(const struct view_record *record, const char *name)
{
	const struct view_column *column = record ? view_record_find(record, name, strlen(name)) : NULL;

	return column ? column - record->columns : -1;
}

/* Names that stand twice are damage: no record has them. */
static int read_columns(struct payload_reader *reader, struct trace_schema *schema, uint64_t *ret_has)
{
	uint64_t has = 0;

	for (size_t i = 0; i < schema->count; i++) {
		const char *name = payload_read_text(reader);
		int place = name ? place_of(schema->record, name) : -1;

		if (!name || (place >= 0 && has >> place & 1))
			return -EBADMSG;
		schema->columns[i] = place;
		if (place >= 0)
			has |= 1ULL << place;
	}
	*ret_has = has;
	return 0;
}

/* Columns of @record that are not in @has may be absent then. */
static struct lenient_record *make_lenient(const struct view_record *record, uint64_t has)
{
	struct lenient_record *lenient = calloc(1, sizeof(*lenient));

	if (!lenient)
		return NULL;
	lenient->record = *record;
	lenient->record.columns = lenient->columns;
	if (!record->joins)
		lenient->record.joins = record; /* one table with rows that lack nothing */
	memcpy(lenient->columns, record->columns, record->column_count * sizeof(*record->columns));
	for (size_t i = 0; i < record->column_count; i++)
		if (!(has >> i & 1))
			lenient->columns[i].is_optional = true;
	return lenient;
}

int trace_schema_learn(struct trace_schemas **schemas, const struct view_record *const *records,
		       struct payload_reader *reader)
{
	uint64_t number = payload_read_u64(reader), before, count, has;
	const char *type = payload_read_text(reader);
	CLEANUP(free) struct trace_schema *schema = NULL;
	int status;

	before = payload_read_u64(reader);
	count = payload_read_u64(reader);
	if (reader->has_failed || !type || number >= TRACE_SCHEMAS_MAX || count > TRACE_COLUMNS_MAX)
		return -EBADMSG;
	if (!*schemas)
		*schemas = calloc(1, sizeof(**schemas));
	schema = calloc(1, sizeof(*schema));
	if (!*schemas || !schema)
		return -ENOMEM;
	if ((*schemas)->list[number])
		return -EBADMSG; /* each is told once */
	schema->count = count;
	schema->record = find_record(records, type, before);
	if (schema->record && schema->record->column_count > TRACE_COLUMNS_MAX)
		return -EBADMSG;
	status = read_columns(reader, schema, &has);
	if (status)
		return status;
	for (size_t i = 0; schema->record && i < schema->record->column_count; i++) {
		if (has >> i & 1 || schema->record->columns[i].is_optional)
			continue;
		(*schemas)->lenient[number] = make_lenient(schema->record, has);
		if (!(*schemas)->lenient[number])
			return -ENOMEM;
		schema->record = &(*schemas)->lenient[number]->record;
		break;
	}
	(*schemas)->list[number] = schema;
	return TAKE_PTR(schema)->record ? 0 : -ENOENT;
}

const struct trace_schema *trace_schema_of(const struct trace_schemas *schemas, uint32_t number)
{
	return schemas && number < TRACE_SCHEMAS_MAX ? schemas->list[number] : NULL;
}

void trace_schemas_destroy(struct trace_schemas *schemas)
{
	if (!schemas)
		return;
	for (size_t i = 0; i < TRACE_SCHEMAS_MAX; i++) {
		free(schemas->list[i]);
		free(schemas->lenient[i]);
	}
	free(schemas);
}
