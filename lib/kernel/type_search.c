// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* One pass over all types, with what matches collected and sorted. */
#include "type_search.h"

#include <errno.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel_types_private.h"
#include "type_text.h"
#include "type_walk.h"

#define STARS_MAX 4
#define MATCHES_MAX (1u << 20)

/* What a member's type must come to: so many pointers to this name. */
struct wanted_member {
	char name[160];
	const char *word; /* "struct ", "union ", "enum ", or "" for any kind */
	unsigned stars;
};

struct search {
	struct kernel_types *types;
	const struct type_filter *filter;
	regex_t pattern;
	struct wanted_member wanted;
	struct type_matches matches;
	size_t room;
	struct type_match current;
};

static void end_search(struct search *search)
{
	if (search->filter->pattern)
		regfree(&search->pattern);
	type_matches_deinit(&search->matches);
}
DEFINE_CLEANUP(search, struct search, end_search(&v));

void type_matches_deinit(struct type_matches *matches)
{
	for (size_t i = 0; i < matches->count; i++)
		free(matches->list[i].path);
	free(matches->list);
	*matches = (struct type_matches){ 0 };
}

static int parse_wanted(struct kernel_types *types, const char *text, struct wanted_member *wanted,
			struct error *err)
{
	static const char *const words[] = { "struct ", "union ", "enum " };
	size_t length = strlen(text);
	uint32_t id;

	*wanted = (struct wanted_member){ .word = "" };
	while (length && (text[length - 1] == '*' || text[length - 1] == ' '))
		wanted->stars += text[--length] == '*';
	for (size_t i = 0; i < 3; i++)
		if (length > strlen(words[i]) && !strncmp(text, words[i], strlen(words[i])))
			wanted->word = words[i];
	text += strlen(wanted->word);
	length -= strlen(wanted->word);
	if (!length || length >= sizeof(wanted->name) || wanted->stars > STARS_MAX)
		return error_set(err, -ENOENT, "'%s' is no type", text);
	memcpy(wanted->name, text, length);
	wanted->name[length] = '\0';
	/* What is only declared can be pointed to: it isn't found by name. */
	if (!wanted->stars && kernel_type_find(types, wanted->name, &id))
		return error_set(err, -ENOENT, "no type '%s'", wanted->name);
	return 0;
}

static bool is_wanted(const struct search *search, uint32_t id)
{
	const struct wanted_member *wanted = &search->wanted;
	unsigned stars = 0;

	for (int i = 0; i < TYPE_CHAIN_MAX && id; i++) {
		const struct btf_type *type = type_at(search->types, id);
		const char *word;

		if (!type)
			return false;
		word = type_kind_word(type);
		if (btf_is_array(type) && !stars) {
			id = btf_array(type)->type;
			continue;
		}
		if (!btf_is_ptr(type) && stars == wanted->stars &&
		    (word || btf_is_int(type) || btf_is_fwd(type)) &&
		    !strcmp(name_at(search->types, type->name_off), wanted->name) &&
		    (!*wanted->word || !word || !strncmp(wanted->word, word, strlen(word))))
			return true;
		if (!btf_is_ptr(type) && !btf_is_mod(type) && !btf_is_typedef(type) && !btf_is_type_tag(type))
			return false;
		stars += btf_is_ptr(type);
		if (stars > wanted->stars)
			return false;
		id = type->type;
	}
	return false;
}

static int add_match(struct search *search, const struct type_match *match)
{
	struct type_matches *matches = &search->matches;

	if (matches->count >= MATCHES_MAX)
		return -ENOMEM;
	if (matches->count == search->room) {
		size_t room = search->room ? search->room * 2 : 256;
		struct type_match *list = reallocarray(matches->list, room, sizeof(*list));

		if (!list)
			return -ENOMEM;
		matches->list = list;
		search->room = room;
	}
	matches->list[matches->count++] = *match;
	return 0;
}

static int match_member(const struct type_step *step, void *context)
{
	struct search *search = context;
	struct type_match match = search->current;
	int status;

	if (step->kind != STEP_MEMBER || (!*step->name && !is_wanted(search, step->type_id)))
		return 0;
	if (!is_wanted(search, step->type_id))
		return TYPE_WALK_SKIP;
	match.path = strdup(step->path);
	match.offset = step->bit_offset / 8;
	match.member_type = step->type_id;
	status = match.path ? add_match(search, &match) : -ENOMEM;
	if (status)
		free(match.path);
	return status ? status : TYPE_WALK_SKIP;
}

static int look_at(struct search *search, uint32_t id)
{
	const struct btf_type *type = type_at(search->types, id), *inner = type;
	struct type_match match = { .id = id, .kind = type_kind_word(type) };
	const struct type_filter *filter = search->filter;
	struct type_summary summary;

	if (!match.kind)
		return 0;
	match.name = name_at(search->types, type->name_off);
	if (!*match.name)
		return 0;
	if (filter->pattern && regexec(&search->pattern, match.name, 0, NULL, 0))
		return 0;
	if (kernel_type_size(search->types, id, &match.size))
		match.size = 0;
	if (filter->has_size && match.size != filter->size)
		return 0;
	if (btf_is_typedef(type)) {
		inner = type_resolved(search->types, id);
		/* What has a name of its own is found by that one. */
		if (inner && *name_at(search->types, inner->name_off) &&
		    (filter->has_size || filter->containing))
			return 0;
	}
	if (inner && type_kind_word(inner))
		match.members = type_summarize(search->types, id, &summary) || !summary.members ?
					btf_vlen(inner) : summary.members;
	if (!filter->containing)
		return add_match(search, &match);
	search->current = match;
	return type_walk(search->types, id, "", 0, 0, match_member, search);
}

static int by_name(const void *a, const void *b)
{
	const struct type_match *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	if (!order && left->id != right->id)
		order = left->id < right->id ? -1 : 1;
	return order ? order : (left->offset > right->offset) - (left->offset < right->offset);
}

int type_search(struct kernel_types *types, const struct type_filter *filter,
		struct type_matches *ret_matches, struct error *err)
{
	CLEANUP(search) struct search search = { .types = types, .filter = filter };
	struct type_filter without = *filter;
	char text[128];
	int status;

	if (filter->pattern) {
		status = regcomp(&search.pattern, filter->pattern, REG_EXTENDED | REG_NOSUB);
		if (status) {
			regerror(status, &search.pattern, text, sizeof(text));
			without.pattern = NULL;
			search.filter = &without;
			return error_set(err, -EINVAL, "'%s': %s", filter->pattern, text);
		}
	}
	if (filter->containing) {
		status = parse_wanted(types, filter->containing, &search.wanted, err);
		if (status)
			return status;
	}
	for (uint32_t id = 1; id < btf__type_cnt(types->btf); id++) {
		status = look_at(&search, id);
		if (status < 0)
			return error_set(err, status, "the search ended: %s", strerror(-status));
	}
	if (search.matches.count)
		qsort(search.matches.list, search.matches.count, sizeof(*search.matches.list), by_name);
	*ret_matches = search.matches;
	search.matches = (struct type_matches){ 0 };
	return 0;
}

/* Near names --------------------------------------------------------------------------------------------- */

#define NEAR_LENGTH_MAX 63

/* Levenshtein's distance, UINT_MAX for texts that are too long to be a slip. */
static unsigned distance_between(const char *a, const char *b)
{
	size_t width = strlen(a), height = strlen(b);
	unsigned row[NEAR_LENGTH_MAX + 1];

	if (width > NEAR_LENGTH_MAX || height > NEAR_LENGTH_MAX)
		return UINT32_MAX;
	for (size_t i = 0; i <= width; i++)
		row[i] = i;
	for (size_t j = 1; j <= height; j++) {
		unsigned diagonal = row[0];

		row[0] = j;
		for (size_t i = 1; i <= width; i++) {
			unsigned change = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[i];
			row[i] = change < row[i] + 1 ? change : row[i] + 1;
			if (row[i - 1] + 1 < row[i])
				row[i] = row[i - 1] + 1;
		}
	}
	return row[width];
}

/* The best so far, best first. */
struct near {
	const char *wrong;
	const char **names;
	unsigned scores[16];
	size_t count, max;
};

static void consider(struct near *near, const char *name)
{
	size_t length = strlen(near->wrong);
	unsigned score = distance_between(near->wrong, name), bound = length < 4 ? 1 : length < 8 ? 2 : 3;
	size_t at = near->count;

	/* A part of the name, such as its beginning, is worth as much as a slip or two. */
	if (length >= 3 && strstr(name, near->wrong)) {
		unsigned by_part = 2 + (strncmp(name, near->wrong, length) != 0) + strlen(name) / 16;

		score = score < by_part ? score : by_part;
	}
	if (score > bound)
		return;
	while (at && near->scores[at - 1] > score)
		at--;
	if (at >= near->max)
		return;
	for (size_t i = 0; i < near->count; i++)
		if (!strcmp(near->names[i], name))
			return;
	if (near->count < near->max)
		near->count++;
	for (size_t i = near->count - 1; i > at; i--) {
		near->names[i] = near->names[i - 1];
		near->scores[i] = near->scores[i - 1];
	}
	near->names[at] = name;
	near->scores[at] = score;
}

/* What is clearly worse than the best helps nobody. */
static size_t near_count(const struct near *near)
{
	size_t count = 0;

	while (count < near->count && near->scores[count] <= near->scores[0] + 1)
		count++;
	return count;
}

size_t type_names_near(struct kernel_types *types, const char *name, const char **ret_names, size_t max)
{
	struct near near = { .wrong = name, .names = ret_names, .max = max < 16 ? max : 16 };

	for (uint32_t id = 1; id < btf__type_cnt(types->btf); id++) {
		const struct btf_type *type = type_at(types, id);

		if (type_kind_word(type))
			consider(&near, name_at(types, type->name_off));
	}
	return near_count(&near);
}

static int consider_member(const struct type_step *step, void *context)
{
	if (!*step->name)
		return 0;
	consider(context, step->name);
	return TYPE_WALK_SKIP;
}

size_t member_names_near(struct kernel_types *types, uint32_t id, const char *name, const char **ret_names,
			 size_t max)
{
	struct near near = { .wrong = name, .names = ret_names, .max = max < 16 ? max : 16 };

	type_walk(types, id, "", 0, 0, consider_member, &near);
	return near_count(&near);
}
