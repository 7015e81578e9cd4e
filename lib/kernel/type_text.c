// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * C's declarators, from the inside out: what the chain of types says is put around the name, step by step.
 * A pointer goes before it, an array or the parameters of a function behind it.
 */
#include "type_text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel_types_private.h"

/* Types looked at for one declaration. Parameters of parameters could go on without end. */
#define STEPS_MAX 4096

struct declarator {
	const struct kernel_types *types;
	const struct type_naming *naming;
	unsigned steps, depth; /* depth: of parameters within parameters */
};

static char *declare(struct declarator *declarator, uint32_t id, const char *name);

const char *type_kind_word(const struct btf_type *type)
{
	switch (btf_kind(type)) {
	case BTF_KIND_STRUCT:
		return "struct";
	case BTF_KIND_UNION:
		return "union";
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return "enum";
	case BTF_KIND_TYPEDEF:
		return "typedef";
	default:
		return NULL;
	}
}

/* Put @before and @after around *text. NULL for want of memory, kept from then on. */
static void wrap(char **text, const char *before, const char *after)
{
	char *wider = NULL;

	if (!*text)
		return;
	if (asprintf(&wider, "%s%s%s", before, *text, after) < 0)
		wider = NULL;
	free(*text);
	*text = wider;
}

/* Pointers bind less than what stands behind: "(*name)[4]". */
static void close_pointer(char **text)
{
	if (*text && **text == '*')
		wrap(text, "(", ")");
}

static void add_parameters(struct declarator *declarator, const struct btf_type *proto, char **text)
{
	CLEANUP(free) char *list = strdup("(");

	declarator->depth++;
	for (uint32_t i = 0; i < btf_vlen(proto) && list; i++) {
		const struct btf_param *parameter = &btf_params(proto)[i];
		CLEANUP(free) char *one = NULL;

		if (declarator->depth > TYPE_DEPTH_MAX || declarator->steps > STEPS_MAX) {
			wrap(&list, "", "...");
			break;
		}
		/* No type at the end: "...". */
		if (!parameter->type && i + 1 == btf_vlen(proto))
			one = strdup("...");
		else
			one = declare(declarator, parameter->type, "");
		wrap(&list, "", i ? ", " : "");
		if (one)
			wrap(&list, "", one);
	}
	declarator->depth--;
	if (list)
		wrap(&list, "", btf_vlen(proto) ? ")" : "void)");
	wrap(text, "", list ? list : "");
}

static const char *word_of(const struct btf_type *type)
{
	switch (btf_kind(type)) {
	case BTF_KIND_STRUCT:
		return "struct ";
	case BTF_KIND_UNION:
		return "union ";
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return "enum ";
	case BTF_KIND_FWD:
		return btf_kflag(type) ? "union " : "struct ";
	default:
		return "";
	}
}

/* What stands at the left: "struct thing", "unsigned int", "void". */
static char *base_text(const struct declarator *declarator, uint32_t id)
{
	const struct type_naming *naming = declarator->naming;
	const struct btf_type *type = id ? type_at(declarator->types, id) : NULL;
	CLEANUP(free) char *body = NULL;
	const char *name;
	char *text = NULL;

	if (!type)
		return strdup(id ? "..." : "void");
	name = name_at(declarator->types, type->name_off);
	if (!*name && *word_of(type)) {
		body = naming->body ? naming->body(naming->context, id) : strdup("{...}");
		return body && asprintf(&text, "%s%s", word_of(type), body) >= 0 ? text : NULL;
	}
	if (naming->is_renamed && naming->is_renamed[id]) {
		if (asprintf(&text, "%s%s__%u", word_of(type), name, id) < 0)
			return NULL;
	} else if (asprintf(&text, "%s%s", word_of(type), *name ? name : "...") < 0) {
		return NULL;
	}
	for (char *at = text; naming->is_plain && *at; at++)
		if (!isalnum((unsigned char)*at) && *at != '_')
			*at = ' ';
	return text;
}

static void add_qualifier(const struct declarator *declarator, const struct btf_type *type, char *qualifiers,
			  size_t size)
{
	size_t length = strlen(qualifiers);
	const char *gap = length ? " " : "";

	switch (btf_kind(type)) {
	case BTF_KIND_CONST:
		/* Of a const array the elements are const as well. */
		if (!strstr(qualifiers, "const"))
			snprintf(qualifiers + length, size - length, "%sconst", gap);
		break;
	case BTF_KIND_VOLATILE:
		snprintf(qualifiers + length, size - length, "%svolatile", gap);
		break;
	case BTF_KIND_RESTRICT:
		snprintf(qualifiers + length, size - length, "%srestrict", gap);
		break;
	case BTF_KIND_TYPE_TAG: /* with the flag set: an attribute (Linux 6.15) */
		if (!declarator->naming->is_plain && !btf_kflag(type))
			snprintf(qualifiers + length, size - length, "%s__%.32s", gap,
				 name_at(declarator->types, type->name_off));
		break;
	}
}

static void add_pointer(char **text, char *qualifiers)
{
	char before[160];

	snprintf(before, sizeof(before), "*%s%s", qualifiers, *qualifiers && *text && **text ? " " : "");
	wrap(text, before, "");
	*qualifiers = '\0';
}

static void add_dimension(const struct declarator *declarator, const struct btf_type *array, char **text)
{
	uint32_t count = btf_array(array)->nelems;
	char after[16] = "[]";

	/* [0] may stand where [] may not. */
	if (count || declarator->naming->is_plain)
		snprintf(after, sizeof(after), "[%u]", count);
	close_pointer(text);
	wrap(text, "", after);
}

static char *join(const char *base, const char *qualifiers, const char *declared)
{
	const char *gap = *declared && *declared != '[' ? " " : "";
	char *text = NULL;

	if (asprintf(&text, "%s%s%s%s%s", qualifiers, *qualifiers ? " " : "", base, gap, declared) < 0)
		return NULL;
	return text;
}

static char *declare(struct declarator *declarator, uint32_t id, const char *name)
{
	CLEANUP(free) char *text = strdup(name);
	CLEANUP(free) char *base = NULL;
	char qualifiers[128] = "";

	for (int i = 0; i < TYPE_CHAIN_MAX && ++declarator->steps <= STEPS_MAX; i++) {
		const struct btf_type *type = id ? type_at(declarator->types, id) : NULL;

		if (type && btf_is_ptr(type)) {
			add_pointer(&text, qualifiers);
			id = type->type;
		} else if (type && btf_is_array(type)) {
			add_dimension(declarator, type, &text);
			id = btf_array(type)->type;
		} else if (type && btf_is_func_proto(type)) {
			close_pointer(&text);
			add_parameters(declarator, type, &text);
			id = type->type;
		} else if (type && (btf_is_mod(type) || btf_is_type_tag(type))) {
			add_qualifier(declarator, type, qualifiers, sizeof(qualifiers));
			id = type->type;
		} else {
			base = base_text(declarator, id);
			return base && text ? join(base, qualifiers, text) : NULL;
		}
	}
	return text ? join("...", qualifiers, text) : NULL;
}

int type_declaration_as(const struct kernel_types *types, uint32_t id, const char *name,
			const struct type_naming *naming, char **ret_text)
{
	struct declarator declarator = { .types = types, .naming = naming };
	char *text = declare(&declarator, id, name);

	if (!text)
		return -ENOMEM;
	*ret_text = text;
	return 0;
}

int type_declaration(const struct kernel_types *types, uint32_t id, const char *name, char **ret_text)
{
	static const struct type_naming naming = { 0 };

	return type_declaration_as(types, id, name, &naming, ret_text);
}
