// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* What a word that the user has begun may become, out of gdb's target. Text for gdb, which sorts it. */
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "command.h"
#include "kernel_types.h"
#include "plugin_private.h"
#include "slab_heap.h"
#include "task.h"
#include "trace_grammar.h"
#include "type_search.h"

#define LINES_MAX 200
#define TRACE_WORDS_MAX 32
/* Nameless members within nameless members. */
#define NESTING_MAX 8
#define NAME_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

struct completion {
	struct dill_gdb *session;
	const char *of, *prefix;
	FILE *text;
	unsigned lines;
};

/* @lead and @word, if that is what was begun. */
static void offer(struct completion *completion, const char *lead, const char *word)
{
	size_t length = strlen(lead);
	const char *prefix = completion->prefix;

	if (completion->lines == LINES_MAX || strncmp(prefix, lead, length) != 0 ||
	    strncmp(word, prefix + length, strlen(prefix + length)) != 0)
		return;
	fprintf(completion->text, "%s%s\n", lead, word);
	completion->lines++;
}

static int complete_command(struct completion *completion)
{
	for (size_t i = 0; commands[i]; i++)
		if (commands[i]->inspector)
			offer(completion, "", commands[i]->name);
	return 0;
}

static int complete_option(struct completion *completion)
{
	const struct command *command = command_find(completion->of);
	const char *name;

	for (size_t i = 0; command && (name = call_option_name(command, i)); i++)
		offer(completion, "--", name);
	return 0;
}

static int open_kernel(struct completion *completion, struct kernel **ret_kernel)
{
	return completion->session ? session_kernel(completion->session, ret_kernel) : -ENOTCONN;
}

static int complete_cache(struct completion *completion)
{
	CLEANUP(slab_heap) struct slab_heap *heap = NULL;
	struct kernel *kernel;
	int status = open_kernel(completion, &kernel);

	if (!status)
		status = slab_heap_open(kernel, &heap, NULL);
	for (size_t i = 0; !status && i < heap->cache_count; i++)
		offer(completion, "", heap->caches[i].name);
	return status;
}

static int by_text(const void *one, const void *other)
{
	return strcmp(*(char *const *)one, *(char *const *)other);
}

/* Names and numbers; several tasks of one name are one. */
static int complete_task(struct completion *completion)
{
	CLEANUP(free) const char **names = NULL;
	struct tasks tasks;
	struct kernel *kernel;
	int status = open_kernel(completion, &kernel);

	if (!status)
		status = tasks_read(kernel, TASKS_BRIEF, &tasks, NULL);
	if (status)
		return status;
	names = calloc(tasks.count + 1, sizeof(*names));
	for (size_t i = 0; names && i < tasks.count; i++) {
		char pid[16];

		names[i] = tasks.list[i].comm;
		snprintf(pid, sizeof(pid), "%d", tasks.list[i].pid);
		if (*completion->prefix)
			offer(completion, "", pid);
	}
	if (names)
		qsort(names, tasks.count, sizeof(*names), by_text);
	for (size_t i = 0; names && i < tasks.count; i++)
		if (*names[i] && (i == 0 || strcmp(names[i], names[i - 1]) != 0))
			offer(completion, "", names[i]);
	tasks_deinit(&tasks);
	return 0;
}

static int open_types(struct completion *completion, struct kernel_types **ret_types)
{
	struct kernel *kernel;
	int status = open_kernel(completion, &kernel);

	if (status)
		return status;
	*ret_types = kernel->types;
	return kernel->types ? 0 : -ENOENT;
}

static int complete_type(struct completion *completion)
{
	struct type_matches matches = { 0 };
	struct kernel_types *types;
	const char *prefix = completion->prefix;
	char pattern[256];
	int status = open_types(completion, &types);

	/* Nothing begun would be ten thousand. */
	if (status || !*prefix || prefix[strspn(prefix, NAME_CHARACTERS)])
		return status;
	snprintf(pattern, sizeof(pattern), "^%s", prefix);
	status = type_search(types, &(struct type_filter){ .pattern = pattern }, &matches, NULL);
	if (status)
		return status;
	for (size_t i = 0; i < matches.count; i++)
		if (i == 0 || strcmp(matches.list[i].name, matches.list[i - 1].name) != 0)
			offer(completion, "", matches.list[i].name);
	type_matches_deinit(&matches);
	return 0;
}

/* Through typedefs, qualifiers and arrays to what has members; 0: nothing has. */
static uint32_t resolve(const struct btf *btf, uint32_t id)
{
	for (int i = 0; i < 64; i++) {
		const struct btf_type *type = btf__type_by_id(btf, id);

		if (!type)
			return 0;
		if (btf_is_composite(type))
			return id;
		if (btf_is_array(type))
			id = btf_array(type)->type;
		else if (btf_is_typedef(type) || btf_is_mod(type) || btf_is_type_tag(type))
			id = type->type;
		else
			return 0;
	}
	return 0;
}

static void offer_members(struct completion *completion, const struct btf *btf, uint32_t id, const char *lead,
			  unsigned nesting)
{
	const struct btf_type *type = btf__type_by_id(btf, id);
	const struct btf_member *members = type ? btf_members(type) : NULL;

	for (unsigned i = 0; type && i < btf_vlen(type); i++) {
		const char *name = btf__name_by_offset(btf, members[i].name_off);
		uint32_t inner;

		if (name && *name) {
			offer(completion, lead, name);
			continue;
		}
		inner = resolve(btf, members[i].type);
		if (inner && nesting < NESTING_MAX)
			offer_members(completion, btf, inner, lead, nesting + 1);
	}
}

/* "mm.pgd" is a path: what stands before the last dot leads to the type whose members are offered. */
static int complete_member(struct completion *completion)
{
	const char *dot = strrchr(completion->prefix, '.');
	struct kernel_types *types;
	struct kernel_member member;
	char path[256], lead[256];
	uint32_t id;
	int status = open_types(completion, &types);

	if (!status)
		status = kernel_type_find(types, completion->of, &id);
	if (status)
		return status;
	snprintf(lead, sizeof(lead), "%.*s", dot ? (int)(dot - completion->prefix) + 1 : 0,
		 completion->prefix);
	if (dot) {
		snprintf(path, sizeof(path), "%.*s", (int)(dot - completion->prefix), completion->prefix);
		status = kernel_member_find(types, id, path, &member, NULL);
		if (status)
			return status;
		id = member.type_id;
	}
	id = resolve(kernel_types_btf(types), id);
	if (id)
		offer_members(completion, kernel_types_btf(types), id, lead, 0);
	return 0;
}

/* After `dill` and the words @of. What the kernel would have to tell is left out while it can't be asked. */
static int complete_trace(struct completion *completion)
{
	const char *words[TRACE_WORDS_MAX];
	CLEANUP(free) char *copy = strdup(completion->of);
	CLEANUP(free) char *next = NULL;
	enum trace_argument argument;
	size_t count = 0;
	char *rest;

	for (char *word = copy ? strtok_r(copy, " ", &rest) : NULL; word && count < TRACE_WORDS_MAX;
	     word = strtok_r(NULL, " ", &rest))
		words[count++] = word;
	next = trace_grammar_complete(words, count, completion->prefix, &argument);
	for (char *line = next ? strtok_r(next, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest))
		offer(completion, "", line);
	if (argument == TRACE_ARGUMENT_PROCESS)
		complete_task(completion);
	else if (argument == TRACE_ARGUMENT_CACHE)
		complete_cache(completion);
	return next ? 0 : -ENOMEM;
}

static const struct {
	const char *kind;
	int (*complete)(struct completion *completion);
} kinds[] = {
	{ "command", complete_command }, { "option", complete_option }, { "cache", complete_cache },
	{ "task", complete_task },       { "type", complete_type },     { "member", complete_member },
	{ "trace", complete_trace },
};

char *dill_gdb_complete(struct dill_gdb *session, const char *kind, const char *of, const char *prefix)
{
	struct completion completion = { .session = session, .of = of ? of : "", .prefix = prefix };
	char *text = NULL;
	size_t size;
	int status = -ENOENT;

	if (session)
		session_begin(session);
	completion.text = open_memstream(&text, &size);
	if (!completion.text)
		return NULL;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].kind, kind) == 0)
			status = kinds[i].complete(&completion);
	if (fclose(completion.text))
		status = -ENOMEM;
	if (session)
		status = session_end(session, status);
	if (!status && *text)
		return text;
	free(text);
	return NULL;
}
