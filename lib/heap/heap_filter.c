// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Names in fixed tables, and the judgement over them. */
#include "heap_filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A pid is what strtol() would take whole: "123". "0" is the idle tasks' pid, which they share: by name only.
 */
static int32_t pid_of(const char *word)
{
	char *end;
	long pid;

	if (word[strspn(word, "0123456789")] || strlen(word) > 10)
		return 0;
	pid = strtol(word, &end, 10);
	return *end || pid > INT32_MAX ? 0 : (int32_t)pid;
}

static int process_parse(const char *word, struct heap_filter_process *ret_process, struct error *err)
{
	struct heap_filter_process process = { .pid = pid_of(word) };

	if (!*word)
		return error_set(err, -EINVAL, "an empty name names no process");
	if (!process.pid && strlen(word) > HEAP_COMM_MAX)
		return error_set(err, -EINVAL, "the kernel keeps %d bytes of a process's name: '%.*s'",
				 HEAP_COMM_MAX, HEAP_COMM_MAX, word);
	if (!process.pid)
		memcpy(process.comm, word, strlen(word) + 1);
	*ret_process = process;
	return 0;
}

static size_t process_find(const struct heap_filter *filter, const struct heap_filter_process *process)
{
	size_t i = 0;

	while (i < filter->process_count && (filter->processes[i].pid != process->pid ||
					     strcmp(filter->processes[i].comm, process->comm) != 0))
		i++;
	return i;
}

static size_t cache_find(const struct heap_filter *filter, const char *name)
{
	size_t i = 0;

	while (i < filter->cache_count && strcmp(filter->caches[i], name) != 0)
		i++;
	return i;
}

int heap_filter_add_process(struct heap_filter *filter, const char *word, struct error *err)
{
	struct heap_filter_process process;
	int status = process_parse(word, &process, err);

	if (status || process_find(filter, &process) < filter->process_count)
		return status;
	if (filter->process_count == HEAP_FILTER_MAX)
		return error_set(err, -ENOSPC, "a filter takes %d processes", HEAP_FILTER_MAX);
	filter->processes[filter->process_count++] = process;
	filter->changes++;
	return 0;
}

int heap_filter_add_cache(struct heap_filter *filter, const char *name, struct error *err)
{
	size_t length = strlen(name);

	if (!length || length > HEAP_CACHE_MAX)
		return error_set(err, -EINVAL, "a cache's name has 1 to %d bytes", HEAP_CACHE_MAX);
	if (cache_find(filter, name) < filter->cache_count)
		return 0;
	if (filter->cache_count == HEAP_FILTER_MAX)
		return error_set(err, -ENOSPC, "a filter takes %d caches", HEAP_FILTER_MAX);
	memcpy(filter->caches[filter->cache_count++], name, length + 1);
	filter->changes++;
	return 0;
}

int heap_filter_remove_process(struct heap_filter *filter, const char *word, struct error *err)
{
	struct heap_filter_process process;
	int status = process_parse(word, &process, err);
	size_t at;

	if (status)
		return status;
	at = process_find(filter, &process);
	if (at == filter->process_count)
		return error_set(err, -ENOENT, "the filter has no process '%s'", word);
	filter->process_count--;
	memmove(&filter->processes[at], &filter->processes[at + 1],
		(filter->process_count - at) * sizeof(filter->processes[0]));
	filter->changes++;
	return 0;
}

int heap_filter_remove_cache(struct heap_filter *filter, const char *name, struct error *err)
{
	size_t at = cache_find(filter, name);

	if (at == filter->cache_count)
		return error_set(err, -ENOENT, "the filter has no cache '%s'", name);
	filter->cache_count--;
	memmove(filter->caches[at], filter->caches[at + 1],
		(filter->cache_count - at) * sizeof(filter->caches[0]));
	filter->changes++;
	return 0;
}

void heap_filter_clear_processes(struct heap_filter *filter)
{
	filter->process_count = 0;
	filter->changes++;
}

void heap_filter_clear(struct heap_filter *filter)
{
	filter->process_count = 0;
	filter->cache_count = 0;
	filter->changes++;
}

void heap_filter_relate(struct heap_filter *filter, enum heap_filter_relation relation)
{
	filter->relation = relation;
	filter->changes++;
}

bool heap_filter_names_task(const struct heap_filter *filter, const char *comm, int32_t tgid, int32_t pid)
{
	for (size_t i = 0; i < filter->process_count; i++) {
		const struct heap_filter_process *process = &filter->processes[i];

		if (process->pid ? process->pid == tgid || process->pid == pid :
				   !strncmp(process->comm, comm, HEAP_COMM_MAX))
			return true;
	}
	return false;
}

bool heap_filter_wants_any_task(const struct heap_filter *filter)
{
	if (filter->relation == HEAP_FILTER_OR)
		return filter->cache_count || !filter->process_count;
	return !filter->process_count;
}

bool heap_filter_may_want_task(const struct heap_filter *filter, const char *comm, int32_t tgid, int32_t pid)
{
	return heap_filter_wants_any_task(filter) || heap_filter_names_task(filter, comm, tgid, pid);
}

bool heap_filter_wants(const struct heap_filter *filter, const struct heap_event *event)
{
	bool has_task = heap_filter_names_task(filter, event->comm, event->tgid, event->pid);
	bool has_cache = cache_find(filter, event->cache) < filter->cache_count;

	if (!filter->process_count && !filter->cache_count)
		return true;
	if (filter->relation == HEAP_FILTER_OR)
		return has_task || has_cache;
	return (has_task || !filter->process_count) && (has_cache || !filter->cache_count);
}
