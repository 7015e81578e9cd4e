// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Index of a compilation unit's functions. Names and lines are dwarf_lines.c's business. */
#include "dwarf_functions.h"

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "partition_point.h"

#define NESTING_LIMIT 64 /* namespaces, classes and functions in each other; Rust nests deepest, some 20 */
#define LOOKUP_BUDGET (1U << 20) /* children and ranges looked at for one address */
#define BLOCKS_LIMIT 256	 /* lexical blocks in each other */

struct dwarf_function_range {
	uint64_t low, high;
	uint64_t largest_high; /* of this range and all before it in the list */
	Dwarf_Off die;
};

static int add_range(struct dwarf_functions *functions, uint64_t low, uint64_t high, Dwarf_Off die)
{
	if (functions->count == functions->capacity) {
		size_t wanted = functions->capacity ? functions->capacity * 2 : 16;
		struct dwarf_function_range *list = reallocarray(functions->list, wanted, sizeof(*list));

		if (!list)
			return -ENOMEM;
		functions->list = list;
		functions->capacity = wanted;
	}
	functions->list[functions->count++] =
		(struct dwarf_function_range){.low = low, .high = high, .die = die};
	return 0;
}

static int add_function(struct dwarf_functions *functions, Dwarf_Die *die, uint64_t *budget)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t offset = 0;

	while (*budget && (offset = dwarf_ranges(die, offset, &base, &low, &high)) > 0) {
		--*budget;
		if (low < high && add_range(functions, low, high, dwarf_dieoffset(die)))
			return -ENOMEM;
	}
	return 0;
}

/* Functions hide in these. Blocks and functions count because GNU C has functions in functions. */
static bool can_hold_functions(int tag)
{
	switch (tag) {
	case DW_TAG_namespace:
	case DW_TAG_module:
	case DW_TAG_structure_type:
	case DW_TAG_class_type:
	case DW_TAG_union_type:
	case DW_TAG_subprogram:
	case DW_TAG_lexical_block:
		return true;
	}
	return false;
}

/* Siblings only lead forward in libdw, so the walk ends with the unit at the latest. */
static int read_children(struct dwarf_functions *functions, Dwarf_Die *unit, uint64_t *budget)
{
	Dwarf_Die stack[NESTING_LIMIT]; /* stack[i] is the entry now looked at on level i */
	int depth = 0, r = dwarf_child(unit, &stack[0]) ? 1 : 0;

	while (!r) {
		int tag = dwarf_tag(&stack[depth]);

		if (tag == DW_TAG_subprogram && add_function(functions, &stack[depth], budget))
			return -ENOMEM;
		if (can_hold_functions(tag) && depth + 1 < NESTING_LIMIT &&
		    !dwarf_child(&stack[depth], &stack[depth + 1])) {
			depth++;
			continue;
		}
		while ((r = dwarf_siblingof(&stack[depth], &stack[depth])) && depth)
			depth--;
	}
	return 0;
}

static int compare_ranges(const void *left, const void *right)
{
	const struct dwarf_function_range *a = left, *b = right;

	if (a->low != b->low)
		return a->low < b->low ? -1 : 1;
	return a->high > b->high ? -1 : a->high < b->high;
}

int dwarf_functions_read(struct dwarf_functions *functions, Dwarf_Die *unit, uint64_t *budget)
{
	uint64_t largest = 0;

	functions->is_read = true;
	if (read_children(functions, unit, budget))
		return -ENOMEM;
	if (functions->count)
		qsort(functions->list, functions->count, sizeof(*functions->list), compare_ranges);
	for (size_t i = 0; i < functions->count; i++) {
		if (functions->list[i].high > largest)
			largest = functions->list[i].high;
		functions->list[i].largest_high = largest;
	}
	return 0;
}

void dwarf_functions_deinit(struct dwarf_functions *functions)
{
	free(functions->list);
	*functions = (struct dwarf_functions){0};
}

/* The range that covers @vaddr and begins last. Ranges rarely overlap, so the walk back is short. */
static const struct dwarf_function_range *find(const struct dwarf_functions *functions, uint64_t vaddr)
{
	size_t low = PARTITION_POINT(i, functions->count, functions->list[i].low <= vaddr);

	while (low-- && functions->list[low].largest_high > vaddr) {
		if (functions->list[low].high > vaddr)
			return &functions->list[low];
	}
	return NULL;
}

static bool covers(Dwarf_Die *die, uint64_t vaddr, unsigned int *budget)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t offset = 0;

	while (*budget && (offset = dwarf_ranges(die, offset, &base, &low, &high)) > 0) {
		--*budget;
		if (vaddr >= low && vaddr < high)
			return true;
	}
	return false;
}

/* The child of @die that code at @vaddr belongs to: an inlined call or a block that may hold one. */
static bool find_inner(Dwarf_Die *die, uint64_t vaddr, unsigned int *budget, Dwarf_Die *ret_child)
{
	Dwarf_Die child;
	int r;

	for (r = dwarf_child(die, &child); !r && *budget; r = dwarf_siblingof(&child, &child)) {
		int tag = dwarf_tag(&child);

		--*budget;
		if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_lexical_block &&
		    tag != DW_TAG_try_block && tag != DW_TAG_catch_block)
			continue;
		if (covers(&child, vaddr, budget)) {
			*ret_child = child;
			return true;
		}
	}
	return false;
}

size_t dwarf_functions_chain(const struct dwarf_functions *functions, Dwarf *dwarf, uint64_t vaddr,
			     Dwarf_Die *chain, size_t limit)
{
	const struct dwarf_function_range *range = find(functions, vaddr);
	unsigned int budget = LOOKUP_BUDGET;
	Dwarf_Die at;
	size_t count = 0;

	if (!range || !limit || !dwarf_offdie(dwarf, range->die, &at))
		return 0;
	chain[count++] = at;
	for (int i = 0; i < BLOCKS_LIMIT && count < limit && find_inner(&at, vaddr, &budget, &at); i++) {
		if (dwarf_tag(&at) == DW_TAG_inlined_subroutine)
			chain[count++] = at;
	}
	return count;
}
