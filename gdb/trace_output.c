// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Where events go: gdb's user, the log, the record. All text is made by the view. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "cleanup.h"
#include "escape.h"
#include "heap_columns.h"
#include "trace_session.h"

/* ---- text in memory ---- */

static ssize_t text_write(void *cookie, const char *bytes, size_t size)
{
	struct trace_text *text = cookie;

	if (size > text->capacity - text->size) {
		size_t capacity = 2 * (text->size + size);
		char *grown = realloc(text->bytes, capacity);

		if (!grown) {
			errno = ENOMEM;
			return 0;
		}
		text->bytes = grown;
		text->capacity = capacity;
	}
	memcpy(text->bytes + text->size, bytes, size);
	text->size += size;
	return (ssize_t)size;
}

static void text_close(struct trace_text *text)
{
	view_close(text->view);
	if (text->file)
		fclose(text->file);
	text->view = NULL;
	text->file = NULL;
}

int trace_text_open(struct trace_text *text, bool is_coloured, bool is_json, struct error *err)
{
	struct view_options options = {
		.is_json = is_json,
		.colour = is_coloured ? COLOUR_ALWAYS : COLOUR_NEVER,
	};

	text_close(text);
	text->size = 0;
	text->file = fopencookie(text, "w", (cookie_io_functions_t){ .write = text_write });
	options.out = text->file;
	if (!text->file || view_open(&options, &text->view) < 0)
		return error_set(err, -ENOMEM, "out of memory");
	return 0;
}

void trace_text_deinit(struct trace_text *text)
{
	text_close(text);
	free(text->bytes);
	*text = (struct trace_text){ 0 };
}

const char *trace_text_take(struct trace_text *text, size_t *ret_size)
{
	if (text->file)
		fflush(text->file);
	*ret_size = text->size;
	text->size = 0;
	return text->bytes ? text->bytes : "";
}

int trace_output_open(struct trace_session *session, struct error *err)
{
	int status = trace_text_open(&session->shown, session->is_coloured, false, err);

	return status ? status : trace_text_open(&session->plain, false, false, err);
}

/* ---- files that the user names ---- */

static int full_path(const char *directory, const char *path, char ret_path[PATH_MAX], struct error *err)
{
	const char *home = getenv("HOME");
	int length;

	if (!strncmp(path, "~/", 2) && home)
		length = snprintf(ret_path, PATH_MAX, "%s/%s", home, path + 2);
	else if (*path == '/' || !directory || !*directory)
		length = snprintf(ret_path, PATH_MAX, "%s", path);
	else
		length = snprintf(ret_path, PATH_MAX, "%s/%s", directory, path);
	return length < PATH_MAX ? 0 : error_set(err, -ENAMETOOLONG, "the file name is too long");
}

/* A pipe or terminal whose reader stalls would hold up the target: only regular files. */
static int open_file(const char *path, int flags, int *ret_fd, struct error *err)
{
	CLEANUP(close)
	int fd = open(path, flags | O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return error_set(err, -EINVAL, "%s: not a regular file", path);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int write_all(int fd, const char *bytes, size_t size)
{
	while (size) {
		ssize_t written = write(fd, bytes, size);

		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0) {
			bytes += written;
			size -= (size_t)written;
		}
	}
	return 0;
}

/* ---- the log ---- */

int trace_log_close(struct trace_session *session, struct error *err)
{
	int fd = TAKE_FD(session->log.fd);

	if (fd >= 0 && close(fd) < 0)
		return error_set(err, -errno, "%s: %s", session->log.path, strerror(errno));
	return 0;
}

static int write_begin(int fd, const struct trace_session *session)
{
	char when[64] = "", follows[512], escaped[sizeof(follows)], line[sizeof(when) + sizeof(escaped) + 32];
	time_t now = time(NULL);
	struct tm tm;
	int length;

	if (localtime_r(&now, &tm))
		strftime(when, sizeof(when), "%F %T %z", &tm);
	trace_filter_text(&session->filter, follows, sizeof(follows));
	escape_string(escape_form_of_terminal(), follows, escaped, sizeof(escaped));
	length = snprintf(line, sizeof(line), "==== dill %s: follows %s ====\n", when, escaped);
	return write_all(fd, line, (size_t)length);
}

int trace_log_open(struct trace_session *session, const char *directory, const char *path, struct error *err)
{
	CLEANUP(close) int fd = -1;
	char full[PATH_MAX];
	int status = full_path(directory, path, full, err);

	if (!status)
		status = open_file(full, O_APPEND, &fd, err);
	if (status)
		return status;
	status = write_begin(fd, session);
	if (status)
		return error_set(err, status, "%s: %s", full, strerror(-status));
	status = trace_log_close(session, err);
	session->log.fd = TAKE_FD(fd);
	session->log.lines = 0;
	memcpy(session->log.path, full, sizeof(full));
	return status;
}

static void log_line(struct trace_session *session, const char *line, size_t size)
{
	int status;

	if (session->log.fd < 0)
		return;
	status = write_all(session->log.fd, line, size);
	if (!status) {
		session->log.lines++;
		return;
	}
	/* No longer a log when this is said: it can't come back here. */
	trace_log_close(session, NULL);
	trace_output_remark(session, "log %s: %s: the log ends here, after %llu lines", session->log.path,
			    strerror(-status), (unsigned long long)session->log.lines);
}

/* ---- lines ---- */

void trace_output_remark(struct trace_session *session, const char *format, ...)
{
	char text[1024], line[sizeof(text) * 2];
	size_t length;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	length = escape_string(escape_form_of_terminal(), text, line, sizeof(line) - 1);
	if (length > sizeof(line) - 2)
		length = strlen(line);
	line[length++] = '\n';
	session->host.say(session->host.context, line, length);
	log_line(session, line, length);
}

static void show_line(struct trace_session *session, const struct heap_event *event)
{
	const char *line;
	size_t size;

	/* A view's error stays: begin with a new one. */
	if (heap_columns_show(session->shown.view, event) || heap_columns_show(session->plain.view, event)) {
		session->unshown++;
		trace_output_open(session, NULL);
		return;
	}
	line = trace_text_take(&session->shown, &size);
	session->host.say(session->host.context, line, size);
	line = trace_text_take(&session->plain, &size);
	log_line(session, line, size);
}

static const struct trace_watch *watch_on(const struct trace_session *session, const struct heap_event *event)
{
	uint64_t size = event->object_size_bytes ? event->object_size_bytes : 1;

	for (size_t i = 0; i < session->watch_count; i++)
		if (event->object && session->watches[i].object - event->object < size)
			return &session->watches[i];
	return NULL;
}

/* A followed process's event in a cache with a break. */
static bool is_break(const struct trace_session *session, const struct heap_event *event)
{
	const struct heap_filter *filter = &session->filter;

	if (filter->process_count && !heap_filter_names_task(filter, event->comm, event->tgid, event->pid))
		return false;
	for (size_t i = 0; i < session->break_count; i++)
		if (!strcmp(session->breaks[i], event->cache))
			return true;
	return false;
}

enum heap_verdict trace_output_event(void *context, const struct heap_event *event)
{
	struct trace_session *session = context;
	const struct trace_watch *watch = watch_on(session, event);
	bool has_break = is_break(session, event);
	bool is_stopping = has_break || (watch && watch->is_stopping);

	if (!watch && !has_break && !heap_filter_wants(&session->filter, event))
		return HEAP_EVENT_GO_ON;
	if (session->is_recording)
		heap_record_add(&session->record, event);
	if (session->is_shown || is_stopping)
		show_line(session, event);
	if (!is_stopping)
		return HEAP_EVENT_GO_ON;
	if (has_break)
		trace_output_remark(session, "dill: stopped: break %s", event->cache);
	else
		trace_output_remark(session, "dill: stopped: watch 0x%llx",
				    (unsigned long long)watch->object);
	return HEAP_EVENT_STOP;
}

/* ---- the record ---- */

static int write_record(const struct heap_record *record, FILE *file)
{
	struct view *view;
	int status = view_open(&(struct view_options){ .out = file, .is_json = true, .colour = COLOUR_NEVER },
			       &view);

	if (status)
		return status;
	for (size_t i = 0; i < record->count && !status; i++)
		status = heap_columns_show(view, heap_record_at(record, i));
	if (!status)
		status = heap_columns_show_sum(view, record->count, record->dropped);
	/* The first error of all, which view_close() returns, is the reason of any other. */
	return view_close(view) ?: status;
}

int trace_record_save(struct trace_session *session, const char *directory, const char *path,
		      struct error *err)
{
	CLEANUP(close) int fd = -1;
	CLEANUP(fclose) FILE *file = NULL;
	char full[PATH_MAX];
	int status = full_path(directory, path, full, err);

	if (!status)
		status = open_file(full, 0, &fd, err);
	if (status)
		return status;
	if (ftruncate(fd, 0) < 0 || !(file = fdopen(fd, "w")))
		return error_set(err, -errno, "%s: %s", full, strerror(errno));
	fd = -1;
	status = write_record(&session->record, file);
	if (fclose(TAKE_PTR(file)) && !status)
		status = -errno;
	return status ? error_set(err, status, "%s: %s: the file is incomplete", full, strerror(-status)) : 0;
}
