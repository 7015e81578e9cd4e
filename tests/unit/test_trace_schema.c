// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* trace_schema: rows of a recording are shown by what their columns are called, whatever this dill has for columns. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "trace_rows_fixture.h"
#include "view_memory.h"

/* What another dill has: fewer columns, others, another order, of two records that share a type the second one. */
enum { OTHER_TEXT, OTHER_GONE, OTHER_STACK, OTHER_U64, OTHER_COLUMNS };
static const struct view_column old_columns[OTHER_COLUMNS] = {
	[OTHER_TEXT] = { .name = "text", .type = VIEW_TEXT },
	[OTHER_GONE] = { .name = "gone", .type = VIEW_COUNTERS },
	[OTHER_STACK] = { .name = "gone_stack", .type = VIEW_STACK },
	[OTHER_U64] = { .name = "u64", .type = VIEW_U64 },
};
static const struct view_record old_record = { .type = "row", .columns = old_columns, .column_count = OTHER_COLUMNS };
static const struct view_column single_columns[] = { { .name = "u64", .type = VIEW_U64 } };
static const struct view_record single_record = { .type = "row", .columns = single_columns, .column_count = 1 };
static const struct view_record *const old_records[] = { &single_record, &old_record, NULL };
static const struct command old_command = { .name = "fixture", .records = old_records };

static const struct view_column new_columns[] = {
	{ .name = "u64", .type = VIEW_U64, .width = 5 },
	{ .name = "needed", .type = VIEW_U64, .width = 6 },
	{ .name = "text", .type = VIEW_TEXT, .width = 6 },
	{ .name = "extra", .type = VIEW_TEXT, .width = 5, .is_optional = true },
};
static const struct view_record new_record = { .type = "row", .columns = new_columns, .column_count = 4 };
static const struct view_record stranger = { .type = "stranger", .columns = new_columns, .column_count = 4 };
static const struct view_record *const new_records[] = { &stranger, &single_record, &new_record, NULL };
static const struct command new_command = { .name = "fixture", .records = new_records };

static const struct view_counter counters[] = { { "one", 1 } };
static const struct view_frame frames[] = { { .symbol = "f", .object = "o", .address = 1 } };
static const struct view_stack stack = { .frames = frames, .count = 1 };

static void fixture_open(struct fixture *fixture, const struct command *command, struct view *view)
{
	fixture_init(fixture, view);
	fixture->invocation.command = command;
}

static int learn(struct fixture *fixture, const struct payload *block, size_t size)
{
	struct payload_reader reader = { .bytes = block->bytes, .size = size };

	return trace_on_record(&fixture->run, &fixture->trace, TRACE_SCHEMA_BLOCK, &reader);
}

static int read_back(struct fixture *fixture)
{
	struct payload_reader reader = { .bytes = emitted.bytes, .size = emitted.size };

	return trace_on_record(&fixture->run, &fixture->trace, emitted.type, &reader);
}

static void emit_old_row(void)
{
	struct view_value values[OTHER_COLUMNS] = {
		[OTHER_TEXT] = view_text("words"), [OTHER_GONE] = view_counters(counters, 1),
		[OTHER_STACK] = view_frames(&stack), [OTHER_U64] = view_u64(7),
	};
	struct fixture fixture;

	fixture_open(&fixture, &old_command, NULL);
	assert_int_equal(fixture_emit(&fixture, &old_record, values, false), 0);
	assert_int_equal(emitted.type, 2);
}

static void assert_old_row_is_shown(bool is_json, const char *expected)
{
	struct view *view = open_memory((struct view_options){ .is_json = is_json });
	struct payload block = { 0 };
	struct fixture fixture;

	emit_old_row();
	fixture_open(&fixture, &new_command, view);
	trace_schema_encode(old_records, 1, &block);
	assert_int_equal(learn(&fixture, &block, block.size), 0);
	assert_int_equal(read_back(&fixture), 0);
	assert_closes_with(view, expected);
	fixture_deinit(&fixture);
	payload_deinit(&block);
}

static void values_come_under_their_names_and_what_is_not_there_is_empty(void **state)
{
	(void)state;
	assert_old_row_is_shown(true, "{\"type\":\"row\",\"u64\":7,\"text\":\"words\"}\n");
	assert_old_row_is_shown(false, "  U64  NEEDED  TEXT    EXTRA\n    7       -  words   -\n");
}

static void rows_with_and_without_a_column_stand_in_one_table(void **state)
{
	struct view *view = open_memory((struct view_options){ 0 });
	struct view_value values[] = { view_u64(8), view_u64(9), view_text("more"), view_absent() };
	struct payload block = { 0 };
	struct fixture fixture;

	(void)state;
	emit_old_row();
	fixture_open(&fixture, &new_command, view);
	assert_int_equal(view_row(view, &new_record, values), 0);
	trace_schema_encode(old_records, 1, &block);
	assert_int_equal(learn(&fixture, &block, block.size), 0);
	assert_int_equal(read_back(&fixture), 0);
	assert_closes_with(view, "  U64  NEEDED  TEXT    EXTRA\n    8       9  more    -\n    7       -  words   -\n");
	fixture_deinit(&fixture);
	payload_deinit(&block);
}

static void a_value_that_does_not_fit_the_column_of_its_name_is_damage(void **state)
{
	static const struct view_column columns[] = { { .name = "text", .type = VIEW_U64 } };
	static const struct view_record record = { .type = "row", .columns = columns, .column_count = 1 };
	static const struct view_record *const records[] = { &record, NULL };
	static const struct command command = { .name = "fixture", .records = records };
	struct payload block = { 0 };
	struct fixture fixture;

	(void)state;
	emit_old_row();
	fixture_open(&fixture, &command, NULL);
	trace_schema_encode(old_records, 1, &block);
	assert_int_equal(learn(&fixture, &block, block.size), 0);
	assert_int_equal(read_back(&fixture), -EBADMSG);
	fixture_deinit(&fixture);
	payload_deinit(&block);
}

static void a_block_that_is_cut_or_told_twice_is_damage(void **state)
{
	struct payload block = { 0 };
	struct fixture fixture;

	(void)state;
	fixture_open(&fixture, &new_command, NULL);
	trace_schema_encode(old_records, 1, &block);
	for (size_t size = 0; size < block.size; size++)
		assert_int_equal(learn(&fixture, &block, size), -EBADMSG);
	assert_int_equal(learn(&fixture, &block, block.size), 0);
	assert_int_equal(learn(&fixture, &block, block.size), -EBADMSG);
	fixture_deinit(&fixture);
	payload_deinit(&block);
}

static void a_record_that_is_not_there_is_said_not_to_be(void **state)
{
	static const struct view_record *const strangers[] = { &stranger, NULL };
	struct trace_schemas *schemas = NULL;
	struct payload block = { 0 };
	struct payload_reader reader;

	(void)state;
	trace_schema_encode(strangers, 0, &block);
	reader = (struct payload_reader){ .bytes = block.bytes, .size = block.size };
	assert_int_equal(trace_schema_learn(&schemas, old_records, &reader), -ENOENT);
	assert_non_null(trace_schema_of(schemas, 0));
	assert_null(trace_schema_of(schemas, 0)->record);
	assert_null(trace_schema_of(schemas, 1));
	assert_null(trace_schema_of(schemas, UINT32_MAX));
	trace_schemas_destroy(schemas);
	payload_deinit(&block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_come_under_their_names_and_what_is_not_there_is_empty),
		cmocka_unit_test(rows_with_and_without_a_column_stand_in_one_table),
		cmocka_unit_test(a_value_that_does_not_fit_the_column_of_its_name_is_damage),
		cmocka_unit_test(a_block_that_is_cut_or_told_twice_is_damage),
		cmocka_unit_test(a_record_that_is_not_there_is_said_not_to_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
