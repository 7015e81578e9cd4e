// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Depth-first walks over the types, with a stack of our own. What is followed: everything, but for
 * members of structs and unions that lie behind a pointer or a function's prototype. That graph has no
 * cycle in any C program.
 *
 *     struct a { struct b inner; struct c *other; }      a → b is followed, a → c isn't
 *
 * So a walk knows on which side of a struct it is: one that starts from a type that is no struct follows
 * pointers, and ends at structs; one that starts from a struct follows what it holds by value, and ends
 * at pointers.
 */
#include "type_cycles.h"

#include <errno.h>
#include <stdlib.h>

#include "cleanup.h"
#include "kernel_types_private.h"

enum colour { WHITE, GREY, BLACK };

enum walk_kind {
	BY_REFERENCE, /* among all that is no struct or union */
	BY_VALUE,     /* into structs and unions, not through pointers and prototypes */
};

struct step {
	uint32_t id, next; /* the type, and its next reference to be followed */
	uint16_t depth;    /* of the deepest way down from here until now */
};

struct cycle_walk {
	const struct kernel_types *types;
	enum walk_kind kind;
	uint32_t count;
	uint8_t *colours, *is_cut;
	uint16_t *depths; /* of types that are done with */
	struct step *stack;
	size_t depth;
};

/* The @index-th type that @type refers to; UINT32_MAX behind the last one. */
static uint32_t reference(const struct cycle_walk *walk, const struct btf_type *type, uint32_t index)
{
	bool is_by_value = walk->kind == BY_VALUE;

	switch (btf_kind(type)) {
	case BTF_KIND_PTR:
	case BTF_KIND_FUNC:
	case BTF_KIND_VAR:
		return is_by_value || index ? UINT32_MAX : type->type;
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_TYPE_TAG:
		return index ? UINT32_MAX : type->type;
	case BTF_KIND_ARRAY:
		return index > 1 ? UINT32_MAX : index ? btf_array(type)->index_type : btf_array(type)->type;
	case BTF_KIND_FUNC_PROTO:
		if (is_by_value || index > btf_vlen(type))
			return UINT32_MAX;
		return index ? btf_params(type)[index - 1].type : type->type;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return is_by_value && index < btf_vlen(type) ? btf_members(type)[index].type : UINT32_MAX;
	default:
		return UINT32_MAX;
	}
}

static void cut(struct cycle_walk *walk, uint32_t id)
{
	walk->is_cut[id] = 1;
}

/* Done with the type on top. */
static void leave(struct cycle_walk *walk)
{
	struct step *top = &walk->stack[--walk->depth];

	if (top->depth >= TYPE_CYCLE_DEPTH) {
		cut(walk, top->id);
		top->depth = 0;
	}
	walk->colours[top->id] = BLACK;
	walk->depths[top->id] = top->depth;
	if (walk->depth && walk->stack[walk->depth - 1].depth <= top->depth)
		walk->stack[walk->depth - 1].depth = top->depth + 1;
}

static void enter(struct cycle_walk *walk, uint32_t id)
{
	walk->colours[id] = GREY;
	walk->stack[walk->depth++] = (struct step){ .id = id };
}

/* Each type is entered once, so that the stack is never higher than there are types. */
static void walk_from(struct cycle_walk *walk, uint32_t start)
{
	enter(walk, start);
	while (walk->depth) {
		struct step *top = &walk->stack[walk->depth - 1];
		const struct btf_type *type = type_at(walk->types, top->id);
		uint32_t to = type ? reference(walk, type, top->next) : UINT32_MAX;

		if (to == UINT32_MAX) {
			leave(walk);
			continue;
		}
		top->next++;
		if (!to || to >= walk->count || walk->is_cut[top->id])
			continue;
		if (walk->colours[to] == WHITE)
			enter(walk, to);
		else if (walk->colours[to] == GREY)
			cut(walk, top->id);
		else if (walk->depths[to] >= top->depth)
			top->depth = walk->depths[to] + 1;
	}
}

int type_cycles_find(const struct kernel_types *types, uint8_t **ret_is_cut)
{
	uint32_t count = btf__type_cnt(types->btf);
	CLEANUP(free) uint8_t *is_cut = calloc(count, 1);
	CLEANUP(free) uint8_t *colours = NULL;
	CLEANUP(free) uint16_t *depths = calloc(count, sizeof(*depths));
	CLEANUP(free) struct step *stack = calloc(count, sizeof(*stack));

	for (int kind = BY_REFERENCE; kind <= BY_VALUE; kind++) {
		struct cycle_walk walk = { types, kind, count, NULL, is_cut, depths, stack, 0 };

		free(colours);
		walk.colours = colours = calloc(count, 1);
		if (!is_cut || !colours || !depths || !stack)
			return -ENOMEM;
		for (uint32_t id = 1; id < count; id++)
			if (walk.colours[id] == WHITE)
				walk_from(&walk, id);
	}
	*ret_is_cut = TAKE_PTR(is_cut);
	return 0;
}
