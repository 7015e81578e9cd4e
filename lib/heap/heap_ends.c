// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Where the kernel's code doesn't go on: behind calls of functions that never return, and behind the ud2 of
 * BUG(). Its table of bugs (struct bug_entry, include/asm-generic/bug.h) tells those from WARN()'s, which go
 * on.
 */
#include "heap_functions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"
#include "kernel_types.h"

#define BUGFLAG_WARNING 1
/* A kernel has some 10,000 entries of 12 to 16 bytes. */
#define TABLE_BYTES_MAX (4u << 20)

struct bug_layout {
	struct field address, flags;
};

static const struct field_spec specs[] = {
	{ "bug_entry", "bug_addr_disp", offsetof(struct bug_layout, address), true },
	{ "bug_entry", "flags", offsetof(struct bug_layout, flags), true },
};

static int compare(const void *a, const void *b)
{
	uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

	return one < other ? -1 : one > other;
}

/* -ENOENT: no table, then all traps may go on. */
static int read_table(struct kernel *kernel, struct bug_layout *layout, size_t *ret_size, uint64_t *ret_start,
		      uint8_t **ret_bytes)
{
	CLEANUP(free) uint8_t *bytes = NULL;
	uint64_t start, stop;
	size_t size;

	if (!kernel->types || kernel_symbol(kernel, "__start___bug_table", &start) ||
	    kernel_symbol(kernel, "__stop___bug_table", &stop) || stop <= start ||
	    stop - start > TABLE_BYTES_MAX ||
	    fields_load(kernel->types, specs, sizeof(specs) / sizeof(*specs), layout, NULL))
		return -ENOENT;
	size = stop - start;
	bytes = malloc(size);
	if (!bytes)
		return -ENOMEM;
	if (kernel_read(kernel, start, bytes, size))
		return -ENOENT;
	*ret_size = size;
	*ret_start = start;
	*ret_bytes = TAKE_PTR(bytes);
	return 0;
}

/* Relative to themselves (CONFIG_GENERIC_BUG_RELATIVE_POINTERS, always on x86-64). */
static size_t add_bugs(struct kernel *kernel, uint64_t *addresses, size_t room)
{
	size_t entry = kernel->types ? kernel_sizeof(kernel->types, "bug_entry") : 0, size, count = 0;
	CLEANUP(free) uint8_t *bytes = NULL;
	struct bug_layout layout = { 0 };
	uint64_t start;

	if (!entry || read_table(kernel, &layout, &size, &start, &bytes))
		return 0;
	for (size_t at = 0; entry <= size - at && count < room; at += entry) {
		int32_t distance = (int32_t)field_get(&layout.address, bytes + at, entry);

		if (!(field_get(&layout.flags, bytes + at, entry) & BUGFLAG_WARNING))
			addresses[count++] = start + at + layout.address.offset + (uint64_t)(int64_t)distance;
	}
	return count;
}

int heap_callees_init(struct heap_callees *callees, struct kernel *kernel)
{
	static const char *const names[] = { "__stack_chk_fail", "panic", "fortify_panic",
					     "__fortify_panic" };
	size_t room = TABLE_BYTES_MAX / 64, count = 0;
	uint64_t *addresses = calloc(room, sizeof(*addresses));

	memset(callees, 0, sizeof(*callees));
	callees->kernel = kernel;
	if (!addresses)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!kernel_symbol(kernel, names[i], &addresses[count]))
			count++;
	count += add_bugs(kernel, addresses + count, room - count);
	qsort(addresses, count, sizeof(*addresses), compare);
	callees->ends = (struct code_ends){ addresses, count };
	return 0;
}

void heap_callees_deinit(struct heap_callees *callees)
{
	free((void *)callees->ends.addresses);
	memset(callees, 0, sizeof(*callees));
}
