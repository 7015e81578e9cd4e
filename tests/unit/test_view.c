// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * What all output shares: declarations and their check, sentences, lists, histograms, colour, quietness,
 * errors, liveness.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "view_memory.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static const char *const names[] = { "a", NULL };

static const struct view_column columns[] = {
	{ .name = "pid", .type = VIEW_U64, .is_optional = true },
	{ .name = "comm", .type = VIEW_TEXT, .is_optional = true },
	{ .name = "size_bytes", .title = "size", .type = VIEW_BYTES, .is_optional = true },
	{ .name = "frames", .type = VIEW_STACK, .is_optional = true },
	{ .name = "losses", .type = VIEW_COUNTERS, .is_optional = true },
	{ .name = "mode", .type = VIEW_ENUM, .names = names, .is_optional = true },
	{ .name = "is_ok", .type = VIEW_BOOL, .is_optional = true },
};

static void assert_problem(const char *template_text, const char *expected)
{
	const struct view_record record = {
		.type = "r", .columns = columns, .column_count = COUNT_OF(columns), .text = template_text
	};
	char problem[128] = "";

	assert_int_equal(view_record_check(&record, problem, sizeof(problem)), expected ? -EINVAL : 0);
	assert_string_equal(problem, expected ? expected : "");
	assert_int_equal(view_record_check(&record, NULL, 0), expected ? -EINVAL : 0);
}

static void broken_templates_are_named(void **state)
{
	(void)state;
	assert_problem("pid {pid} {comm} {size_bytes:raw+} {size_bytes:+} {pid:x|y}", NULL);
	assert_problem("{losses} {mode} {{}} {?{pid}?} ok?", NULL);
	assert_problem(NULL, NULL);
	assert_problem("{pidd}", "r: no column for placeholder {pidd}");
	assert_problem("{}", "r: no column for placeholder {}");
	assert_problem("{frames}", "r: {frames} takes lines of its own");
	assert_problem("{pid:raw}", "r: {pid} can't have the modifier 'raw'");
	assert_problem("{comm:+}", "r: {comm} can't have the modifier '+'");
	assert_problem("{comm:a|b}", "r: {comm} can't have the modifier 'a|b'");
	assert_problem("{pid:}", "r: {pid} can't have the modifier ''");
	assert_problem("{pid", "r: unbalanced brace in the text");
	assert_problem("pid}", "r: unbalanced brace in the text");
	assert_problem("{pid {comm}}", "r: unbalanced brace in the text");
	assert_problem("{? x {pid}", "r: section without end");
	assert_problem("x ?}", "r: section end without begin");
	assert_problem("{? x ?}", "r: section without placeholder");
	assert_problem("{? {? {pid} ?} ?}", "r: section within a section");
	assert_problem("a\nb", "r: control character in the text");
	assert_problem("\033[1m", "r: control character in the text");
}

static void assert_column_problem(struct view_column column, const char *expected)
{
	const struct view_column two[] = { { .name = "pid", .type = VIEW_U64 }, column };
	const struct view_record record = { .type = "r", .columns = two, .column_count = 2 };
	char problem[128] = "";

	assert_int_equal(view_record_check(&record, problem, sizeof(problem)), -EINVAL);
	assert_string_equal(problem, expected);
}

static void broken_columns_are_named(void **state)
{
	const struct view_record bad_type = { .type = "Report" };

	(void)state;
	assert_column_problem((struct view_column){ .name = "pid" },
			      "r: column 1 (pid): the name is used twice");
	assert_column_problem((struct view_column){ .name = "type" },
			      "r: column 1 (type): the name is taken by the record's own");
	assert_column_problem((struct view_column){ .name = "PID" },
			      "r: column 1 (PID): a column's name isn't lower_snake");
	assert_column_problem((struct view_column){ .name = NULL },
			      "r: column 1 (no name): a column's name isn't lower_snake");
	assert_column_problem((struct view_column){ .name = "x", .type = VIEW_ENUM },
			      "r: column 1 (x): an enum without names");
	assert_column_problem((struct view_column){ .name = "x", .width = 10000 },
			      "r: column 1 (x): too wide");
	assert_column_problem((struct view_column){ .name = "x", .is_json_only = true, .is_text_only = true },
			      "r: column 1 (x): shown nowhere");
	assert_int_equal(view_record_check(&bad_type, NULL, 0), -EINVAL);
}

static void broken_declaration_stops_the_output(void **state)
{
	static const struct view_record record = { .type = "r", .text = "{nothing}" };
	struct view *view = open_memory((struct view_options){ .is_json = true });

	(void)state;
	assert_int_equal(view_object(view, &record, NULL), -EINVAL);
	assert_string_equal(view_problem(view), "r: no column for placeholder {nothing}");
	assert_int_equal(view_close(view), -EINVAL);
	assert_int_equal(text_size, 0);
	fclose(file);
	free(text);
}

static void assert_sentence(const char *template_text, const struct view_value *values, const char *expected)
{
	const struct view_record record = {
		.type = "r", .columns = columns, .column_count = COUNT_OF(columns), .text = template_text
	};
	struct view *view = open_memory((struct view_options){ 0 });

	assert_int_equal(view_object(view, &record, values), 0);
	assert_closes_with(view, expected);
}

static void placeholders_are_filled_by_type_and_modifier(void **state)
{
	const struct view_counter losses[] = { { "map_full", 2 }, { "ring_full", 0 }, { "no_stack", 1 } };
	struct view_value values[COUNT_OF(columns)] = {
		view_u64(1), view_text("x\ny"), view_i64(1536), view_absent(), view_counters(losses, 3),
		view_u64(0), view_bool(true),
	};

	(void)state;
	assert_sentence(
		"{{{pid}}} {comm} {size_bytes} {size_bytes:raw} {size_bytes:+} {size_bytes:raw+} {mode} "
		"{is_ok}",
		values,
		"{1} x\\x0ay 1.5 KiB 1536 +1.5 KiB +1536 a yes\n"
		"    losses: map_full 2, no_stack 1\n");
	assert_sentence("{pid} {pid:thing|things}, lost {losses}?", values,
			"1 thing, lost map_full 2, no_stack 1?\n");
	values[0] = view_u64(0);
	values[2] = view_i64(INT64_MIN);
	values[4] = view_absent();
	assert_sentence("{pid} {pid:thing|things} {pid:+} {size_bytes} {size_bytes:raw+}", values,
			"0 things 0 -8.0 EiB -9223372036854775808\n");
}

static void sections_vanish_unless_every_value_says_something(void **state)
{
	const struct view_counter zero[] = { { "map_full", 0 } };
	struct view_value values[COUNT_OF(columns)] = {
		view_u64(0),   view_text(""),	view_i64(0), view_absent(), view_counters(zero, 1),
		view_absent(), view_bool(false)
	};

	(void)state;
	assert_sentence("x{? {pid}?}{? {comm}?}{? {size_bytes}?}{? {losses}?}{? {mode}?}{? {is_ok}?}.",
			values, "x.\n");
	assert_sentence("{pid} {comm} {size_bytes} {losses} {mode} {is_ok}", values, "0  0 B none - no\n");
	values[0] = view_u64(1);
	assert_sentence("x{? {pid}?}{? {pid} {comm}?}", values, "x 1\n");
}

static void record_without_sentence_is_a_list(void **state)
{
	static const struct view_record record = {
		.type = "r", .columns = columns, .column_count = COUNT_OF(columns), .indent = 2
	};
	const struct view_counter losses[] = { { "map_full", 2 } };
	struct view_value values[COUNT_OF(columns)] = {
		view_u64(1), view_text("\u202e"), view_u64(1 << 20), view_absent(), view_counters(losses, 1),
	};
	struct view *view = open_memory((struct view_options){ 0 });

	(void)state;
	assert_int_equal(view_object(view, &record, values), 0);
	assert_closes_with(view, "  pid   1\n"
				 "  comm  \\u{202e}\n"
				 "  size  1.0 MiB\n"
				 "      losses: map_full 2\n");
}

static void sections_of_output_are_set_apart(void **state)
{
	static const struct view_record first = { .type = "r", .text = "first", .starts_section = true };
	static const struct view_record more = { .type = "m", .text = "more" };
	struct view *view = open_memory((struct view_options){ 0 });

	(void)state;
	view_object(view, &first, NULL);
	view_object(view, &more, NULL);
	view_object(view, &first, NULL);
	assert_closes_with(view, "first\nmore\n\nfirst\n");
}

static void quiet_leaves_remarks_out_of_text_but_not_of_json(void **state)
{
	static const struct view_record remark = { .type = "summary", .text = "3 events", .is_remark = true };
	struct view *view = open_memory((struct view_options){ .is_quiet = true });

	(void)state;
	view_object(view, &remark, NULL);
	assert_closes_with(view, "");
	view = open_memory((struct view_options){ .is_quiet = true, .is_json = true });
	view_object(view, &remark, NULL);
	assert_closes_with(view, "{\"type\":\"summary\"}\n");
	view = open_memory((struct view_options){ 0 });
	view_object(view, &remark, NULL);
	assert_closes_with(view, "3 events\n");
}

static const struct view_column histogram_columns[] = { { .name = "latency", .type = VIEW_HISTOGRAM } };

static const struct view_record histogram_record = {
	.type = "latency", .columns = histogram_columns, .column_count = 1, .text = "latency"
};

static void assert_histogram(struct view_options options, const struct view_histogram *histogram,
			     const char *expected)
{
	struct view *view = open_memory(options);

	view_object(view, &histogram_record, (struct view_value[]){ view_slots(histogram) });
	assert_closes_with(view, expected);
}

static void histogram_spans_its_filled_slots(void **state)
{
	const uint64_t slots[HISTOGRAM_SLOTS_MAX] = { [10] = 4, [12] = 2, [13] = UINT64_C(1) };
	struct view_histogram histogram = { .slots = slots, .slot_count = HISTOGRAM_SLOTS_MAX };

	(void)state;
	assert_histogram((struct view_options){ .terminal_columns = 33 }, &histogram,
			 "latency\n"
			 "    1024 ..  2047  4 |##########|\n"
			 "    2048 ..  4095  0 |          |\n"
			 "    4096 ..  8191  2 |#####     |\n"
			 "    8192 .. 16383  1 |##        |\n");
	histogram.unit = HISTOGRAM_DURATION_NS;
	assert_histogram((struct view_options){ .terminal_columns = 10 }, &histogram,
			 "latency\n"
			 "    1.0 us ..  2.0 us  4 |########|\n"
			 "    2.0 us ..  4.1 us  0 |        |\n"
			 "    4.1 us ..  8.2 us  2 |####    |\n"
			 "    8.2 us .. 16.4 us  1 |##      |\n");
	histogram.unit = HISTOGRAM_BYTES;
	histogram.slot_count = 11;
	assert_histogram((struct view_options){ .terminal_columns = 10 }, &histogram,
			 "latency\n    1.0 KiB .. 2.0 KiB  4 |########|\n");
	assert_histogram((struct view_options){ .is_json = true }, &histogram,
			 "{\"type\":\"latency\",\"latency\":[{\"low\":1024,\"high\":2047,\"count\":4}]}\n");
}

static void histogram_survives_extremes(void **state)
{
	const uint64_t slots[HISTOGRAM_SLOTS_MAX] = { [0] = 1, [63] = UINT64_MAX };
	struct view_histogram histogram = { .slots = slots, .slot_count = 1000 };
	struct view *view = open_memory((struct view_options){ 0 });
	const struct view_histogram empty = { 0 };

	(void)state;
	view_object(view, &histogram_record, (struct view_value[]){ view_slots(&histogram) });
	assert_int_equal(view_close(view), 0);
	assert_non_null(strstr(text, "                     1 |#       |\n"));
	assert_non_null(strstr(
		text, "9223372036854775808 .. 18446744073709551615  18446744073709551615 |########|\n"));
	fclose(file);
	free(text);
	assert_histogram((struct view_options){ 0 }, &empty, "latency\n    (empty)\n");
	assert_histogram((struct view_options){ .is_json = true }, &empty,
			 "{\"type\":\"latency\",\"latency\":[]}\n");
}

static void colour_is_decided_by_argument_then_environment_then_terminal(void **state)
{
	(void)state;
	setenv("TERM", "xterm", 1);
	unsetenv("NO_COLOR");
	unsetenv("CLICOLOR_FORCE");
	assert_true(colour_decide(COLOUR_AUTO, true));
	assert_false(colour_decide(COLOUR_AUTO, false));
	setenv("TERM", "dumb", 1);
	assert_false(colour_decide(COLOUR_AUTO, true));
	unsetenv("TERM");
	assert_false(colour_decide(COLOUR_AUTO, true));
	setenv("CLICOLOR_FORCE", "0", 1);
	assert_false(colour_decide(COLOUR_AUTO, false));
	setenv("CLICOLOR_FORCE", "1", 1);
	assert_true(colour_decide(COLOUR_AUTO, false));
	setenv("NO_COLOR", "", 1);
	assert_true(colour_decide(COLOUR_AUTO, false));
	setenv("NO_COLOR", "1", 1);
	assert_false(colour_decide(COLOUR_AUTO, true));
	assert_true(colour_decide(COLOUR_ALWAYS, false));
	unsetenv("NO_COLOR");
	assert_false(colour_decide(COLOUR_NEVER, true));
	unsetenv("CLICOLOR_FORCE");
}

static void colour_argument_is_parsed(void **state)
{
	enum colour_when when = COLOUR_AUTO;

	(void)state;
	assert_int_equal(colour_parse("never", &when), 0);
	assert_int_equal(when, COLOUR_NEVER);
	assert_int_equal(colour_parse(NULL, &when), 0);
	assert_int_equal(when, COLOUR_ALWAYS);
	assert_int_equal(colour_parse("auto", &when), 0);
	assert_int_equal(when, COLOUR_AUTO);
	assert_int_equal(colour_parse("yes", &when), -EINVAL);
}

static void colours_never_reach_json(void **state)
{
	static const struct view_column column = { .name = "dropped",
						   .type = VIEW_U64,
						   .is_bad_when_set = true };
	static const struct view_record record = {
		.type = "r", .columns = &column, .column_count = 1, .text = "{dropped}"
	};
	const struct view_value value = view_u64(3);
	struct view *view = open_memory((struct view_options){ .colour = COLOUR_ALWAYS, .is_json = true });

	(void)state;
	view_object(view, &record, &value);
	view_row(view, &record, &value);
	assert_closes_with(view, "{\"type\":\"r\",\"dropped\":3}\n{\"type\":\"r\",\"dropped\":3}\n");
	view = open_memory((struct view_options){ .colour = COLOUR_ALWAYS });
	view_object(view, &record, &value);
	assert_closes_with(view, "\033[1;31m3\033[0m\n");
}

static const struct view_record hello = { .type = "hello", .text = "hello" };

static void full_disk_is_reported_at_close(void **state)
{
	struct view_options options = { .out = fopen("/dev/full", "w") };
	struct view *view;

	(void)state;
	assert_int_equal(view_open(&options, &view), 0);
	assert_int_equal(view_object(view, &hello, NULL), -ENOSPC);
	assert_int_equal(view_object(view, &hello, NULL), -ENOSPC);
	assert_int_equal(view_close(view), -ENOSPC);
	fclose(options.out);
}

/* A regular file isn't flushed by line: the error shows at the latest when the view closes. */
static void full_file_is_reported_at_close(void **state)
{
	char name[] = "/tmp/test_view.XXXXXX";
	int fd = mkstemp(name), read_only = open(name, O_RDONLY);
	struct view_options options = { .out = fdopen(fd, "w") };
	struct view *view;

	(void)state;
	unlink(name);
	assert_int_equal(view_open(&options, &view), 0);
	assert_int_equal(view_object(view, &hello, NULL), 0);
	dup2(read_only, fd); /* from now on writing fails */
	assert_int_equal(view_object(view, &hello, NULL), 0);
	assert_int_equal(view_close(view), -EBADF);
	close(read_only);
	fclose(options.out);
}

static void reader_that_left_is_reported(void **state)
{
	struct view_options options = { 0 };
	struct view *view;
	int ends[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(ends), 0);
	options.out = fdopen(ends[1], "w");
	assert_int_equal(view_open(&options, &view), 0);
	assert_int_equal(view_object(view, &hello, NULL), 0);
	close(ends[0]);
	assert_int_equal(view_object(view, &hello, NULL), -EPIPE);
	assert_int_equal(view_close(view), -EPIPE);
	fclose(options.out);
}

static void each_line_goes_into_a_pipe_at_once(void **state)
{
	struct view_options options = { 0 };
	char line[32] = "";
	struct view *view;
	int ends[2];

	(void)state;
	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	options.out = fdopen(ends[1], "w");
	assert_int_equal(view_open(&options, &view), 0);
	view_object(view, &hello, NULL);
	assert_int_equal(read(ends[0], line, sizeof(line)), 6);
	view_literal(view, "usage: x\n");
	assert_int_equal(read(ends[0], line, sizeof(line)), 9);
	assert_int_equal(view_close(view), 0);
	close(ends[0]);
	fclose(options.out);
}

static void closing_nothing_is_fine(void **state)
{
	(void)state;
	assert_int_equal(view_close(NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(broken_templates_are_named),
		cmocka_unit_test(broken_columns_are_named),
		cmocka_unit_test(broken_declaration_stops_the_output),
		cmocka_unit_test(placeholders_are_filled_by_type_and_modifier),
		cmocka_unit_test(sections_vanish_unless_every_value_says_something),
		cmocka_unit_test(record_without_sentence_is_a_list),
		cmocka_unit_test(sections_of_output_are_set_apart),
		cmocka_unit_test(quiet_leaves_remarks_out_of_text_but_not_of_json),
		cmocka_unit_test(histogram_spans_its_filled_slots),
		cmocka_unit_test(histogram_survives_extremes),
		cmocka_unit_test(colour_is_decided_by_argument_then_environment_then_terminal),
		cmocka_unit_test(colour_argument_is_parsed),
		cmocka_unit_test(colours_never_reach_json),
		cmocka_unit_test(full_disk_is_reported_at_close),
		cmocka_unit_test(full_file_is_reported_at_close),
		cmocka_unit_test(reader_that_left_is_reported),
		cmocka_unit_test(each_line_goes_into_a_pipe_at_once),
		cmocka_unit_test(closing_nothing_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
