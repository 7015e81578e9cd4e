// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The walk over members, and what their places tell about alignment. Types of a damaged kernel may nest
 * without end: depth and number of steps are bounded, and alignments are remembered, so that each is worked
 * out once.
 */
#include "type_walk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_types_private.h"

#define STEPS_MAX (1u << 18)
#define ALIGNMENT_MAX 4096u
#define DIMENSIONS_MAX 8

struct walk {
	struct kernel_types *types;
	type_visit visit;
	void *context;
	unsigned depth, steps;
	char path[TYPE_PATH_MAX];
};

/* Where a structure stands in the walk. */
struct walk_level {
	uint32_t id;
	unsigned level;
	uint64_t bit_offset;
	size_t path_length;
};

bool type_has_members(const struct kernel_types *types, uint32_t id, uint32_t *ret_id)
{
	const struct btf_type *type;

	id = type_resolve(types, id);
	for (int i = 0; i < DIMENSIONS_MAX; i++) {
		type = id ? type_at(types, id) : NULL;
		if (!type || !btf_is_array(type))
			break;
		id = type_resolve(types, btf_array(type)->type);
	}
	if (!type || !btf_is_composite(type) || !btf_vlen(type))
		return false;
	if (ret_id)
		*ret_id = id;
	return true;
}

bool type_is_array(const struct kernel_types *types, uint32_t id, uint32_t *ret_element, uint64_t *ret_count)
{
	const struct btf_type *type = type_resolved(types, id);

	if (!type || !btf_is_array(type))
		return false;
	if (ret_element)
		*ret_element = btf_array(type)->type;
	if (ret_count)
		*ret_count = btf_array(type)->nelems;
	return true;
}

/* "path.name", and "[0]" for each dimension of an array of structures. False: too long. */
static bool path_append(struct walk *walk, size_t length, const char *name, size_t *ret_length)
{
	const char *dot = length && *name && *name != '[' ? "." : "";
	int added = snprintf(walk->path + length, sizeof(walk->path) - length, "%s%s", dot, name);

	*ret_length = length + added;
	return *ret_length < sizeof(walk->path) - 4 * DIMENSIONS_MAX;
}

static size_t path_into_elements(struct walk *walk, uint32_t id, size_t length)
{
	const struct btf_type *type = type_resolved(walk->types, id);

	for (int i = 0; i < DIMENSIONS_MAX && type && btf_is_array(type); i++) {
		strcpy(walk->path + length, "[0]");
		length += 3;
		type = type_resolved(walk->types, btf_array(type)->type);
	}
	return length;
}

static int visit_gap(struct walk *walk, const struct walk_level *level, enum type_step_kind kind,
		     uint64_t from, uint64_t bits)
{
	struct type_step step = { .kind = kind, .level = level->level, .name = "" };

	step.path = walk->path;
	step.bit_offset = level->bit_offset + from;
	step.bit_count = bits;
	step.size = bits / 8;
	walk->path[level->path_length] = '\0';
	return walk->visit(&step, walk->context);
}

/* The bits up to the next byte, and the bytes after them, are gaps of their own. */
static int visit_gaps(struct walk *walk, const struct walk_level *level, enum type_step_kind kind,
		      uint64_t from, uint64_t to)
{
	uint64_t whole = (from + 7) / 8 * 8;
	int status = 0;

	if (from >= to)
		return 0;
	if (whole > to)
		whole = to;
	if (whole > from)
		status = visit_gap(walk, level, kind, from, whole - from);
	return !status && to > whole ? visit_gap(walk, level, kind, whole, to - whole) : status;
}

static int walk_members(struct walk *walk, const struct walk_level *level);

static int walk_member(struct walk *walk, const struct walk_level *level, const struct btf_type *type,
		       uint32_t index, uint64_t *ret_end)
{
	const struct btf_member *member = &btf_members(type)[index];
	struct walk_level inner = { .level = level->level + 1 };
	struct type_step step = { .level = level->level, .type_id = member->type, .path = walk->path };
	uint32_t bit_offset;
	bool is_short;
	int status;

	if (++walk->steps > STEPS_MAX)
		return -EBADMSG;
	type_member_place(walk->types, type, index, &bit_offset, &step.bit_size);
	step.bit_offset = level->bit_offset + bit_offset;
	step.name = name_at(walk->types, member->name_off);
	step.is_in_union = btf_is_union(type);
	if (kernel_type_size(walk->types, member->type, &step.size))
		step.size = 0;
	*ret_end = bit_offset + (step.bit_size ? step.bit_size : (uint64_t)step.size * 8);
	is_short = path_append(walk, level->path_length, step.name, &inner.path_length);
	step.is_opened = !step.bit_size && type_has_members(walk->types, member->type, &inner.id) &&
			 is_short && (!walk->depth || inner.level < walk->depth) &&
			 inner.level < TYPE_DEPTH_MAX;
	status = walk->visit(&step, walk->context);
	if (status || !step.is_opened)
		return status == TYPE_WALK_SKIP ? 0 : status;
	inner.bit_offset = step.bit_offset;
	inner.path_length = path_into_elements(walk, member->type, inner.path_length);
	return walk_members(walk, &inner);
}

static int walk_members(struct walk *walk, const struct walk_level *level)
{
	const struct btf_type *type = type_at(walk->types, level->id);
	uint64_t end = 0;
	int status = 0;

	for (uint32_t i = 0; i < btf_vlen(type) && !status; i++) {
		uint32_t bit_offset, bit_size;
		uint64_t member_end;

		type_member_place(walk->types, type, i, &bit_offset, &bit_size);
		if (!btf_is_union(type))
			status = visit_gaps(walk, level, STEP_HOLE, end, bit_offset);
		if (!status)
			status = walk_member(walk, level, type, i, &member_end);
		if (!status && member_end > end)
			end = member_end;
	}
	if (!status)
		status = visit_gaps(walk, level, STEP_PADDING, end, (uint64_t)type->size * 8);
	return status;
}

int type_walk(struct kernel_types *types, uint32_t id, const char *path, uint64_t bit_offset, unsigned depth,
	      type_visit visit, void *context)
{
	struct walk walk = { .types = types, .visit = visit, .context = context, .depth = depth };
	struct walk_level level = { .bit_offset = bit_offset };

	if (!type_has_members(types, id, &level.id))
		return 0;
	if (!path_append(&walk, 0, path, &level.path_length))
		return -EBADMSG;
	level.path_length = path_into_elements(&walk, id, level.path_length);
	return walk_members(&walk, &level);
}

/* Alignments --------------------------------------------------------------------------------------------- */

static unsigned align_of(struct kernel_types *types, uint32_t id, bool is_natural);

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

/* The least alignment above @alignment that brings from @end to @offset; @alignment when none does. */
static unsigned alignment_of_gap(uint64_t end, uint64_t offset, unsigned alignment)
{
	if (offset <= round_up(end, alignment))
		return alignment;
	for (unsigned wider = alignment * 2; wider <= ALIGNMENT_MAX && !(offset % wider); wider *= 2)
		if (offset - end < wider)
			return wider;
	return alignment;
}

/* False where a compiler would put it elsewhere: then the structure is packed. */
static bool lies_naturally(uint64_t bit_offset, uint32_t bit_size, uint64_t size, unsigned alignment)
{
	uint64_t unit = size * 8;

	if (!bit_size)
		return bit_offset % 8 == 0 && bit_offset / 8 % alignment == 0;
	return !unit || bit_offset / unit == (bit_offset + bit_size - 1) / unit;
}

static unsigned align_of_composite(struct kernel_types *types, const struct btf_type *type, bool is_natural)
{
	unsigned widest = 1;
	uint64_t end = 0;

	for (uint32_t i = 0; i < btf_vlen(type); i++) {
		uint32_t id = btf_members(type)[i].type, bit_offset, bit_size;
		unsigned alignment = align_of(types, id, is_natural);
		uint64_t bits;
		size_t size;

		type_member_place(types, type, i, &bit_offset, &bit_size);
		if (kernel_type_size(types, id, &size))
			size = 0;
		if (!lies_naturally(bit_offset, bit_size, size, alignment))
			return 1;
		if (!is_natural && !bit_size && btf_is_struct(type))
			alignment = alignment_of_gap(end, bit_offset / 8, alignment);
		if (alignment > widest)
			widest = alignment;
		bits = bit_offset + (bit_size ? bit_size : (uint64_t)size * 8);
		if ((bits + 7) / 8 > end)
			end = (bits + 7) / 8;
	}
	if (type->size % widest)
		return 1;
	return is_natural ? widest : alignment_of_gap(end, type->size, widest);
}

static unsigned align_of_type(struct kernel_types *types, const struct btf_type *type, bool is_natural)
{
	uint32_t size = type->size;

	switch (btf_kind(type)) {
	case BTF_KIND_PTR:
		return 8;
	case BTF_KIND_INT:
	case BTF_KIND_FLOAT:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return size && size <= 16 && !(size & (size - 1)) ? size : 1;
	case BTF_KIND_ARRAY:
		return align_of(types, btf_array(type)->type, is_natural);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return align_of_composite(types, type, is_natural);
	default:
		return 1;
	}
}

/* Remembered as the exponent + 1. */
static unsigned align_of(struct kernel_types *types, uint32_t id, bool is_natural)
{
	uint8_t **known = &types->alignments[is_natural];
	unsigned alignment;

	id = type_resolve(types, id);
	if (!id)
		return 1;
	if (!*known)
		*known = calloc(btf__type_cnt(types->btf), 1);
	if (!*known)
		return 1;
	if ((*known)[id])
		return 1u << ((*known)[id] - 1);
	/* What contains itself meets this instead of no end. */
	(*known)[id] = 1;
	if (++types->align_depth > 4 * TYPE_DEPTH_MAX)
		alignment = 1;
	else
		alignment = align_of_type(types, type_at(types, id), is_natural);
	types->align_depth--;
	(*known)[id] = __builtin_ctz(alignment) + 1;
	return alignment;
}

unsigned type_alignment(struct kernel_types *types, uint32_t id)
{
	return align_of(types, id, false);
}

unsigned type_natural_alignment(struct kernel_types *types, uint32_t id)
{
	return align_of(types, id, true);
}

static int count_step(const struct type_step *step, void *context)
{
	struct type_summary *summary = context;

	if (step->kind == STEP_HOLE) {
		summary->holes++;
		summary->hole_bits += step->bit_count;
	} else if (step->kind == STEP_PADDING) {
		summary->padding_bits += step->bit_count;
	} else if (*step->name) {
		summary->members++;
		return TYPE_WALK_SKIP;
	}
	return 0;
}

int type_summarize(struct kernel_types *types, uint32_t id, struct type_summary *ret_summary)
{
	struct type_summary summary = { .alignment = type_alignment(types, id) };
	int status = kernel_type_size(types, id, &summary.size);

	if (!status)
		status = type_walk(types, id, "", 0, 0, count_step, &summary);
	if (!status)
		*ret_summary = summary;
	return status;
}
