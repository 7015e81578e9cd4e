// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Single values out of gdb's target, for $kbase(), $ktask() and the like. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "plugin_private.h"
#include "slab_heap.h"
#include "task.h"

int dill_gdb_base(struct dill_gdb *session, uint64_t *ret_address)
{
	struct kernel *kernel;
	int status;

	session_begin(session);
	status = session_kernel(session, &kernel);
	if (!status)
		*ret_address = kernel->layout.base.value;
	return session_end(session, status);
}

static bool is_pid(const char *word)
{
	return *word && word[strspn(word, "0123456789")] == '\0' && strlen(word) <= 7;
}

static int find_task(struct dill_gdb *session, struct kernel *kernel, const char *word, uint64_t *ret_address)
{
	struct tasks tasks;
	const struct task *found = NULL;
	int status = tasks_read(kernel, TASKS_THREADS | TASKS_BRIEF, &tasks, &session->error);

	if (status)
		return status;
	if (is_pid(word))
		found = tasks_by_pid(&tasks, (int32_t)strtol(word, NULL, 10));
	for (size_t i = 0; i < tasks.count && !found; i++)
		if (task_is_called(&tasks.list[i], word))
			found = &tasks.list[i];
	if (found)
		*ret_address = found->addr;
	else
		status = error_set(&session->error, -ENOENT, "no task is called or numbered '%s'", word);
	tasks_deinit(&tasks);
	return status;
}

int dill_gdb_task(struct dill_gdb *session, const char *word, uint64_t *ret_address)
{
	struct kernel *kernel;
	int status;

	session_begin(session);
	status = session_kernel(session, &kernel);
	if (!status)
		status = find_task(session, kernel, word, ret_address);
	return session_end(session, status);
}

static int open_heap(struct dill_gdb *session, struct slab_heap **ret_heap)
{
	struct kernel *kernel;
	int status;

	session_begin(session);
	status = session_kernel(session, &kernel);
	return status ? status : slab_heap_open(kernel, ret_heap, &session->error);
}

int dill_gdb_cache(struct dill_gdb *session, const char *name, uint64_t *ret_address)
{
	CLEANUP(slab_heap) struct slab_heap *heap = NULL;
	uint32_t cache;
	int status = open_heap(session, &heap);

	if (!status) {
		cache = slab_heap_find(heap, name);
		if (cache == SLAB_NO_CACHE && !slab_heap_read_aliases(heap, NULL))
			cache = slab_heap_find(heap, name);
		if (cache == SLAB_NO_CACHE)
			status = error_set(&session->error, -ENOENT, "no cache is called '%s'", name);
		else
			*ret_address = heap->caches[cache].address;
	}
	return session_end(session, status);
}

int dill_gdb_object(struct dill_gdb *session, uint64_t address, uint64_t *ret_object)
{
	CLEANUP(slab_heap) struct slab_heap *heap = NULL;
	struct slab slab;
	uint32_t index = 0;
	int status = open_heap(session, &heap);

	if (!status)
		status = slab_locate(heap, address, &slab, &session->error);
	if (!status && (slab.is_bad || slab.cache == SLAB_NO_CACHE ||
			!slab_object_index(&heap->caches[slab.cache], &slab, address, &index)))
		status = error_set(&session->error, -ENOENT, "%#llx lies in no object of its slab",
				   (unsigned long long)address);
	if (!status)
		*ret_object = slab_object_address(&heap->caches[slab.cache], &slab, index);
	return session_end(session, status);
}

int dill_gdb_percpu(struct dill_gdb *session, uint64_t pointer, uint32_t cpu, uint64_t *ret_address)
{
	struct kernel *kernel;
	int status;

	session_begin(session);
	status = session_kernel(session, &kernel);
	if (!status && kernel_percpu(kernel, pointer, cpu, ret_address))
		status = error_set(&session->error, -ENOENT, "the kernel has no CPU %u", cpu);
	return session_end(session, status);
}

int dill_gdb_symbol(struct dill_gdb *session, const char *name, uint64_t *ret_address)
{
	struct kernel *kernel;
	int status;

	session_begin(session);
	status = session_kernel(session, &kernel);
	if (!status && kernel_symbol(kernel, name, ret_address))
		status = error_set(&session->error, -ENOENT, "the kernel tells no symbol '%s'", name);
	return session_end(session, status);
}

int dill_gdb_symbol_at(struct dill_gdb *session, uint64_t address, char *text, size_t size)
{
	struct kernel *kernel;
	char name[512];
	uint64_t offset;
	int status;

	session_begin(session);
	status = session_kernel(session, &kernel);
	if (!status && kernel_symbol_at(kernel, address, name, sizeof(name), &offset))
		status = error_set(&session->error, -ENOENT, "no symbol covers %#llx",
				   (unsigned long long)address);
	if (!status)
		snprintf(text, size, "%016llx %s+%#llx", (unsigned long long)address, name,
			 (unsigned long long)offset);
	return session_end(session, status);
}
