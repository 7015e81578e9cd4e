// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Memory maps: the text form, and the maps of processes that live, wait to be reaped, and are gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "error.h"
#include "proc_maps.h"

static struct proc_maps parse(const char *text)
{
	struct proc_maps maps = {0};
	struct error err = {0};

	if (proc_maps_parse(text, strlen(text), &maps, &err))
		fail_msg("%s", err.text);
	return maps;
}

static void takes_every_field_of_a_line(void **state)
{
	struct proc_maps maps = parse(
		"55cb45fc1000-55cb45fc6000 r-xp 00002000 fe:1f 247134                     /usr/bin/cat\n"
		"7ffc0a5e3000-7ffc0a605000 rw-p 00000000 00:00 0 \n"
		"7ffc0a6c0000-7ffc0a6c2000 r-xp 00000000 00:00 0                          [vdso]\n"
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]");

	(void)state;
	assert_int_equal(maps.count, 4);
	assert_int_equal(maps.list[0].start, 0x55cb45fc1000);
	assert_int_equal(maps.list[0].end, 0x55cb45fc6000);
	assert_int_equal(maps.list[0].file_offset, 0x2000);
	assert_int_equal(maps.list[0].dev_major, 0xfe);
	assert_int_equal(maps.list[0].dev_minor, 0x1f);
	assert_int_equal(maps.list[0].inode, 247134);
	assert_true(maps.list[0].is_executable);
	assert_false(maps.list[0].is_deleted);
	assert_string_equal(maps.list[0].path, "/usr/bin/cat");
	assert_string_equal(maps.list[1].path, "");
	assert_false(maps.list[1].is_executable);
	assert_string_equal(maps.list[2].path, "[vdso]");
	assert_string_equal(maps.list[3].path, "[vsyscall]");
	assert_int_equal(maps.list[3].end, 0xffffffffff601000);
	proc_maps_deinit(&maps);
}

static void undoes_the_escaped_newline_and_nothing_else(void **state)
{
	struct proc_maps maps = parse("1000-2000 r-xp 00000000 fe:00 5       /tmp/a\\012b \\040c\\\n");

	(void)state;
	assert_string_equal(maps.list[0].path, "/tmp/a\nb \\040c\\");
	proc_maps_deinit(&maps);
}

static void takes_the_deleted_mark_off_the_path(void **state)
{
	struct proc_maps maps = parse("1000-2000 r-xp 00000000 fe:00 5       /tmp/a b (deleted)\n"
				      "2000-3000 r-xp 00000000 fe:00 6       /tmp/(deleted) x\n");

	(void)state;
	assert_string_equal(maps.list[0].path, "/tmp/a b");
	assert_true(maps.list[0].is_deleted);
	assert_string_equal(maps.list[1].path, "/tmp/(deleted) x");
	assert_false(maps.list[1].is_deleted);
	proc_maps_deinit(&maps);
}

static void drops_an_entry_that_overlaps_an_earlier_one(void **state)
{
	struct proc_maps maps = parse("1000-3000 r-xp 00000000 fe:00 5       /a\n"
				      "2000-4000 r-xp 00000000 fe:00 6       /b\n"
				      "3000-4000 r-xp 00000000 fe:00 7       /c\n");

	(void)state;
	assert_int_equal(maps.count, 2);
	assert_string_equal(maps.list[1].path, "/c");
	proc_maps_deinit(&maps);
}

static void refuses_lines_that_are_not_in_the_form(void **state)
{
	static const char *const bad[] = {
		"\n",
		"1000\n",
		"1000-\n",
		"1000-2000\n",
		"2000-1000 r-xp 00000000 fe:00 5 /a\n",
		"1000-1000 r-xp 00000000 fe:00 5 /a\n",
		"1000-2000 rx 00000000 fe:00 5 /a\n",
		"1000-2000 r-xp\n",
		"1000-2000 r-xp 00000000 fe00 5 /a\n",
		"1000-2000 r-xp 00000000 fe:00 /a\n",
		"1000-2000 r-xp 00000000 fe:00 5/a\n",
		"1000-2000 r-xp 00000000 1fffffffff:00 5 /a\n",
		"11111111111111111-22222222222222222 r-xp 00000000 fe:00 5 /a\n",
		"1000-2000 r-xp 00000000 fe:00 99999999999999999999 /a\n",
		"x000-2000 r-xp 00000000 fe:00 5 /a\n",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct proc_maps maps = {0};
		struct error err = {0};
		char text[256];

		snprintf(text, sizeof(text), "1000-1001 r-xp 00000000 fe:00 5 /good\n%s", bad[i]);
		if (proc_maps_parse(text, strlen(text), &maps, &err) != -EBADMSG)
			fail_msg("accepted: %s", bad[i]);
		assert_non_null(strstr(err.text, "line 2"));
		assert_null(maps.list);
	}
}

/* Every prefix of a good text, in a buffer of just that size, for the address sanitizer to watch. */
static void never_reads_past_the_end_of_the_text(void **state)
{
	static const char text[] =
		"55cb45fc1000-55cb45fc6000 r-xp 00002000 fe:1f 247134   /a\\012b (deleted)\n";

	(void)state;
	for (size_t size = 0; size < sizeof(text); size++) {
		char *copy = malloc(size ? size : 1);
		struct proc_maps maps = {0};

		memcpy(copy, text, size);
		proc_maps_parse(copy, size, &maps, NULL);
		proc_maps_deinit(&maps);
		free(copy);
	}
}

static void finds_the_mapping_that_covers_an_address(void **state)
{
	struct proc_maps maps = parse("1000-2000 r-xp 00000000 fe:00 5       /a\n"
				      "2000-3000 r-xp 00000000 fe:00 6       /b\n"
				      "5000-6000 r-xp 00000000 fe:00 7       /c\n");
	struct proc_maps none = {0};

	(void)state;
	assert_null(proc_maps_find(&maps, 0xfff));
	assert_string_equal(proc_maps_find(&maps, 0x1000)->path, "/a");
	assert_string_equal(proc_maps_find(&maps, 0x1fff)->path, "/a");
	assert_string_equal(proc_maps_find(&maps, 0x2000)->path, "/b");
	assert_null(proc_maps_find(&maps, 0x3000));
	assert_string_equal(proc_maps_find(&maps, 0x5fff)->path, "/c");
	assert_null(proc_maps_find(&maps, 0x6000));
	assert_null(proc_maps_find(&none, 0x1000));
	proc_maps_deinit(&maps);
}

static void reads_the_map_of_a_living_process(void **state)
{
	const struct mapping *mapping;
	struct proc_maps maps;
	struct stat st;

	(void)state;
	assert_int_equal(stat("/proc/self/exe", &st), 0);
	assert_int_equal(proc_maps_read(getpid(), &maps, NULL), 0);
	mapping = proc_maps_find(&maps, (uintptr_t)reads_the_map_of_a_living_process);
	assert_non_null(mapping);
	assert_true(mapping->is_executable);
	assert_int_equal(mapping->inode, st.st_ino);
	proc_maps_deinit(&maps);
}

static void says_that_an_exited_process_is_gone_reaped_or_not(void **state)
{
	struct proc_maps maps = {0};
	struct error err = {0};
	siginfo_t info;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(proc_maps_read(pid, &maps, &err), -ESRCH);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(proc_maps_read(pid, &maps, &err), -ESRCH);
	assert_non_null(strstr(err.text, "gone"));
	assert_null(maps.list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_every_field_of_a_line),
		cmocka_unit_test(undoes_the_escaped_newline_and_nothing_else),
		cmocka_unit_test(takes_the_deleted_mark_off_the_path),
		cmocka_unit_test(drops_an_entry_that_overlaps_an_earlier_one),
		cmocka_unit_test(refuses_lines_that_are_not_in_the_form),
		cmocka_unit_test(never_reads_past_the_end_of_the_text),
		cmocka_unit_test(finds_the_mapping_that_covers_an_address),
		cmocka_unit_test(reads_the_map_of_a_living_process),
		cmocka_unit_test(says_that_an_exited_process_is_gone_reaped_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
