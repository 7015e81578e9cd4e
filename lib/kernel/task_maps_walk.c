// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * From an mm_struct to its vm_area_structs: along the list of older kernels, down the maple tree of newer
 * ones (lib/maple_tree.c, include/linux/maple_tree.h).
 *
 * A maple tree's pointers to nodes carry the kind of node that they lead to; the root alone also has bit 1
 * set, by which ma_root is told from a single entry:
 *
 *     63 .. 8            7      6 .. 3   2      1     0
 *     node address >> 8  0      kind     null   root  0
 *
 * An entry is a plain pointer to a vm_area_struct, or a reserved value below 4096. pivot[i] is the last index
 * that slot[i] covers; the last slot has no pivot.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "task_maps.h"

#define MAPLE_KIND(entry) ((entry) >> 3 & 0xf)
#define MAPLE_NODE(entry) ((entry) & ~0xffull)
#define MAPLE_LEAF_64 1
#define MAPLE_RANGE_64 2
#define MAPLE_ARANGE_64 3
/* MAPLE_HEIGHT_MAX. */
#define MAPLE_DEPTH_MAX 31
#define MAPLE_NODE_BYTES 256
#define RESERVED_END 4096

static int add_vma(struct vma_list *vmas, uint64_t address)
{
	if (!(vmas->count & (vmas->count - 1))) {
		uint64_t *grown = reallocarray(vmas->list, vmas->count ? 2 * vmas->count : 1, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		vmas->list = grown;
	}
	vmas->list[vmas->count++] = address;
	return 0;
}

/* Their starts must ascend, which ends each loop. */
int vmas_of_list(struct kernel *kernel, const struct task_maps_layout *layout, uint64_t mm, size_t limit,
		 struct vma_list *vmas)
{
	uint64_t vma, start, last = 0;
	int status = field_read(kernel, &layout->mm.mmap, mm, &vma);

	if (status)
		return status;
	while (!status && vma && vmas->count < limit) {
		if (field_read(kernel, &layout->vma.start, vma, &start)) {
			vmas->unreadable++;
			return 0;
		}
		if (vmas->count && start <= last) {
			vmas->is_disordered = true;
			return 0;
		}
		last = start;
		status = add_vma(vmas, vma);
		if (!status && field_read(kernel, &layout->vma.next, vma, &vma)) {
			vmas->unreadable++;
			return 0;
		}
	}
	vmas->is_disordered |= vma != 0;
	return status;
}

struct maple_walk {
	struct kernel *kernel;
	const struct task_maps_layout *layout;
	struct vma_list *vmas;
	size_t limit; /* of entries and of nodes */
	size_t nodes;
};

static bool is_maple_root(uint64_t entry)
{
	return (entry & 3) == 2 && entry >= RESERVED_END;
}

static uint64_t word_at(const uint8_t *bytes, const struct field *array, size_t index)
{
	uint64_t value;

	memcpy(&value, bytes + array->offset + 8 * index, sizeof(value));
	return value;
}

static int walk_node(struct maple_walk *walk, uint64_t entry, uint64_t min, uint64_t max, unsigned depth);

/* An empty part, a mapping, or the way down to more. */
static int walk_slot(struct maple_walk *walk, uint64_t entry, bool is_leaf, uint64_t min, uint64_t max,
		     unsigned depth)
{
	if (entry < RESERVED_END)
		return 0;
	if (!is_leaf)
		return walk_node(walk, entry, min, max, depth + 1);
	if (entry & 3) {
		walk->vmas->unreadable++;
		return 0;
	}
	if (walk->vmas->count >= walk->limit) {
		walk->vmas->is_disordered = true;
		return 0;
	}
	return add_vma(walk->vmas, entry);
}

static int walk_node(struct maple_walk *walk, uint64_t entry, uint64_t min, uint64_t max, unsigned depth)
{
	uint8_t bytes[MAPLE_NODE_BYTES];
	unsigned kind = MAPLE_KIND(entry);
	bool is_range = kind == MAPLE_LEAF_64 || kind == MAPLE_RANGE_64;
	const struct field *pivots =
		is_range ? &walk->layout->maple.range_pivots : &walk->layout->maple.arange_pivots;
	const struct field *slots =
		is_range ? &walk->layout->maple.range_slots : &walk->layout->maple.arange_slots;
	int status = 0;

	if (depth > MAPLE_DEPTH_MAX || ++walk->nodes > walk->limit ||
	    (!is_range && kind != MAPLE_ARANGE_64) ||
	    kernel_read(walk->kernel, MAPLE_NODE(entry), bytes, walk->layout->maple.node_size)) {
		walk->vmas->unreadable++;
		return 0;
	}
	for (size_t i = 0; i < slots->size / 8u && !status; i++) {
		uint64_t pivot = i < pivots->size / 8u ? word_at(bytes, pivots, i) : max;

		if (!pivot && i) /* unused from here on: the slot before took the rest, or this one does */
			pivot = max;
		if (pivot < min || pivot > max) {
			walk->vmas->is_disordered = true;
			return 0;
		}
		status = walk_slot(walk, word_at(bytes, slots, i), kind == MAPLE_LEAF_64, min, pivot, depth);
		if (pivot == max)
			break;
		min = pivot + 1;
	}
	return status;
}

int vmas_of_maple_tree(struct kernel *kernel, const struct task_maps_layout *layout, uint64_t mm,
		       size_t limit, struct vma_list *vmas)
{
	struct maple_walk walk = { .kernel = kernel, .layout = layout, .vmas = vmas, .limit = limit };
	uint64_t root;
	int status = field_read(kernel, &layout->mm.maple_root, mm, &root);

	if (status)
		return status;
	if (is_maple_root(root))
		return walk_node(&walk, root, 0, UINT64_MAX, 0);
	return walk_slot(&walk, root, true, 0, UINT64_MAX, 0);
}
