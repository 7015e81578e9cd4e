// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * What stands in a definition's braces. Members are laid out as a compiler would, beside the places where BTF
 * has them; where the two differ a gap is written out.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "type_c_private.h"
#include "type_walk.h"

/* Identifiers of a damaged kernel may hold anything. */
static void put_identifier(FILE *out, const char *name)
{
	for (; *name; name++)
		fputc(isalnum((unsigned char)*name) || *name == '_' ? *name : '_', out);
}

static void put_indent(FILE *out, unsigned indent)
{
	while (indent--)
		fputc('\t', out);
}

static void put_enumerators(struct emitter *emitter, FILE *out, uint32_t id,
			    const struct kernel_enumeration *all)
{
	for (uint32_t i = 0; i < all->count; i++) {
		const char *name;
		int64_t value = kernel_enumerator_at(all, i, &name);

		put_indent(out, emitter->indent + 1);
		put_identifier(out, name);
		if (!type_c_claim(emitter, &emitter->names, name, id, ""))
			fprintf(out, "__%u", id);
		if (value < 0 && !all->is_signed && all->size == 8)
			fprintf(out, " = 0x%" PRIx64 "ULL,\n", (uint64_t)value);
		else if (value == INT64_MIN)
			fprintf(out, " = (-0x7fffffffffffffffLL - 1),\n");
		else
			fprintf(out, " = %" PRId64 "%s,\n", value,
				value > INT32_MAX || value < INT32_MIN ? "LL" : "");
	}
}

static void put_enum_body(struct emitter *emitter, FILE *out, uint32_t id)
{
	struct kernel_enumeration all;

	if (kernel_enumeration(emitter->types, id, &all)) {
		type_c_fail(emitter, -EBADMSG, id);
		return;
	}
	fprintf(out, "{\n");
	put_enumerators(emitter, out, id, &all);
	if (!all.count) {
		put_indent(out, emitter->indent + 1);
		fprintf(out, "__no_enumerator_%u,\n", id);
	}
	put_indent(out, emitter->indent);
	fprintf(out, "}");
	if (all.size != 4)
		fprintf(out, " __attribute__((mode(__%s__)))",
			all.size == 1	? "QI"
			: all.size == 2 ? "HI"
					: "DI");
}

/* True when some member asks for more than a byte's alignment and still there is none: __packed. */
static bool is_packed(struct emitter *emitter, uint32_t id, const struct btf_type *type)
{
	if (type_natural_alignment(emitter->types, id) > 1)
		return false;
	for (uint32_t i = 0; i < btf_vlen(type); i++)
		if (type_natural_alignment(emitter->types, btf_members(type)[i].type) > 1)
			return true;
	return false;
}

/* A body as it grows. All in bits. */
struct body {
	struct emitter *emitter;
	FILE *out;
	uint64_t end; /* where the next member could begin */
	bool is_union, is_packed;
};

static void put_pad(struct body *body, uint64_t bytes)
{
	put_indent(body->out, body->emitter->indent + 1);
	fprintf(body->out, "unsigned char __pad_%u[%" PRIu64 "];\n", body->emitter->pads++, bytes);
}

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

/* Fill up to @offset with nameless bit-fields, none of which crosses a byte. */
static void put_bit_pads(struct body *body, uint64_t offset)
{
	while (body->end < offset) {
		uint64_t bits = 8 - body->end % 8;

		if (bits > offset - body->end)
			bits = offset - body->end;
		put_indent(body->out, body->emitter->indent + 1);
		fprintf(body->out, "unsigned char :%" PRIu64 ";\n", bits);
		body->end += bits;
	}
}

/* Bring the end to where the member is to be. False: it would overlap what is there. */
static bool place_member(struct body *body, uint64_t offset, uint32_t bits, uint64_t size, unsigned alignment)
{
	uint64_t unit = size * 8, begin;

	if (body->is_union)
		return offset == 0;
	if (bits) {
		begin = body->end;
		if (!body->is_packed && unit && begin / unit != (begin + bits - 1) / unit)
			begin = round_up(begin, unit);
		if (begin != offset)
			put_bit_pads(body, offset);
		return offset >= body->end;
	}
	begin = round_up(body->end, body->is_packed ? 8 : alignment * UINT64_C(8));
	if (begin < offset && offset % 8 == 0)
		put_pad(body, offset / 8 - (body->end + 7) / 8);
	return begin <= offset && offset % 8 == 0;
}

static void put_member(struct body *body, const struct btf_type *type, uint32_t index)
{
	const struct btf_member *member = &btf_members(type)[index];
	struct emitter *emitter = body->emitter;
	const struct btf_type *inner = type_at(emitter->types, member->type);
	CLEANUP(free) char *text = NULL;
	char name[256] = "";
	uint32_t offset, bits;
	FILE *out = body->out;
	size_t size;

	type_member_place(emitter->types, type, index, &offset, &bits);
	if (!inner || ++emitter->steps > TYPE_C_STEPS_MAX || kernel_type_size(emitter->types, member->type, &size) ||
	    !place_member(body, offset, bits, size, type_natural_alignment(emitter->types, member->type))) {
		type_c_fail(emitter, -EBADMSG, member->type);
		return;
	}
	for (const char *at = name_at(emitter->types, member->name_off);
	     *at && strlen(name) < sizeof(name) - 1; at++)
		name[strlen(name)] = isalnum((unsigned char)*at) ? *at : '_';
	emitter->indent++;
	put_indent(out, emitter->indent);
	/* What has no name but a type with one is plain C only when that is written out. */
	if (!*name && inner && btf_is_composite(inner) && *name_at(emitter->types, inner->name_off)) {
		text = type_c_body(emitter, member->type);
		fprintf(out, "%s %s", type_c_word(inner), text ? text : "");
	} else if (type_declaration_as(emitter->types, member->type, name, &emitter->naming, &text)) {
		type_c_fail(emitter, -ENOMEM, member->type);
	} else {
		fwrite(text, 1, strlen(text), out);
	}
	emitter->indent--;
	if (bits)
		fprintf(out, " :%u", bits);
	fprintf(out, ";\n");
	if (body->is_union)
		body->end = size * UINT64_C(8) > body->end ? size * UINT64_C(8) : body->end;
	else
		body->end = offset + (bits ? bits : size * UINT64_C(8));
}

static void put_struct_body(struct emitter *emitter, FILE *out, uint32_t id)
{
	const struct btf_type *type = type_at(emitter->types, id);
	struct body body = { .emitter = emitter, .out = out, .is_union = btf_is_union(type) };
	uint64_t size = (uint64_t)type->size * 8, natural;

	body.is_packed = is_packed(emitter, id, type);
	fprintf(out, "{\n");
	for (uint32_t i = 0; i < btf_vlen(type) && !emitter->status; i++)
		put_member(&body, type, i);
	natural = round_up(body.end,
			   body.is_packed ? 8 : type_natural_alignment(emitter->types, id) * UINT64_C(8));
	if (natural > size)
		type_c_fail(emitter, -EBADMSG, id);
	else if (natural < size)
		put_pad(&body, body.is_union ? size / 8 : size / 8 - (body.end + 7) / 8);
	put_indent(out, emitter->indent);
	fprintf(out, "}%s", body.is_packed ? " __attribute__((packed))" : "");
}

char *type_c_body(void *context, uint32_t id)
{
	struct emitter *emitter = context;
	const struct btf_type *type = type_at(emitter->types, id);
	char *text = NULL;
	size_t size;
	FILE *out;

	if (!type || btf_is_fwd(type) || emitter->status || ++emitter->nest > TYPE_C_NEST_MAX) {
		type_c_fail(emitter, -EBADMSG, id);
		return strdup("{}");
	}
	out = open_memstream(&text, &size);
	if (!out) {
		type_c_fail(emitter, -ENOMEM, id);
		return NULL;
	}
	if (btf_is_any_enum(type))
		put_enum_body(emitter, out, id);
	else
		put_struct_body(emitter, out, id);
	emitter->nest--;
	fclose(out);
	return text;
}
