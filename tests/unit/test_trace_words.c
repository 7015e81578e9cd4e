// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* trace_words: what each word answers and does to the trace. Lines and files: test_trace_output.c. */
#include "trace_fixture.h"

static void run_and_stop_are_silent_and_the_trace_goes_the_way_that_was_asked_for(void **state)
{
	(void)state;
	assert_answer("run", "");
	assert_int_equal(engine.trace->way, HEAP_TRACE_AUTO);
	assert_true(engine.trace->is_started);
	assert_answer("run code", "");
	assert_int_equal(engine.created, 2);
	assert_int_equal(engine.stopped, 1);
	assert_int_equal(engine.trace->way, HEAP_TRACE_BY_CODE);
	assert_answer("stop", "");
	assert_int_equal(engine.stopped, 2);
	assert_null(engine.trace);
	assert_answer("stop", "");
}

static void processes_replace_those_before_and_count_already_before_run(void **state)
{
	(void)state;
	assert_answer("ls 77", "To trace the process: ls\nTo trace the process: 77\n");
	assert_answer("filter add cache names_cache", "filter: process ls, 77 and cache names_cache\n");
	assert_answer("run", "");
	happen(alloc_event("sh", "names_cache", OBJECT));
	assert_string_equal(fix.said, "");
	happen(alloc_event("ls", "names_cache", OBJECT));
	assert_string_equal(fix.said, ALLOC_LINE);
	assert_false(heap_filter_may_want_task(engine.trace->filter, "sh", 1, 1));
	assert_answer("sh", "To trace the process: sh\n");
	assert_true(heap_filter_may_want_task(engine.trace->filter, "sh", 1, 1));
	assert_false(heap_filter_may_want_task(engine.trace->filter, "ls", 1, 1));
	assert_answer("filter show", "filter: process sh and cache names_cache\n");
}

static void a_changed_filter_is_a_change_for_the_engine(void **state)
{
	uint64_t before;

	(void)state;
	assert_answer("run", "");
	before = engine.trace->filter->changes;
	assert_answer("filter add process ls", "filter: process ls\n");
	assert_int_not_equal(engine.trace->filter->changes, before);
	before = engine.trace->filter->changes;
	assert_answer("filter remove process ls", "filter: everything\n");
	assert_int_not_equal(engine.trace->filter->changes, before);
	before = engine.trace->filter->changes;
	assert_answer("filter set or", "filter: everything\n");
	assert_int_not_equal(engine.trace->filter->changes, before);
}

static void a_break_in_the_place_of_another_is_a_change_for_the_engine(void **state)
{
	uint64_t before;

	(void)state;
	assert_answer("filter add cache filp", "filter: cache filp\n");
	assert_answer("break names_cache", "");
	assert_answer("run", "");
	before = engine.trace->filter->changes;
	assert_answer("unbreak names_cache", "");
	assert_answer("break dentry", "");
	assert_int_not_equal(engine.trace->filter->changes, before);
}

static void a_wrong_word_in_a_list_changes_nothing(void **state)
{
	(void)state;
	assert_answer("filter add process ls 12", "filter: process ls, 12\n");
	assert_answer("filter add cache filp", "filter: process ls, 12 and cache filp\n");
	assert_refused("filter add process cat sixteen_bytes_xy", 2, "'sixteen_bytes_x'");
	assert_refused("filter remove process ls dog", 3, "'dog'");
	assert_refused("cat sixteen_bytes_xy", 2, "'sixteen_bytes_x'");
	assert_answer("filter show", "filter: process ls, 12 and cache filp\n");
	assert_answer("filter set or", "filter: process ls, 12 or cache filp\n");
	assert_answer("filter clear", "filter: everything\n");
}

static void words_of_dill_name_processes_through_the_filter_only(void **state)
{
	(void)state;
	assert_answer("filter add process run", "filter: process run\n");
	assert_refused("ls stop", 2, "filter add process stop");
	assert_answer("filter show", "filter: process run\n");
}

static void mistyped_words_are_asked_about(void **state)
{
	(void)state;
	assert_refused("statsu", 2, "did you mean 'status'?");
	assert_refused("recrod on", 2, "did you mean 'record'?");
	assert_refused("filter ad process ls", 2, "did you mean 'add'?");
	assert_refused("filter add proces ls", 2, "did you mean 'process'?");
	assert_refused("filter set xor", 2, "did you mean 'or'?");
	assert_refused("filter", 2, "wants one of: add, remove, show, set, clear");
	assert_refused("filter add process", 2, "wants names or pids");
	assert_refused("filter zzzzzz", 2, "is none of: add, remove");
	assert_refused("log", 2, "wants one of: off, or a file");
	assert_refused("stop now", 2, "takes nothing more: 'now'");
	assert_refused("watch", 2, "address");
	assert_refused("--help", 2, "no options");
	/* Short ones may well be programs. */
	assert_answer("top", "To trace the process: top\n(a word like it: dill stop)\n");
	assert_answer("ls", "To trace the process: ls\n");
	assert_answer("bash", "To trace the process: bash\n");
	assert_answer("systemd-journal", "To trace the process: systemd-journal\n");
}

static void a_watched_object_is_told_of_whoever_touches_it(void **state)
{
	struct heap_event event = free_event("sh", "filp", OBJECT + 64);

	(void)state;
	event.object_size_bytes = 64;
	assert_answer("ls", "To trace the process: ls\n");
	assert_answer("watch 0xffff888101234040", "");
	assert_answer("run", "");
	assert_int_equal(engine.trace->watched[0], OBJECT + 64);
	assert_int_equal(happen(event), STUB_GO_ON);
	assert_non_null(strstr(fix.said, "filp <- 0xffff888101234040, name: sh"));
	event.object = OBJECT;
	happen(event);
	assert_string_equal(fix.said, "");
	/* Once more, to be stopped at; without 0x. */
	assert_answer("watch ffff888101234040 stop", "");
	assert_int_equal(engine.trace->watch_count, 1);
	assert_says("status", "0xffff888101234040 (stop)");
	event.object = OBJECT + 64;
	assert_int_equal(happen(event), STUB_TELL_GDB);
	assert_non_null(strstr(fix.said, "\ndill: stopped: watch 0xffff888101234040\n"));
	assert_answer("unwatch 0xffff888101234040", "");
	assert_int_equal(engine.trace->watch_count, 0);
	assert_int_equal(happen(event), STUB_GO_ON);
	assert_string_equal(fix.said, "");
	assert_refused("unwatch 0xffff888101234040", 3, "is not watched");
	assert_refused("watch 0", 2, "is no address");
	assert_refused("watch 0x", 2, "is no address");
	assert_refused("watch $x", 2, "is no address");
	assert_refused("watch 0xfffffffffffffffff", 2, "is no address");
	assert_refused("watch -1", 2, "is no address");
}

static void a_break_stops_the_followed_process_only_even_when_output_is_off(void **state)
{
	(void)state;
	assert_answer("ls", "To trace the process: ls\n");
	assert_answer("filter add cache filp", "filter: process ls and cache filp\n");
	assert_answer("break names_cache", "");
	assert_answer("run", "");
	/* The engine must be asked for what the user's filter leaves out. */
	engine.event = alloc_event("ls", "names_cache", OBJECT);
	assert_true(heap_filter_wants(engine.trace->filter, &engine.event));
	assert_int_equal(happen(alloc_event("sh", "names_cache", OBJECT)), STUB_GO_ON);
	assert_string_equal(fix.said, "");
	assert_answer("off", "");
	assert_int_equal(happen(alloc_event("ls", "names_cache", OBJECT)), STUB_TELL_GDB);
	assert_string_equal(fix.said, ALLOC_LINE "dill: stopped: break names_cache\n");
	assert_int_equal(happen(free_event("ls", "names_cache", OBJECT)), STUB_TELL_GDB);
	assert_answer("unbreak names_cache", "");
	assert_false(heap_filter_wants(engine.trace->filter, &engine.event));
	assert_int_equal(happen(alloc_event("ls", "names_cache", OBJECT)), STUB_GO_ON);
	assert_refused("unbreak names_cache", 3, "no break");
}

static void status_tells_how_it_goes_and_what_is_missed(void **state)
{
	char text[65536];

	(void)state;
	assert_says("status", "off: dill run begins it");
	fix.counts.busy_ns = 500000000; /* of traces before */
	assert_answer("run", "");
	engine.trace->counts = (struct heap_trace_counts){
		.stops = 3000, .strangers = 20, .events = 1000, .lost = 7, .armed_ns = 2000000000
	};
	fix.counts.busy_ns = 1500000000;
	assert_int_equal(say("status", text), 0);
	assert_non_null(strstr(text, "by watchpoints on gfp_allowed_mask\n"));
	assert_non_null(strstr(text, "traps set now        5\n"));
	assert_non_null(strstr(text, "stops per second     1500\n"));
	assert_non_null(strstr(text, "events per second    500\n"));
	assert_non_null(strstr(text, "target stood still   50.0%\n"));
	assert_non_null(strstr(text, "bounded by           what a stop is asked for"));
	assert_non_null(strstr(text, "calls lost           7\n"));
	assert_non_null(strstr(text, "not seen: kfree_bulk: it is inlined everywhere\n"));
}

static void status_names_what_bounds_the_rate_of_stops(void **state)
{
	char text[65536];

	(void)state;
	assert_answer("run", "");
	assert_int_equal(say("status", text), 0);
	assert_null(strstr(text, "bounded by"));
	engine.trace->counts.armed_ns = 2000000000;
	assert_int_equal(say("status", text), 0);
	assert_non_null(strstr(text, "bounded by           the target's own speed"));
	engine.trace->way = HEAP_TRACE_BY_CODE;
	assert_int_equal(say("status", text), 0);
	assert_non_null(strstr(text, "bounded by           QEMU, which translates the code anew"));
}

static void what_the_engine_refuses_is_said_and_leaves_no_trace(void **state)
{
	(void)state;
	engine.start_fails = -EOPNOTSUPP;
	assert_refused("run", 3, "no traps here");
	assert_null(engine.trace);
	engine.start_fails = 0;
	assert_answer("run", "");
}

static void an_engine_that_cannot_go_on_is_told_of_and_may_begin_anew(void **state)
{
	const struct stub_stop stop = { .kind = STUB_STOP_WATCH };
	enum stub_verdict verdict;
	struct error err = { 0 };

	(void)state;
	assert_answer("run", "");
	engine.trap_fails = -EFAULT;
	assert_int_equal(trace_session_on_trap(fix.session, target, &stop, &verdict, &err), -EFAULT);
	assert_non_null(strstr(err.text, "stack is gone"));
	assert_null(engine.trace);
	assert_says("status", "ended: the \\x1b[31mstack is gone");
	assert_int_equal(trace_session_on_resume(fix.session, target, NULL), 0);
	assert_int_equal(trace_session_on_trap(fix.session, target, &stop, &verdict, &err), 0);
	engine.trap_fails = 0;
	assert_answer("run", "");
	assert_says("status", "by watchpoints");
}

static void without_a_target_words_are_kept_and_run_says_why_not(void **state)
{
	char text[4096];

	(void)state;
	assert_int_equal(say_at(NULL, "filter add process ls", text, sizeof(text)), 0);
	assert_int_equal(say_at(NULL, "run", text, sizeof(text)), 3);
	assert_non_null(strstr(fix.err.text, "no target"));
	assert_int_equal(say_at(NULL, "status", text, sizeof(text)), 0);
	assert_int_equal(say_at(NULL, "stop", text, sizeof(text)), 0);
}

static void requests_over_the_socket_are_answered_with_an_escaped_complaint(void **state)
{
	static const char *const words[] = { "watch", "\033[2J", NULL };
	struct control_request request = { .words = words, .word_count = 2 };
	struct control_answer answer;
	struct control_asker asker;
	int fds[2], status;
	pid_t child;

	(void)state;
	assert_int_equal(control_pair(fds, NULL), 0);
	asker = (struct control_asker){ .fd = fds[0] };
	assert_int_equal(trace_session_on_control(fix.session, target, fds[1]), 0);
	child = fork();
	if (!child) {
		struct error err = { 0 };

		close(fds[0]);
		target_wait(fds[1], POLLIN, target_now_ms() + 30000);
		_exit(trace_session_on_control(fix.session, target, fds[1]) ? 1 : !err.code ? 0 : 2);
	}
	status = control_ask(&asker, &request, NULL, 30000, &answer, NULL);
	assert_int_equal(status, 0);
	assert_int_equal(answer.exit_code, 2);
	assert_string_equal(answer.complaint, "'\\x1b[2J' is no address");
	control_answer_deinit(&answer);
	close(fds[0]);
	assert_true(trace_session_on_control(fix.session, target, fds[1]) < 0);
	close(fds[1]);
}

static void assert_completes(const char *sentence, const char *prefix, const char *lines,
			     enum trace_argument argument)
{
	const char *words[8] = { 0 };
	enum trace_argument found;
	char copy[256], *text;
	size_t count = 0;

	snprintf(copy, sizeof(copy), "%s", sentence);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		words[count++] = word;
	text = trace_grammar_complete(words, count, prefix, &found);
	assert_string_equal(text, lines);
	assert_int_equal(found, argument);
	free(text);
}

static void completion_knows_what_may_follow(void **state)
{
	(void)state;
	assert_completes("", "st", "stop\nstatus\n", TRACE_ARGUMENT_PROCESS);
	assert_completes("filter", "", "add\nremove\nshow\nset\nclear\n", TRACE_ARGUMENT_NONE);
	assert_completes("filter add", "c", "cache\n", TRACE_ARGUMENT_NONE);
	assert_completes("filter add process", "", "", TRACE_ARGUMENT_PROCESS);
	assert_completes("filter add process ls cat", "", "", TRACE_ARGUMENT_PROCESS);
	assert_completes("filter remove cache", "n", "", TRACE_ARGUMENT_CACHE);
	assert_completes("log", "", "off\n", TRACE_ARGUMENT_FILE);
	assert_completes("watch", "", "", TRACE_ARGUMENT_ADDRESS);
	assert_completes("watch 0x10", "", "stop\n", TRACE_ARGUMENT_NONE);
	assert_completes("break", "", "", TRACE_ARGUMENT_CACHE);
	assert_completes("break filp", "", "", TRACE_ARGUMENT_NONE);
	assert_completes("ls", "", "", TRACE_ARGUMENT_PROCESS);
	assert_completes("run", "d", "data\n", TRACE_ARGUMENT_NONE);
	assert_completes("stop", "", "", TRACE_ARGUMENT_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(run_and_stop_are_silent_and_the_trace_goes_the_way_that_was_asked_for),
		CASE(processes_replace_those_before_and_count_already_before_run),
		CASE(a_changed_filter_is_a_change_for_the_engine),
		CASE(a_break_in_the_place_of_another_is_a_change_for_the_engine),
		CASE(a_wrong_word_in_a_list_changes_nothing),
		CASE(words_of_dill_name_processes_through_the_filter_only),
		CASE(mistyped_words_are_asked_about),
		CASE(a_watched_object_is_told_of_whoever_touches_it),
		CASE(a_break_stops_the_followed_process_only_even_when_output_is_off),
		CASE(status_tells_how_it_goes_and_what_is_missed),
		CASE(status_names_what_bounds_the_rate_of_stops),
		CASE(what_the_engine_refuses_is_said_and_leaves_no_trace),
		CASE(an_engine_that_cannot_go_on_is_told_of_and_may_begin_anew),
		CASE(without_a_target_words_are_kept_and_run_says_why_not),
		CASE(requests_over_the_socket_are_answered_with_an_escaped_complaint),
		cmocka_unit_test(completion_knows_what_may_follow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
