// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* trace_words: how events are shown, recorded, saved and logged. */
#include "trace_fixture.h"

static void declarations_of_all_lines_are_sound(void **state)
{
	char problem[160];

	(void)state;
	for (const struct view_record *const *record = heap_columns_records; *record; record++)
		assert_int_equal(view_record_check(*record, problem, sizeof(problem)), 0);
}

static void events_are_lines(void **state)
{
	struct heap_event event = alloc_event("ls", "names_cache", OBJECT);

	(void)state;
	assert_answer("run", "");
	assert_int_equal(happen(event), STUB_GO_ON);
	assert_string_equal(fix.said, ALLOC_LINE);
	happen(free_event("ls", "names_cache", OBJECT));
	assert_string_equal(fix.said, FREE_LINE);
	event.object = 0;
	happen(event);
	assert_non_null(strstr(fix.said, "names_cache -> failed, size: 4096, name: ls"));
	event = alloc_event("ls", "", OBJECT);
	event.tgid = 100;
	event.caller_symbol[0] = '\0';
	event.size_bytes = 40;
	happen(event);
	assert_string_equal(fix.said,
			    "kmem_cache_alloc_noprof: - -> 0xffff888101234000, size: 40, name: ls, pid: 123, "
			    "tgid: 100, cpu: 1, caller: 0xffffffff81000010\n");
	event.caller = 0;
	event.size_bytes = event.object_size_bytes = 0;
	happen(event);
	assert_string_equal(
		fix.said, "kmem_cache_alloc_noprof: - -> 0xffff888101234000, name: ls, pid: 123, tgid: 100, "
			  "cpu: 1\n");
}

static void hostile_names_stay_within_their_line(void **state)
{
	(void)state;
	assert_answer("run", "");
	happen(alloc_event("a\nb\033[2J", "c\r\xff", OBJECT));
	assert_non_null(strstr(fix.said, "c\\x0d\\xff -> "));
	assert_non_null(strstr(fix.said, "name: a\\x0ab\\x1b[2J, pid"));
	assert_int_equal(strcspn(fix.said, "\n"), strlen(fix.said) - 1);
}

static void colours_tell_allocation_release_and_failure(void **state)
{
	char text[65536];

	(void)state;
	fix.is_coloured = true;
	assert_int_equal(say("ls", text), 0);
	assert_string_equal(text, "To trace the process: \033[32mls\033[0m\n");
	assert_answer("run", "");
	happen(alloc_event("ls", "names_cache", OBJECT));
	assert_non_null(strstr(fix.said, "\033[32mnames_cache\033[0m"));
	happen(free_event("ls", "names_cache", OBJECT));
	assert_non_null(strstr(fix.said, "\033[36mnames_cache\033[0m"));
	happen(alloc_event("ls", "names_cache", 0));
	assert_non_null(strstr(fix.said, "\033[1;31mnames_cache\033[0m"));
	fix.is_coloured = false;
	assert_answer("on", "");
	happen(free_event("ls", "names_cache", OBJECT));
	assert_null(strchr(fix.said, '\033'));
}

static void off_is_output_only(void **state)
{
	(void)state;
	assert_answer("record on", "");
	assert_answer("off", "");
	assert_answer("run", "");
	happen(alloc_event("ls", "names_cache", OBJECT));
	assert_string_equal(fix.said, "");
	assert_answer("on", "");
	happen(free_event("ls", "names_cache", OBJECT));
	assert_string_equal(fix.said, FREE_LINE);
	assert_answer("record show", ALLOC_LINE FREE_LINE "2 events\n");
	assert_answer("record show 1", FREE_LINE "2 events\n");
	assert_answer("record off", "");
	happen(free_event("ls", "names_cache", OBJECT));
	assert_says("record show 0", "2 events");
	assert_answer("record clear", "");
	assert_answer("record show", "0 events\n");
	assert_refused("record show x", 2, "'x'");
}

static void the_record_outlives_the_trace(void **state)
{
	(void)state;
	assert_answer("record on", "");
	assert_answer("run", "");
	happen(alloc_event("ls", "names_cache", OBJECT));
	assert_answer("stop", "");
	assert_answer("record show", ALLOC_LINE "1 event\n");
}

static char *slurp(const char *name, char *to, size_t size)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", fix.directory, name);
	file = fopen(path, "r");
	assert_non_null(file);
	to[fread(to, 1, size - 1, file)] = '\0';
	fclose(file);
	return to;
}

static void saved_events_are_json_lines_with_their_sum(void **state)
{
	struct heap_event event = alloc_event("l\"s", "names_cache", 0);
	char text[4096];

	(void)state;
	assert_answer("record on", "");
	assert_answer("run", "");
	happen(alloc_event("ls", "names_cache", OBJECT));
	happen(event);
	happen(free_event("ls", "names_cache", OBJECT));
	assert_says("record save events", "3 events saved to events");
	slurp("events", text, sizeof(text));
	assert_non_null(strstr(
		text,
		"{\"type\":\"heap_event\",\"time\":\"1970-01-01T00:00:01.000000000Z\",\"kind\":\"alloc\","
		"\"function\":\"kmem_cache_alloc_noprof\",\"cache\":\"names_cache\","
		"\"addr\":\"0xffff888101234000\",\"size\":4096,\"object_size\":4096,\"pid\":123,"
		"\"tgid\":123,\"comm\":\"ls\",\"cpu\":1,\"caller\":\"0xffffffff81000010\","
		"\"caller_symbol\":\"getname_flags+0x4f\"}\n"));
	assert_non_null(strstr(text, "\"failed\":true,"));
	assert_non_null(strstr(text, "\"comm\":\"l\\\"s\""));
	assert_non_null(strstr(text, "\"kind\":\"free\""));
	assert_non_null(strstr(text, "\n{\"type\":\"heap_sum\",\"events\":3,\"dropped\":0}\n"));
	/* What was there before is gone, to its end. */
	assert_answer("record clear", "");
	assert_says("record save events", "0 events saved");
	assert_string_equal(slurp("events", text, sizeof(text)),
			    "{\"type\":\"heap_sum\",\"events\":0,\"dropped\":0}\n");
}

static void the_log_has_each_shown_line_without_colours(void **state)
{
	char text[4096], *line;

	(void)state;
	fix.is_coloured = true;
	assert_answer("filter add process ls", "filter: process ls\n");
	assert_answer("log lines", "");
	assert_answer("run", "");
	happen(alloc_event("ls", "names_cache", OBJECT));
	assert_answer("off", "");
	happen(free_event("ls", "names_cache", OBJECT));
	assert_answer("on", "");
	assert_says("status", "/lines");
	assert_answer("log off", "");
	happen(free_event("ls", "names_cache", OBJECT));
	slurp("lines", text, sizeof(text));
	line = strchr(text, '\n') + 1;
	assert_memory_equal(text, "==== dill ", 10);
	assert_non_null(strstr(text, ": follows process ls ====\n"));
	assert_string_equal(line, ALLOC_LINE);
	/* Appended to. */
	assert_answer("log lines", "");
	assert_answer("log off", "");
	slurp("lines", text, sizeof(text));
	assert_non_null(strstr(text, ALLOC_LINE "==== dill "));
}

static void files_that_cannot_be_written_are_answers(void **state)
{
	char path[128], text[65536];

	(void)state;
	snprintf(path, sizeof(path), "%s/pipe", fix.directory);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_refused("log no/such/directory", 3, "No such file");
	assert_refused("record save no/such/directory", 3, "No such file");
	assert_refused("log /dev/full", 2, "not a regular file");
	assert_int_not_equal(say("log pipe", text), 0);
	assert_int_not_equal(say("record save pipe", text), 0);
	/* A log that was open stays. */
	assert_answer("log good", "");
	assert_refused("log no/such/directory", 3, "No such file");
	assert_says("status", "/good");
}

static void a_log_that_fills_up_says_so_once_and_ends(void **state)
{
	struct heap_event event = alloc_event("ls", "names_cache", OBJECT);
	char path[128];
	int fds[64], count = 0, fd;

	(void)state;
	assert_answer("log lines", "");
	assert_answer("run", "");
	happen(event);
	/* The log's descriptor becomes one that can't be written: as after ENOSPC, in no other way that a
	 * test has. */
	snprintf(path, sizeof(path), "%s/lines", fix.directory);
	for (fd = 3; fd < 64; fd++) {
		char link[64], to[256] = "";

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		if (readlink(link, to, sizeof(to) - 1) > 0 && !strcmp(to, path))
			fds[count++] = fd;
	}
	assert_int_equal(count, 1);
	fd = open("/dev/full", O_WRONLY);
	assert_true(fd >= 0 && dup2(fd, fds[0]) == fds[0]);
	close(fd);
	happen(event);
	assert_non_null(strstr(fix.said, ALLOC_LINE));
	assert_non_null(strstr(fix.said, "No space left on device: the log ends here, after 1 lines\n"));
	happen(event);
	assert_string_equal(fix.said, ALLOC_LINE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(declarations_of_all_lines_are_sound),
		CASE(events_are_lines),
		CASE(hostile_names_stay_within_their_line),
		CASE(colours_tell_allocation_release_and_failure),
		CASE(off_is_output_only),
		CASE(the_record_outlives_the_trace),
		CASE(saved_events_are_json_lines_with_their_sum),
		CASE(the_log_has_each_shown_line_without_colours),
		CASE(files_that_cannot_be_written_are_answers),
		CASE(a_log_that_fills_up_says_so_once_and_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
