// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The session, and what each word does to it. */
#include "trace_words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "escape.h"
#include "heap_columns.h"
#include "trace_grammar.h"
#include "trace_session.h"

int trace_session_create(const struct trace_host *host, struct trace_session **ret_session)
{
	struct trace_session *session = calloc(1, sizeof(*session));

	if (!session)
		return -ENOMEM;
	session->host = *host;
	session->is_shown = true;
	session->log.fd = -1;
	if (trace_output_open(session, NULL) < 0) {
		trace_session_destroy(session);
		return -ENOMEM;
	}
	*ret_session = session;
	return 0;
}

void trace_session_destroy(struct trace_session *session)
{
	if (!session)
		return;
	heap_trace_destroy(session->trace);
	heap_record_clear(&session->record);
	trace_log_close(session, NULL);
	trace_text_deinit(&session->answer);
	trace_text_deinit(&session->shown);
	trace_text_deinit(&session->plain);
	free(session);
}

/* What the engine is asked for: @filter, and the caches with breaks, where naming caches would exclude them.
 */
static int make_wanted(const struct trace_session *session, const struct heap_filter *filter,
		       struct heap_filter *ret_wanted, struct error *err)
{
	struct heap_filter wanted = *filter;
	int status = 0;

	for (size_t i = 0; i < session->break_count && wanted.cache_count && !status; i++)
		status = heap_filter_add_cache(&wanted, session->breaks[i], err);
	if (status)
		return error_context(err, "with the breaks");
	wanted.changes = session->wanted.changes + 1;
	*ret_wanted = wanted;
	return 0;
}

/* Take @filter over, all or nothing. */
static int take_filter(struct trace_session *session, const struct heap_filter *filter, struct error *err)
{
	int status = make_wanted(session, filter, &session->wanted, err);

	if (!status)
		session->filter = *filter;
	return status;
}

/* ---- processes and the filter ---- */

typedef int (*filter_change)(struct heap_filter *filter, const char *word, struct error *err);

static int change_filter(struct trace_session *session, const struct trace_sentence *sentence,
			 filter_change change, struct error *err)
{
	struct heap_filter filter = session->filter;
	int status = 0;

	for (size_t i = 0; i < sentence->argument_count && !status; i++)
		status = change(&filter, sentence->arguments[i], err);
	if (!status)
		status = take_filter(session, &filter, err);
	return status ? status : trace_report_filter(session);
}

static int follow(struct trace_session *session, const struct trace_sentence *sentence, struct error *err)
{
	struct heap_filter filter = session->filter;
	int status = 0;

	heap_filter_clear_processes(&filter);
	for (size_t i = 0; i < sentence->argument_count && !status; i++)
		status = heap_filter_add_process(&filter, sentence->arguments[i], err);
	if (!status)
		status = take_filter(session, &filter, err);
	for (size_t i = 0; i < sentence->argument_count && !status; i++)
		status = trace_report_follow(session, sentence->arguments[i]);
	if (!status && sentence->near)
		status = view_literal(session->answer.view, "(a word like it: dill ") ?:
			 view_literal(session->answer.view, sentence->near) ?:
			 view_literal(session->answer.view, ")\n");
	return status;
}

static int set_filter(struct trace_session *session, enum trace_word word, struct error *err)
{
	struct heap_filter filter = session->filter;
	int status;

	if (word == TRACE_FILTER_CLEAR)
		heap_filter_clear(&filter);
	else
		heap_filter_relate(&filter, word == TRACE_FILTER_OR ? HEAP_FILTER_OR : HEAP_FILTER_AND);
	status = take_filter(session, &filter, err);
	return status ? status : trace_report_filter(session);
}

/* ---- the trace ---- */

static int needs_target(const struct stub_target *target, struct error *err)
{
	return target ? 0 : error_set(err, -ENOTCONN, "gdb has no target that can be traced");
}

static void end_trace(struct trace_session *session)
{
	heap_trace_destroy(session->trace);
	session->trace = NULL;
}

static int stop(struct trace_session *session, struct stub_target *target, struct error *err)
{
	int status = 0;

	*session->ended = '\0';
	if (session->trace && target)
		status = heap_trace_stop(session->trace, target, err);
	end_trace(session);
	return status;
}

static int set_watches(struct trace_session *session, struct heap_trace *trace, struct error *err)
{
	int status = 0;

	for (size_t i = 0; i < session->watch_count && !status; i++)
		status = heap_trace_watch(trace, session->watches[i].object, err);
	return status;
}

static int run(struct trace_session *session, struct stub_target *target, enum trace_word word,
	       struct error *err)
{
	enum heap_trace_way way = word == TRACE_RUN_BY_DATA ? HEAP_TRACE_BY_DATA :
				  word == TRACE_RUN_BY_CODE ? HEAP_TRACE_BY_CODE : HEAP_TRACE_AUTO;
	struct kernel *kernel;
	int status = needs_target(target, err);

	/* A trace that runs is begun anew: the kernel may be another one by now. */
	if (!status)
		status = stop(session, target, err);
	if (!status)
		status = session->host.open_kernel(session->host.context, target, &kernel, err);
	if (!status)
		status = heap_trace_create(kernel, &session->wanted, way, trace_output_event, session,
					   &session->trace, err);
	if (status)
		return status;
	status = set_watches(session, session->trace, err);
	if (!status)
		status = heap_trace_start(session->trace, target, err);
	if (status)
		end_trace(session);
	else
		session->busy_before_ns = session->host.counts(session->host.context)->busy_ns;
	return status;
}

/* ---- watches and breaks ---- */

/* "0xffff…", decimal, or all digits of an address in hexadecimal. */
static int parse_address(const char *word, uint64_t *ret_address, struct error *err)
{
	bool is_plain_hex = strlen(word) == 16 && word[strspn(word, "0123456789abcdefABCDEF")] == '\0';
	char *end = NULL;
	unsigned long long address = 0;

	errno = 0;
	if (*word >= '0' && (*word <= '9' || is_plain_hex))
		address = strtoull(word, &end, is_plain_hex ? 16 : 0);
	if (!end || *end || errno || !address)
		return error_set(err, -EINVAL, "'%s' is no address", word);
	*ret_address = address;
	return 0;
}

static size_t find_watch(const struct trace_session *session, uint64_t object)
{
	size_t i = 0;

	while (i < session->watch_count && session->watches[i].object != object)
		i++;
	return i;
}

static int watch(struct trace_session *session, const char *word, bool is_stopping, struct error *err)
{
	uint64_t object;
	int status = parse_address(word, &object, err);
	size_t at;

	if (status)
		return status;
	at = find_watch(session, object);
	if (at == TRACE_WATCHES_MAX)
		return error_set(err, -ENOSPC, "%d objects are watched at most", TRACE_WATCHES_MAX);
	if (at == session->watch_count && session->trace)
		status = heap_trace_watch(session->trace, object, err);
	if (status)
		return status;
	session->watches[at] = (struct trace_watch){ object, is_stopping };
	session->watch_count += at == session->watch_count;
	return 0;
}

static int unwatch(struct trace_session *session, const char *word, struct error *err)
{
	uint64_t object;
	int status = parse_address(word, &object, err);
	size_t at;

	if (status)
		return status;
	at = find_watch(session, object);
	if (at == session->watch_count)
		return error_set(err, -ENOENT, "%s is not watched", word);
	if (session->trace)
		heap_trace_unwatch(session->trace, object);
	session->watch_count--;
	memmove(&session->watches[at], &session->watches[at + 1],
		(session->watch_count - at) * sizeof(session->watches[0]));
	return 0;
}

static size_t find_break(const struct trace_session *session, const char *cache)
{
	size_t i = 0;

	while (i < session->break_count && strcmp(session->breaks[i], cache) != 0)
		i++;
	return i;
}

static int set_break(struct trace_session *session, const char *cache, struct error *err)
{
	size_t length = strlen(cache), at = find_break(session, cache);
	int status;

	if (!length || length > HEAP_CACHE_MAX)
		return error_set(err, -EINVAL, "a cache's name has 1 to %d bytes", HEAP_CACHE_MAX);
	if (at < session->break_count)
		return 0;
	if (at == TRACE_BREAKS_MAX)
		return error_set(err, -ENOSPC, "there are %d breaks at most", TRACE_BREAKS_MAX);
	memcpy(session->breaks[session->break_count++], cache, length + 1);
	status = make_wanted(session, &session->filter, &session->wanted, err);
	if (status)
		session->break_count--;
	return status;
}

static int unset_break(struct trace_session *session, const char *cache, struct error *err)
{
	size_t at = find_break(session, cache);

	if (at == session->break_count)
		return error_set(err, -ENOENT, "there is no break at '%s'", cache);
	session->break_count--;
	memmove(session->breaks[at], session->breaks[at + 1],
		(session->break_count - at) * sizeof(session->breaks[0]));
	return make_wanted(session, &session->filter, &session->wanted, err);
}

/* ---- record ---- */

static int show_record(struct trace_session *session, const struct trace_sentence *sentence,
		       struct error *err)
{
	const struct heap_record *record = &session->record;
	const char *word = sentence->argument_count ? sentence->arguments[0] : NULL;
	size_t count = record->count;
	char *end = NULL;
	int status = 0;

	if (word) {
		errno = 0;
		count = *word >= '0' && *word <= '9' ? strtoul(word, &end, 10) : 0;
		if (!end || *end || errno)
			return error_set(err, -EINVAL, "'%s' is no number of events", word);
	}
	for (size_t i = count < record->count ? record->count - count : 0; i < record->count && !status; i++)
		status = heap_columns_show(session->answer.view, heap_record_at(record, i));
	return status ? status : heap_columns_show_sum(session->answer.view, record->count, record->dropped);
}

static int save_record(struct trace_session *session, const char *directory, const char *path,
		       struct error *err)
{
	int status = trace_record_save(session, directory, path, err);

	return status ? status : trace_report_record(session, path);
}

/* ---- dispatch ---- */

static int obey(struct trace_session *session, struct stub_target *target, const char *directory,
		const struct trace_sentence *sentence, struct error *err)
{
	const char *argument = sentence->argument_count ? sentence->arguments[0] : NULL;

	switch (sentence->word) {
	case TRACE_HELP: return view_literal(session->answer.view, trace_grammar_help());
	case TRACE_FOLLOW: return follow(session, sentence, err);
	case TRACE_RUN:
	case TRACE_RUN_BY_DATA:
	case TRACE_RUN_BY_CODE: return run(session, target, sentence->word, err);
	case TRACE_STOP: return stop(session, target, err);
	case TRACE_ON: session->is_shown = true; return 0;
	case TRACE_OFF: session->is_shown = false; return 0;
	case TRACE_STATUS: return trace_report_status(session, target);
	case TRACE_FILTER_ADD_PROCESS: return change_filter(session, sentence, heap_filter_add_process, err);
	case TRACE_FILTER_ADD_CACHE: return change_filter(session, sentence, heap_filter_add_cache, err);
	case TRACE_FILTER_REMOVE_PROCESS:
		return change_filter(session, sentence, heap_filter_remove_process, err);
	case TRACE_FILTER_REMOVE_CACHE:
		return change_filter(session, sentence, heap_filter_remove_cache, err);
	case TRACE_FILTER_SHOW: return trace_report_filter(session);
	case TRACE_FILTER_AND:
	case TRACE_FILTER_OR:
	case TRACE_FILTER_CLEAR: return set_filter(session, sentence->word, err);
	case TRACE_RECORD_ON: session->is_recording = true; return 0;
	case TRACE_RECORD_OFF: session->is_recording = false; return 0;
	case TRACE_RECORD_SHOW: return show_record(session, sentence, err);
	case TRACE_RECORD_CLEAR: heap_record_clear(&session->record); return 0;
	case TRACE_RECORD_SAVE: return save_record(session, directory, argument, err);
	case TRACE_LOG_OFF: return trace_log_close(session, err);
	case TRACE_LOG: return trace_log_open(session, directory, argument, err);
	case TRACE_WATCH_STOP: return watch(session, argument, true, err);
	case TRACE_WATCH: return watch(session, argument, false, err);
	case TRACE_UNWATCH: return unwatch(session, argument, err);
	case TRACE_BREAK: return set_break(session, argument, err);
	case TRACE_UNBREAK: return unset_break(session, argument, err);
	}
	return error_set(err, -EINVAL, "no such word");
}

int trace_session_say(struct trace_session *session, struct stub_target *target,
		      const struct control_request *request, const char **ret_text, size_t *ret_size,
		      struct error *err)
{
	struct trace_sentence sentence;
	struct error failure = { 0 };
	int status;

	*ret_text = "";
	*ret_size = 0;
	if (session->is_coloured != request->is_coloured) {
		session->is_coloured = request->is_coloured;
		trace_output_open(session, NULL);
	}
	status = trace_text_open(&session->answer, session->is_coloured, false, &failure);
	if (!status)
		status = trace_grammar_parse(request->words, request->word_count, &sentence, &failure);
	if (!status)
		status = obey(session, target, request->directory, &sentence, &failure);
	if (session->answer.file)
		*ret_text = trace_text_take(&session->answer, ret_size);
	if (status < 0 && !*failure.text)
		error_set(&failure, status, "%s", strerror(-status));
	if (status < 0 && err)
		*err = failure;
	return !status ? EXIT_CLEAN : status == -EINVAL ? EXIT_USAGE : EXIT_INCOMPLETE;
}

/* ---- for struct stub_handlers ---- */

/* The engine can't go on: the proxy takes all traps away and says why. */
static int give_up(struct trace_session *session, int status, const struct error *failure, struct error *err)
{
	snprintf(session->ended, sizeof(session->ended), "%s",
		 *failure->text ? failure->text : strerror(-status));
	end_trace(session);
	return error_set(err, status, "the heap trace has ended: %s", session->ended);
}

int trace_session_on_trap(void *context, struct stub_target *target, const struct stub_stop *stop_met,
			  enum stub_verdict *ret_verdict, struct error *err)
{
	struct trace_session *session = context;
	struct error failure = { 0 };
	int status;

	*ret_verdict = STUB_GO_ON;
	if (!session->trace)
		return 0;
	status = heap_trace_on_trap(session->trace, target, stop_met, ret_verdict, &failure);
	return status < 0 ? give_up(session, status, &failure, err) : 0;
}

int trace_session_on_resume(void *context, struct stub_target *target, struct error *err)
{
	struct trace_session *session = context;
	struct error failure = { 0 };
	int status = session->trace ? heap_trace_on_resume(session->trace, target, &failure) : 0;

	return status < 0 ? give_up(session, status, &failure, err) : 0;
}

static void cleanup_received(struct control_received *received)
{
	control_received_deinit(received);
}

int trace_session_on_control(void *context, struct stub_target *target, int control_fd)
{
	__attribute__((cleanup(cleanup_received))) struct control_received received = { 0 };
	struct trace_session *session = context;
	struct error err = { 0 };
	char complaint[2 * sizeof(err.text)];
	const char *text;
	size_t size;
	int exit_code, status = control_receive(control_fd, &received, &err);

	if (status)
		return status == -EAGAIN ? 0 : status;
	exit_code = trace_session_say(session, target, &received.request, &text, &size, &err);
	escape_string(escape_form_of_terminal(), err.text, complaint, sizeof(complaint));
	status = control_answer(control_fd, received.sequence, exit_code, text, size, complaint);
	/* Who takes no answer has given up on it: that ends nothing. */
	return status == -EPIPE ? status : 0;
}
