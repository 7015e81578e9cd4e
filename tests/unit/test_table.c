// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Streaming tables: alignment, display width, cutting, headings. What differs on a terminal runs on a real
 * pseudo-terminal.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "view.h"
#include "view_sink.h"

enum { PID, COMM, BYTES, PATH, COUNT };

static const struct view_column columns[] = {
	[PID] = { .name = "pid", .type = VIEW_U64, .width = 7 },
	[COMM] = { .name = "comm", .type = VIEW_TEXT, .width = 8 },
	[BYTES] = { .name = "bytes", .title = "SIZE", .type = VIEW_BYTES },
	[PATH] = { .name = "path", .type = VIEW_PATH, .is_optional = true },
};

static const struct view_record events = { .type = "event", .columns = columns, .column_count = COUNT };

static struct view *open_view(struct sink *sink, struct view_options options)
{
	struct view *view;

	options.out = sink->file;
	assert_int_equal(view_open(&options, &view), 0);
	return view;
}

static int put_event(struct view *view, uint64_t pid, const char *comm, uint64_t bytes, const char *path)
{
	const struct view_value values[COUNT] = {
		[PID] = view_u64(pid),
		[COMM] = view_text(comm),
		[BYTES] = view_u64(bytes),
		[PATH] = view_text(path),
	};

	return view_row(view, &events, values);
}

static int use_utf8(void **state)
{
	(void)state;
	unsetenv("CLICOLOR_FORCE");
	setenv("TERM", "dumb", 1);
	return setenv("LC_ALL", "C.UTF-8", 1);
}

static void numbers_stand_right_and_text_left_under_one_heading(void **state)
{
	struct sink sink;
	struct view *view;

	(void)state;
	sink_to_memory(&sink);
	view = open_view(&sink, (struct view_options){ 0 });
	put_event(view, 1, "init", 512, "/sbin/init");
	put_event(view, 4194304, "cc1", 1536, NULL);
	assert_string_equal(sink_text(&sink), "    PID  COMM            SIZE  PATH\n"
					      "      1  init           512 B  /sbin/init\n"
					      "4194304  cc1          1.5 KiB  -\n");
	assert_int_equal(view_close(view), 0);
	sink_close(&sink);
}

static void nothing_is_cut_off_terminal_and_later_cells_take_the_shift_back(void **state)
{
	struct sink sink;
	struct view *view;

	(void)state;
	sink_to_memory(&sink);
	view = open_view(&sink, (struct view_options){ .is_quiet = true });
	put_event(view, 1, "a-long-name", 512, "/x");
	put_event(view, 1, "a-very-very-long-name", 512, "/x");
	assert_string_equal(sink_text(&sink), "      1  a-long-name    512 B  /x\n"
					      "      1  a-very-very-long-name  512 B  /x\n");
	assert_int_equal(view_close(view), 0);
	sink_close(&sink);
}

static void columns_line_up_behind_wide_and_combining_characters(void **state)
{
	struct sink sink;
	struct view *view;

	(void)state;
	sink_to_memory(&sink);
	view = open_view(&sink, (struct view_options){ .is_quiet = true });
	put_event(view, 1, "\u6f22\u5b57", 512, "/x");
	put_event(view, 1, "cafe\u0301", 512, "/x");
	put_event(view, 1, "\033[2J", 512, "/x");
	assert_string_equal(sink_text(&sink), "      1  \u6f22\u5b57           512 B  /x\n"
					      "      1  cafe\u0301           512 B  /x\n"
					      "      1  \\x1b[2J        512 B  /x\n");
	assert_int_equal(view_close(view), 0);
	sink_close(&sink);
}

static void terminal_cuts_text_but_not_the_last_column(void **state)
{
	struct sink sink;
	struct view *view;

	(void)state;
	sink_to_terminal(&sink, 24, 40);
	view = open_view(&sink, (struct view_options){ .is_quiet = true });
	put_event(view, 1, "a-long-name", 512, "/a/path/that/is/wider/than/the/terminal/itself");
	put_event(view, 1, "\u6f22\u5b57\u6f22\u5b57\u6f22", 512, "/x");
	put_event(view, 1, "abcdef\033[2J", 512, "/x");
	put_event(view, 1, "exactly8", 512, "/x");
	assert_string_equal(
		sink_text(&sink),
		"      1  a-long-\u2026       512 B  /a/path/that/is/wider/than/the/terminal/itself\n"
		"      1  \u6f22\u5b57\u6f22\u2026        512 B  /x\n"
		"      1  abcdef\u2026        512 B  /x\n"
		"      1  exactly8       512 B  /x\n");
	assert_int_equal(view_close(view), 0);
	sink_close(&sink);
}

static void paths_are_cut_at_their_beginning(void **state)
{
	static const struct view_column path_columns[] = {
		{ .name = "path", .type = VIEW_PATH, .width = 10 },
		{ .name = "n", .type = VIEW_U64, .width = 1 },
	};
	static const struct view_record paths = { .type = "path",
						  .columns = path_columns,
						  .column_count = 2 };
	const struct view_value values[] = { view_text("/usr/lib/libc.so.6"), view_u64(1) };
	struct sink sink;
	struct view *view;

	(void)state;
	sink_to_terminal(&sink, 24, 80);
	view = open_view(&sink, (struct view_options){ .is_quiet = true });
	view_row(view, &paths, values);
	assert_string_equal(sink_text(&sink), "\u2026libc.so.6  1\n");
	assert_int_equal(view_close(view), 0);
	sink_close(&sink);
}

static void terminal_without_utf8_sees_ascii_only(void **state)
{
	struct sink sink;
	struct view *view;
	const char *text;

	(void)state;
	setenv("LC_ALL", "C", 1);
	sink_to_terminal(&sink, 24, 80);
	view = open_view(&sink, (struct view_options){ .is_quiet = true });
	put_event(view, 1, "a-long-name", 512, "/\u00e9");
	text = sink_text(&sink);
	assert_string_equal(text, "      1  a-lon...       512 B  /\\u{00e9}\n");
	assert_int_equal(view_close(view), 0);
	sink_close(&sink);
}

static unsigned headings_in(const char *text)
{
	unsigned count = 0;

	for (const char *at = strstr(text, "COMM"); at; at = strstr(at + 1, "COMM"))
		count++;
	return count;
}

static void heading_returns_with_each_screen_of_a_terminal(void **state)
{
	struct sink sink;
	struct view *view;
	const char *text;

	(void)state;
	sink_to_terminal(&sink, 5, 80);
	view = open_view(&sink, (struct view_options){ 0 });
	for (int i = 0; i < 7; i++)
		put_event(view, i, "x", 1, NULL);
	text = sink_text(&sink);
	assert_int_equal(headings_in(text), 3);
	/* A heading and three rows fill the screen of five but for the cursor's line. */
	for (int i = 0; i < 4; i++)
		text = strchr(text, '\n') + 1;
	assert_memory_equal(text, "    PID", 7);
	assert_int_equal(view_close(view), 0);
	sink_close(&sink);
}

static void heading_comes_once_off_terminal_and_after_each_object(void **state)
{
	static const struct view_record remark = { .type = "remark", .text = "hello" };
	struct sink sink;
	struct view *view;

	(void)state;
	sink_to_memory(&sink);
	view = open_view(&sink, (struct view_options){ .terminal_rows = 5 });
	for (int i = 0; i < 20; i++)
		put_event(view, i, "x", 1, NULL);
	assert_int_equal(headings_in(sink_text(&sink)), 1);
	view_object(view, &remark, NULL);
	put_event(view, 1, "x", 1, NULL);
	assert_int_equal(headings_in(sink_text(&sink)), 2);
	assert_int_equal(view_close(view), 0);
	sink_close(&sink);
}

static void each_row_reaches_the_terminal_at_once(void **state)
{
	struct sink sink;
	struct view *view;

	(void)state;
	sink_to_terminal(&sink, 24, 80);
	view = open_view(&sink, (struct view_options){ .is_quiet = true });
	setvbuf(sink.file, NULL, _IOFBF, 65536);
	put_event(view, 1, "x", 1, NULL);
	assert_string_equal(sink_text(&sink), "      1  x                1 B  -\n");
	assert_int_equal(view_close(view), 0);
	sink_close(&sink);
}

static void every_type_has_its_text_and_its_json(void **state)
{
	static const char *const kinds[] = { "minor", "major", NULL };
	static const struct view_column all[] = {
		{ .name = "kind", .type = VIEW_ENUM, .names = kinds },
		{ .name = "other", .type = VIEW_ENUM, .names = kinds },
		{ .name = "delta", .type = VIEW_I64 },
		{ .name = "address", .type = VIEW_HEX },
		{ .name = "events", .type = VIEW_COUNT },
		{ .name = "growth_bytes", .type = VIEW_BYTES },
		{ .name = "latency_ns", .type = VIEW_DURATION_NS },
		{ .name = "time", .type = VIEW_TIME },
		{ .name = "share_percent", .type = VIEW_PERCENT },
		{ .name = "is_new", .type = VIEW_BOOL },
		{ .name = "hidden", .type = VIEW_U64, .is_json_only = true },
		{ .name = "missing", .type = VIEW_U64, .is_optional = true },
	};
	static const struct view_record record = { .type = "all",
						   .columns = all,
						   .column_count = sizeof(all) / sizeof(all[0]) };
	const struct view_value values[] = {
		view_u64(1),	   view_u64(7),
		view_i64(-5),	   view_u64(UINT64_C(0xffff888004a2b001)),
		view_u64(123456),  view_i64(-1536),
		view_u64(1234567), view_u64(UINT64_C(1769860805000000042)),
		view_double(12.5), view_bool(true),
		view_u64(3),	   view_absent(),
	};
	struct sink sink;
	struct view *view;

	(void)state;
	setenv("TZ", "UTC-3", 1);
	sink_to_memory(&sink);
	view = open_view(&sink, (struct view_options){ .is_quiet = true });
	assert_int_equal(view_row(view, &record, values), 0);
	assert_string_equal(sink_text(&sink),
			    "major       7                   -5  0xffff888004a2b001    123.5k  "
			    "    -1.5 KiB      1.2 ms  15:00:05          12.5%  yes              -\n");
	assert_int_equal(view_close(view), 0);
	sink_close(&sink);

	sink_to_memory(&sink);
	view = open_view(&sink, (struct view_options){ .is_json = true });
	assert_int_equal(view_row(view, &record, values), 0);
	assert_string_equal(sink_text(&sink),
			    "{\"type\":\"all\",\"kind\":\"major\",\"other\":7,\"delta\":-5,"
			    "\"address\":\"0xffff888004a2b001\",\"events\":123456,\"growth_bytes\":-1536,"
			    "\"latency_ns\":1234567,\"time\":\"2026-01-31T12:00:05.000000042Z\","
			    "\"share_percent\":12.5,\"is_new\":true,\"hidden\":3}\n");
	assert_int_equal(view_close(view), 0);
	sink_close(&sink);
}

static void value_that_does_not_fit_its_column_is_an_error(void **state)
{
	struct view_value values[COUNT] = { view_u64(1), view_u64(2), view_u64(3), view_absent() };
	struct sink sink;
	struct view *view;

	(void)state;
	sink_to_memory(&sink);
	view = open_view(&sink, (struct view_options){ 0 });
	assert_int_equal(view_row(view, &events, values), -EINVAL);
	assert_string_equal(view_problem(view), "event: the value for comm is of another type");
	assert_string_equal(sink_text(&sink), "");
	assert_int_equal(view_close(view), -EINVAL);
	sink_close(&sink);

	values[COMM] = view_text("x");
	values[PID] = view_absent();
	sink_to_memory(&sink);
	view = open_view(&sink, (struct view_options){ .is_json = true });
	assert_int_equal(view_row(view, &events, values), -EINVAL);
	assert_string_equal(view_problem(view), "event: the value for pid is absent");
	assert_int_equal(view_close(view), -EINVAL);
	sink_close(&sink);
}

static void text_of_a_fixed_array_ends_at_its_size(void **state)
{
	const char comm[4] = { 'a', 'b', 'c', 'd' };
	struct view_value value = view_text_n(comm, sizeof(comm));

	(void)state;
	assert_int_equal(value.text.length, 4);
	assert_int_equal(view_text_n("ab\0d", 4).text.length, 2);
	assert_int_equal(view_text(NULL).kind, VIEW_KIND_ABSENT);
}

static const struct view_column tree_columns[] = {
	{ .name = "name", .type = VIEW_TEXT, .width = 10 },
	{ .name = "n", .type = VIEW_U64, .width = 2 },
	{ .name = "value", .type = VIEW_ANY, .is_json_only = true, .is_optional = true },
	{ .name = "line", .type = VIEW_TEXT, .is_text_only = true, .level_indent = 4 },
};
static const struct view_record tree = { .type = "tree", .columns = tree_columns, .column_count = 4 };

static void put_branch(struct view *view, const char *name, unsigned level, struct view_value value)
{
	const struct view_value values[] = { view_text_at(name, level), view_u64(level), value,
					     view_text_at("x", level) };

	assert_int_equal(view_row(view, &tree, values), 0);
}

static void levels_of_a_tree_are_indents_that_columns_line_up_behind(void **state)
{
	struct sink sink;
	struct view *view;

	(void)state;
	sink_to_memory(&sink);
	view = open_view(&sink, (struct view_options){ .is_quiet = true });
	put_branch(view, "root", 0, view_absent());
	put_branch(view, "child", 1, view_absent());
	put_branch(view, "\u6f22", 2, view_absent());
	put_branch(view, "deep", 5, view_absent());
	assert_string_equal(sink_text(&sink), "root         0  x\n"
					      "  child      1      x\n"
					      "    \u6f22       2          x\n"
					      "          deep  5                      x\n");
	assert_int_equal(view_close(view), 0);
	sink_close(&sink);
}

static void terminal_cuts_an_indented_text_to_its_column(void **state)
{
	struct sink sink;
	struct view *view;

	(void)state;
	sink_to_terminal(&sink, 24, 80);
	view = open_view(&sink, (struct view_options){ .is_quiet = true });
	put_branch(view, "grandchild", 2, view_absent());
	put_branch(view, "hidden", 1000, view_absent());
	assert_memory_equal(sink_text(&sink), "    grand\u2026   2          x\n            1000  ", 44);
	assert_int_equal(view_close(view), 0);
	sink_close(&sink);
}

static void json_knows_no_indents_and_no_composed_text(void **state)
{
	struct sink sink;
	struct view *view;

	(void)state;
	sink_to_memory(&sink);
	view = open_view(&sink, (struct view_options){ .is_json = true });
	put_branch(view, "a", 3, view_text("x\n"));
	put_branch(view, "b", 3, view_i64(-1));
	put_branch(view, "c", 3, view_bool(true));
	put_branch(view, "d", 3, view_absent());
	assert_string_equal(sink_text(&sink), "{\"type\":\"tree\",\"name\":\"a\",\"n\":3,\"value\":\"x\\n\"}\n"
					      "{\"type\":\"tree\",\"name\":\"b\",\"n\":3,\"value\":-1}\n"
					      "{\"type\":\"tree\",\"name\":\"c\",\"n\":3,\"value\":true}\n"
					      "{\"type\":\"tree\",\"name\":\"d\",\"n\":3}\n");
	assert_int_equal(view_close(view), 0);
	sink_close(&sink);
}

static void rows_of_another_record_join_a_table_without_a_heading(void **state)
{
	static const struct view_column gap_columns[] = { { .name = "bits", .type = VIEW_U64, .width = 7 } };
	static const struct view_record gaps = {
		.type = "gap", .columns = gap_columns, .column_count = 1, .joins = &events
	};
	const struct view_value bits[] = { view_u64(3) };
	struct sink sink;
	struct view *view;

	(void)state;
	sink_to_memory(&sink);
	view = open_view(&sink, (struct view_options){ 0 });
	assert_int_equal(view_row(view, &gaps, bits), 0);
	put_event(view, 1, "init", 512, NULL);
	assert_int_equal(view_row(view, &gaps, bits), 0);
	assert_string_equal(sink_text(&sink), "    PID  COMM            SIZE  PATH\n"
					      "      3\n"
					      "      1  init           512 B  -\n"
					      "      3\n");
	assert_int_equal(view_close(view), 0);
	sink_close(&sink);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(numbers_stand_right_and_text_left_under_one_heading, use_utf8),
		cmocka_unit_test_setup(nothing_is_cut_off_terminal_and_later_cells_take_the_shift_back,
				       use_utf8),
		cmocka_unit_test_setup(columns_line_up_behind_wide_and_combining_characters, use_utf8),
		cmocka_unit_test_setup(terminal_cuts_text_but_not_the_last_column, use_utf8),
		cmocka_unit_test_setup(paths_are_cut_at_their_beginning, use_utf8),
		cmocka_unit_test_setup(terminal_without_utf8_sees_ascii_only, use_utf8),
		cmocka_unit_test_setup(heading_returns_with_each_screen_of_a_terminal, use_utf8),
		cmocka_unit_test_setup(heading_comes_once_off_terminal_and_after_each_object, use_utf8),
		cmocka_unit_test_setup(each_row_reaches_the_terminal_at_once, use_utf8),
		cmocka_unit_test_setup(every_type_has_its_text_and_its_json, use_utf8),
		cmocka_unit_test_setup(value_that_does_not_fit_its_column_is_an_error, use_utf8),
		cmocka_unit_test_setup(text_of_a_fixed_array_ends_at_its_size, use_utf8),
		cmocka_unit_test_setup(levels_of_a_tree_are_indents_that_columns_line_up_behind, use_utf8),
		cmocka_unit_test_setup(terminal_cuts_an_indented_text_to_its_column, use_utf8),
		cmocka_unit_test_setup(rows_of_another_record_join_a_table_without_a_heading, use_utf8),
		cmocka_unit_test_setup(json_knows_no_indents_and_no_composed_text, use_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
