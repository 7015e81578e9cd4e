/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Which words there are after `dill` in gdb, and what may follow them: for trace_words.h, for the help and for
 * completion in gdb. Does nothing with them, and needs nothing but its table.
 */
#ifndef DILL_GDB_TRACE_GRAMMAR_H
#define DILL_GDB_TRACE_GRAMMAR_H

#include <stddef.h>

/* What may stand at a place besides words of the grammar. */
enum trace_argument {
	TRACE_ARGUMENT_NONE,
	TRACE_ARGUMENT_PROCESS, /* name or pid */
	TRACE_ARGUMENT_CACHE,
	TRACE_ARGUMENT_ADDRESS,
	TRACE_ARGUMENT_FILE,
	TRACE_ARGUMENT_NUMBER,
};

/*
 * Words that begin with @prefix and may follow the @count @words (without "dill"): a line each, to be freed;
 * "" when there are none, NULL when memory is short. @ret_argument: what else may stand there.
 */
char *trace_grammar_complete(const char *const *words, size_t count, const char *prefix,
			     enum trace_argument *ret_argument);

/* Usage of all words, a line each, and a paragraph on them: for gdb's `help dill`. */
const char *trace_grammar_help(void);

#endif
