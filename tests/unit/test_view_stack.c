// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Call stacks as values, and a leak report made of them: report, stacks, summary. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "view_memory.h"

static const struct view_frame leak_frames[] = {
	{ .symbol = "fibonacci",
	  .offset = 0x23,
	  .object = "/tmp/leak",
	  .file = "examples/leak.c",
	  .line = 9,
	  .address = 0x401163 },
	{ .symbol = "child",
	  .offset = 0x5a,
	  .object = "/tmp/leak",
	  .file = "examples/leak.c",
	  .line = 21,
	  .address = 0x4011da },
	{ .symbol = "start_thread",
	  .offset = 0x2f4,
	  .object = "/usr/lib/x86_64-linux-gnu/libc.so.6",
	  .address = 0x7f3a5c0891f4 },
};

static const struct view_stack leak_stack = { .frames = leak_frames, .count = 3 };

static void assert_frame(const struct view_frame *frame, const char *expected_text, const char *expected_json)
{
	static const struct view_column columns[] = { { .name = "frames", .type = VIEW_STACK } };
	static const struct view_record record = {
		.type = "s", .columns = columns, .column_count = 1, .text = "x"
	};
	const struct view_stack stack = { .frames = frame, .count = 1 };
	const struct view_value values[] = { view_frames(&stack) };
	char expected[512];
	struct view *view = open_memory((struct view_options){ 0 });

	assert_int_equal(view_object(view, &record, values), 0);
	snprintf(expected, sizeof(expected), "x\n    %s\n", expected_text);
	assert_closes_with(view, expected);

	view = open_memory((struct view_options){ .is_json = true });
	assert_int_equal(view_object(view, &record, values), 0);
	snprintf(expected, sizeof(expected), "{\"type\":\"s\",\"frames\":[{%s}]}\n", expected_json);
	assert_closes_with(view, expected);
}

static void frame_with_everything_shows_symbol_object_and_source(void **state)
{
	(void)state;
	assert_frame(
		&leak_frames[0], "fibonacci+0x23 [leak] leak.c:9",
		"\"symbol\":\"fibonacci\",\"offset\":35,\"object\":\"/tmp/leak\","
		"\"file\":\"examples/leak.c\",\"line\":9,\"address\":\"0x401163\"");
}

static void inlined_frame_has_no_offset(void **state)
{
	const struct view_frame frame = { .symbol = "next",
					  .offset = 5,
					  .object = "leak",
					  .file = "leak.c",
					  .line = 30,
					  .is_inlined = true };

	(void)state;
	assert_frame(
		&frame, "next (inlined) [leak] leak.c:30",
		"\"symbol\":\"next\",\"object\":\"leak\",\"file\":\"leak.c\",\"line\":30,\"inlined\":true");
}

static void frame_without_symbol_shows_the_offset_in_its_object(void **state)
{
	const struct view_frame frame = { .offset = 0x1234,
					  .object = "/opt/libfoo.so",
					  .address = 0x7f0000001234 };

	(void)state;
	assert_frame(&frame, "[libfoo.so]+0x1234",
		     "\"offset\":4660,\"object\":\"/opt/libfoo.so\",\"address\":\"0x7f0000001234\"");
}

static void frame_without_object_shows_its_address(void **state)
{
	const struct view_frame frame = { .address = 0x7f0000001234 };

	(void)state;
	assert_frame(&frame, "0x7f0000001234 [unknown]", "\"address\":\"0x7f0000001234\"");
}

static void names_in_brackets_keep_a_single_pair(void **state)
{
	const struct view_frame frame = { .symbol = "__vdso_gettimeofday", .object = "[vdso]" };

	(void)state;
	assert_frame(&frame, "__vdso_gettimeofday+0x0 [vdso]",
		     "\"symbol\":\"__vdso_gettimeofday\",\"offset\":0,\"object\":\"[vdso]\"");
}

static void source_without_line_has_no_colon(void **state)
{
	const struct view_frame frame = { .symbol = "f", .file = "dir/f.c" };

	(void)state;
	assert_frame(&frame, "f+0x0 f.c", "\"symbol\":\"f\",\"offset\":0,\"file\":\"dir/f.c\"");
}

static void symbols_and_paths_are_escaped(void **state)
{
	const struct view_frame frame = { .symbol = "f\033[2J",
					  .object = "/x/\u202eos.bil",
					  .file = "a\xff.c" };

	(void)state;
	assert_frame(
		&frame, "f\\x1b[2J+0x0 [\\u{202e}os.bil] a\\xff.c",
		"\"symbol\":\"f\\u001b[2J\",\"offset\":0,\"object\":\"/x/\\u202eos.bil\","
		"\"file\":\"a\\\\xff.c\"");
}

static const struct view_column stack_columns[] = {
	{ .name = "pid", .type = VIEW_U64 },
	{ .name = "frames", .type = VIEW_STACK },
};

static const struct view_record stack_event = { .type = "event",
						.columns = stack_columns,
						.column_count = 2 };

static void cut_and_empty_stacks_say_so(void **state)
{
	const struct view_stack cut = { .frames = leak_frames, .count = 1, .is_truncated = true };
	const struct view_stack none = { 0 };
	struct view *view = open_memory((struct view_options){ 0 });

	(void)state;
	view_row(view, &stack_event, (struct view_value[]){ view_u64(1), view_frames(&cut) });
	view_row(view, &stack_event, (struct view_value[]){ view_u64(2), view_frames(&none) });
	assert_closes_with(view, "       PID\n"
				 "         1\n"
				 "    fibonacci+0x23 [leak] leak.c:9\n"
				 "    ...\n"
				 "         2\n"
				 "    (no stack)\n");

	view = open_memory((struct view_options){ .is_json = true });
	view_row(view, &stack_event, (struct view_value[]){ view_u64(1), view_frames(&cut) });
	view_row(view, &stack_event, (struct view_value[]){ view_u64(2), view_frames(&none) });
	assert_closes_with(
		view, "{\"type\":\"event\",\"pid\":1,\"frames\":[{\"symbol\":\"fibonacci\",\"offset\":35,"
		      "\"object\":\"/tmp/leak\",\"file\":\"examples/leak.c\",\"line\":9,"
		      "\"address\":\"0x401163\"}],\"frames_truncated\":true}\n"
		      "{\"type\":\"event\",\"pid\":2,\"frames\":[]}\n");
}

static void titled_stacks_are_told_apart(void **state)
{
	static const struct view_column columns[] = {
		{ .name = "kernel_frames", .title = "kernel", .type = VIEW_STACK, .is_optional = true },
		{ .name = "user_frames", .title = "user", .type = VIEW_STACK },
	};
	static const struct view_record record = {
		.type = "fault", .columns = columns, .column_count = 2, .text = "fault", .indent = 1
	};
	const struct view_frame kernel = { .symbol = "do_user_addr_fault", .offset = 1 };
	const struct view_stack kernel_stack = { .frames = &kernel, .count = 1 };
	struct view *view = open_memory((struct view_options){ 0 });

	(void)state;
	view_object(view, &record,
		    (struct view_value[]){ view_frames(&kernel_stack), view_frames(&leak_stack) });
	view_object(view, &record, (struct view_value[]){ view_absent(), view_frames(&kernel_stack) });
	assert_closes_with(view, " fault\n"
				 "     kernel:\n"
				 "     do_user_addr_fault+0x1\n"
				 "     user:\n"
				 "     fibonacci+0x23 [leak] leak.c:9\n"
				 "     child+0x5a [leak] leak.c:21\n"
				 "     start_thread+0x2f4 [libc.so.6]\n"
				 " fault\n"
				 "     user:\n"
				 "     do_user_addr_fault+0x1\n");
}

/* What a leak finder declares: one record a kind of line. */
enum {
	REPORT_TIME,
	REPORT_PID,
	REPORT_COMM,
	REPORT_STACKS,
	REPORT_BYTES,
	REPORT_COUNT,
	REPORT_SEEN,
	REPORT_FREED,
	REPORT_DROPPED,
	REPORT_LOSSES,
	REPORT_COLUMNS
};

static const struct view_column report_columns[] = {
	[REPORT_TIME] = { .name = "time", .type = VIEW_TIME },
	[REPORT_PID] = { .name = "pid", .type = VIEW_U64 },
	[REPORT_COMM] = { .name = "comm", .type = VIEW_TEXT },
	[REPORT_STACKS] = { .name = "stacks", .type = VIEW_U64 },
	[REPORT_BYTES] = { .name = "held_bytes", .type = VIEW_BYTES },
	[REPORT_COUNT] = { .name = "held", .type = VIEW_U64 },
	[REPORT_SEEN] = { .name = "seen", .type = VIEW_U64 },
	[REPORT_FREED] = { .name = "freed", .type = VIEW_U64 },
	[REPORT_DROPPED] = { .name = "dropped", .type = VIEW_U64, .is_bad_when_set = true },
	[REPORT_LOSSES] = { .name = "losses", .type = VIEW_COUNTERS, .is_bad_when_set = true },
};

static const struct view_record report = {
	.type = "report",
	.columns = report_columns,
	.column_count = REPORT_COLUMNS,
	.text = "[{time}] pid {pid} {comm}: {stacks} {stacks:stack|stacks}, {held_bytes:raw} bytes in {held} "
		"{held:allocation|allocations} still held (seen {seen}, freed {freed}, dropped {dropped})"
		"{? lost: {losses}?}",
};

enum { STACK_BYTES, STACK_COUNT, STACK_GROWTH, STACK_FRAMES, STACK_COLUMNS };

static const struct view_column site_columns[] = {
	[STACK_BYTES] = { .name = "bytes", .type = VIEW_BYTES },
	[STACK_COUNT] = { .name = "count", .type = VIEW_U64 },
	[STACK_GROWTH] = { .name = "growth_bytes", .type = VIEW_BYTES, .is_optional = true },
	[STACK_FRAMES] = { .name = "frames", .type = VIEW_STACK },
};

static const struct view_record site = {
	.type = "stack",
	.columns = site_columns,
	.column_count = STACK_COLUMNS,
	.text = "{bytes:raw} bytes in {count} {count:allocation|allocations}"
		"{? ({growth_bytes:raw+} since last)?}",
	.indent = 2,
};

static void write_leaks(struct view *view, uint64_t dropped)
{
	const struct view_counter losses[] = { { "ring_full", 0 }, { "map_full", dropped } };
	const struct view_value report_values[REPORT_COLUMNS] = {
		[REPORT_TIME] = view_u64(UINT64_C(43205) * 1000000000),
		[REPORT_PID] = view_u64(6867),
		[REPORT_COMM] = view_text_n("leak\0\0\0", 16),
		[REPORT_STACKS] = view_u64(1),
		[REPORT_BYTES] = view_u64(81920),
		[REPORT_COUNT] = view_u64(10),
		[REPORT_SEEN] = view_u64(10 + dropped),
		[REPORT_FREED] = view_u64(0),
		[REPORT_DROPPED] = view_u64(dropped),
		[REPORT_LOSSES] = view_counters(losses, 2),
	};
	const struct view_value stack_values[STACK_COLUMNS] = {
		[STACK_BYTES] = view_u64(81920),
		[STACK_COUNT] = view_u64(10),
		[STACK_GROWTH] = dropped ? view_i64(-16384) : view_i64(16384),
		[STACK_FRAMES] = view_frames(&leak_stack),
	};

	assert_int_equal(view_object(view, &report, report_values), 0);
	assert_int_equal(view_object(view, &site, stack_values), 0);
}

static void leak_report_reads_as_sentences_with_frames_below(void **state)
{
	struct view *view = open_memory((struct view_options){ 0 });

	(void)state;
	write_leaks(view, 0);
	assert_closes_with(view,
			   "[12:00:05] pid 6867 leak: 1 stack, 81920 bytes in 10 allocations still held "
			   "(seen 10, freed 0, dropped 0)\n"
			   "  81920 bytes in 10 allocations (+16384 since last)\n"
			   "      fibonacci+0x23 [leak] leak.c:9\n"
			   "      child+0x5a [leak] leak.c:21\n"
			   "      start_thread+0x2f4 [libc.so.6]\n");
}

static void losses_appear_only_when_there_are_some(void **state)
{
	struct view *view = open_memory((struct view_options){ .colour = COLOUR_ALWAYS });
	const char *bad = "dropped \033[1;31m3\033[0m) lost: map_full 3\n";

	(void)state;
	write_leaks(view, 3);
	assert_int_equal(view_close(view), 0);
	assert_non_null(strstr(text, bad));
	assert_non_null(strstr(text, "-16384\033[0m since last"));
	fclose(file);
	free(text);
}

static void leak_report_is_one_json_object_a_line(void **state)
{
	struct view *view = open_memory((struct view_options){ .is_json = true });

	(void)state;
	write_leaks(view, 0);
	assert_closes_with(
		view,
		"{\"type\":\"report\",\"time\":\"1970-01-01T12:00:05.000000000Z\","
		"\"pid\":6867,\"comm\":\"leak\","
		"\"stacks\":1,\"held_bytes\":81920,\"held\":10,\"seen\":10,\"freed\":0,\"dropped\":0,"
		"\"losses\":{\"ring_full\":0,\"map_full\":0}}\n"
		"{\"type\":\"stack\",\"bytes\":81920,\"count\":10,\"growth_bytes\":16384,\"frames\":["
		"{\"symbol\":\"fibonacci\",\"offset\":35,\"object\":\"/tmp/leak\","
		"\"file\":\"examples/leak.c\",\"line\":9,\"address\":\"0x401163\"},"
		"{\"symbol\":\"child\",\"offset\":90,\"object\":\"/tmp/leak\",\"file\":\"examples/leak.c\","
		"\"line\":21,\"address\":\"0x4011da\"},"
		"{\"symbol\":\"start_thread\",\"offset\":756,"
		"\"object\":\"/usr/lib/x86_64-linux-gnu/libc.so.6\","
		"\"address\":\"0x7f3a5c0891f4\"}]}\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frame_with_everything_shows_symbol_object_and_source),
		cmocka_unit_test(inlined_frame_has_no_offset),
		cmocka_unit_test(frame_without_symbol_shows_the_offset_in_its_object),
		cmocka_unit_test(frame_without_object_shows_its_address),
		cmocka_unit_test(names_in_brackets_keep_a_single_pair),
		cmocka_unit_test(source_without_line_has_no_colon),
		cmocka_unit_test(symbols_and_paths_are_escaped),
		cmocka_unit_test(cut_and_empty_stacks_say_so),
		cmocka_unit_test(titled_stacks_are_told_apart),
		cmocka_unit_test(leak_report_reads_as_sentences_with_frames_below),
		cmocka_unit_test(losses_appear_only_when_there_are_some),
		cmocka_unit_test(leak_report_is_one_json_object_a_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
