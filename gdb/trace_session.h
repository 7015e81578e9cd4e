/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What is behind struct trace_session. Internal to the trace_*.c. */
#ifndef DILL_GDB_TRACE_SESSION_H
#define DILL_GDB_TRACE_SESSION_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "command.h"
#include "heap_filter.h"
#include "heap_record.h"
#include "heap_trace.h"
#include "trace_words.h"
#include "view.h"

enum { TRACE_BREAKS_MAX = 16, TRACE_WATCHES_MAX = 64 };

/* A view whose text is kept until it is taken. */
struct trace_text {
	char *bytes; /* owned; not terminated */
	size_t size, capacity;
	FILE *file;
	struct view *view;
};

struct trace_watch {
	uint64_t object;
	bool is_stopping;
};

struct trace_log {
	int fd; /* -1: none */
	char path[PATH_MAX];
	uint64_t lines;
};

struct trace_session {
	struct trace_host host;
	struct heap_filter filter; /* the user's */
	struct heap_filter wanted; /* the engine's: what the filter or a break wants */
	char breaks[TRACE_BREAKS_MAX][HEAP_CACHE_MAX + 1];
	size_t break_count;
	struct trace_watch watches[TRACE_WATCHES_MAX];
	size_t watch_count;

	struct heap_trace *trace; /* NULL: not running */
	char ended[512];          /* why the last one ended by itself, "" otherwise */
	uint64_t busy_before_ns;  /* stub_proxy_counts.busy_ns when it began */

	bool is_shown, is_recording;
	struct heap_record record;
	struct trace_log log;

	bool is_coloured;               /* as the last request had it */
	struct trace_text answer;       /* of the request that runs */
	struct trace_text shown, plain; /* an event's line, as gdb shows it and as the log keeps it */
	uint64_t unshown;               /* lines that could not be made, for want of memory */
};

/* ---- trace_output.c ---- */

/* Open (again, where colours changed) a view on @text, which is emptied. */
int trace_text_open(struct trace_text *text, bool is_coloured, bool is_json, struct error *err);
void trace_text_deinit(struct trace_text *text);
/* What was written since the last call; borrowed until the next write. */
const char *trace_text_take(struct trace_text *text, size_t *ret_size);

/* Event lines follow the colours of the last request. */
int trace_output_open(struct trace_session *session, struct error *err);
/* For heap_trace_create(): show, log, record, and judge whether the target is to stop. */
enum heap_verdict trace_output_event(void *session, const struct heap_event *event);
/* A remark for gdb's user, and for the log. Control characters in it are escaped. */
void trace_output_remark(struct trace_session *session, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* @path, in @directory unless it is absolute; "~/" is the home. Regular files only. */
int trace_log_open(struct trace_session *session, const char *directory, const char *path, struct error *err);
/* 0, or what was wrong with the last of it. */
int trace_log_close(struct trace_session *session, struct error *err);
/* Write what is recorded as JSON lines over @path. */
int trace_record_save(struct trace_session *session, const char *directory, const char *path,
		      struct error *err);

/* ---- trace_report.c ---- */

/* These write to session->answer. @target may be NULL. */
int trace_report_follow(struct trace_session *session, const char *process);
int trace_report_filter(struct trace_session *session);
int trace_report_status(struct trace_session *session, struct stub_target *target);
int trace_report_record(struct trace_session *session, const char *path);
/* "process ls, 123 and cache names_cache", "everything". */
void trace_filter_text(const struct heap_filter *filter, char *text, size_t size);

extern const struct view_record *const trace_report_records[];

#endif
