// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Commands in gdb's process, by cmd/call.h. Nothing here ends the process, changes its limits or signals, or
 * writes to its standard output. Values and completion: plugin_values.c, plugin_complete.c.
 */
#include "plugin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "command.h"
#include "escape.h"
#include "plugin_private.h"
#include "trace_grammar.h"

#define WORDS_MAX 1024

uint32_t dill_gdb_interface(void)
{
	return DILL_GDB_INTERFACE;
}

struct dill_gdb *dill_gdb_create(const struct dill_gdb_host *host)
{
	struct dill_gdb *session = calloc(1, sizeof(*session));

	if (!session)
		return NULL;
	session->host = *host;
	session->host.connection = host->connection ? strdup(host->connection) : NULL;
	if (host->connection && !session->host.connection) {
		free(session);
		return NULL;
	}
	session->is_direct = true;
	session_init_link(session);
	return session;
}

void dill_gdb_destroy(struct dill_gdb *session)
{
	if (!session)
		return;
	session_remove_symbols(session);
	session_close_kernel(session);
	session_stop_tracer(session);
	target_guard_end(&session->guard);
	free((char *)session->host.connection);
	free(session);
}

void dill_gdb_forget(struct dill_gdb *session, int is_other)
{
	if (is_other)
		session_close_kernel(session);
	session->is_stale = true;
}

const char *dill_gdb_error(const struct dill_gdb *session)
{
	struct dill_gdb *writable = (struct dill_gdb *)session;

	escape_string(escape_form_of_terminal(), session->error.text, writable->message,
		      sizeof(writable->message));
	return session->message;
}

static int run_words(struct dill_gdb *session, char **words, int count, const struct dill_gdb_style *style)
{
	CLEANUP(fclose) FILE *out = session_sink(session, false);
	CLEANUP(fclose) FILE *errors = session_sink(session, true);
	const struct caller caller = {
		.out = out,
		.errors = errors,
		.colour = style->is_coloured ? COLOUR_ALWAYS : COLOUR_NEVER,
		.terminal_columns = style->columns > 0 ? (unsigned)style->columns : 0,
		.open = session_open_kernel,
		.context = session,
	};

	if (!out || !errors)
		return error_set(&session->error, EXIT_INCOMPLETE, "out of memory");
	return call_words(&caller, count, words);
}

int dill_gdb_run(struct dill_gdb *session, const char *const *words, const struct dill_gdb_style *style)
{
	CLEANUP(free) char **copy = NULL;
	size_t count = 0;
	int code;

	session_begin(session);
	while (words[count] && count < WORDS_MAX)
		count++;
	copy = calloc(count + 1, sizeof(*copy));
	if (!copy)
		return error_set(&session->error, EXIT_INCOMPLETE, "out of memory");
	/* Parsing options moves words about, but writes into none. */
	memcpy(copy, words, count * sizeof(*copy));
	session->is_direct = style->is_direct;
	code = run_words(session, copy, (int)count, style);
	return session_end(session, code);
}

char *dill_gdb_help(const char *name)
{
	const struct command *command = command_find(name);
	const struct caller caller = { .open = session_open_kernel };
	char *text = NULL;
	size_t size;
	FILE *out;

	if (!strcmp(name, "dill"))
		return strdup(trace_grammar_help());
	if (!command || !command->inspector)
		return NULL;
	out = open_memstream(&text, &size);
	if (!out)
		return NULL;
	call_write_help(&caller, command, out);
	if (!fclose(out))
		return text;
	free(text);
	return NULL;
}

void dill_gdb_free(char *text)
{
	free(text);
}
