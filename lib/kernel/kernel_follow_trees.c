// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Containers that hold pointers: xarrays (lib/xarray.c) and maple trees (lib/maple_tree.c, since Linux 6.1).
 * An entry whose low bits are 10 is internal: above 4096 a pointer to a node, below a mark such as
 * "reserved". An odd entry is a number.
 */
#include <errno.h>
#include <string.h>

#include "kernel_follow_private.h"

#define INTERNAL_NODE_MIN 4096u
#define XARRAY_DEPTH_MAX 11 /* of 6 bits each */
#define MAPLE_DEPTH_MAX 31
#define MAPLE_NODE_SIZE 256u
#define MAPLE_SLOTS_MAX 31u

static bool is_internal(uint64_t entry)
{
	return (entry & 3) == 2;
}

static bool is_node(uint64_t entry)
{
	return is_internal(entry) && entry > INTERNAL_NODE_MIN;
}

static int give_range(struct follow *follow, uint64_t held, uint64_t first, uint64_t last)
{
	struct follow_entry entry = { .address = held, .has_key = true, .key = first, .last_key = last };

	if (!held || is_internal(held))
		return 0;
	if (held & 1) {
		entry.is_value = true;
		entry.address = held >> 1;
	}
	return follow_give(follow, &entry);
}

/* XArray ------------------------------------------------------------------------------------------------- */

struct xarray_layout {
	struct field shift, slots;
};

static const struct field_spec xarray_fields[] = {
	{ "xa_node", "shift", offsetof(struct xarray_layout, shift), true },
	{ "xa_node", "slots", offsetof(struct xarray_layout, slots), true },
};

static int follow_xarray_node(struct follow *follow, const struct xarray_layout *layout, uint64_t node,
			      uint64_t base, unsigned shift_below, unsigned depth)
{
	uint64_t slots[64], shift;
	size_t count = layout->slots.size / sizeof(slots[0]);
	int status = follow_meet(follow, node);

	if (status)
		return status;
	if (field_read(follow->kernel, &layout->shift, node, &shift) || count > 64 ||
	    kernel_read(follow->kernel, node + layout->slots.offset, slots, count * sizeof(slots[0])))
		return follow_damage(follow, "leads to memory that can't be read", node);
	if (shift >= shift_below || depth > XARRAY_DEPTH_MAX)
		return follow_damage(follow, "has a node on a level where none can be", node);
	for (size_t i = 0; i < count && !status; i++) {
		uint64_t first = base + ((uint64_t)i << shift);

		if (is_node(slots[i]))
			status = follow_xarray_node(follow, layout, slots[i] - 2, first, shift, depth + 1);
		else
			status = give_range(follow, slots[i], first, first + (UINT64_C(1) << shift) - 1);
	}
	return status;
}

int follow_xarray(struct follow *follow, uint64_t head, struct error *err)
{
	struct xarray_layout layout;
	uint64_t entry;
	int status = fields_load(follow->types, xarray_fields, 2, &layout, err);

	if (!status)
		status = follow_word(follow, head, &entry);
	if (status)
		return status;
	if (is_node(entry))
		return follow_xarray_node(follow, &layout, entry - 2, 0, 64, 0);
	return give_range(follow, entry, 0, 0);
}

/* Maple tree --------------------------------------------------------------------------------------------- */

/* A kind of node: where its pivots (the last key of each slot but the last) and slots are. */
struct maple_shape {
	struct field pivots, slots;
	int64_t type;
	bool is_leaf;
};

struct maple_layout {
	struct maple_shape leaf, range, gaps;
};

static int load_maple_layout(struct follow *follow, struct maple_layout *ret_layout, struct error *err)
{
	static const struct field_spec fields[] = {
		{ "maple_range_64", "pivot", offsetof(struct maple_layout, range.pivots), true },
		{ "maple_range_64", "slot", offsetof(struct maple_layout, range.slots), true },
		{ "maple_arange_64", "pivot", offsetof(struct maple_layout, gaps.pivots), true },
		{ "maple_arange_64", "slot", offsetof(struct maple_layout, gaps.slots), true },
	};
	struct maple_layout layout = { 0 };
	int status = fields_load(follow->types, fields, sizeof(fields) / sizeof(*fields), &layout, err);

	if (status)
		return status;
	layout.leaf = layout.range;
	layout.leaf.is_leaf = true;
	if (kernel_enumerator(follow->types, "maple_leaf_64", &layout.leaf.type) ||
	    kernel_enumerator(follow->types, "maple_range_64", &layout.range.type) ||
	    kernel_enumerator(follow->types, "maple_arange_64", &layout.gaps.type))
		return error_set(err, -ENOENT, "this kernel names no types of maple tree nodes");
	*ret_layout = layout;
	return 0;
}

/*
 * The kind of node is in bits 3 to 6 of the pointer, and nodes are aligned to their size. Only the root's
 * pointer is marked as internal.
 */
static const struct maple_shape *maple_shape_of(const struct maple_layout *layout, uint64_t encoded)
{
	int64_t type = encoded >> 3 & 0xf;

	return type == layout->leaf.type    ? &layout->leaf
	       : type == layout->range.type ? &layout->range
	       : type == layout->gaps.type  ? &layout->gaps
					    : NULL;
}

static int follow_maple_node(struct follow *follow, const struct maple_layout *layout, uint64_t encoded,
			     uint64_t first, uint64_t last, unsigned depth)
{
	const struct maple_shape *shape = maple_shape_of(layout, encoded);
	uint64_t node = encoded & ~(uint64_t)(MAPLE_NODE_SIZE - 1), pivots[MAPLE_SLOTS_MAX],
		 slots[MAPLE_SLOTS_MAX];
	uint8_t bytes[MAPLE_NODE_SIZE];
	size_t slot_count, pivot_count;
	int status;

	if (!shape || depth > MAPLE_DEPTH_MAX)
		return follow_damage(follow, "has a node of a kind that can't be there", encoded);
	slot_count = shape->slots.size / 8;
	pivot_count = shape->pivots.size / 8;
	if (slot_count > MAPLE_SLOTS_MAX || pivot_count > MAPLE_SLOTS_MAX ||
	    shape->slots.offset + shape->slots.size > sizeof(bytes) ||
	    shape->pivots.offset + shape->pivots.size > sizeof(bytes))
		return follow_damage(follow, "has nodes of another size", node);
	status = follow_meet(follow, node);
	if (status)
		return status;
	if (kernel_read(follow->kernel, node, bytes, sizeof(bytes)))
		return follow_damage(follow, "leads to memory that can't be read", node);
	memcpy(pivots, bytes + shape->pivots.offset, pivot_count * 8);
	memcpy(slots, bytes + shape->slots.offset, slot_count * 8);
	for (size_t i = 0; i < slot_count && !status; i++) {
		/* Behind the last used slot the pivot is 0, or as large as the node reaches. */
		uint64_t end = i < pivot_count && (pivots[i] || !i) ? pivots[i] : last;

		if (end < first || end > last)
			return follow_damage(follow, "has keys out of order", node);
		if (shape->is_leaf)
			status = give_range(follow, slots[i], first, end);
		else if (slots[i])
			status = follow_maple_node(follow, layout, slots[i], first, end, depth + 1);
		if (end == last)
			break;
		first = end + 1;
	}
	return status;
}

int follow_maple_tree(struct follow *follow, uint64_t root, struct error *err)
{
	struct maple_layout layout;
	uint64_t entry;
	int status = load_maple_layout(follow, &layout, err);

	if (!status)
		status = follow_word(follow, root, &entry);
	if (status)
		return status;
	if (is_node(entry))
		return follow_maple_node(follow, &layout, entry, 0, UINT64_MAX, 0);
	return give_range(follow, entry, 0, 0);
}
