// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Writes BTF as DWARF: an entry (DIE) for each type, in the order of their ids. A reference is where the
 * other entry lies, which is known when all have been written once; so all is written twice, with the
 * same sizes.
 */
#include "btf_dwarf.h"

#include <dwarf.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "dwarf_shapes.h"
#include "kernel_types_private.h"
#include "partition_point.h"
#include "type_cycles.h"

struct dwarf_writing {
	const struct dwarf_contents *contents;
	const struct kernel_types *types; /* the contents' */
	struct byte_writer *info, *locations;
	uint32_t count;
	uint32_t string_bytes;
	uint32_t *places; /* of entries, by type id: offsets in the section. 0: none */
	uint8_t *is_cut;
};

/* References ------------------------------------------------------------------------------------------- */

/*
 * The type that a reference to @id means: tags stand for what they tag. 0: void, or nothing that is a
 * type.
 */
static uint32_t referred(const struct dwarf_writing *writing, uint32_t from, uint32_t id)
{
	if (from && writing->is_cut[from])
		return 0;
	for (int step = 0; id && id < writing->count && step < TYPE_CYCLE_DEPTH; step++) {
		const struct btf_type *type = type_at(writing->types, id);

		switch (btf_kind(type)) {
		case BTF_KIND_TYPE_TAG:
			id = writing->is_cut[id] ? 0 : type->type;
			continue;
		case BTF_KIND_FUNC:
		case BTF_KIND_VAR:
		case BTF_KIND_DATASEC:
		case BTF_KIND_DECL_TAG:
			return 0;
		default:
			return id;
		}
	}
	return 0;
}

static void put_reference(struct dwarf_writing *writing, uint32_t id)
{
	put_number(writing->info, writing->places[id], 4);
}

static void put_name(struct dwarf_writing *writing, uint32_t offset)
{
	put_number(writing->info, offset < writing->string_bytes ? offset : 0, 4);
}

static bool has_name(const struct dwarf_writing *writing, uint32_t offset)
{
	return *name_at(writing->types, offset) != '\0';
}

/* @shape, or the one behind it when there is nothing to refer to. Returns whether there is. */
static bool put_shape(struct dwarf_writing *writing, enum dwarf_shape shape, bool is_first)
{
	put_uleb(writing->info, is_first ? shape : shape + 1u);
	return is_first;
}

static void end_children(struct dwarf_writing *writing)
{
	put_number(writing->info, 0, 1);
}

/* Types ------------------------------------------------------------------------------------------------ */

static uint8_t encoding_of(const struct dwarf_writing *writing, const struct btf_type *type)
{
	bool is_signed = btf_int_encoding(type) & BTF_INT_SIGNED;
	/* As compilers have it: char and its kin are characters. */
	bool is_character = type->size == 1 && strstr(name_at(writing->types, type->name_off), "char");

	if (btf_int_encoding(type) & BTF_INT_BOOL)
		return DW_ATE_boolean;
	if (is_character) {
		/* pahole doesn't say that char is signed, which it is here. */
		bool is_plain = !strcmp(name_at(writing->types, type->name_off), "char");

		return is_signed || is_plain ? DW_ATE_signed_char : DW_ATE_unsigned_char;
	}
	return is_signed ? DW_ATE_signed : DW_ATE_unsigned;
}

static void put_base(struct dwarf_writing *writing, const struct btf_type *type)
{
	put_uleb(writing->info, BASE);
	put_name(writing, type->name_off);
	put_uleb(writing->info, type->size <= 16 ? type->size : 16);
	put_number(writing->info, btf_is_float(type) ? DW_ATE_float : encoding_of(writing, type), 1);
}

static void put_modifier(struct dwarf_writing *writing, uint32_t id, const struct btf_type *type,
			 enum dwarf_shape shape)
{
	uint32_t to = referred(writing, id, type->type);
	bool has_type = put_shape(writing, shape, to);

	if (shape == TYPEDEF)
		put_name(writing, type->name_off);
	if (shape == POINTER)
		put_number(writing->info, 8, 1);
	if (has_type)
		put_reference(writing, to);
}

static void put_array(struct dwarf_writing *writing, uint32_t id, const struct btf_type *type)
{
	const struct btf_array *array = btf_array(type);
	uint32_t to = referred(writing, id, array->type);

	if (!to) { /* of nothing: stands for void */
		put_uleb(writing->info, TYPEDEF_VOID);
		put_name(writing, 0);
		return;
	}
	put_uleb(writing->info, ARRAY);
	put_reference(writing, to);
	if (put_shape(writing, BOUND, array->nelems))
		put_uleb(writing->info, array->nelems);
	end_children(writing);
}

/* Whether the member lies within its struct; of a flexible array, whether it begins there. */
static bool is_within(const struct dwarf_writing *writing, const struct btf_type *type, uint32_t member_type,
		      uint32_t bit_offset, uint32_t bit_size)
{
	uint64_t end = 8ULL * type->size;
	size_t size = 0;

	if (!bit_size && kernel_type_size((struct kernel_types *)writing->types, member_type, &size))
		size = 0;
	return bit_offset <= end && (bit_size ? bit_size : 8ULL * size) <= end - bit_offset;
}

static void put_member(struct dwarf_writing *writing, uint32_t id, const struct btf_type *type, uint32_t index)
{
	const struct btf_member *member = &btf_members(type)[index];
	uint32_t to = referred(writing, id, member->type), bit_offset, bit_size;
	bool is_named = has_name(writing, member->name_off);

	type_member_place(writing->types, type, index, &bit_offset, &bit_size);
	if (!to || !is_within(writing, type, to, bit_offset, bit_size))
		return;
	if (put_shape(writing, bit_size ? BITS : MEMBER, is_named))
		put_name(writing, member->name_off);
	put_reference(writing, to);
	put_uleb(writing->info, bit_size ? bit_offset : bit_offset / 8);
	if (bit_size)
		put_uleb(writing->info, bit_size);
}

static void put_struct(struct dwarf_writing *writing, uint32_t id, const struct btf_type *type)
{
	if (put_shape(writing, btf_is_union(type) ? UNION : STRUCT, has_name(writing, type->name_off)))
		put_name(writing, type->name_off);
	put_uleb(writing->info, type->size);
	for (uint32_t i = 0; i < btf_vlen(type); i++)
		put_member(writing, id, type, i);
	end_children(writing);
}

static void put_enum(struct dwarf_writing *writing, const struct btf_type *type)
{
	bool is_named = has_name(writing, type->name_off), is_elsewhere = is_named && !btf_vlen(type);

	if (is_elsewhere)
		put_uleb(writing->info, ENUM_ELSEWHERE);
	else
		put_shape(writing, ENUM, is_named);
	if (is_named)
		put_name(writing, type->name_off);
	put_uleb(writing->info, type->size <= 8 ? type->size : 8);
	if (is_elsewhere)
		return;
	for (uint32_t i = 0; i < btf_vlen(type); i++) {
		const char *name;
		int64_t value = type_enumerator(writing->types, type, i, &name);
		bool is_unsigned = btf_is_enum64(type) && !btf_kflag(type);

		put_uleb(writing->info, is_unsigned ? VALUE_UNSIGNED : VALUE);
		put_name(writing, btf_is_enum64(type) ? btf_enum64(type)[i].name_off :
							btf_enum(type)[i].name_off);
		if (is_unsigned)
			put_uleb(writing->info, (uint64_t)value);
		else
			put_sleb(writing->info, value);
	}
	end_children(writing);
}

static void put_forward(struct dwarf_writing *writing, const struct btf_type *type)
{
	put_uleb(writing->info, btf_kflag(type) ? UNION_ELSEWHERE : STRUCT_ELSEWHERE);
	put_name(writing, type->name_off);
}

/* A prototype's last parameter: "..." */
static bool is_more(const struct btf_type *prototype, uint32_t index)
{
	return !btf_params(prototype)[index].type && index + 1u == btf_vlen(prototype);
}

static void put_nameless_parameters(struct dwarf_writing *writing, uint32_t id, const struct btf_type *type)
{
	for (uint32_t i = 0; i < btf_vlen(type); i++) {
		uint32_t to = referred(writing, id, btf_params(type)[i].type);

		if (is_more(type, i)) {
			put_uleb(writing->info, MORE_PARAMETERS);
		} else if (to) {
			put_uleb(writing->info, PARAMETER_NAMELESS);
			put_reference(writing, to);
		}
	}
	end_children(writing);
}

static void put_prototype(struct dwarf_writing *writing, uint32_t id, const struct btf_type *type)
{
	uint32_t to = referred(writing, id, type->type);

	if (put_shape(writing, PROTOTYPE, to))
		put_reference(writing, to);
	put_nameless_parameters(writing, id, type);
}

/* What has an address ---------------------------------------------------------------------------------- */

static const struct dwarf_symbol *find_symbol(const struct dwarf_writing *writing, const char *name)
{
	const struct dwarf_symbol *symbols = writing->contents->symbols;
	size_t count = writing->contents->symbol_count;
	size_t at = PARTITION_POINT(i, count, strcmp(symbols[i].name, name) < 0);

	return at < count && !strcmp(symbols[at].name, name) ? &symbols[at] : NULL;
}

/* Where a function's arguments are when it is called: System V ABI, AMD64 supplement, 3.2.3. */
struct argument_walk {
	unsigned registers; /* taken already */
	uint32_t stack;     /* bytes taken on the stack, above the return address */
};

/*
 * The next argument's place as an operation of DWARF, of at most 4 bytes. Returns its size; 0: it is in
 * two places, or can't be told.
 */
static size_t next_argument(struct argument_walk *walk, size_t size, bool is_aggregate, uint8_t *operation)
{
	static const uint8_t numbers[] = { 5, 4, 1, 2, 8, 9 }; /* rdi, rsi, rdx, rcx, r8, r9 */
	unsigned words = (unsigned)((size + 7) / 8);
	uint32_t offset = 8 + walk->stack;

	if (!size || size > 256)
		return 0;
	if (words <= 2 && words <= sizeof(numbers) - walk->registers) {
		operation[0] = DW_OP_reg0 + numbers[walk->registers];
		walk->registers += words;
		return words == 1 ? 1 : 0;
	}
	/* A number that finds no register is the end of them, a struct only passes them over. */
	if (!is_aggregate)
		walk->registers = sizeof(numbers);
	walk->stack += 8 * words;
	operation[0] = DW_OP_breg0 + 7; /* rsp */
	operation[1] = (offset & 0x7f) | 0x80;
	operation[2] = offset >> 7 & 0x7f;
	return offset < 1 << 13 ? 3 : 0;
}

/* A location list of one entry. Returns its offset. */
static uint32_t put_location(struct dwarf_writing *writing, const struct dwarf_symbol *symbol,
			     const uint8_t *operation, size_t size)
{
	uint32_t at = (uint32_t)writing->locations->size;

	put_number(writing->locations, symbol->start, 8);
	put_number(writing->locations, symbol->start + symbol->prefix + 1, 8);
	put_number(writing->locations, size, 2);
	put_bytes(writing->locations, operation, size);
	put_number(writing->locations, 0, 8);
	put_number(writing->locations, 0, 8);
	return at;
}

static void put_arguments(struct dwarf_writing *writing, uint32_t id, const struct btf_type *type,
			  const struct dwarf_symbol *symbol)
{
	struct argument_walk walk = { 0 };
	bool is_known = true; /* where arguments are, until one can't be told */

	for (uint32_t i = 0; i < btf_vlen(type) && !is_more(type, i); i++) {
		const struct btf_param *parameter = &btf_params(type)[i];
		uint32_t to = referred(writing, id, parameter->type);
		const struct btf_type *resolved = type_resolved(writing->types, to);
		uint8_t operation[4];
		size_t size = 0, length = 0;

		is_known = is_known && resolved && !btf_is_float(resolved) &&
			   !kernel_type_size((struct kernel_types *)writing->types, to, &size) && size;
		if (is_known)
			length = next_argument(&walk, size, btf_is_composite(resolved), operation);
		if (!to || !has_name(writing, parameter->name_off))
			continue;
		put_uleb(writing->info, length ? PARAMETER_PLACED : PARAMETER);
		put_name(writing, parameter->name_off);
		put_reference(writing, to);
		if (length)
			put_number(writing->info, put_location(writing, symbol, operation, length), 4);
	}
	if (btf_vlen(type) && is_more(type, btf_vlen(type) - 1))
		put_uleb(writing->info, MORE_PARAMETERS);
	end_children(writing);
}

static void put_function(struct dwarf_writing *writing, const struct btf_type *type)
{
	const struct dwarf_symbol *symbol = find_symbol(writing, name_at(writing->types, type->name_off));
	const struct btf_type *prototype = type_at(writing->types, type->type);
	uint32_t to;

	if (!symbol || !symbol->is_function || !prototype || !btf_is_func_proto(prototype))
		return;
	to = referred(writing, type->type, prototype->type);
	put_shape(writing, FUNCTION, to);
	put_name(writing, type->name_off);
	put_number(writing->info, symbol->is_global, 1); /* BTF calls them all static */
	put_number(writing->info, symbol->start, 8);
	put_uleb(writing->info, symbol->size);
	if (to)
		put_reference(writing, to);
	put_arguments(writing, type->type, prototype, symbol);
}

static void put_variable(struct dwarf_writing *writing, uint32_t id, const struct btf_type *type)
{
	const struct dwarf_symbol *symbol = find_symbol(writing, name_at(writing->types, type->name_off));
	uint32_t to = referred(writing, id, type->type);

	if (!symbol || !to)
		return;
	put_uleb(writing->info, VARIABLE);
	put_name(writing, type->name_off);
	put_reference(writing, to);
	put_uleb(writing->info, 9);
	put_number(writing->info, DW_OP_addr, 1);
	put_number(writing->info, symbol->start, 8);
}

/* All of it -------------------------------------------------------------------------------------------- */

static void put_entry(struct dwarf_writing *writing, uint32_t id)
{
	const struct btf_type *type = type_at(writing->types, id);

	switch (btf_kind(type)) {
	case BTF_KIND_INT:
	case BTF_KIND_FLOAT:
		return put_base(writing, type);
	case BTF_KIND_PTR:
		return put_modifier(writing, id, type, POINTER);
	case BTF_KIND_TYPEDEF:
		return put_modifier(writing, id, type, TYPEDEF);
	case BTF_KIND_CONST:
		return put_modifier(writing, id, type, CONST);
	case BTF_KIND_VOLATILE:
		return put_modifier(writing, id, type, VOLATILE);
	case BTF_KIND_RESTRICT:
		return put_modifier(writing, id, type, RESTRICT);
	case BTF_KIND_ARRAY:
		return put_array(writing, id, type);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return put_struct(writing, id, type);
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return put_enum(writing, type);
	case BTF_KIND_FWD:
		return put_forward(writing, type);
	case BTF_KIND_FUNC_PROTO:
		return put_prototype(writing, id, type);
	case BTF_KIND_FUNC:
		return put_function(writing, type);
	case BTF_KIND_VAR:
		return put_variable(writing, id, type);
	default: /* tags and sections are none */
		return;
	}
}

static void put_unit(struct dwarf_writing *writing)
{
	struct byte_writer *info = writing->info;

	put_number(info, 0, 4); /* unit_length */
	put_number(info, 4, 2); /* version */
	put_number(info, 0, 4); /* debug_abbrev_offset */
	put_number(info, 8, 1); /* address_size */
	put_uleb(info, UNIT);
	put_text(info, writing->contents->producer);
	put_number(info, DW_LANG_C99, 1);
	put_text(info, "the kernel's own types");
	put_number(info, 0, 8); /* what locations and ranges are relative to */
	put_number(info, 0, 4);
	for (uint32_t id = 1; id < writing->count; id++) {
		writing->places[id] = (uint32_t)info->size;
		put_entry(writing, id);
	}
	end_children(writing);
	patch_number(info, 0, info->size - 4, 4);
}

void btf_dwarf_put(const struct dwarf_contents *contents, struct dwarf_sections *sections, size_t *ret_count)
{
	CLEANUP(free) uint32_t *places = NULL;
	CLEANUP(free) uint8_t *is_cut = NULL;
	struct dwarf_writing writing = { .contents = contents,
					 .types = contents->types,
					 .info = &sections->info,
					 .locations = &sections->locations,
					 .count = 1 };

	dwarf_shapes_put(&sections->abbreviations);
	dwarf_put_ranges(contents->code, contents->code_count, &sections->ranges);
	dwarf_put_addresses(contents->code, contents->code_count, &sections->addresses);
	if (writing.types && !type_cycles_find(writing.types, &is_cut)) {
		places = calloc(btf__type_cnt(writing.types->btf), sizeof(*places));
		writing.is_cut = is_cut;
		writing.places = places;
		if (places)
			writing.string_bytes = dwarf_put_strings(writing.types, &sections->strings);
		if (writing.string_bytes)
			writing.count = btf__type_cnt(writing.types->btf);
	}
	put_unit(&writing);
	sections->info.size = sections->locations.size = 0;
	put_unit(&writing);
	*ret_count = writing.count - 1;
}
