// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * trace_words: what each word answers and does, with an engine of this file's in place of heap_trace.c, and
 * a stub_traps count in place of stub_target.h's.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "column.h"
#include "heap_columns.h"
#include "target_socket.h"
#include "trace_grammar.h"
#include "trace_words.h"

/* ---- the engine ---- */

struct heap_trace {
	const struct heap_filter *filter;
	enum heap_trace_way way;
	heap_event_fn on_event;
	void *context;
	struct heap_trace_counts counts;
	uint64_t watched[64];
	size_t watch_count;
	bool is_started;
};

static struct {
	struct heap_trace *trace; /* the one that exists */
	int created, stopped;
	int start_fails, trap_fails; /* codes */
	struct heap_event event;     /* what the next trap is */
} engine;

static char kernel_there, target_there;
static struct stub_target *const target = (struct stub_target *)&target_there;

int heap_trace_create(struct kernel *kernel, const struct heap_filter *filter, enum heap_trace_way way,
		      heap_event_fn on_event, void *context, struct heap_trace **ret_trace, struct error *err)
{
	(void)err;
	assert_ptr_equal(kernel, &kernel_there);
	assert_null(engine.trace);
	engine.trace = *ret_trace = calloc(1, sizeof(**ret_trace));
	**ret_trace =
		(struct heap_trace){ .filter = filter, .way = way, .on_event = on_event, .context = context };
	engine.created++;
	return 0;
}

void heap_trace_destroy(struct heap_trace *trace)
{
	free(trace);
	engine.trace = NULL;
}

int heap_trace_watch(struct heap_trace *trace, uint64_t object, struct error *err)
{
	(void)err;
	trace->watched[trace->watch_count++] = object;
	return 0;
}

int heap_trace_unwatch(struct heap_trace *trace, uint64_t object)
{
	assert_int_equal(trace->watched[trace->watch_count - 1], object);
	trace->watch_count--;
	return 0;
}

int heap_trace_start(struct heap_trace *trace, struct stub_target *where, struct error *err)
{
	assert_ptr_equal(where, target);
	trace->is_started = !engine.start_fails;
	return engine.start_fails ? error_set(err, engine.start_fails, "no traps here") : 0;
}

int heap_trace_stop(struct heap_trace *trace, struct stub_target *where, struct error *err)
{
	(void)err;
	assert_ptr_equal(where, target);
	trace->is_started = false;
	engine.stopped++;
	return 0;
}

bool heap_trace_is_running(const struct heap_trace *trace)
{
	return trace->is_started;
}

int heap_trace_on_trap(struct heap_trace *trace, struct stub_target *where, const struct stub_stop *stop,
		       enum stub_verdict *ret_verdict, struct error *err)
{
	(void)where;
	(void)stop;
	if (engine.trap_fails)
		return error_set(err, engine.trap_fails, "the \033[31mstack is gone");
	*ret_verdict = trace->on_event(trace->context, &engine.event) == HEAP_EVENT_STOP ? STUB_TELL_GDB
											 : STUB_GO_ON;
	return 0;
}

int heap_trace_on_resume(struct heap_trace *trace, struct stub_target *where, struct error *err)
{
	(void)trace;
	(void)where;
	(void)err;
	return 0;
}

const struct heap_trace_counts *heap_trace_counts(const struct heap_trace *trace)
{
	return &trace->counts;
}

const struct heap_sites *heap_trace_sites(const struct heap_trace *trace)
{
	static struct heap_unseen unseen[] = { { "kfree_bulk", "it is inlined everywhere" } };
	static const struct heap_sites sites = { .unseen = unseen, .unseen_count = 1 };

	(void)trace;
	return &sites;
}

const char *heap_trace_way_text(const struct heap_trace *trace)
{
	return trace->way == HEAP_TRACE_BY_CODE ? "breakpoints at 2 functions"
						: "watchpoints on gfp_allowed_mask";
}

size_t stub_trap_count(const struct stub_target *where)
{
	(void)where;
	return 5;
}

/* ---- the tracer ---- */

static struct fixture {
	struct trace_session *session;
	char said[8192]; /* to gdb's user, outside of answers */
	struct stub_proxy_counts counts;
	bool is_coloured;
	char directory[64]; /* that the user is in */
	struct error err;
} fix;

static int open_kernel(void *context, struct stub_target *where, struct kernel **ret_kernel,
		       struct error *err)
{
	(void)context;
	(void)err;
	assert_ptr_equal(where, target);
	*ret_kernel = (struct kernel *)&kernel_there;
	return 0;
}

static void hear(void *context, const char *text, size_t size)
{
	size_t length = strlen(fix.said);

	(void)context;
	assert_true(length + size < sizeof(fix.said));
	memcpy(fix.said + length, text, size);
	fix.said[length + size] = '\0';
}

static const struct stub_proxy_counts *proxy_counts(void *context)
{
	(void)context;
	return &fix.counts;
}

static int setup(void **state)
{
	const struct trace_host host = { NULL, open_kernel, hear, proxy_counts };

	(void)state;
	memset(&engine, 0, sizeof(engine));
	memset(&fix, 0, sizeof(fix));
	strcpy(fix.directory, "/tmp/dill-words-XXXXXX");
	return trace_session_create(&host, &fix.session) || !mkdtemp(fix.directory);
}

static int teardown(void **state)
{
	char command[128];

	(void)state;
	trace_session_destroy(fix.session);
	assert_null(engine.trace);
	snprintf(command, sizeof(command), "rm -r '%s'", fix.directory);
	return system(command);
}

/* Say words that are separated by single spaces. Returns the exit code; the answer is in @ret_text. */
static int say_at(struct stub_target *where, const char *sentence, char *ret_text, size_t size)
{
	const char *words[64] = { 0 };
	struct control_request request = { .words = words,
					   .directory = fix.directory,
					   .is_coloured = fix.is_coloured };
	char copy[1024];
	const char *text;
	size_t length;
	int code;

	snprintf(copy, sizeof(copy), "%s", sentence);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		words[request.word_count++] = word;
	fix.err = (struct error){ 0 };
	code = trace_session_say(fix.session, where, &request, &text, &length, &fix.err);
	assert_true(length < size);
	memcpy(ret_text, text, length);
	ret_text[length] = '\0';
	return code;
}

static int say(const char *sentence, char *ret_text)
{
	return say_at(target, sentence, ret_text, 65536);
}

static void assert_answer(const char *sentence, const char *answer)
{
	char text[65536];

	assert_int_equal(say(sentence, text), 0);
	assert_string_equal(text, answer);
}

static void assert_refused(const char *sentence, int code, const char *part)
{
	char text[65536];

	assert_int_equal(say(sentence, text), code);
	assert_string_equal(text, "");
	if (!strstr(fix.err.text, part))
		fail_msg("%s: '%s' lacks '%s'", sentence, fix.err.text, part);
}

static void assert_says(const char *sentence, const char *part)
{
	char text[65536];

	assert_int_equal(say(sentence, text), 0);
	if (!strstr(text, part))
		fail_msg("%s: '%s' lacks '%s'", sentence, text, part);
}

static struct heap_event alloc_event(const char *comm, const char *cache, uint64_t object)
{
	struct heap_event event = { .time_ns = 1000000000,
				    .kind = HEAP_ALLOC,
				    .object = object,
				    .size_bytes = 4096,
				    .object_size_bytes = 4096,
				    .tgid = 123,
				    .pid = 123,
				    .cpu = 1,
				    .caller = 0xffffffff81000010,
				    .function = "kmem_cache_alloc_noprof",
				    .caller_symbol = "getname_flags+0x4f" };

	snprintf(event.comm, sizeof(event.comm), "%s", comm);
	snprintf(event.cache, sizeof(event.cache), "%s", cache);
	return event;
}

static struct heap_event free_event(const char *comm, const char *cache, uint64_t object)
{
	struct heap_event event = alloc_event(comm, cache, object);

	event.kind = HEAP_FREE;
	event.size_bytes = 0;
	strcpy(event.function, "kmem_cache_free");
	strcpy(event.caller_symbol, "putname+0x5b");
	return event;
}

static enum stub_verdict happen(struct heap_event event)
{
	const struct stub_stop stop = { .kind = STUB_STOP_WATCH };
	enum stub_verdict verdict = STUB_GO_ON;

	fix.said[0] = '\0';
	engine.event = event;
	assert_int_equal(trace_session_on_trap(fix.session, target, &stop, &verdict, NULL), 0);
	return verdict;
}

#define OBJECT UINT64_C(0xffff888101234000)
#define ALLOC_LINE                                                                                       \
	"kmem_cache_alloc_noprof: names_cache -> 0xffff888101234000, size: 4096, name: ls, pid: 123, cpu: 1, "\
	"caller: getname_flags+0x4f\n"
#define FREE_LINE                                                                                         \
	"kmem_cache_free: names_cache <- 0xffff888101234000, name: ls, pid: 123, cpu: 1, caller: "        \
	"putname+0x5b\n"

/* ---- tests ---- */

static void declarations_of_all_lines_are_sound(void **state)
{
	char problem[160];

	(void)state;
	for (const struct view_record *const *record = heap_columns_records; *record; record++)
		assert_int_equal(view_record_check(*record, problem, sizeof(problem)), 0);
}

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
	assert_non_null(strstr(text, "calls lost           7\n"));
	assert_non_null(strstr(text, "not seen: kfree_bulk: it is inlined everywhere\n"));
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

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(declarations_of_all_lines_are_sound),
		CASE(run_and_stop_are_silent_and_the_trace_goes_the_way_that_was_asked_for),
		CASE(events_are_lines),
		CASE(hostile_names_stay_within_their_line),
		CASE(colours_tell_allocation_release_and_failure),
		CASE(processes_replace_those_before_and_count_already_before_run),
		CASE(a_changed_filter_is_a_change_for_the_engine),
		CASE(a_break_in_the_place_of_another_is_a_change_for_the_engine),
		CASE(a_wrong_word_in_a_list_changes_nothing),
		CASE(words_of_dill_name_processes_through_the_filter_only),
		CASE(mistyped_words_are_asked_about),
		CASE(off_is_output_only),
		CASE(the_record_outlives_the_trace),
		CASE(saved_events_are_json_lines_with_their_sum),
		CASE(the_log_has_each_shown_line_without_colours),
		CASE(files_that_cannot_be_written_are_answers),
		CASE(a_log_that_fills_up_says_so_once_and_ends),
		CASE(a_watched_object_is_told_of_whoever_touches_it),
		CASE(a_break_stops_the_followed_process_only_even_when_output_is_off),
		CASE(status_tells_how_it_goes_and_what_is_missed),
		CASE(what_the_engine_refuses_is_said_and_leaves_no_trace),
		CASE(an_engine_that_cannot_go_on_is_told_of_and_may_begin_anew),
		CASE(without_a_target_words_are_kept_and_run_says_why_not),
		CASE(requests_over_the_socket_are_answered_with_an_escaped_complaint),
		cmocka_unit_test(completion_knows_what_may_follow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
