/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Which words there are after `dill` in gdb, and what may follow them: for trace_words.h, for the help and
 * for completion in gdb. Does nothing with them, and needs nothing but its table.
 */
#ifndef DILL_GDB_TRACE_GRAMMAR_H
#define DILL_GDB_TRACE_GRAMMAR_H

#include <stddef.h>

#include "error.h"

enum trace_word {
	TRACE_HELP,   /* no word at all, or "help" */
	TRACE_FOLLOW, /* processes */
	TRACE_RUN,
	TRACE_RUN_BY_DATA,
	TRACE_RUN_BY_CODE,
	TRACE_STOP,
	TRACE_ON,
	TRACE_OFF,
	TRACE_STATUS,
	TRACE_FILTER_ADD_PROCESS,
	TRACE_FILTER_ADD_CACHE,
	TRACE_FILTER_REMOVE_PROCESS,
	TRACE_FILTER_REMOVE_CACHE,
	TRACE_FILTER_SHOW,
	TRACE_FILTER_AND,
	TRACE_FILTER_OR,
	TRACE_FILTER_CLEAR,
	TRACE_RECORD_ON,
	TRACE_RECORD_OFF,
	TRACE_RECORD_SHOW,
	TRACE_RECORD_CLEAR,
	TRACE_RECORD_SAVE,
	TRACE_LOG_OFF,
	TRACE_LOG,
	TRACE_WATCH_STOP,
	TRACE_WATCH,
	TRACE_UNWATCH,
	TRACE_BREAK,
	TRACE_UNBREAK,
};

/* What may stand at a place besides words of the grammar. */
enum trace_argument {
	TRACE_ARGUMENT_NONE,
	TRACE_ARGUMENT_PROCESS, /* name or pid */
	TRACE_ARGUMENT_CACHE,
	TRACE_ARGUMENT_ADDRESS,
	TRACE_ARGUMENT_FILE,
	TRACE_ARGUMENT_NUMBER,
};

struct trace_sentence {
	enum trace_word word;
	const char *const *arguments; /* into the words: processes, caches, the address … */
	size_t argument_count;        /* as many as @word takes */
	const char *near;             /* of TRACE_FOLLOW: a word that may have been meant instead, or NULL */
};

/*
 * What the @count @words say. -EINVAL: nothing that dill knows; the message helps. A first word that is none
 * of the grammar's is a process, unless it is so like one of them that it is probably mistyped.
 */
int trace_grammar_parse(const char *const *words, size_t count, struct trace_sentence *ret_sentence,
			struct error *err);

/*
 * Words that begin with @prefix and may follow the @count @words (without "dill"): a line each, to be freed;
 * "" when there are none, NULL when memory is short. @ret_argument: what else may stand there.
 */
char *trace_grammar_complete(const char *const *words, size_t count, const char *prefix,
			     enum trace_argument *ret_argument);

/* Usage of all words, a line each, and a paragraph on them: for gdb's `help dill`. */
const char *trace_grammar_help(void);

#endif
