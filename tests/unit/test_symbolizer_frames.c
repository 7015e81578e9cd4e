// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* What a frame says: of which function and file it is, by what was compiled in, stripped off or not asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>

#include "symbolizer_programs.h"

static void the_gap_between_functions_belongs_to_none(void **state)
{
	struct symbolizer *symbolizer = create();
	struct source_frames frames;
	struct child child;
	uint64_t address;

	(void)state;
	write_file("g.c",
		   "#include <stdio.h>\n#include <unistd.h>\n"
		   "__attribute__((aligned(256), noinline)) int one(int x) { return x + 1; }\n"
		   "__attribute__((aligned(256), noinline)) int two(int x) { return one(x) + 1; }\n"
		   "int main(void) { printf(\"%p\\n\", (void *)two); fflush(stdout); return pause(); }\n");
	run("gcc -O1 -g g.c -o prog");
	child = child_start("exec ./prog");
	address = strtoull(child.line, NULL, 16);
	assert_int_equal(symbolizer_refresh(symbolizer, child.pid, NULL), 0);
	assert_int_equal(symbolizer_resolve(symbolizer, child.pid, address - 256, false, &frames, NULL), 0);
	assert_string_equal(frames.list[0].symbol, "one");
	assert_int_equal(symbolizer_resolve(symbolizer, child.pid, address - 1, false, &frames, NULL), 0);
	assert_null(frames.list[0].symbol);
	child_end(&child);
	symbolizer_destroy(symbolizer);
}

/* The line of an outer frame is where the inner one was called, as the source says it. */
static void an_outer_frame_has_the_line_of_the_call(void **state)
{
	struct symbolizer *symbolizer = create();
	bool is_found = false;
	struct child child;
	uint64_t start;

	(void)state;
	run("gcc -O2 -g p.c -o prog");
	child = child_start("exec ./prog");
	assert_int_equal(symbolizer_refresh(symbolizer, child.pid, NULL), 0);
	start = bias_of(&child, "prog");
	for (uint64_t vaddr = 0x1000; vaddr < 0x2000; vaddr++) {
		struct source_frames frames;

		assert_int_equal(
			symbolizer_resolve(symbolizer, child.pid, start + vaddr, false, &frames, NULL), 0);
		if (frames.count != 3 || frames.list[1].line != 10 || frames.list[2].line != 17)
			continue;
		is_found = true;
		assert_string_equal(frames.list[0].symbol, "twice");
		assert_true(frames.list[0].line >= 1 && frames.list[0].line <= 5);
		assert_string_equal(frames.list[0].file, "inlined.h");
		assert_string_equal(frames.list[1].symbol, "four_times");
		assert_string_equal(frames.list[1].file, "p.c");
		assert_string_equal(frames.list[2].symbol, "outer");
		assert_string_equal(frames.list[2].file, "p.c");
		assert_false(frames.list[2].is_inlined);
	}
	assert_true(is_found);
	child_end(&child);
	symbolizer_destroy(symbolizer);
}

/* A function that ends in a call: the return address is already the next function's. */
static void a_return_address_belongs_to_the_call_before_it(void **state)
{
	struct symbolizer *symbolizer = create();
	struct source_frames frames;
	struct child child;
	uint64_t bias, next;
	char *text;

	(void)state;
	write_file(
		"n.c",
		"#include <stdio.h>\n#include <stdlib.h>\n#include <unistd.h>\n"
		"__attribute__((noinline)) void first(int x)\n{\n\tif (x)\n\t\tabort();\n}\n"
		"__asm__(\".text\\n.globl caller, next\\n.type caller,@function\\n.type next,@function\\n"
		"caller: nop\\n call abort\\n.size caller, .-caller\\nnext: ret\\n.size next, .-next\\n\");\n"
		"int main(void) { first(0); printf(\"%p\\n\", (void *)main); fflush(stdout); return pause(); "
		"}\n");
	run("gcc -g n.c -o n");
	child = child_start("exec ./n");
	bias = bias_of(&child, "n");
	text = output_of("nm n | sed -n 's/ T next$//p'");
	next = bias + strtoull(text, NULL, 16);
	free(text);
	assert_int_equal(symbolizer_refresh(symbolizer, child.pid, NULL), 0);
	assert_int_equal(symbolizer_resolve(symbolizer, child.pid, next, false, &frames, NULL), 0);
	assert_string_equal(frames.list[0].symbol, "next");
	assert_int_equal(frames.list[0].symbol_offset, 0);
	assert_int_equal(symbolizer_resolve(symbolizer, child.pid, next, true, &frames, NULL), 0);
	assert_string_equal(frames.list[0].symbol, "caller");
	assert_int_equal(frames.list[0].symbol_offset, 6);
	assert_int_equal(frames.list[0].object_vaddr, next - bias);
	child_end(&child);
	symbolizer_destroy(symbolizer);
}

static void shows_file_names_as_they_were_compiled(void **state)
{
	static const struct {
		const char *build, *file;
	} cases[] = {
		{"gcc -g p.c -o prog", "p.c"},
		{"gcc -gdwarf-4 p.c -o prog", "p.c"},
		{"mkdir -p sub && cp p.c inlined.h sub && gcc -g sub/p.c -o prog", "sub/p.c"},
		{"gcc -gdwarf-4 sub/p.c -o prog", "sub/p.c"},
		{"cd sub && gcc -g ../p.c -o ../prog", "../p.c"},
		{"gcc -g $PWD/p.c -o prog", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct symbolizer *symbolizer = create();
		struct source_frames frames;
		struct child child;

		run("%s", cases[i].build);
		child = child_start("exec ./prog");
		assert_int_equal(symbolizer_refresh(symbolizer, child.pid, NULL), 0);
		assert_int_equal(symbolizer_resolve(symbolizer, child.pid, strtoull(child.line, NULL, 16),
						    false, &frames, NULL),
				 0);
		assert_string_equal(frames.list[0].symbol, "main");
		assert_string_equal(frames.list[0].file, cases[i].file ? cases[i].file : fixture_path("p.c"));
		child_end(&child);
		symbolizer_destroy(symbolizer);
	}
}

/* The frames of main's first instruction under some options. */
static struct source_frame frame_of_main(const char *program, struct symbolizer_options options)
{
	static char strings[3][256];
	struct symbolizer *symbolizer = create_with(options);
	struct child child = child_start(program);
	struct source_frames frames;
	struct source_frame frame;

	assert_int_equal(symbolizer_refresh(symbolizer, child.pid, NULL), 0);
	assert_int_equal(symbolizer_resolve(symbolizer, child.pid, strtoull(child.line, NULL, 16), false,
					    &frames, NULL),
			 0);
	assert_int_equal(frames.count, 1);
	frame = frames.list[0];
	/* The symbolizer takes its strings with it. */
	snprintf(strings[0], sizeof(strings[0]), "%s", frame.symbol ? frame.symbol : "");
	snprintf(strings[1], sizeof(strings[1]), "%s", frame.file ? frame.file : "");
	snprintf(strings[2], sizeof(strings[2]), "%s", frame.object);
	frame.symbol = frame.symbol ? strings[0] : NULL;
	frame.file = frame.file ? strings[1] : NULL;
	frame.object = strings[2];
	child_end(&child);
	symbolizer_destroy(symbolizer);
	return frame;
}

static void a_stripped_program_has_addresses_only(void **state)
{
	struct source_frame frame;
	uint64_t vaddr;
	char *text;

	(void)state;
	run("gcc -g p.c -o full && strip full -o stripped");
	text = output_of("nm full | sed -n 's/ T main$//p'");
	vaddr = strtoull(text, NULL, 16);
	free(text);
	frame = frame_of_main("exec ./stripped", (struct symbolizer_options){.wants_lines = true});
	assert_null(frame.symbol);
	assert_null(frame.file);
	assert_string_equal(frame.object, "stripped");
	assert_int_equal(frame.object_vaddr, vaddr);
}

static void lines_come_from_the_separate_debug_file(void **state)
{
	struct symbolizer_options options = {
		.wants_lines = true, .wants_inlines = true, .debug_directory = fixture_path("debug")};
	struct source_frame frame;

	(void)state;
	run("gcc -g p.c -o full && strip full -o stripped && id=$(readelf -n full | sed -n 's/.*Build ID: "
	    "//p') &&"
	    "mkdir -p debug/.build-id/$(echo $id | cut -c-2) && objcopy --only-keep-debug full "
	    "debug/.build-id/$(echo $id | cut -c-2)/$(echo $id | cut -c3-).debug");
	frame = frame_of_main("exec ./stripped", options);
	assert_string_equal(frame.symbol, "main");
	assert_string_equal(frame.file, "p.c");
	assert_int_equal(frame.line, 25);
	options.debug_directory = fixture_path("nothing");
	frame = frame_of_main("exec ./stripped", options);
	assert_null(frame.file);
}

static void asks_dwarf_for_nothing_unless_lines_or_inlines_are_wanted(void **state)
{
	struct source_frame frame;

	(void)state;
	run("gcc -g p.c -o full");
	frame = frame_of_main("exec ./full", (struct symbolizer_options){0});
	assert_string_equal(frame.symbol, "main");
	assert_null(frame.file);
	frame = frame_of_main("exec ./full", (struct symbolizer_options){.wants_inlines = true});
	assert_null(frame.file);
	frame = frame_of_main("exec ./full", (struct symbolizer_options){.wants_lines = true});
	assert_int_equal(frame.line, 25);
}

static void without_inlines_one_frame_names_the_outer_function(void **state)
{
	struct symbolizer *symbolizer = create_with((struct symbolizer_options){.wants_lines = true});
	bool has_line_of_inlined = false;
	struct child child;
	uint64_t bias;

	(void)state;
	run("gcc -O2 -g p.c -o prog");
	child = child_start("exec ./prog");
	bias = bias_of(&child, "prog");
	assert_int_equal(symbolizer_refresh(symbolizer, child.pid, NULL), 0);
	for (uint64_t vaddr = 0x1000; vaddr < 0x2000; vaddr++) {
		struct source_frames frames;

		assert_int_equal(
			symbolizer_resolve(symbolizer, child.pid, bias + vaddr, false, &frames, NULL), 0);
		assert_int_equal(frames.count, 1);
		assert_false(frames.list[0].is_inlined);
		if (frames.list[0].symbol)
			assert_string_not_equal(frames.list[0].symbol, "twice");
		if (frames.list[0].file && !strcmp(frames.list[0].file, "inlined.h"))
			has_line_of_inlined = true;
	}
	assert_true(has_line_of_inlined);
	child_end(&child);
	symbolizer_destroy(symbolizer);
}

/*
 * A file that somebody gets dill to read must not make it open other things: opening these would wait for
 * ever.
 */
static void does_not_open_what_split_or_shared_dwarf_names(void **state)
{
	struct source_frame frame;

	(void)state;
	run("gcc -g -gsplit-dwarf p.c -o split && ls *.dwo >/dev/null && for f in *.dwo; do rm $f && mkfifo "
	    "$f; done");
	frame = frame_of_main("exec ./split",
			      (struct symbolizer_options){.wants_lines = true, .wants_inlines = true});
	assert_string_equal(frame.symbol, "main");
	assert_int_equal(frame.line, 25);
	/* Names in the alternate file (DW_FORM_GNU_strp_alt, 0x1f21), as dwz leaves them. */
	write_file(
		"alt.S",
		".section .debug_abbrev,\"\",@progbits\n"
		".byte 1, 0x11, 1, 3\n.uleb128 0x1f21\n.byte 0x11, 1, 0x12, 7, 0, 0\n"
		".byte 2, 0x2e, 0, 3\n.uleb128 0x1f21\n.byte 0x11, 1, 0x12, 7, 0, 0, 0\n"
		".section .debug_info,\"\",@progbits\n.long end - start\nstart: .short 4\n.long 0\n.byte 8\n"
		".byte 1\n.long 0\n.quad main, 64\n.byte 2\n.long 0\n.quad main, 64\n.byte 0\nend:\n"
		".section .note.GNU-stack,\"\",@progbits\n");
	run("mkfifo alt && gcc p.c alt.S -o plain &&"
	    "printf '%s/alt\\0abcdefghijklmnopqrst' >link && objcopy --add-section .gnu_debugaltlink=link "
	    "plain shared",
	    fixture_directory);
	frame = frame_of_main("exec ./shared",
			      (struct symbolizer_options){.wants_lines = true, .wants_inlines = true});
	assert_string_equal(frame.symbol, "main");
}

static void says_so_when_debuginfod_has_no_server(void **state)
{
	struct symbolizer_options options = {.uses_debuginfod = true};
	struct symbolizer *symbolizer = NULL;
	struct error err = {0};

	(void)state;
	unsetenv("DEBUGINFOD_URLS");
	assert_int_equal(symbolizer_create(&options, &symbolizer, &err), -ENOENT);
	assert_non_null(strstr(err.text, "DEBUGINFOD_URLS"));
	assert_null(symbolizer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_gap_between_functions_belongs_to_none),
		cmocka_unit_test(an_outer_frame_has_the_line_of_the_call),
		cmocka_unit_test(a_return_address_belongs_to_the_call_before_it),
		cmocka_unit_test(shows_file_names_as_they_were_compiled),
		cmocka_unit_test(a_stripped_program_has_addresses_only),
		cmocka_unit_test(lines_come_from_the_separate_debug_file),
		cmocka_unit_test(asks_dwarf_for_nothing_unless_lines_or_inlines_are_wanted),
		cmocka_unit_test(without_inlines_one_frame_names_the_outer_function),
		cmocka_unit_test(does_not_open_what_split_or_shared_dwarf_names),
		cmocka_unit_test(says_so_when_debuginfod_has_no_server),
	};

	return cmocka_run_group_tests(tests, write_sources, fixture_teardown);
}
