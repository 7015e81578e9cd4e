// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Answers that tell a state: whom the trace follows, how it goes, what it can't see. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "trace_session.h"

#define NS_PER_S UINT64_C(1000000000)

/* ---- the filter in words ---- */

struct words {
	char *text;
	size_t size, at;
};

static void put(struct words *words, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct words *words, const char *format, ...)
{
	va_list args;
	int length;

	if (words->at >= words->size)
		return;
	va_start(args, format);
	length = vsnprintf(words->text + words->at, words->size - words->at, format, args);
	va_end(args);
	words->at += length > 0 ? (size_t)length : 0;
}

void trace_filter_text(const struct heap_filter *filter, char *text, size_t size)
{
	struct words words = { text, size, 0 };

	*text = '\0';
	for (size_t i = 0; i < filter->process_count; i++) {
		const struct heap_filter_process *process = &filter->processes[i];

		put(&words, "%s", i ? ", " : "process ");
		if (process->pid)
			put(&words, "%" PRId32, process->pid);
		else
			put(&words, "%s", process->comm);
	}
	if (filter->process_count && filter->cache_count)
		put(&words, " %s ", filter->relation == HEAP_FILTER_OR ? "or" : "and");
	for (size_t i = 0; i < filter->cache_count; i++)
		put(&words, "%s%s", i ? ", " : "cache ", filter->caches[i]);
	if (!filter->process_count && !filter->cache_count)
		put(&words, "everything");
}

/* All 64 names of both kinds. */
enum { FILTER_TEXT_MAX = HEAP_FILTER_MAX * (HEAP_COMM_MAX + HEAP_CACHE_MAX + 4) + 64 };

static const struct view_column follow_columns[] = {
	{ .name = "process", .type = VIEW_TEXT, .style = COLOUR_SYMBOL },
};
static const struct view_record follow_record = {
	.type = "heap_follow",
	.columns = follow_columns,
	.column_count = 1,
	.text = "To trace the process: {process}",
};

int trace_report_follow(struct trace_session *session, const char *process)
{
	return view_object(session->answer.view, &follow_record, (struct view_value[]){ view_text(process) });
}

static const struct view_column filter_columns[] = {
	{ .name = "follows", .type = VIEW_TEXT },
};
static const struct view_record filter_record = {
	.type = "heap_filter",
	.columns = filter_columns,
	.column_count = 1,
	.text = "filter: {follows}",
};

int trace_report_filter(struct trace_session *session)
{
	char text[FILTER_TEXT_MAX];

	trace_filter_text(&session->filter, text, sizeof(text));
	return view_object(session->answer.view, &filter_record, (struct view_value[]){ view_text(text) });
}

/* ---- the record ---- */

static const struct view_column saved_columns[] = {
	{ .name = "events", .type = VIEW_U64 },
	{ .name = "path", .type = VIEW_PATH },
	{ .name = "dropped", .type = VIEW_U64, .is_bad_when_set = true },
};
static const struct view_record saved_record = {
	.type = "heap_record_saved",
	.columns = saved_columns,
	.column_count = 3,
	.text = "{events} {events:event|events} saved to {path}{?; {dropped} before them dropped?}",
};

int trace_report_record(struct trace_session *session, const char *path)
{
	return view_object(session->answer.view, &saved_record,
			   (struct view_value[]){ view_u64(session->record.count), view_text(path),
						  view_u64(session->record.dropped) });
}

/* ---- status ---- */

enum status_column {
	STATUS_FOLLOWS,
	STATUS_TRACE,
	STATUS_TRAPS,
	STATUS_STOPS,
	STATUS_STOP_RATE,
	STATUS_STRANGERS,
	STATUS_SWITCHES,
	STATUS_EVENTS,
	STATUS_EVENT_RATE,
	STATUS_STOOD_STILL,
	STATUS_BOUND,
	STATUS_LOST,
	STATUS_UNSHOWN,
	STATUS_OUTPUT,
	STATUS_RECORD,
	STATUS_DROPPED,
	STATUS_LOG,
	STATUS_WATCHED,
	STATUS_BREAKS,
	STATUS_COLUMN_COUNT,
};

static const struct view_column status_columns[] = {
	[STATUS_FOLLOWS] = { .name = "follows", .type = VIEW_TEXT },
	[STATUS_TRACE] = { .name = "trace", .type = VIEW_TEXT },
	[STATUS_TRAPS] = { .name = "traps", .title = "traps set now", .type = VIEW_U64, .is_optional = true },
	[STATUS_STOPS] = { .name = "stops", .type = VIEW_U64, .is_optional = true },
	[STATUS_STOP_RATE] = { .name = "stops_per_second",
			       .title = "stops per second",
			       .type = VIEW_U64,
			       .is_optional = true },
	[STATUS_STRANGERS] = { .name = "strangers",
			       .title = "stops by others",
			       .type = VIEW_U64,
			       .is_optional = true },
	[STATUS_SWITCHES] = { .name = "switches",
			      .title = "stops by scheduling",
			      .type = VIEW_U64,
			      .is_optional = true },
	[STATUS_EVENTS] = { .name = "events", .type = VIEW_U64, .is_optional = true },
	[STATUS_EVENT_RATE] = { .name = "events_per_second",
				.title = "events per second",
				.type = VIEW_U64,
				.is_optional = true },
	[STATUS_STOOD_STILL] = { .name = "stood_still",
				 .title = "target stood still",
				 .type = VIEW_PERCENT,
				 .is_optional = true },
	[STATUS_BOUND] = { .name = "bound", .title = "bounded by", .type = VIEW_TEXT, .is_optional = true },
	[STATUS_LOST] = { .name = "lost",
			  .title = "calls lost",
			  .type = VIEW_U64,
			  .is_optional = true,
			  .is_bad_when_set = true },
	[STATUS_UNSHOWN] = { .name = "unshown",
			     .title = "lines lost",
			     .type = VIEW_U64,
			     .is_optional = true,
			     .is_bad_when_set = true },
	[STATUS_OUTPUT] = { .name = "output", .type = VIEW_TEXT },
	[STATUS_RECORD] = { .name = "record", .type = VIEW_TEXT },
	[STATUS_DROPPED] = { .name = "dropped",
			     .title = "dropped of it",
			     .type = VIEW_U64,
			     .is_optional = true,
			     .is_bad_when_set = true },
	[STATUS_LOG] = { .name = "log", .type = VIEW_PATH, .is_optional = true },
	[STATUS_WATCHED] = { .name = "watched", .type = VIEW_TEXT, .is_optional = true },
	[STATUS_BREAKS] = { .name = "breaks", .type = VIEW_TEXT, .is_optional = true },
};
static const struct view_record status_record = {
	.type = "heap_status",
	.columns = status_columns,
	.column_count = STATUS_COLUMN_COUNT,
};

static const struct view_column unseen_columns[] = {
	{ .name = "function", .type = VIEW_SYMBOL },
	{ .name = "why", .type = VIEW_TEXT },
};
static const struct view_record unseen_record = {
	.type = "heap_unseen",
	.columns = unseen_columns,
	.column_count = 2,
	.text = "not seen: {function}: {why}",
};

const struct view_record *const trace_report_records[] = { &follow_record, &filter_record, &saved_record,
							   &status_record, &unseen_record, NULL };

static struct view_value rate(uint64_t count, uint64_t ns)
{
	return ns ? view_u64((uint64_t)((double)count * NS_PER_S / (double)ns)) : view_absent();
}

/* What keeps the rate of stops from being higher; @busy_ns of @armed_ns passed in this process's hands. */
static const char *bound(const struct trace_session *session, const struct stub_target *target, uint64_t busy_ns,
			 uint64_t armed_ns)
{
	if (busy_ns >= armed_ns / 2)
		return "what a stop is asked for, a packet at a time";
	if (!target || !stub_is_translated(target))
		return "the stub, which stops the target and lets it go on";
	if (!heap_trace_is_by_data(session->trace))
		return "QEMU, which translates the code anew after each breakpoint";
	return "the target's own speed, and QEMU, which looks at each access near a watchpoint";
}

static void put_counts(const struct trace_session *session, const struct stub_target *target,
		       struct view_value *values)
{
	const struct heap_trace_counts *counts = heap_trace_counts(session->trace);
	uint64_t busy_ns = session->host.counts(session->host.context)->busy_ns - session->busy_before_ns;
	uint64_t armed_ns = counts->armed_ns;

	values[STATUS_STOPS] = view_u64(counts->stops);
	values[STATUS_STOP_RATE] = rate(counts->stops, armed_ns);
	values[STATUS_STRANGERS] = view_u64(counts->strangers);
	values[STATUS_SWITCHES] = view_u64(counts->switches);
	values[STATUS_EVENTS] = view_u64(counts->events);
	values[STATUS_EVENT_RATE] = rate(counts->events, armed_ns);
	if (armed_ns) {
		values[STATUS_STOOD_STILL] =
			view_double(busy_ns < armed_ns ? 100.0 * (double)busy_ns / (double)armed_ns : 100.0);
		values[STATUS_BOUND] = view_text(bound(session, target, busy_ns, armed_ns));
	}
	values[STATUS_LOST] = view_u64(counts->lost);
}

static void put_watches(const struct trace_session *session, char *text, size_t size)
{
	struct words words = { text, size, 0 };

	*text = '\0';
	for (size_t i = 0; i < session->watch_count; i++)
		put(&words, "%s0x%" PRIx64 "%s", i ? ", " : "", session->watches[i].object,
		    session->watches[i].is_stopping ? " (stop)" : "");
}

static void put_breaks(const struct trace_session *session, char *text, size_t size)
{
	struct words words = { text, size, 0 };

	*text = '\0';
	for (size_t i = 0; i < session->break_count; i++)
		put(&words, "%s%s", i ? ", " : "", session->breaks[i]);
}

static void put_trace(const struct trace_session *session, char *text, size_t size)
{
	if (session->trace)
		snprintf(text, size, "by %s", heap_trace_way_text(session->trace));
	else if (*session->ended)
		snprintf(text, size, "ended: %s", session->ended);
	else
		snprintf(text, size, "off: dill run begins it");
}

static int report_unseen(struct trace_session *session)
{
	const struct heap_sites *sites = session->trace ? heap_trace_sites(session->trace) : NULL;
	int status = 0;

	for (size_t i = 0; sites && i < sites->unseen_count && !status; i++)
		status = view_object(session->answer.view, &unseen_record,
				     (struct view_value[]){ view_text(sites->unseen[i].name),
							    view_text(sites->unseen[i].why) });
	return status;
}

int trace_report_status(struct trace_session *session, struct stub_target *target)
{
	char follows[FILTER_TEXT_MAX], trace[640], record[64];
	char watched[TRACE_WATCHES_MAX * 32], breaks[TRACE_BREAKS_MAX * (HEAP_CACHE_MAX + 3)];
	struct view_value values[STATUS_COLUMN_COUNT] = { 0 };
	int status;

	trace_filter_text(&session->filter, follows, sizeof(follows));
	put_trace(session, trace, sizeof(trace));
	put_watches(session, watched, sizeof(watched));
	put_breaks(session, breaks, sizeof(breaks));
	snprintf(record, sizeof(record), "%s, %zu events", session->is_recording ? "on" : "off",
		 session->record.count);
	values[STATUS_FOLLOWS] = view_text(follows);
	values[STATUS_TRACE] = view_text(trace);
	if (session->trace && target)
		values[STATUS_TRAPS] = view_u64(stub_trap_count(target));
	if (session->trace)
		put_counts(session, target, values);
	if (session->unshown)
		values[STATUS_UNSHOWN] = view_u64(session->unshown);
	values[STATUS_OUTPUT] = view_text(session->is_shown ? "on" : "off");
	values[STATUS_RECORD] = view_text(record);
	if (session->record.dropped)
		values[STATUS_DROPPED] = view_u64(session->record.dropped);
	if (session->log.fd >= 0)
		values[STATUS_LOG] = view_text(session->log.path);
	if (session->watch_count)
		values[STATUS_WATCHED] = view_text(watched);
	if (session->break_count)
		values[STATUS_BREAKS] = view_text(breaks);
	status = view_object(session->answer.view, &status_record, values);
	return status ? status : report_unseen(session);
}
