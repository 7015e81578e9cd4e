// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Frames of addresses in running programs that the machine's compilers make, held against addr2line for every
 * byte of their code. Single frames: test_symbolizer_frames.c. What becomes of processes over time:
 * test_symbolizer_process.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <inttypes.h>

#include "symbolizer_programs.h"

static const char *last_part(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path;
}

/* One frame as addr2line -f prints it, without directories and discriminators: "function file:line". */
static void describe(const struct source_frame *frame, char *line, size_t size)
{
	const char *file = last_part(frame->file);

	if (file && frame->line)
		snprintf(line, size, "%s %s:%u", frame->symbol ? frame->symbol : "??", file, frame->line);
	else
		snprintf(line, size, "%s ?", frame->symbol ? frame->symbol : "??");
}

/* Ask for every address that addr2line was asked for, and compare frame by frame. Returns how many frames. */
static size_t compare(struct symbolizer *symbolizer, pid_t pid, uint64_t bias, char *expected)
{
	struct source_frames frames = {0};
	size_t compared = 0, at = 0;
	uint64_t vaddr = 0;
	char *rest = NULL;

	for (char *line = strtok_r(expected, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char ours[1024];

		if (!strncmp(line, "0x", 2)) {
			if (at != frames.count)
				fail_msg("%#" PRIx64 ": %zu frames rather than %zu", vaddr, frames.count, at);
			vaddr = strtoull(line, NULL, 16);
			assert_int_equal(
				symbolizer_resolve(symbolizer, pid, bias + vaddr, false, &frames, NULL), 0);
			assert_int_equal(frames.list[0].object_vaddr, vaddr);
			at = 0;
			continue;
		}
		if (at == frames.count)
			fail_msg("%#" PRIx64 ": no frame for %s", vaddr, line);
		describe(&frames.list[at], ours, sizeof(ours));
		assert_int_equal(frames.list[at].is_inlined, at + 1 < frames.count);
		if (strcmp(ours, line))
			fail_msg("%#" PRIx64 " frame %zu: %s rather than %s", vaddr, at, ours, line);
		at++;
		compared++;
	}
	return compared;
}

/*
 * Build with a command that makes `prog`, run it, and compare all bytes of the functions that match a
 * pattern.
 */
static size_t compare_program(const char *build, const char *functions)
{
	struct symbolizer *symbolizer = create();
	struct child child;
	size_t compared;
	char *expected;

	run("rm -f prog && %s", build);
	child = child_start("exec ./prog");
	assert_int_equal(symbolizer_refresh(symbolizer, child.pid, NULL), 0);
	expected = output_of("nm -S --defined-only prog | awk '$3 ~ /[tTwW]/ && $4 ~ /%s/ { print $1, $2 }' "
			     "| while read a s; do "
			     "seq $((0x$a)) $((0x$a + 0x$s - 1)); done | xargs printf '%%x\\n' | addr2line "
			     "-a -i -f -C -e prog |"
			     "sed '/^0x/b; N; s/ (discriminator [0-9]*)//; s,\\n.*/,\\n,; "
			     "s/\\n\\(.*\\):[0?]$/\\n?/; s/\\n/ /'",
			     functions);
	compared = compare(symbolizer, child.pid, bias_of(&child, "prog"), expected);
	assert_true(compared > 100);
	free(expected);
	child_end(&child);
	symbolizer_destroy(symbolizer);
	return compared;
}

static void agrees_with_addr2line_on_inlined_c(void **state)
{
	(void)state;
	compare_program("gcc -O2 -g p.c -o prog", "^(outer|main)");
	compare_program("gcc -O2 -g -gdwarf-4 p.c -o prog", "^(outer|main)");
	compare_program("gcc -O2 -g -gdwarf-3 p.c -o prog", "^(outer|main)");
}

static void agrees_with_addr2line_without_optimisation(void **state)
{
	(void)state;
	compare_program("gcc -O0 -g p.c -o prog", "^(outer|main)");
}

static void agrees_with_addr2line_on_programs_at_fixed_addresses(void **state)
{
	(void)state;
	compare_program("gcc -O2 -g -no-pie p.c -o prog", "^(outer|main)");
	compare_program("gcc -O2 -g -static p.c -o prog", "^(outer|main)");
	compare_program("gcc -O2 -g -static-pie p.c -o prog", "^(outer|main)");
}

static void agrees_with_addr2line_on_compressed_debug_sections(void **state)
{
	(void)state;
	compare_program("gcc -O2 -g -gz p.c -o prog", "^(outer|main)");
}

static void agrees_with_addr2line_on_cplusplus_templates(void **state)
{
	(void)state;
	compare_program("g++ -O2 -g p.cc -o prog", "^(main|_ZN.*box)");
	compare_program("g++ -O0 -g p.cc -o prog", "^(main|_ZN.*box)");
}

/* clang writes no .debug_aranges. */
static void agrees_with_addr2line_on_what_clang_makes(void **state)
{
	(void)state;
	if (system("clang --version >/dev/null 2>&1"))
		skip();
	compare_program("clang -O2 -g p.c -o prog", "^(outer|main)");
	compare_program("clang++ -O1 -g p.cc -o prog", "^(main|_ZN.*box)");
}

static void agrees_with_addr2line_where_the_linker_dropped_functions(void **state)
{
	(void)state;
	write_file("dropped.c",
		   "int dropped(int x) { return x * 7; }\nint dropped2(int x) { return x * dropped(x); }\n");
	compare_program("gcc -O2 -g -ffunction-sections -Wl,--gc-sections dropped.c p.c -o prog",
			"^(outer|main)");
}

/*
 * The function that was dropped would cover all of the text if it were taken to be at 0, where its DWARF has
 * it.
 */
static void code_without_dwarf_gets_no_lines_from_dropped_functions(void **state)
{
	struct symbolizer *symbolizer = create();
	struct source_frames frames;
	struct child child;
	uint64_t start;
	char *text;

	(void)state;
	write_file("big.c", "void dropped(void) { __asm__(\".skip 65536, 0x90\"); }\n");
	run("gcc -O1 -g -ffunction-sections -Wl,--gc-sections big.c p.c -o prog");
	text = output_of("nm prog | sed -n 's/ T _start$//p'");
	child = child_start("exec ./prog");
	start = bias_of(&child, "prog") + strtoull(text, NULL, 16);
	free(text);
	assert_int_equal(symbolizer_refresh(symbolizer, child.pid, NULL), 0);
	assert_int_equal(symbolizer_resolve(symbolizer, child.pid, start, false, &frames, NULL), 0);
	assert_string_equal(frames.list[0].symbol, "_start");
	assert_null(frames.list[0].file);
	child_end(&child);
	symbolizer_destroy(symbolizer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_addr2line_on_inlined_c),
		cmocka_unit_test(agrees_with_addr2line_without_optimisation),
		cmocka_unit_test(agrees_with_addr2line_on_programs_at_fixed_addresses),
		cmocka_unit_test(agrees_with_addr2line_on_compressed_debug_sections),
		cmocka_unit_test(agrees_with_addr2line_on_cplusplus_templates),
		cmocka_unit_test(agrees_with_addr2line_on_what_clang_makes),
		cmocka_unit_test(agrees_with_addr2line_where_the_linker_dropped_functions),
		cmocka_unit_test(code_without_dwarf_gets_no_lines_from_dropped_functions),
	};

	return cmocka_run_group_tests(tests, write_sources, fixture_teardown);
}
