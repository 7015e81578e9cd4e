// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* trace_rows: what is written for a recording is shown as if it had never been bytes; bytes from anywhere do no harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "trace_rows_fixture.h"
#include "view_memory.h"

static struct view_value values[KIND_COLUMNS];

/* Each kind with a value that shows when a part of it is lost. */
static void fill_values(void)
{
	static const struct view_frame frames[] = {
		{ .symbol = "inner", .offset = 0x12, .object = "kernel", .address = 0xffffffff81000012 },
		{ .symbol = "outer", .object = "/lib/libx.so", .file = "x.c", .line = 77, .is_inlined = true, .address = 0x1234 },
		{ .address = 0x99 },
	};
	static const struct view_stack stack = { .frames = frames, .count = 3, .is_truncated = true };
	static const uint64_t slots[] = { 0, 3, 0, 7 };
	static const struct view_histogram histogram = { slots, 4, HISTOGRAM_DURATION_NS };
	static const struct view_counter counters[] = { { "ring_full", 5 }, { "map_full", 0 } };

	values[KIND_TEXT] = view_text("a text");
	values[KIND_PATH] = view_text("/a/path");
	values[KIND_ENUM] = view_u64(1);
	values[KIND_U64] = view_u64(UINT64_MAX);
	values[KIND_I64] = view_i64(-12);
	values[KIND_REAL] = view_double(12.5);
	values[KIND_BOOL] = view_bool(true);
	values[KIND_STACK] = view_frames(&stack);
	values[KIND_HISTOGRAM] = view_slots(&histogram);
	values[KIND_COUNTERS] = view_counters(counters, 2);
}

/* What @values look like when they are shown at once; to be freed. */
static char *shown_at_once(bool is_json, bool is_object)
{
	struct view *view = open_memory((struct view_options){ .is_json = is_json });
	char *shown;

	assert_int_equal(is_object ? view_object(view, &fixture_record, values) : view_row(view, &fixture_record, values), 0);
	view_close(view);
	fclose(file);
	shown = text;
	return shown;
}

static int read_back(struct view *view, size_t size, uint32_t type)
{
	struct payload_reader reader = { .bytes = emitted.bytes, .size = size };
	struct fixture fixture;

	fixture_init(&fixture, view);
	return trace_on_record(&fixture.run, &fixture.trace, type, &reader);
}

static void assert_round_trip(bool is_object)
{
	struct fixture fixture;

	for (int is_json = 0; is_json < 2; is_json++) {
		char *expected = shown_at_once(is_json, is_object);
		struct view *view = open_memory((struct view_options){ .is_json = is_json });

		fixture_init(&fixture, view);
		assert_int_equal(fixture_emit(&fixture, &fixture_record, values, is_object), 0);
		assert_int_equal(emitted.type, 2 + is_object);
		assert_int_equal(read_back(view, emitted.size, emitted.type), 0);
		assert_closes_with(view, expected);
		free(expected);
	}
}

static void every_kind_of_value_comes_back_as_it_was(void **state)
{
	(void)state;
	fill_values();
	assert_round_trip(false);
	assert_round_trip(true);
}

static void absent_values_and_empty_blocks_come_back_as_such(void **state)
{
	static const struct view_histogram empty = { .slots = NULL, .slot_count = 0 };

	(void)state;
	fill_values();
	values[KIND_TEXT] = view_absent();
	values[KIND_STACK] = view_absent();
	values[KIND_HISTOGRAM] = view_slots(&empty);
	values[KIND_COUNTERS] = view_counters(NULL, 0);
	values[KIND_I64] = view_i64(INT64_MIN);
	assert_round_trip(false);
}

static void a_text_of_fixed_size_ends_where_its_field_ends(void **state)
{
	static const char comm[4] = { 'd', 'i', 'l', 'l' };

	(void)state;
	fill_values();
	values[KIND_TEXT] = view_text_n(comm, sizeof(comm));
	assert_round_trip(false);
}

static void a_record_that_the_command_does_not_list_is_refused(void **state)
{
	static const struct view_record stranger = { .type = "stranger", .columns = other_columns, .column_count = 1 };
	struct view_value value = view_u64(1);
	struct fixture fixture;

	(void)state;
	fixture_init(&fixture, NULL);
	assert_int_equal(fixture_emit(&fixture, &stranger, &value, false), -EINVAL);
}

static void a_row_that_is_cut_anywhere_is_damaged(void **state)
{
	struct view *view = open_memory((struct view_options){ .is_json = true });
	struct fixture fixture;

	(void)state;
	fill_values();
	fixture_init(&fixture, view);
	assert_int_equal(fixture_emit(&fixture, &fixture_record, values, false), 0);
	for (size_t size = 0; size < emitted.size; size++)
		assert_int_equal(read_back(view, size, emitted.type), -EBADMSG);
	assert_closes_with(view, "");
}

static void a_type_that_is_no_record_s_is_damaged(void **state)
{
	struct view *view = open_memory((struct view_options){ .is_json = true });

	(void)state;
	assert_int_equal(read_back(view, 0, 4), -EBADMSG);
	assert_int_equal(read_back(view, 0, UINT32_MAX), -EBADMSG);
	assert_closes_with(view, "");
}

/* Whatever byte is changed: the row is refused, or shown; a value of another kind than its column's is refused. */
static void changed_bytes_are_refused_or_shown(void **state)
{
	static unsigned char original[4096];
	struct view *view = open_memory((struct view_options){ .is_json = true });
	size_t size, refused = 0;
	struct fixture fixture;

	(void)state;
	fill_values();
	fixture_init(&fixture, view);
	assert_int_equal(fixture_emit(&fixture, &fixture_record, values, false), 0);
	size = emitted.size;
	assert_true(size <= sizeof(original));
	memcpy(original, emitted.bytes, size);
	for (size_t at = 0; at < size; at++) {
		for (int change = 1; change < 256; change <<= 1) {
			int status;

			memcpy(emitted.bytes, original, size);
			emitted.bytes[at] ^= change;
			status = read_back(view, size, emitted.type);
			assert_true(status == 0 || status == -EBADMSG);
			refused += status != 0;
		}
	}
	assert_true(refused > size);
	memcpy(emitted.bytes, original, size);
	emitted.bytes[0] = VIEW_KIND_U64; /* the first column is a text */
	assert_int_equal(read_back(view, size, emitted.type), -EBADMSG);
	view_close(view);
	fclose(file);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_of_value_comes_back_as_it_was),
		cmocka_unit_test(absent_values_and_empty_blocks_come_back_as_such),
		cmocka_unit_test(a_text_of_fixed_size_ends_where_its_field_ends),
		cmocka_unit_test(a_record_that_the_command_does_not_list_is_refused),
		cmocka_unit_test(a_row_that_is_cut_anywhere_is_damaged),
		cmocka_unit_test(a_type_that_is_no_record_s_is_damaged),
		cmocka_unit_test(changed_bytes_are_refused_or_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
