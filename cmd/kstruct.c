// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * dill kstruct: how a structure of the kernel is laid out, and what stands in one. Makes out what the words
 * mean and leaves the showing to kstruct_*.c. For a layout the target isn't opened: types are enough.
 */
#include "kstruct.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kstruct_values.h"
#include "type_c.h"
#include "type_search.h"
#include "view.h"

#define NEAR_MAX 4
#define AT(member) offsetof(struct kstruct_options, member)

static const struct option_spec options[] = {
	{ 0, "depth", "N", OPTION_NUMBER, AT(depth), NULL,
	  "open members of members down to N levels (default: all)" },
	{ 0, "c", NULL, OPTION_FLAG, AT(is_c), NULL,
	  "print the type as C that compiles, with all that it needs" },
	{ 0, "search", "REGEX", OPTION_TEXT, AT(search), NULL, "list the types whose name matches" },
	{ 0, "with-size", "N", OPTION_SIZE, AT(with_size), NULL, "list the types of N bytes" },
	{ 0, "containing", "TYPE", OPTION_TEXT, AT(containing), NULL,
	  "list the structures with a member of this type, or 'TYPE *'" },
	{ 0, "cpu", "N", OPTION_NUMBER, AT(cpu), NULL,
	  "ADDRESS is a per-CPU pointer or symbol: take this CPU's" },
	{ 's', "strings", NULL, OPTION_FLAG, AT(shows_strings), NULL,
	  "show the text that char pointers point to" },
	{ 0, "elements", "N", OPTION_NUMBER, AT(limit), NULL,
	  "lines for the elements of one array (default: 32; equal ones share a line)" },
	{ 0, "follow", "PATH", OPTION_TEXT, AT(follow), NULL,
	  "list what a container holds: [KIND|MEMBER:]TYPE[.MEMBER], list_head:task_struct.tasks" },
	{ 0, "fields", "LIST", OPTION_TEXT, AT(fields), NULL,
	  "members of each entry to show: pid,comm,se.vruntime" },
	{ 0, "entries", "N", OPTION_NUMBER, AT(entries), NULL,
	  "list so many entries at most (default: all)" },
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
		return error_set(err, -EINVAL, "a search takes no name: '%s'",
				 inspection->invocation->words[0]);
	if (chosen->is_c && inspection->invocation->output.is_json)
		return error_set(err, -EINVAL, "--c prints C, not JSON");
	if (chosen->fields && !chosen->follow)
		return error_set(err, -EINVAL, "--fields is for --follow; NAME.MEMBER shows one member");
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
		put_near(names, member_names_near(query->types, member.type_id, part, names, NEAR_MAX), near,
			 sizeof(near));
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

/* "struct page" may be one word or two. Returns how many it took. */
static int join_words(char **words, char *to, size_t size)
{
	bool is_kind = !strcmp(words[0], "struct") || !strcmp(words[0], "union") || !strcmp(words[0], "enum");

	snprintf(to, size, "%s%s%s", words[0], is_kind && words[1] ? " " : "",
		 is_kind && words[1] ? words[1] : "");
	return is_kind && words[1] ? 2 : 1;
}

/* What the words are: NAME[.MEMBER] [MEMBER] [ADDR]. */
struct kstruct_words {
	char name[600];
	const char *member, *address;
};

static bool looks_like_address(const char *word)
{
	return inspect_is_number(word) || *word == '&' || *word == '*' || strpbrk(word, "+-");
}

static int sort_words(struct inspection *inspection, struct kstruct_words *words, struct error *err)
{
	char **rest = inspection->invocation->words;

	*words = (struct kstruct_words){ 0 };
	rest += join_words(rest, words->name, sizeof(words->name));
	if (*rest && looks_like_address(*rest))
		words->address = *rest++;
	else if (*rest)
		words->member = *rest++;
	if (*rest && words->member && !words->address)
		words->address = *rest++;
	if (*rest)
		return error_set(err, -EINVAL, "one member and one address at a time: '%s'", *rest);
	return 0;
}

static int find_address(struct inspection *inspection, const char *word, uint64_t *ret_address,
			struct error *err)
{
	const struct kstruct_options *chosen = inspection->options;
	struct kernel *kernel;
	uint64_t address;
	int status = inspection_kernel(inspection, &kernel, err);

	if (!status)
		status = inspect_address(kernel, word, &address, err);
	if (status)
		return status;
	if (chosen->cpu != KSTRUCT_NO_NUMBER && kernel_percpu(kernel, address, chosen->cpu, &address))
		return error_set(err, -ENOENT, "no CPU %" PRIu64 " among %zu", chosen->cpu,
				 kernel->cpu_count);
	*ret_address = address;
	return 0;
}

static int show_at(struct inspection *inspection, const struct kstruct_query *query, uint64_t address,
		   struct error *err)
{
	int status = 0;

	if (((const struct kstruct_options *)inspection->options)->follow)
		return kstruct_follow(inspection, query, inspection->kernel, address, err);
	if (!*query->path)
		status = kstruct_show_head(inspection, query, address, err);
	return status ? status : kstruct_show_values(inspection, query, inspection->kernel, address, err);
}

static int show_layout(struct inspection *inspection, const struct kstruct_query *query, bool wants_offset,
		       struct error *err)
{
	int status = 0;

	if (wants_offset)
		return kstruct_show_offset(inspection, query, err);
	if (!*query->path)
		status = kstruct_show_head(inspection, query, 0, err);
	return status ? status : kstruct_show_layout(inspection, query, err);
}

static int show_c(struct inspection *inspection, const struct kstruct_query *query, struct error *err)
{
	CLEANUP(free) char *text = NULL;
	int status;

	if (*query->path)
		return error_set(err, -EINVAL, "--c takes a type, not a member: '%s'", query->path);
	status = type_to_c(query->types, query->id, &text, err);
	return status ? status : view_literal(inspection->view, text);
}

/*
 * A second word that is no member may be a symbol: that is tried before giving up. @err: why it is no member.
 */
static int try_symbol(struct inspection *inspection, const char *word, uint64_t *ret_address,
		      struct error *err)
{
	struct error why = { 0 };
	char text[sizeof(err->text)];

	if (strpbrk(word, ".["))
		return err->code;
	if (!find_address(inspection, word, ret_address, &why))
		return 0;
	if (inspection->kernel && !kernel_symbol(inspection->kernel, word, ret_address)) /* but no such CPU */
		return error_set(err, why.code, "%s", why.text);
	snprintf(text, sizeof(text), "%s", err->text);
	if (inspection->kernel)
		return error_set(err, -ENOENT, "%s; nor is it a symbol", text);
	/* Probably a slip, then: why the target can't be opened would be beside the point. */
	if (strstr(text, "; near: "))
		return err->code;
	return error_set(err, -ENOENT, "%.300s; as a symbol: %.180s", text, why.text);
}

static int kstruct_show(struct inspection *inspection, struct error *err)
{
	struct kernel_types *types;
	struct kstruct_query query;
	struct kstruct_words words;
	uint64_t address = 0;
	size_t length;
	int status = 0;

	if (!is_search(inspection->options))
		status = sort_words(inspection, &words, err);
	if (!status && !is_search(inspection->options) && words.address)
		status = find_address(inspection, words.address, &address, err);
	if (!status)
		status = inspection_types(inspection, &types, err);
	if (status)
		return status;
	if (is_search(inspection->options))
		return kstruct_show_matches(inspection, types, err);
	status = resolve_name(types, words.name, &query, err);
	if (status)
		return status;
	length = strlen(query.path);
	if (words.member)
		snprintf(query.path + length, sizeof(query.path) - length, "%s%s", length ? "." : "",
			 words.member);
	status = find_member(&query, err);
	if (status && words.member && !words.address) {
		status = try_symbol(inspection, words.member, &address, err);
		if (status)
			return status;
		words.address = words.member;
		query.path[length] = '\0';
		status = find_member(&query, err);
	}
	if (status)
		return status;
	if (((const struct kstruct_options *)inspection->options)->is_c)
		return show_c(inspection, &query, err);
	if (!words.address && ((const struct kstruct_options *)inspection->options)->follow)
		return error_set(err, -EINVAL, "--follow needs an address: dill kstruct NAME ADDRESS");
	return words.address ? show_at(inspection, &query, address, err)
			     : show_layout(inspection, &query, words.member, err);
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
		 "[OPTIONS] NAME[.MEMBER…] ADDRESS|SYMBOL\n"
		 "[OPTIONS] --search REGEX | --with-size N | --containing TYPE",
	.description =
		"Shows a structure, union, enum or typedef of the kernel with the offset and size of every\n"
		"member, members of members too, and the holes between them. NAME MEMBER tells one offset.\n"
		"With an address or symbol it shows what stands there, and --follow what a list or tree "
		"holds.\n"
		"Layouts come from BTF, of the running kernel, of a dump, or from --btf or --vmlinux, and\n"
		"need neither privileges nor debug files.",
	.options = options,
	.option_count = sizeof(options) / sizeof(options[0]),
	.settings_size = sizeof(struct kstruct_options),
	.defaults = &defaults,
	.inspector = &kstruct_inspector,
	.records = kstruct_records,
};
