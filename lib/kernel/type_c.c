// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Definitions in the order that C wants: what is held by value first. Bodies are laid out as a compiler
 * would, beside the places where BTF has the members; where the two differ a gap is written out.
 */
#include "type_c.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel_types_private.h"
#include "type_text.h"
#include "type_walk.h"

#define NEST_MAX 128
#define STEPS_MAX (1u << 18)

/* How far a type has got. */
enum {
	IS_DECLARED = 1,
	IS_DEFINED = 2,
	IS_BUSY = 4, /* being defined: to need it now is a circle */
};

/* Who has a name: tags (struct, union, enum) and other names (typedefs, enumerators) are apart in C. */
struct claim {
	char *name;
	uint32_t id; /* 0: only declared yet */
	const char *word;
};

struct emitter {
	struct kernel_types *types;
	struct type_naming naming;
	uint8_t *states, *is_renamed; /* by id */
	void *tags, *names;           /* trees of struct claim */
	FILE *out;
	unsigned nest, indent, pads;
	unsigned steps;     /* members and types looked at, in all */
	bool is_after_line; /* what was written last stands on one line */
	int status; /* the first failure */
	uint32_t culprit;
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct claim *)a)->name, ((const struct claim *)b)->name);
}

static void free_claim(void *claim)
{
	free(((struct claim *)claim)->name);
	free(claim);
}

static void emitter_deinit(struct emitter *emitter)
{
	free(emitter->states);
	free(emitter->is_renamed);
	tdestroy(emitter->tags, free_claim);
	tdestroy(emitter->names, free_claim);
}
DEFINE_CLEANUP(emitter, struct emitter, emitter_deinit(&v));

static bool fail(struct emitter *emitter, int code, uint32_t id)
{
	if (!emitter->status) {
		emitter->status = code;
		emitter->culprit = id;
	}
	return false;
}

/* False: another has the name. */
static bool claim_name(struct emitter *emitter, void **tree, const char *name, uint32_t id, const char *word)
{
	struct claim key = { .name = (char *)name }, *claim;
	struct claim **found = tfind(&key, tree, by_name);

	if (found) {
		claim = *found;
		if (strcmp(claim->word, word))
			return false;
		if (!claim->id)
			claim->id = id;
		return !id || claim->id == id;
	}
	claim = calloc(1, sizeof(*claim));
	if (!claim || !(claim->name = strdup(name)) || !tsearch(claim, tree, by_name)) {
		if (claim)
			free_claim(claim);
		return fail(emitter, -ENOMEM, id);
	}
	claim->id = id;
	claim->word = word;
	return true;
}

static const char *word_of(const struct btf_type *type)
{
	switch (btf_kind(type)) {
	case BTF_KIND_UNION:
		return "union";
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return "enum";
	case BTF_KIND_FWD:
		return btf_kflag(type) ? "union" : "struct";
	default:
		return "struct";
	}
}

static void claim_tag(struct emitter *emitter, uint32_t id)
{
	const struct btf_type *type = type_at(emitter->types, id);
	const char *name = name_at(emitter->types, type->name_off);

	if (!claim_name(emitter, &emitter->tags, name, btf_is_fwd(type) ? 0 : id, word_of(type)))
		emitter->is_renamed[id] = 1;
}

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

/* Bodies ------------------------------------------------------------------------------------------------- */

static void put_enumerators(struct emitter *emitter, FILE *out, uint32_t id,
			    const struct kernel_enumeration *all)
{
	for (uint32_t i = 0; i < all->count; i++) {
		const char *name;
		int64_t value = kernel_enumerator_at(all, i, &name);

		put_indent(out, emitter->indent + 1);
		put_identifier(out, name);
		if (!claim_name(emitter, &emitter->names, name, id, ""))
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
		fail(emitter, -EBADMSG, id);
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

static char *body_text(void *context, uint32_t id);

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
	if (!inner || ++emitter->steps > STEPS_MAX || kernel_type_size(emitter->types, member->type, &size) ||
	    !place_member(body, offset, bits, size, type_natural_alignment(emitter->types, member->type))) {
		fail(emitter, -EBADMSG, member->type);
		return;
	}
	for (const char *at = name_at(emitter->types, member->name_off);
	     *at && strlen(name) < sizeof(name) - 1; at++)
		name[strlen(name)] = isalnum((unsigned char)*at) ? *at : '_';
	emitter->indent++;
	put_indent(out, emitter->indent);
	/* What has no name but a type with one is plain C only when that is written out. */
	if (!*name && inner && btf_is_composite(inner) && *name_at(emitter->types, inner->name_off)) {
		text = body_text(emitter, member->type);
		fprintf(out, "%s %s", word_of(inner), text ? text : "");
	} else if (type_declaration_as(emitter->types, member->type, name, &emitter->naming, &text)) {
		fail(emitter, -ENOMEM, member->type);
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
		fail(emitter, -EBADMSG, id);
	else if (natural < size)
		put_pad(&body, body.is_union ? size / 8 : size / 8 - (body.end + 7) / 8);
	put_indent(out, emitter->indent);
	fprintf(out, "}%s", body.is_packed ? " __attribute__((packed))" : "");
}

/* Also what struct type_naming asks for where a type without a name stands. */
static char *body_text(void *context, uint32_t id)
{
	struct emitter *emitter = context;
	const struct btf_type *type = type_at(emitter->types, id);
	char *text = NULL;
	size_t size;
	FILE *out;

	if (!type || btf_is_fwd(type) || emitter->status || ++emitter->nest > NEST_MAX) {
		fail(emitter, -EBADMSG, id);
		return strdup("{}");
	}
	out = open_memstream(&text, &size);
	if (!out) {
		fail(emitter, -ENOMEM, id);
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

/* Order -------------------------------------------------------------------------------------------------- */

static void need(struct emitter *emitter, uint32_t id, bool by_value);

static void need_members(struct emitter *emitter, const struct btf_type *type)
{
	for (uint32_t i = 0; i < btf_vlen(type) && !emitter->status; i++)
		need(emitter, btf_members(type)[i].type, true);
}

static void define_tag(struct emitter *emitter, uint32_t id)
{
	const struct btf_type *type = type_at(emitter->types, id);
	CLEANUP(free) char *head = NULL, *body = NULL;

	if (emitter->states[id] & IS_BUSY) {
		fail(emitter, -EBADMSG, id);
		return;
	}
	emitter->states[id] |= IS_BUSY;
	claim_tag(emitter, id);
	if (btf_is_composite(type))
		need_members(emitter, type);
	if (!emitter->status && (body = body_text(emitter, id)) &&
	    !type_declaration_as(emitter->types, id, "", &emitter->naming, &head))
		fprintf(emitter->out, "%s%s %s;\n\n", emitter->is_after_line ? "\n" : "", head, body);
	emitter->is_after_line = false;
	emitter->states[id] = IS_DECLARED | IS_DEFINED;
}

static void declare_tag(struct emitter *emitter, uint32_t id)
{
	CLEANUP(free) char *head = NULL;

	if (emitter->states[id] & IS_DECLARED)
		return;
	claim_tag(emitter, id);
	if (!type_declaration_as(emitter->types, id, "", &emitter->naming, &head))
		fprintf(emitter->out, "%s;\n", head);
	emitter->is_after_line = true;
	emitter->states[id] |= IS_DECLARED;
}

static void need_tag(struct emitter *emitter, uint32_t id, bool by_value)
{
	const struct btf_type *type = type_at(emitter->types, id);
	bool has_name = *name_at(emitter->types, type->name_off);

	if (!has_name && btf_is_composite(type))
		need_members(emitter, type); /* it will be written where it is used */
	if (!has_name || emitter->states[id] & IS_DEFINED)
		return;
	/* An enum can't be declared before it is defined. */
	if ((by_value && !btf_is_fwd(type)) || btf_is_any_enum(type))
		define_tag(emitter, id);
	else
		declare_tag(emitter, id);
}

static void need_typedef(struct emitter *emitter, uint32_t id, bool by_value)
{
	const struct btf_type *type = type_at(emitter->types, id);
	const char *name = name_at(emitter->types, type->name_off);
	CLEANUP(free) char *text = NULL, *own = NULL;

	if (!strcmp(name, "__builtin_va_list"))
		return;
	need(emitter, type->type, by_value);
	if (emitter->states[id] & IS_DECLARED || emitter->status)
		return;
	emitter->states[id] |= IS_DECLARED;
	if (!claim_name(emitter, &emitter->names, name, id, "typedef"))
		emitter->is_renamed[id] = 1;
	/* Its name as it stands in declarations, to be declared itself. */
	if (type_declaration_as(emitter->types, id, "", &emitter->naming, &own) ||
	    type_declaration_as(emitter->types, type->type, own, &emitter->naming, &text))
		fail(emitter, -ENOMEM, id);
	else
		fprintf(emitter->out, "typedef %s;\n", text);
	emitter->is_after_line = true;
}

static void need_parameters(struct emitter *emitter, const struct btf_type *proto)
{
	need(emitter, proto->type, false);
	for (uint32_t i = 0; i < btf_vlen(proto) && !emitter->status; i++)
		need(emitter, btf_params(proto)[i].type, false);
}

/* Write what must stand before a declaration with type @id. */
static void need(struct emitter *emitter, uint32_t id, bool by_value)
{
	const struct btf_type *type = id ? type_at(emitter->types, id) : NULL;

	if (!id || emitter->status)
		return;
	if (!type || ++emitter->nest > NEST_MAX || ++emitter->steps > STEPS_MAX) {
		fail(emitter, -EBADMSG, id);
		return;
	}
	if (btf_is_composite(type) || btf_is_any_enum(type) || btf_is_fwd(type))
		need_tag(emitter, id, by_value);
	else if (btf_is_typedef(type))
		need_typedef(emitter, id, by_value);
	else if (btf_is_array(type))
		need(emitter, btf_array(type)->type, true);
	else if (btf_is_func_proto(type))
		need_parameters(emitter, type);
	else if (btf_is_ptr(type))
		need(emitter, type->type, false);
	else if (btf_is_mod(type) || btf_is_type_tag(type))
		need(emitter, type->type, by_value);
	emitter->nest--;
}

static int write_all(struct emitter *emitter, uint32_t id, char **ret_text)
{
	char *text = NULL, *name = NULL;
	size_t length, size;

	emitter->out = open_memstream(&text, &length);
	if (!emitter->out)
		return -ENOMEM;
	need(emitter, id, true);
	if (!emitter->status && kernel_type_size(emitter->types, id, &size))
		fail(emitter, -ENOENT, id);
	if (!emitter->status && !type_declaration_as(emitter->types, id, "", &emitter->naming, &name))
		fprintf(emitter->out, "_Static_assert(sizeof(%s) == %zu, \"%s\");\n", name, size, name);
	if (fclose(emitter->out))
		fail(emitter, -ENOMEM, id);
	free(name);
	if (emitter->status)
		free(text);
	else
		*ret_text = text;
	return emitter->status;
}

int type_to_c(struct kernel_types *types, uint32_t id, char **ret_text, struct error *err)
{
	CLEANUP(emitter) struct emitter emitter = { .types = types };
	const struct btf_type *type = type_at(types, id);
	const char *culprit;
	size_t count = btf__type_cnt(types->btf);
	int status;

	if (!type || !*name_at(types, type->name_off))
		return error_set(err, -ENOENT, "only types with a name can be written as C");
	emitter.states = calloc(count, 1);
	emitter.is_renamed = calloc(count, 1);
	if (!emitter.states || !emitter.is_renamed)
		return error_set(err, -ENOMEM, "no memory for the state of %zu types", count);
	emitter.naming = (struct type_naming){
		.is_renamed = emitter.is_renamed, .is_plain = true, .body = body_text, .context = &emitter,
	};
	status = write_all(&emitter, id, ret_text);
	if (!status)
		return 0;
	type = type_at(types, emitter.culprit);
	culprit = type ? name_at(types, type->name_off) : "";
	return error_set(err, status, "%s '%s' can't be written as C: %s",
			 name_at(types, type_at(types, id)->name_off),
			 *culprit ? culprit : "something without a name", strerror(-status));
}
