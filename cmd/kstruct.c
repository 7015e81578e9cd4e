// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * dill kstruct: how a structure of the kernel is laid out, and what stands in one. Makes out what the words mean
 * and leaves the showing to kstruct_*.c. For a layout the target isn't opened: types are enough.
 */
#include "kstruct.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "type_search.h"

#define NEAR_MAX 4
#define AT(member) offsetof(struct kstruct_options, member)

static const struct option_spec options[] = {
	{ 0, "depth", "N", OPTION_NUMBER, AT(depth), NULL, "open members of members down to N levels (default: all)" },
	{ 0, "search", "REGEX", OPTION_TEXT, AT(search), NULL, "list the types whose name matches" },
	{ 0, "with-size", "N", OPTION_SIZE, AT(with_size), NULL, "list the types of N bytes" },
	{ 0, "containing", "TYPE", OPTION_TEXT, AT(containing), NULL,
	  "list the structures with a member of this type, or 'TYPE *'" },
};

static const struct kstruct_options defaults = {
	.with_size = KSTRUCT_NO_NUMBER,
	.cpu = KSTRUCT_NO_NUMBER,
	.limit = 32,
};

static bool is_search(const struct kstruct_options *chosen)
{
	return chosen->search || chosen->containing || chosen->with_size != KSTRUCT_NO_NUMBER;
}

static int kstruct_configure(struct inspection *inspection, struct error *err)
{
	const struct kstruct_options *chosen = inspection->options;
	int words = inspection->invocation->word_count;

	if (is_search(chosen) && words)
		return error_set(err, -EINVAL, "a search takes no name: '%s'", inspection->invocation->words[0]);
	if (!is_search(chosen) && !words)
		return error_set(err, -EINVAL, "which structure? dill kstruct NAME, or --search REGEX");
	return 0;
}

static void put_near(const char *const *names, size_t count, char *to, size_t size)
{
	size_t length = 0;

	to[0] = '\0';
	for (size_t i = 0; i < count && length < size; i++)
		length += snprintf(to + length, size - length, "%s%s",
				   !i ? "; near: " : ", ", names[i]);
}

static int no_type(struct kernel_types *types, const char *name, struct error *err)
{
	const char *names[NEAR_MAX];
	char near[300];

	put_near(names, type_names_near(types, name, names, NEAR_MAX), near, sizeof(near));
	return error_set(err, -ENOENT, "no type '%s' in %s%s", name, kernel_types_origin(types), near);
}

/* The first part of @path that isn't there, with what was near it. */
static int no_member(const struct kstruct_query *query, const char *path, struct error *err)
{
	char known[512] = "";
	const char *names[NEAR_MAX];
	char near[300], part[128];
	struct kernel_member member = { .type_id = query->id };
	struct error why;
	size_t length = 0;

	/* Step by step, to know where it ends. */
	for (;;) {
		size_t next = length + (path[length] == '.');

		next += strcspn(path + next, ".");
		snprintf(known, sizeof(known), "%.*s", (int)next, path);
		if (kernel_member_find(query->types, query->id, known, &member, &why))
			break;
		if (!path[next])
			break;
		length = next;
	}
	snprintf(part, sizeof(part), "%s", known + length + (known[length] == '.'));
	near[0] = '\0';
	if (!strchr(part, '['))
		put_near(names, member_names_near(query->types, member.type_id, part, names, NEAR_MAX), near, sizeof(near));
	return error_set(err, -ENOENT, "%s: %s%s", query->name, why.text, near);
}

/* The type and member that NAME[.FIELD…] stands for. */
static int resolve_name(struct kernel_types *types, const char *word, struct kstruct_query *query,
			struct error *err)
{
	size_t length = strcspn(word, ".");
	uint32_t id;

	*query = (struct kstruct_query){ .types = types };
	if (length >= sizeof(query->name) || strlen(word) >= sizeof(query->path))
		return error_set(err, -ENOENT, "no type has so long a name");
	memcpy(query->name, word, length);
	if (kernel_type_find(types, query->name, &id))
		return no_type(types, query->name, err);
	query->id = id;
	for (size_t skip = 0; (skip = strcspn(query->name, " ")) < strlen(query->name) &&
			      (!strncmp(query->name, "struct ", 7) || !strncmp(query->name, "union ", 6) ||
			       !strncmp(query->name, "enum ", 5));)
		memmove(query->name, query->name + skip + 1, strlen(query->name + skip));
	if (word[length])
		snprintf(query->path, sizeof(query->path), "%s", word + length + 1);
	return 0;
}

static int find_member(struct kstruct_query *query, struct error *err)
{
	int status = kernel_member_find(query->types, query->id, query->path, &query->member, err);

	return status ? no_member(query, query->path, err) : 0;
}

static int show_query(struct inspection *inspection, struct kstruct_query *query, struct error *err)
{
	int status = find_member(query, err);

	if (!status && !*query->path)
		status = kstruct_show_head(inspection, query, 0, err);
	return status ? status : kstruct_show_layout(inspection, query, err);
}

/* "struct page" may be one word or two. Returns how many it took. */
static int join_words(char **words, char *to, size_t size)
{
	bool is_kind = !strcmp(words[0], "struct") || !strcmp(words[0], "union") || !strcmp(words[0], "enum");

	snprintf(to, size, "%s%s%s", words[0], is_kind && words[1] ? " " : "", is_kind && words[1] ? words[1] : "");
	return is_kind && words[1] ? 2 : 1;
}

static int kstruct_show(struct inspection *inspection, struct error *err)
{
	char **words = inspection->invocation->words;
	struct kernel_types *types;
	struct kstruct_query query;
	char name[600];
	int status = inspection_types(inspection, &types, err);

	if (status)
		return status;
	if (is_search(inspection->options))
		return kstruct_show_matches(inspection, types, err);
	words += join_words(words, name, sizeof(name));
	status = resolve_name(types, name, &query, err);
	if (status)
		return status;
	if (!words[0])
		return show_query(inspection, &query, err);
	if (words[1])
		return error_set(err, -EINVAL, "one member or address at a time: '%s'", words[1]);
	snprintf(query.path + strlen(query.path), sizeof(query.path) - strlen(query.path), "%s%s",
		 *query.path ? "." : "", words[0]);
	status = find_member(&query, err);
	return status ? status : kstruct_show_offset(inspection, &query, err);
}

static const struct inspector kstruct_inspector = {
	.configure = kstruct_configure,
	.show = kstruct_show,
	.opens_lazily = true,
};

const struct command kstruct_command = {
	.name = "kstruct",
	.summary = "how a structure of the kernel is laid out, and what stands in one",
	.usage = "[OPTIONS] NAME[.MEMBER…]\n"
		 "[OPTIONS] NAME MEMBER[.MEMBER…]\n"
		 "[OPTIONS] --search REGEX | --with-size N | --containing TYPE",
	.description = "Shows a structure, union, enum or typedef of the kernel with the offset and size of every\n"
		       "member, members of members too, and the holes between them. NAME MEMBER tells one offset.\n"
		       "Layouts come from BTF, of the running kernel, of a dump, or from --btf or --vmlinux, and\n"
		       "need neither privileges nor debug files.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.settings_size = sizeof(struct kstruct_options),
	.defaults = &defaults,
	.inspector = &kstruct_inspector,
	.records = kstruct_records,
};
