/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A kernel of a few hand-assembled slab functions, with prototypes in BTF, for a test to fill, and heap_sites.h's
 * results for it.
 */
#ifndef HEAP_SITES_FIXTURE_H
#define HEAP_SITES_FIXTURE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <bpf/btf.h>
#include <cmocka.h>

#include "heap_sites.h"
#include "insn_x86.h"
#include "kernel_memory.h"
#include "kernel_types.h"

#define TEXT MEMORY_VIRTUAL
#define FUNCTION_BYTES 0x100
#define SLAB_ALLOC (TEXT + 0x8000)
#define SLAB_FREE (TEXT + 0x8100)
#define STACK_CHECK (TEXT + 0x8200)
#define GFP_ALLOWED_MASK (TEXT + 0x9000)
#define KFENCE_POOL (TEXT + 0x9010)
#define VMEMMAP_BASE (TEXT + 0x9020)
#define BUG_TABLE (TEXT + 0xa000)
#define MEMORY_BYTES 0x10000
#define TASK_FLAGS 0x2c

static struct memory *memory;
static struct kernel *kernel;
static struct heap_sites *sites;
static struct btf *btf;
static int u32, u64, pointer, cache_pointer, pointers;
static uint64_t next_function, at;

/* Code ------------------------------------------------------------------------------------------------ */

static inline void emit(const char *bytes, size_t size)
{
	memcpy(memory->bytes[SPACE_VIRTUAL] + (at - MEMORY_VIRTUAL), bytes, size);
	at += size;
}
#define EMIT(literal) emit(literal, sizeof(literal) - 1)

/* An instruction that ends in a 32-bit distance to @target. */
static inline void emit_to(const char *opcode, size_t size, uint64_t target)
{
	int32_t distance;

	emit(opcode, size);
	distance = (int32_t)(target - (at + 4));
	emit((const char *)&distance, 4);
}
#define EMIT_TO(literal, target) emit_to(literal, sizeof(literal) - 1, target)
#define READ_EAX "\x8b\x05"     /* mov global(%rip),%eax */
#define READ_RAX "\x48\x8b\x05" /* mov global(%rip),%rax */
#define CALL "\xe8"
#define JUMP "\xe9"

/* Begin a function with these parameters: (name, type id)…, NULL. */
static inline uint64_t function(const char *name, ...)
{
	const char *parameter;
	va_list list;
	int proto = btf__add_func_proto(btf, 0);

	assert_true(proto > 0);
	va_start(list, name);
	while ((parameter = va_arg(list, const char *)))
		assert_int_equal(btf__add_func_param(btf, parameter, va_arg(list, int)), 0);
	va_end(list);
	assert_true(btf__add_func(btf, name, BTF_FUNC_GLOBAL, proto) > 0);
	at = next_function;
	next_function += FUNCTION_BYTES;
	assert_int_equal(kernel_symbols_add(kernel->symbols, name, at), 0);
	return at;
}

static inline void symbol(const char *name, uint64_t address)
{
	assert_int_equal(kernel_symbols_add(kernel->symbols, name, address), 0);
}

static inline int set_up(void **state)
{
	(void)state;
	memory = memory_create(0, MEMORY_BYTES);
	kernel = memory_kernel(memory, 0, 0);
	next_function = TEXT;
	btf = btf__new_empty();
	u32 = btf__add_int(btf, "unsigned int", 4, 0);
	u64 = btf__add_int(btf, "unsigned long", 8, 0);
	pointer = btf__add_ptr(btf, 0);
	pointers = btf__add_ptr(btf, pointer);
	cache_pointer = btf__add_ptr(btf, btf__add_struct(btf, "kmem_cache", 8));
	assert_true(btf__add_struct(btf, "task_struct", 0x40) > 0);
	assert_int_equal(btf__add_field(btf, "flags", u32, 8 * TASK_FLAGS, 0), 0);
	assert_true(btf__add_struct(btf, "bug_entry", 12) > 0);
	assert_int_equal(btf__add_field(btf, "bug_addr_disp", u32, 0, 0), 0);
	assert_int_equal(btf__add_field(btf, "flags", u32, 64, 0), 0);
	symbol("___slab_alloc", SLAB_ALLOC);
	symbol("__slab_free", SLAB_FREE);
	symbol("__stack_chk_fail", STACK_CHECK);
	symbol("gfp_allowed_mask", GFP_ALLOWED_MASK);
	symbol("__kfence_pool", KFENCE_POOL);
	symbol("vmemmap_base", VMEMMAP_BASE);
	return 0;
}

static inline int tear_down(void **state)
{
	(void)state;
	heap_sites_free(sites);
	sites = NULL;
	btf__free(btf);
	kernel_close(kernel);
	return 0;
}

static inline void find(void)
{
	struct error error = { 0 };
	const void *bytes;
	uint32_t size;

	/* The last function ends where this begins. */
	symbol("behind", next_function);
	bytes = btf__raw_data(btf, &size);
	assert_int_equal(kernel_types_open(bytes, size, "test", &kernel->types, &error), 0);
	if (heap_sites_find(kernel, &sites, &error))
		fail_msg("%s", error.text);
}

/* Results --------------------------------------------------------------------------------------------- */

static inline uint32_t number_of(const char *name)
{
	for (size_t i = 0; i < sites->function_count; i++)
		if (!strcmp(sites->functions[i].name, name))
			return (uint32_t)i;
	fail_msg("%s is not among the functions", name);
	return 0;
}

static inline bool is_by_code(const char *name)
{
	for (size_t i = 0; i < sites->by_code_count; i++)
		if (sites->by_code[i] == number_of(name))
			return true;
	return false;
}

static inline size_t site_count(const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < sites->site_count; i++)
		count += sites->sites[i].function == number_of(name);
	return count;
}

static inline const struct heap_site *only_site(const char *name)
{
	assert_int_equal(site_count(name), 1);
	assert_false(is_by_code(name));
	for (size_t i = 0; i < sites->site_count; i++)
		if (sites->sites[i].function == number_of(name))
			return &sites->sites[i];
	return NULL;
}

static inline void assert_register(const struct value_place *place, unsigned number)
{
	assert_int_equal(place->kind, PLACE_REGISTER);
	assert_int_equal(place->number, number);
}

static inline const char *why_unseen(const char *name)
{
	for (size_t i = 0; i < sites->unseen_count; i++)
		if (!strcmp(sites->unseen[i].name, name))
			return sites->unseen[i].why;
	return NULL;
}

/* Functions that several tests have ------------------------------------------------------------------- */

static inline void add_free(const char *name)
{
	function(name, "object", pointer, NULL);
	EMIT("\x53\x48\x89\xfb"); /* push %rbx; mov %rdi,%rbx */
	EMIT_TO(READ_RAX, KFENCE_POOL);
	EMIT_TO(CALL, SLAB_FREE);
	EMIT("\x5b\xc3");
}

static inline uint64_t add_alloc(void)
{
	uint64_t start = function("kmem_cache_alloc_noprof", "s", cache_pointer, "gfpflags", u32, NULL);

	EMIT("\x53\x48\x89\xfb"); /* push %rbx; mov %rdi,%rbx */
	EMIT_TO(READ_EAX, GFP_ALLOWED_MASK);
	EMIT_TO(CALL, SLAB_ALLOC);
	EMIT("\x5b\xc3");
	return start;
}

#endif
