/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What the rows of a recording have: a block of each kind, once, before its first row. By it another dill, which has more
 * columns or fewer, or records in another order, knows what a value is.
 *
 * Block: u64 number of the kind, text the record's type, u64 how many records of this type the command lists before it,
 * u64 columns, their names. Rows of the kind then have twice that number as their type, or one more. Recordings without
 * blocks, as they were made at first, have rows of the records of the dill that replays them.
 */
#ifndef DILL_TRACE_SCHEMA_H
#define DILL_TRACE_SCHEMA_H

#include "column.h"
#include "recording.h"

#define TRACE_SCHEMA_BLOCK 0x80000000U /* its type in a recording */
#define TRACE_SCHEMAS_MAX 64           /* kinds of rows */
#define TRACE_COLUMNS_MAX 64

struct trace_schema {
	/* What rows are shown as: columns that they lack may be absent. NULL: this dill has no such record. */
	const struct view_record *record;
	size_t count;                      /* of their values */
	int8_t columns[TRACE_COLUMNS_MAX]; /* each value's place in the record; -1: this dill has no such column */
};

struct trace_schemas;

/* The block of records[index]; *@records is the command's list, up to NULL. */
void trace_schema_encode(const struct view_record *const *records, uint32_t index, struct payload *payload);

/*
 * Take a block out of a recording. *@schemas is made by the first one, and is to be destroyed. -EBADMSG: damaged; -ENOENT:
 * the record is none that the command has, and its rows cannot be shown; -ENOMEM.
 */
int trace_schema_learn(struct trace_schemas **schemas, const struct view_record *const *records,
		       struct payload_reader *reader);
/* What rows of kind @number have; NULL: no block has told. @schemas may be NULL. Borrowed. */
const struct trace_schema *trace_schema_of(const struct trace_schemas *schemas, uint32_t number);
void trace_schemas_destroy(struct trace_schemas *schemas);

#endif
