// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* One table of sentences: parsing and completion walk it, so they can't disagree. */
#include "trace_grammar.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "options.h"

enum {
	PARTS_MAX = 4,
	NEXT_MAX = 32,
	SURE_LENGTH = 5, /* shorter words are like too many names of programs: top, ln, patch … */
};

#define ANY "*" /* an argument */

/* A sentence: words, then at most one kind of argument. Of two that match, the first counts. */
struct pattern {
	const char *parts[PARTS_MAX + 1];
	enum trace_word word;
	enum trace_argument argument;
	bool is_repeated; /* the last part */
	bool is_optional; /* the last part */
};

static const struct pattern patterns[] = {
	{ { "run" }, TRACE_RUN, 0, 0, 0 },
	{ { "run", "auto" }, TRACE_RUN, 0, 0, 0 },
	{ { "run", "data" }, TRACE_RUN_BY_DATA, 0, 0, 0 },
	{ { "run", "code" }, TRACE_RUN_BY_CODE, 0, 0, 0 },
	{ { "stop" }, TRACE_STOP, 0, 0, 0 },
	{ { "on" }, TRACE_ON, 0, 0, 0 },
	{ { "off" }, TRACE_OFF, 0, 0, 0 },
	{ { "status" }, TRACE_STATUS, 0, 0, 0 },
	{ { "filter", "add", "process", ANY }, TRACE_FILTER_ADD_PROCESS, TRACE_ARGUMENT_PROCESS, true, 0 },
	{ { "filter", "add", "cache", ANY }, TRACE_FILTER_ADD_CACHE, TRACE_ARGUMENT_CACHE, true, 0 },
	{ { "filter", "remove", "process", ANY },
	  TRACE_FILTER_REMOVE_PROCESS,
	  TRACE_ARGUMENT_PROCESS,
	  true,
	  0 },
	{ { "filter", "remove", "cache", ANY }, TRACE_FILTER_REMOVE_CACHE, TRACE_ARGUMENT_CACHE, true, 0 },
	{ { "filter", "show" }, TRACE_FILTER_SHOW, 0, 0, 0 },
	{ { "filter", "set", "and" }, TRACE_FILTER_AND, 0, 0, 0 },
	{ { "filter", "set", "or" }, TRACE_FILTER_OR, 0, 0, 0 },
	{ { "filter", "clear" }, TRACE_FILTER_CLEAR, 0, 0, 0 },
	{ { "record", "on" }, TRACE_RECORD_ON, 0, 0, 0 },
	{ { "record", "off" }, TRACE_RECORD_OFF, 0, 0, 0 },
	{ { "record", "show", ANY }, TRACE_RECORD_SHOW, TRACE_ARGUMENT_NUMBER, 0, true },
	{ { "record", "clear" }, TRACE_RECORD_CLEAR, 0, 0, 0 },
	{ { "record", "save", ANY }, TRACE_RECORD_SAVE, TRACE_ARGUMENT_FILE, 0, 0 },
	{ { "log", "off" }, TRACE_LOG_OFF, 0, 0, 0 },
	{ { "log", ANY }, TRACE_LOG, TRACE_ARGUMENT_FILE, 0, 0 },
	{ { "watch", ANY, "stop" }, TRACE_WATCH_STOP, TRACE_ARGUMENT_ADDRESS, 0, 0 },
	{ { "watch", ANY }, TRACE_WATCH, TRACE_ARGUMENT_ADDRESS, 0, 0 },
	{ { "unwatch", ANY }, TRACE_UNWATCH, TRACE_ARGUMENT_ADDRESS, 0, 0 },
	{ { "break", ANY }, TRACE_BREAK, TRACE_ARGUMENT_CACHE, 0, 0 },
	{ { "unbreak", ANY }, TRACE_UNBREAK, TRACE_ARGUMENT_CACHE, 0, 0 },
	{ { "help" }, TRACE_HELP, 0, 0, 0 },
};
enum { PATTERN_COUNT = sizeof(patterns) / sizeof(patterns[0]) };

static const char *const argument_names[] = {
	[TRACE_ARGUMENT_NONE] = "a word",
	[TRACE_ARGUMENT_PROCESS] = "names or pids of processes",
	[TRACE_ARGUMENT_CACHE] = "the name of a cache",
	[TRACE_ARGUMENT_ADDRESS] = "the address of an object",
	[TRACE_ARGUMENT_FILE] = "a file",
	[TRACE_ARGUMENT_NUMBER] = "a number",
};

static size_t part_count(const struct pattern *pattern)
{
	size_t count = 0;

	while (pattern->parts[count])
		count++;
	return count;
}

/* How many of @words the pattern goes along with: all that there are, or up to its end. */
static size_t agreement(const struct pattern *pattern, const char *const *words, size_t count)
{
	size_t parts = part_count(pattern), at = 0;

	while (at < count && at < parts &&
	       (!strcmp(pattern->parts[at], ANY) || !strcmp(pattern->parts[at], words[at])))
		at++;
	return at == parts && pattern->is_repeated ? count : at;
}

static bool is_match(const struct pattern *pattern, const char *const *words, size_t count)
{
	size_t parts = part_count(pattern);

	return agreement(pattern, words, count) == count &&
	       (count >= parts || (pattern->is_optional && count == parts - 1));
}

/* What may follow @words: names without doubles, NULL-terminated, and the kind of argument. */
static size_t find_next(const char *const *words, size_t count, const char *ret_names[NEXT_MAX + 1],
			enum trace_argument *ret_argument)
{
	size_t found = 0;

	*ret_argument = TRACE_ARGUMENT_NONE;
	for (size_t i = 0; i < PATTERN_COUNT; i++) {
		const struct pattern *pattern = &patterns[i];
		size_t parts = part_count(pattern), seen = 0;
		size_t at = count >= parts && pattern->is_repeated ? parts - 1 : count;

		if (at >= parts || agreement(pattern, words, count) < count)
			continue;
		if (!strcmp(pattern->parts[at], ANY)) {
			*ret_argument = pattern->argument;
			continue;
		}
		while (seen < found && strcmp(ret_names[seen], pattern->parts[at]) != 0)
			seen++;
		if (seen == found && found < NEXT_MAX)
			ret_names[found++] = pattern->parts[at];
	}
	ret_names[found] = NULL;
	return found;
}

static bool is_first_word(const char *word)
{
	for (size_t i = 0; i < PATTERN_COUNT; i++)
		if (!strcmp(patterns[i].parts[0], word))
			return true;
	return false;
}

static int parse_processes(const char *const *words, size_t count, struct trace_sentence *ret_sentence,
			   struct error *err)
{
	const char *names[NEXT_MAX + 1];
	enum trace_argument argument;
	const char *near;

	if (words[0][0] == '-')
		return error_set(err, -EINVAL, "'%s': there are no options; help dill tells of all words",
				 words[0]);
	find_next(NULL, 0, names, &argument);
	near = nearest_name(words[0], names);
	if (near && strlen(words[0]) >= SURE_LENGTH)
		return error_set(
			err, -EINVAL,
			"'%s': did you mean '%s'? (a process that is called so: dill filter add process %s)",
			words[0], near, words[0]);
	for (size_t i = 0; i < count; i++)
		if (is_first_word(words[i]))
			return error_set(err, -EINVAL,
					 "'%s' can't follow a process (a process that is called so: "
					 "dill filter add process %s)",
					 words[i], words[i]);
	*ret_sentence = (struct trace_sentence){ TRACE_FOLLOW, words, count, near };
	return 0;
}

static void join(const char *const *words, size_t count, char *to, size_t size)
{
	size_t at = 0;

	*to = '\0';
	for (size_t i = 0; i < count && at < size; i++)
		at += snprintf(to + at, size - at, "%s%s", i ? " " : "", words[i]);
}

/* The sentence begins well; say what is wrong where it ends. */
static int explain(const char *const *words, size_t count, struct error *err)
{
	const char *names[NEXT_MAX + 1];
	enum trace_argument argument;
	size_t agreed = 0, next;
	char begin[64], choices[128] = "";
	const char *near;

	for (size_t i = 0; i < PATTERN_COUNT; i++) {
		size_t here = agreement(&patterns[i], words, count);

		agreed = here > agreed ? here : agreed;
	}
	join(words, agreed, begin, sizeof(begin));
	next = find_next(words, agreed, names, &argument);
	for (size_t i = 0, at = 0; i < next && at < sizeof(choices); i++)
		at += snprintf(choices + at, sizeof(choices) - at, "%s%s", i ? ", " : "", names[i]);
	near = agreed < count ? nearest_name(words[agreed], names) : NULL;
	if (agreed == count && !next)
		return error_set(err, -EINVAL, "dill %s wants %s", begin, argument_names[argument]);
	if (agreed == count)
		return error_set(err, -EINVAL, "dill %s wants one of: %s%s%s", begin, choices,
				 argument ? ", or " : "", argument ? argument_names[argument] : "");
	if (near)
		return error_set(err, -EINVAL, "dill %s: '%s': did you mean '%s'?", begin, words[agreed],
				 near);
	if (next)
		return error_set(err, -EINVAL, "dill %s: '%s' is none of: %s", begin, words[agreed], choices);
	return error_set(err, -EINVAL, "dill %s takes nothing more: '%s'", begin, words[agreed]);
}

int trace_grammar_parse(const char *const *words, size_t count, struct trace_sentence *ret_sentence,
			struct error *err)
{
	if (!count) {
		*ret_sentence = (struct trace_sentence){ .word = TRACE_HELP };
		return 0;
	}
	if (!is_first_word(words[0]))
		return parse_processes(words, count, ret_sentence, err);
	for (size_t i = 0; i < PATTERN_COUNT; i++) {
		const struct pattern *pattern = &patterns[i];
		size_t fixed = 0;

		if (!is_match(pattern, words, count))
			continue;
		while (pattern->parts[fixed] && strcmp(pattern->parts[fixed], ANY) != 0)
			fixed++;
		*ret_sentence = (struct trace_sentence){ .word = pattern->word, .arguments = words + fixed };
		if (count > fixed)
			ret_sentence->argument_count = pattern->is_repeated ? count - fixed : 1;
		return 0;
	}
	return explain(words, count, err);
}

char *trace_grammar_complete(const char *const *words, size_t count, const char *prefix,
			     enum trace_argument *ret_argument)
{
	const char *names[NEXT_MAX + 1];
	enum trace_argument argument;
	size_t size = 1, at = 0;
	char *text;

	*ret_argument = TRACE_ARGUMENT_NONE;
	find_next(words, count, names, &argument);
	if (!count || !is_first_word(words[0]))
		argument = TRACE_ARGUMENT_PROCESS;
	for (size_t i = 0; names[i]; i++)
		size += strlen(names[i]) + 1;
	text = calloc(1, size);
	if (!text)
		return NULL;
	for (size_t i = 0; names[i]; i++)
		if (!strncmp(names[i], prefix, strlen(prefix)))
			at += snprintf(text + at, size - at, "%s\n", names[i]);
	*ret_argument = argument;
	return text;
}

const char *trace_grammar_help(void)
{
	return "dill PROCESS|PID...        follow these processes\n"
	       "dill run [auto|data|code]  set traps on the kernel's heap calls; continue shows them\n"
	       "dill stop                  take all traps away\n"
	       "dill on, dill off          show events, or not\n"
	       "dill status                what is followed, how, how fast, and what was missed\n"
	       "dill filter add|remove process|cache NAME...\n"
	       "dill filter show|clear, dill filter set and|or\n"
	       "dill record on|off|show [N]|clear|save FILE\n"
	       "dill log FILE|off          append each shown line to a file\n"
	       "dill watch ADDR [stop]     who frees or allocates this object; unwatch ADDR\n"
	       "dill break CACHE           stop when a followed process allocates or frees there; unbreak "
	       "CACHE\n"
	       "\n"
	       "The trace follows allocations and releases of slab objects by the processes that are named, "
	       "or by all\n"
	       "while none is. Each is a line while the target runs. Words may come before or after run, and "
	       "while\n"
	       "the target runs. A process that is called like one of the words: dill filter add process "
	       "run.\n"
	       "The man page dill-gdb(1) says more.\n";
}
