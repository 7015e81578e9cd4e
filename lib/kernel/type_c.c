// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Definitions in the order that C wants: what is held by value first. What stands in their braces is
 * type_c_body.c's.
 */
#include "type_c.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "type_c_private.h"

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

bool type_c_fail(struct emitter *emitter, int code, uint32_t id)
{
	if (!emitter->status) {
		emitter->status = code;
		emitter->culprit = id;
	}
	return false;
}

bool type_c_claim(struct emitter *emitter, void **tree, const char *name, uint32_t id, const char *word)
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
		return type_c_fail(emitter, -ENOMEM, id);
	}
	claim->id = id;
	claim->word = word;
	return true;
}

const char *type_c_word(const struct btf_type *type)
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

	if (!type_c_claim(emitter, &emitter->tags, name, btf_is_fwd(type) ? 0 : id, type_c_word(type)))
		emitter->is_renamed[id] = 1;
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
		type_c_fail(emitter, -EBADMSG, id);
		return;
	}
	emitter->states[id] |= IS_BUSY;
	claim_tag(emitter, id);
	if (btf_is_composite(type))
		need_members(emitter, type);
	if (!emitter->status && (body = type_c_body(emitter, id)) &&
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
	if (!type_c_claim(emitter, &emitter->names, name, id, "typedef"))
		emitter->is_renamed[id] = 1;
	/* Its name as it stands in declarations, to be declared itself. */
	if (type_declaration_as(emitter->types, id, "", &emitter->naming, &own) ||
	    type_declaration_as(emitter->types, type->type, own, &emitter->naming, &text))
		type_c_fail(emitter, -ENOMEM, id);
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
	if (!type || ++emitter->nest > TYPE_C_NEST_MAX || ++emitter->steps > TYPE_C_STEPS_MAX) {
		type_c_fail(emitter, -EBADMSG, id);
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
		type_c_fail(emitter, -ENOENT, id);
	if (!emitter->status && !type_declaration_as(emitter->types, id, "", &emitter->naming, &name))
		fprintf(emitter->out, "_Static_assert(sizeof(%s) == %zu, \"%s\");\n", name, size, name);
	if (fclose(emitter->out))
		type_c_fail(emitter, -ENOMEM, id);
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
		.is_renamed = emitter.is_renamed, .is_plain = true, .body = type_c_body, .context = &emitter,
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
