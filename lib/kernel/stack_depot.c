// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Stacks out of the depot: a handle has the number of a pool and an offset in it, in units of 16 bytes. */
#include "stack_depot.h"

#include <errno.h>

#include "kernel.h"

#define DEPOT_ALIGN_SHIFT 4 /* DEPOT_STACK_ALIGN */
#define MAX_POOLS (1U << 17)

int stack_depot_open(struct kernel *kernel, struct stack_depot *ret_depot, struct error *err)
{
	static const struct field_spec specs[] = {
		{ "handle_parts", "pool_index_plus_1|pool_index|slabindex",
		  offsetof(struct stack_depot, handle_pool), true },
		{ "handle_parts", "offset", offsetof(struct stack_depot, handle_offset), true },
		{ "stack_record", "size", offsetof(struct stack_depot, record_size), true },
	};
	struct stack_depot depot = { 0 };
	struct kernel_member member;
	uint32_t parts, record;
	int status = fields_load(kernel->types, specs, sizeof(specs) / sizeof(*specs), &depot, err);

	if (status)
		return status;
	if (kernel_type_find(kernel->types, "stack_record", &record) ||
	    kernel_member_find(kernel->types, record, "entries", &member, err) ||
	    kernel_type_find(kernel->types, "handle_parts", &parts))
		return -ENOENT;
	depot.record_entries = member.bit_offset / 8;
	depot.counts_from_one = !kernel_member_find(kernel->types, parts, "pool_index_plus_1", &member, NULL);
	/* An array of pointers until it became a pointer to one: e.g. 6.17. Its type isn't in BTF: read it both
	 * ways. */
	if (kernel_symbol(kernel, "stack_pools", &depot.pools) &&
	    kernel_symbol(kernel, "stack_slabs", &depot.pools))
		return error_set(err, -ENOENT, "this kernel has no stack depot, or hides it");
	*ret_depot = depot;
	return 0;
}

/* The record at @place, if it looks like one. */
static int read_record(struct kernel *kernel, const struct stack_depot *depot, uint64_t place,
		       uint64_t *ret_addresses, size_t *ret_count)
{
	uint64_t size;

	if (field_read(kernel, &depot->record_size, place, &size))
		return -EFAULT;
	if (!size || size > STACK_DEPOT_DEPTH)
		return -EBADMSG;
	if (kernel_read(kernel, place + depot->record_entries, ret_addresses, size * sizeof(uint64_t)))
		return -EFAULT;
	for (size_t i = 0; i < size; i++)
		if (ret_addresses[i] >> 47 != 0x1ffff)
			return -EBADMSG;
	*ret_count = size;
	return 0;
}

int stack_depot_read(struct kernel *kernel, const struct stack_depot *depot, uint32_t handle,
		     uint64_t *ret_addresses, size_t *ret_count)
{
	uint64_t number = field_get(&depot->handle_pool, &handle, sizeof(handle));
	uint64_t offset = field_get(&depot->handle_offset, &handle, sizeof(handle)) << DEPOT_ALIGN_SHIFT;
	uint64_t pool, array;

	if (!handle || (depot->counts_from_one && !number--))
		return -ENOENT;
	if (number >= MAX_POOLS)
		return -EBADMSG;
	if (!kernel_read_u64(kernel, depot->pools + 8 * number, &pool) &&
	    !read_record(kernel, depot, pool + offset, ret_addresses, ret_count))
		return 0;
	if (kernel_read_u64(kernel, depot->pools, &array) || kernel_read_u64(kernel, array + 8 * number, &pool))
		return -EFAULT;
	return read_record(kernel, depot, pool + offset, ret_addresses, ret_count);
}
