// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * `dill …` in gdb: words for the tracer (trace_words.h), which is put between gdb and its stub when the first
 * of them is said and stays there until gdb leaves its target. What was recorded and set outlives `dill stop`
 * so.
 */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "command.h"
#include "control.h"
#include "gdb_connection.h"
#include "interpose.h"
#include "plugin_private.h"
#include "trace_grammar.h"

#define TRACER_NAME "dill-tracer"
/* `dill run` may have to read a kernel's symbols and types over a slow connection. Ctrl-C ends it before. */
#define SILENCE_MS 300000

DEFINE_CLEANUP(answer, struct control_answer, control_answer_deinit(&v));

/* The tracer lies beside this library, wherever that is. */
static int tracer_path(char *path, size_t size, struct error *err)
{
	Dl_info info;
	const char *slash;
	int folder;

	if (!dladdr((void *)(uintptr_t)dill_gdb_trace, &info) || !info.dli_fname)
		return error_set(err, -ENOENT, "this library doesn't know where it is");
	slash = strrchr(info.dli_fname, '/');
	folder = slash ? (int)(slash - info.dli_fname) + 1 : 0;
	if (snprintf(path, size, "%.*s" TRACER_NAME, folder, info.dli_fname) >= (int)size)
		return error_set(err, -ENAMETOOLONG, "the library's path is too long");
	if (access(path, X_OK))
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	return 0;
}

static int start_tracer(struct dill_gdb *session)
{
	struct gdb_connection connection;
	struct error *err = &session->error;
	char path[PATH_MAX];
	int status;

	if (!session->host.connection)
		return error_set(err, -ENOTCONN, "gdb is not connected to a stub: `target remote` first");
	status = tracer_path(path, sizeof(path), err);
	if (!status)
		status = gdb_connection_find(session->host.connection, &connection, err);
	if (!status)
		status = interpose_start(connection.fd, connection.peer, path, &session->interpose, err);
	if (!status)
		session->asker = (struct control_asker){ .fd = interpose_control_fd(session->interpose) };
	return status;
}

void session_stop_tracer(struct dill_gdb *session)
{
	interpose_stop(session->interpose, NULL);
	session->interpose = NULL;
}

/* A tracer that has ended took gdb's connection with it. */
static int check_tracer(struct dill_gdb *session)
{
	int status = session->interpose ? interpose_check(session->interpose, &session->error) : 0;

	if (status)
		session_stop_tracer(session);
	return status;
}

static int show(struct dill_gdb *session, const struct control_answer *answer)
{
	CLEANUP(fclose) FILE *out = session_sink(session, false);
	CLEANUP(fclose) FILE *errors = session_sink(session, true);

	if (!out || !errors)
		return error_set(&session->error, EXIT_INCOMPLETE, "out of memory");
	fwrite(answer->text, 1, answer->size, out);
	fflush(out);
	if (answer->complaint && *answer->complaint)
		fprintf(errors, "dill: %s\n", answer->complaint);
	return answer->exit_code;
}

static int ask_tracer(struct dill_gdb *session, const char *const *words, size_t count,
		      const struct dill_gdb_style *style)
{
	CLEANUP(answer) struct control_answer answer = { 0 };
	CLEANUP(free) char *directory = getcwd(NULL, 0);
	const struct control_request request = {
		.words = words,
		.word_count = count,
		.directory = directory,
		.is_coloured = style->is_coloured,
		.columns = style->columns > 0 ? (unsigned)style->columns : 0,
	};
	int status = control_ask(&session->asker, &request, session->host.is_interrupted, SILENCE_MS, &answer,
				 &session->error);

	if (status == -EINTR)
		session->is_interrupted = true;
	if (status == -EPIPE || status == -EPROTO)
		check_tracer(session);
	return status ? status : show(session, &answer);
}

static int show_help(struct dill_gdb *session)
{
	CLEANUP(fclose) FILE *out = session_sink(session, false);

	if (!out)
		return error_set(&session->error, EXIT_INCOMPLETE, "out of memory");
	fputs(trace_grammar_help(), out);
	return EXIT_CLEAN;
}

static int say_words(struct dill_gdb *session, const char *const *words, const struct dill_gdb_style *style)
{
	struct trace_sentence sentence;
	size_t count = 0;
	int status;

	while (words[count])
		count++;
	status = trace_grammar_parse(words, count, &sentence, &session->error);
	if (!status && sentence.word == TRACE_HELP)
		return show_help(session);
	if (!status)
		status = check_tracer(session);
	if (!status && !session->interpose)
		status = start_tracer(session);
	return status ? status : ask_tracer(session, words, count, style);
}

int dill_gdb_trace(struct dill_gdb *session, const char *const *words, const struct dill_gdb_style *style)
{
	int status;

	session_begin(session);
	status = say_words(session, words, style);
	return session_end(session, status);
}
