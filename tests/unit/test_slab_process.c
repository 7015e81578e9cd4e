// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The slab model of a process with libslub: a child of this program, which has libslub linked in. It tells what it holds
 * and what slub_slabinfo() says, and then stands still.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel.h"
#include "slab_check.h"
#include "slab_heap.h"
#include "slab_state.h"
#include "slab_totals.h"
#include "slub.h"
#include "slub_find.h"
#include "slub_process.h"
#include "source_process.h"

#define OBJECTS 200
#define CACHES 64

struct told {
	uint64_t held[OBJECTS], freed[OBJECTS];
	size_t held_count, freed_count, cache_count;
	struct slub_cache_info infos[CACHES];
};

struct child {
	pid_t pid;
	struct told told;
	struct kernel *kernel;
	struct slab_heap *heap;
};

static void live(int to_parent, uint32_t flags, bool overwrites)
{
	static struct told told;
	struct kmem_cache *cache = slub_kmem_cache_create("of-child", 120, 0, flags | SLUB_NO_MERGE, NULL);
	void *objects[OBJECTS];

	for (size_t i = 0; i < OBJECTS; i++)
		objects[i] = slub_kmem_cache_alloc(cache);
	for (size_t i = 0; i < OBJECTS; i++) {
		bool is_freed = i % 4 == 3;

		if (is_freed)
			slub_kmem_cache_free(cache, objects[i]);
		if (is_freed)
			told.freed[told.freed_count++] = (uintptr_t)objects[i];
		else
			told.held[told.held_count++] = (uintptr_t)objects[i];
	}
	told.cache_count = slub_slabinfo(told.infos, CACHES);
	if (overwrites)
		memset(objects[3], 0x41, 120);
	if (write(to_parent, &told, sizeof(told)) != sizeof(told))
		_exit(1);
	for (;;)
		pause();
}

static void child_start(struct child *child, uint32_t flags, bool overwrites)
{
	char target[32];
	size_t got = 0;
	int ends[2];

	*child = (struct child){ 0 };
	assert_int_equal(pipe(ends), 0);
	child->pid = fork();
	if (!child->pid)
		live(ends[1], flags, overwrites);
	close(ends[1]);
	while (got < sizeof(child->told)) {
		ssize_t more = read(ends[0], (char *)&child->told + got, sizeof(child->told) - got);

		assert_true(more > 0);
		got += (size_t)more;
	}
	close(ends[0]);
	snprintf(target, sizeof(target), "%d", (int)child->pid);
	assert_int_equal(slub_process_open(target, &child->kernel, NULL), 0);
	assert_int_equal(slab_heap_open(child->kernel, &child->heap, NULL), 0);
}

static void child_end(struct child *child)
{
	slab_heap_close(child->heap);
	kernel_close(child->kernel);
	if (child->pid)
		kill(child->pid, SIGKILL);
	if (child->pid)
		waitpid(child->pid, NULL, 0);
	child->pid = 0;
}

static enum slab_object_state state_of(struct child *child, uint64_t address)
{
	struct slab_object object;

	assert_int_equal(slab_object_at(child->heap, address + 5, &object, NULL), 0);
	assert_int_equal(object.address, address);
	assert_int_equal(object.offset, 5);
	assert_string_equal(child->heap->caches[object.cache].name, "of-child");
	return object.state;
}

static void compare_caches(struct child *child)
{
	assert_int_equal(child->heap->cache_count, child->told.cache_count);
	for (uint32_t i = 0; i < child->heap->cache_count; i++) {
		/* The newest first, and the oldest. */
		const struct slub_cache_info *info = &child->told.infos[child->told.cache_count - 1 - i];
		const struct slab_cache *cache = &child->heap->caches[i];
		struct slab_totals totals;

		assert_string_equal(cache->name, info->name);
		assert_int_equal(cache->object_size, info->object_size);
		assert_int_equal(cache->size, info->size);
		assert_int_equal(cache->offset, info->offset);
		assert_int_equal(cache->sheaf_capacity, info->sheaf_capacity);
		assert_int_equal(cache->flags & UINT32_MAX, info->flags);
		assert_int_equal(slab_totals_count(child->heap, i, &totals, NULL), 0);
		assert_false(totals.is_damaged);
		assert_int_equal(totals.slabs, info->slabs);
		assert_int_equal(totals.num_objs, info->objects);
		assert_int_equal(totals.free_slab, info->free_in_slabs);
		assert_int_equal(totals.free_sheaf + totals.free_cpu, info->free_in_sheaves);
		assert_int_equal(totals.allocated, info->objects - info->free_in_slabs - info->free_in_sheaves);
	}
}

static void each_object_is_where_the_process_left_it(void **state)
{
	static const uint32_t engines[] = { 0, SLUB_CPU_SLABS, SLUB_NO_SHEAVES };
	struct slab_check_extent extent;
	struct child child;

	(void)state;
	for (size_t e = 0; e < 3; e++) {
		child_start(&child, engines[e], false);
		compare_caches(&child);
		for (size_t i = 0; i < child.told.held_count; i++)
			assert_int_equal(state_of(&child, child.told.held[i]), SLAB_OBJECT_ALLOCATED);
		for (size_t i = 0; i < child.told.freed_count; i++) {
			enum slab_object_state found = state_of(&child, child.told.freed[i]);

			assert_int_not_equal(found, SLAB_OBJECT_ALLOCATED);
			assert_int_not_equal(found, SLAB_OBJECT_UNKNOWN);
			if (engines[e] == SLUB_NO_SHEAVES)
				assert_int_equal(found, SLAB_OBJECT_FREE);
		}
		assert_int_equal(slab_check(child.heap, SLAB_NO_CACHE, &extent, NULL), 0);
		assert_int_equal(child.heap->finding_count, 0);
		assert_int_equal(extent.caches, child.told.cache_count);
		child_end(&child);
	}
}

static void an_overwritten_free_pointer_is_found(void **state)
{
	struct slab_check_extent extent;
	struct child child;

	(void)state;
	child_start(&child, SLUB_NO_SHEAVES, true);
	assert_int_equal(slab_check(child.heap, SLAB_NO_CACHE, &extent, NULL), 0);
	assert_true(child.heap->finding_count > 0);
	assert_int_equal(child.heap->findings[0].kind, SLAB_FREELIST_OUTSIDE);
	assert_int_equal(child.heap->findings[0].object, child.told.freed[0]);
	child_end(&child);
}

static void a_process_that_ended_is_no_source_any_more(void **state)
{
	struct slab_check_extent extent;
	struct error error = { 0 };
	struct child child;

	(void)state;
	child_start(&child, 0, false);
	kill(child.pid, SIGKILL);
	waitpid(child.pid, NULL, 0);
	child.pid = 0;
	kernel_forget(child.kernel);
	assert_int_equal(slab_check(child.heap, SLAB_NO_CACHE, &extent, &error), -ESRCH);
	assert_non_null(strstr(error.text, "has ended"));
	child_end(&child);
}

static void a_target_is_a_number_and_perhaps_a_file(void **state)
{
	static const char *const nonsense[] = { "", "x", "-1", "0", "12x", "99999999999", " 1" };
	struct kernel *kernel;

	(void)state;
	for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++)
		assert_int_equal(slub_process_open(nonsense[i], &kernel, NULL), -EINVAL);
}

static void reads_of_a_batch_fail_one_by_one(void **state)
{
	uint64_t value = 0x1122334455667788, first = 0, third = 0, second;
	struct memory_read reads[] = { { (uintptr_t)&value, &first, 8, -1 },
				       { 0x10, &second, 8, -1 },
				       { (uintptr_t)&value, &third, 8, -1 } };
	struct memory_source *source;

	(void)state;
	assert_int_equal(source_process_open(getpid(), &source, NULL), 0);
	assert_int_equal(source->ops->read(source, SPACE_VIRTUAL, reads, 3, NULL), 0);
	assert_int_equal(reads[0].result, 0);
	assert_int_equal(reads[1].result, -EFAULT);
	assert_int_equal(reads[2].result, 0);
	assert_int_equal(first, value);
	assert_int_equal(third, value);
	memory_source_close(source);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_object_is_where_the_process_left_it),
		cmocka_unit_test(an_overwritten_free_pointer_is_found),
		cmocka_unit_test(a_process_that_ended_is_no_source_any_more),
		cmocka_unit_test(a_target_is_a_number_and_perhaps_a_file),
		cmocka_unit_test(reads_of_a_batch_fail_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
