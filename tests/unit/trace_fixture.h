/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * For tests of trace_words.h: an engine of this file's in place of heap_trace.c, a stub_traps count in place of
 * stub_target.h's, and words that are said without a socket.
 */
#ifndef DILL_TRACE_FIXTURE_H
#define DILL_TRACE_FIXTURE_H

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

bool heap_trace_is_by_data(const struct heap_trace *trace)
{
	return trace->way != HEAP_TRACE_BY_CODE;
}

const char *heap_trace_way_text(const struct heap_trace *trace)
{
	return trace->way == HEAP_TRACE_BY_CODE ? "breakpoints at 2 functions"
						: "watchpoints on gfp_allowed_mask";
}

bool stub_is_translated(const struct stub_target *where)
{
	(void)where;
	return true;
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

static inline int open_kernel(void *context, struct stub_target *where, struct kernel **ret_kernel,
		       struct error *err)
{
	(void)context;
	(void)err;
	assert_ptr_equal(where, target);
	*ret_kernel = (struct kernel *)&kernel_there;
	return 0;
}

static inline void hear(void *context, const char *text, size_t size)
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

static inline int setup(void **state)
{
	const struct trace_host host = { NULL, open_kernel, hear, proxy_counts };

	(void)state;
	memset(&engine, 0, sizeof(engine));
	memset(&fix, 0, sizeof(fix));
	strcpy(fix.directory, "/tmp/dill-words-XXXXXX");
	return trace_session_create(&host, &fix.session) || !mkdtemp(fix.directory);
}

static inline int teardown(void **state)
{
	char command[128];

	(void)state;
	trace_session_destroy(fix.session);
	assert_null(engine.trace);
	snprintf(command, sizeof(command), "rm -r '%s'", fix.directory);
	return system(command);
}

/* Say words that are separated by single spaces. Returns the exit code; the answer is in @ret_text. */
static inline int say_at(struct stub_target *where, const char *sentence, char *ret_text, size_t size)
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

static inline int say(const char *sentence, char *ret_text)
{
	return say_at(target, sentence, ret_text, 65536);
}

static inline void assert_answer(const char *sentence, const char *answer)
{
	char text[65536];

	assert_int_equal(say(sentence, text), 0);
	assert_string_equal(text, answer);
}

static inline void assert_refused(const char *sentence, int code, const char *part)
{
	char text[65536];

	assert_int_equal(say(sentence, text), code);
	assert_string_equal(text, "");
	if (!strstr(fix.err.text, part))
		fail_msg("%s: '%s' lacks '%s'", sentence, fix.err.text, part);
}

static inline void assert_says(const char *sentence, const char *part)
{
	char text[65536];

	assert_int_equal(say(sentence, text), 0);
	if (!strstr(text, part))
		fail_msg("%s: '%s' lacks '%s'", sentence, text, part);
}

static inline struct heap_event alloc_event(const char *comm, const char *cache, uint64_t object)
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

static inline struct heap_event free_event(const char *comm, const char *cache, uint64_t object)
{
	struct heap_event event = alloc_event(comm, cache, object);

	event.kind = HEAP_FREE;
	event.size_bytes = 0;
	strcpy(event.function, "kmem_cache_free");
	strcpy(event.caller_symbol, "putname+0x5b");
	return event;
}

static inline enum stub_verdict happen(struct heap_event event)
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

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
