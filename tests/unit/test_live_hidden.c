// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * A running kernel that is deprived of its names gives them back: what is found without names is what they say
 * where they are known, and what /proc shows in any case. Skips where the kernel can't be read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cleanup.h"
#include "kernel.h"
#include "kernel_list.h"
#include "kernel_symbols.h"
#include "kernel_types.h"
#include "live_hidden.h"
#include "source_live.h"

#define CACHES_MAX 4096

struct facts {
	uint64_t slab_caches, init_task, vmemmap;
	const uint64_t *percpu_offsets;
	size_t cpu_count;
};

struct state {
	struct kernel *kernel;
	struct facts known;
};

static struct facts look(struct kernel *kernel)
{
	struct facts facts = { .vmemmap = kernel->layout.vmemmap_base.value,
			       .percpu_offsets = kernel->percpu_offsets,
			       .cpu_count = kernel->cpu_count };

	kernel_symbol(kernel, "slab_caches", &facts.slab_caches);
	kernel_symbol(kernel, "init_task", &facts.init_task);
	return facts;
}

static int open_kernel(void **ret_state)
{
	static struct state state;
	struct memory_source *source;
	struct error err = { 0 };

	*ret_state = &state;
	if (source_live_open(LIVE_BPF, &source, &err) || kernel_open(source, NULL, &state.kernel, &err)) {
		print_message("%s\n", err.text);
		return 0;
	}
	state.known = look(state.kernel);
	kernel_symbols_destroy(state.kernel->symbols);
	state.kernel->symbols = NULL;
	state.kernel->percpu_offsets = NULL;
	state.kernel->layout.vmemmap_base = (struct kernel_fact){ 0 };
	if (kernel_symbols_create(&state.kernel->symbols))
		return -1;
	live_find_hidden(state.kernel);
	return 0;
}

static int close_kernel(void **state)
{
	struct state *opened = *state;

	free((void *)opened->known.percpu_offsets);
	kernel_close(opened->kernel);
	return 0;
}

static struct state *state_of(void **state)
{
	struct state *opened = *state;

	if (!opened->kernel)
		skip();
	return opened;
}

static void what_is_found_is_what_the_names_say(void **state)
{
	struct state *opened = state_of(state);
	struct facts found = look(opened->kernel);

	assert_int_equal(found.slab_caches, opened->known.slab_caches);
	assert_int_equal(found.init_task, opened->known.init_task);
	assert_int_equal(found.vmemmap, opened->known.vmemmap);
	assert_int_equal(found.cpu_count, opened->known.cpu_count);
	assert_non_null(found.percpu_offsets);
	for (size_t cpu = 0; cpu < found.cpu_count; cpu++)
		if (found.percpu_offsets[cpu]) /* a CPU that is not online has none */
			assert_int_equal(found.percpu_offsets[cpu], opened->known.percpu_offsets[cpu]);
}

static uint64_t offset_of(struct kernel *kernel, const char *type, const char *path)
{
	struct kernel_member member;
	uint32_t id;

	assert_int_equal(kernel_type_find(kernel->types, type, &id), 0);
	assert_int_equal(kernel_member_find(kernel->types, id, path, &member, NULL), 0);
	return member.bit_offset / 8;
}

/* Caches come and go, so each name has to be on one of two lists. */
static void ring_of_caches_is_that_of_slabinfo(void **state)
{
	struct kernel *kernel = state_of(state)->kernel;
	CLEANUP(fclose) FILE *file = fopen("/proc/slabinfo", "re");
	uint64_t list = offset_of(kernel, "kmem_cache", "list"), name = offset_of(kernel, "kmem_cache", "name");
	struct list_walk walk;
	char line[512], text[64], names[65536] = " ";
	size_t length = 1, count = 0, missing = 0;
	uint64_t node, pointer;

	if (!file)
		skip();
	list_walk_begin(&walk, kernel, look(kernel).slab_caches, CACHES_MAX);
	while (list_walk_next(&walk, &node)) {
		assert_int_equal(kernel_read_u64(kernel, node - list + name, &pointer), 0);
		assert_int_equal(kernel_read_string(kernel, pointer, text, sizeof(text)), 0);
		length += snprintf(names + length, sizeof(names) - length, "%s ", text);
		assert_true(length < sizeof(names));
		count++;
	}
	assert_int_equal(walk.damage, LIST_INTACT);
	while (fgets(line, sizeof(line), file)) {
		char key[80];

		if (!strncmp(line, "slabinfo", 8) || line[0] == '#')
			continue;
		snprintf(key, sizeof(key), " %.*s ", (int)strcspn(line, " "), line);
		missing += !strstr(names, key);
	}
	assert_true(count > 20);
	assert_true(missing <= 2);
}

static void first_task_is_the_swapper(void **state)
{
	struct kernel *kernel = state_of(state)->kernel;
	uint64_t task = look(kernel).init_task;
	uint32_t pid = 1;
	char comm[16];

	assert_int_equal(kernel_read_u32(kernel, task + offset_of(kernel, "task_struct", "pid"), &pid), 0);
	assert_int_equal(pid, 0);
	assert_int_equal(kernel_read_string(kernel, task + offset_of(kernel, "task_struct", "comm"), comm,
					    sizeof(comm)),
			 0);
	assert_memory_equal(comm, "swapper", 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_found_is_what_the_names_say),
		cmocka_unit_test(ring_of_caches_is_that_of_slabinfo),
		cmocka_unit_test(first_task_is_the_swapper),
	};

	return cmocka_run_group_tests(tests, open_kernel, close_kernel);
}
