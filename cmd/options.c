// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Parses option tables and writes their help. Own code, because getopt_long() has neither types nor help
 * nor tables.
 */
#include "options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "units.h"

static const struct option_spec *find_long(const struct option_group *groups, size_t count, const char *name,
					   size_t length, void **ret_settings)
{
	for (size_t g = 0; g < count; g++) {
		for (size_t i = 0; i < groups[g].count; i++) {
			const struct option_spec *spec = &groups[g].specs[i];

			if (strlen(spec->name) == length && !strncmp(spec->name, name, length)) {
				*ret_settings = groups[g].settings;
				return spec;
			}
		}
	}
	return NULL;
}

static const struct option_spec *find_letter(const struct option_group *groups, size_t count, char letter,
					     void **ret_settings)
{
	for (size_t g = 0; g < count; g++) {
		for (size_t i = 0; i < groups[g].count; i++) {
			if (letter && groups[g].specs[i].letter == letter) {
				*ret_settings = groups[g].settings;
				return &groups[g].specs[i];
			}
		}
	}
	return NULL;
}

static int parse_number(const char *text, uint64_t *ret_value)
{
	char *end;

	errno = 0;
	if (text[0] < '0' || text[0] > '9')
		return -EINVAL;
	*ret_value = strtoull(text, &end, 0);
	return *end || errno ? -EINVAL : 0;
}

static int parse_choice(const struct option_spec *spec, const char *text, unsigned int *ret_index)
{
	for (unsigned int i = 0; spec->choices[i]; i++) {
		if (!strcmp(spec->choices[i], text)) {
			*ret_index = i;
			return 0;
		}
	}
	return -EINVAL;
}

static int append_text(struct text_list *texts, const char *text)
{
	const char **grown = reallocarray(texts->list, texts->count + 1, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	texts->list = grown;
	grown[texts->count++] = text;
	return 0;
}

static const char *kind_wants(enum option_kind kind)
{
	switch (kind) {
	case OPTION_NUMBER: return "a whole number";
	case OPTION_SIZE: return "a size such as 4096, 512K or 1.5GiB";
	case OPTION_DURATION: return "a duration such as 300ms, 5 or 2m";
	case OPTION_CHOICE: return "one of the choices in the help";
	default: return "a value";
	}
}

static int set_value(const struct option_spec *spec, void *settings, const char *text, struct error *err)
{
	void *at = (char *)settings + spec->offset;
	int status = 0;

	switch (spec->kind) {
	case OPTION_FLAG: *(bool *)at = true; break;
	case OPTION_TEXT: *(const char **)at = text; break;
	case OPTION_TEXTS: status = append_text(at, text); break;
	case OPTION_NUMBER: status = parse_number(text, at); break;
	case OPTION_SIZE: status = units_parse_size(text, at); break;
	case OPTION_DURATION: status = units_parse_duration(text, at); break;
	case OPTION_CHOICE: status = parse_choice(spec, text, at); break;
	}
	if (status)
		return error_set(err, -EINVAL, "--%s wants %s, not '%s'", spec->name, kind_wants(spec->kind), text);
	return 0;
}

static int unknown_option(const struct option_group *groups, size_t count, const char *word, struct error *err)
{
	const char *names[256];
	const char *near;
	size_t filled = 0;

	for (size_t g = 0; g < count; g++)
		for (size_t i = 0; i < groups[g].count && filled < 255; i++)
			names[filled++] = groups[g].specs[i].name;
	names[filled] = NULL;
	near = !strncmp(word, "--", 2) ? nearest_name(word + 2, names) : NULL;
	if (near)
		return error_set(err, -EINVAL, "unknown option '%s': did you mean '--%s'?", word, near);
	return error_set(err, -EINVAL, "unknown option '%s'", word);
}

static int parse_long(const struct option_group *groups, size_t count, int argc, char **argv, int *at,
		      struct error *err)
{
	const char *word = argv[*at] + 2, *equals = strchr(word, '=');
	size_t length = equals ? (size_t)(equals - word) : strlen(word);
	void *settings;
	const struct option_spec *spec = find_long(groups, count, word, length, &settings);

	if (!spec)
		return unknown_option(groups, count, argv[*at], err);
	if (spec->kind == OPTION_FLAG && equals)
		return error_set(err, -EINVAL, "--%s takes no value", spec->name);
	if (spec->kind == OPTION_FLAG || equals)
		return set_value(spec, settings, equals ? equals + 1 : "", err);
	if (*at + 1 >= argc)
		return error_set(err, -EINVAL, "--%s wants %s", spec->name, kind_wants(spec->kind));
	return set_value(spec, settings, argv[++*at], err);
}

static int parse_letters(const struct option_group *groups, size_t count, int argc, char **argv, int *at,
			 struct error *err)
{
	const char *word = argv[*at];
	void *settings;
	int status;

	for (size_t i = 1; word[i]; i++) {
		const struct option_spec *spec = find_letter(groups, count, word[i], &settings);

		if (!spec)
			return unknown_option(groups, count, word, err);
		if (spec->kind == OPTION_FLAG) {
			status = set_value(spec, settings, "", err);
			if (status)
				return status;
			continue;
		}
		if (word[i + 1])
			return set_value(spec, settings, word + i + 1, err);
		if (*at + 1 >= argc)
			return error_set(err, -EINVAL, "-%c wants %s", spec->letter, kind_wants(spec->kind));
		return set_value(spec, settings, argv[++*at], err);
	}
	return 0;
}

/* Move the option that ends at @at, of @count words, in front of the words from *@first on. */
static void move_forward(char **argv, int *first, int at, int count)
{
	char *option[2] = { argv[at - count + 1], argv[at] };

	memmove(&argv[*first + count], &argv[*first], (size_t)(at - count + 1 - *first) * sizeof(*argv));
	memcpy(&argv[*first], &option[2 - count], (size_t)count * sizeof(*argv));
	*first += count;
}

int options_parse(const struct option_group *groups, size_t count, int argc, char **argv, int *ret_rest,
		  int *ret_dashes, struct error *err)
{
	int status, at, first = 1; /* of the words so far, which end before @at */

	for (at = 1; at < argc; at++) {
		const char *word = argv[at];
		int begin = at;

		if (!strcmp(word, "--"))
			break;
		if (word[0] != '-' || !word[1])
			continue;
		status = word[1] == '-' ? parse_long(groups, count, argc, argv, &at, err)
					: parse_letters(groups, count, argc, argv, &at, err);
		if (status)
			return status;
		move_forward(argv, &first, at, at - begin + 1);
	}
	*ret_rest = first;
	*ret_dashes = at;
	return 0;
}

/* Break @help at blanks so that it fills the columns from @indent to 100. */
static void write_wrapped(const char *help, int indent, FILE *out)
{
	int width = 100 - indent, column = 0;

	while (*help) {
		size_t word = strcspn(help, " ");

		if (column && column + 1 + (int)word > width) {
			fprintf(out, "\n%*s", indent, "");
			column = 0;
		}
		column += fprintf(out, "%s%.*s", column ? " " : "", (int)word, help);
		help += word;
		help += strspn(help, " ");
	}
	fputc('\n', out);
}

void options_help(const struct option_group *groups, size_t count, FILE *out)
{
	for (size_t g = 0; g < count; g++) {
		if (!groups[g].count)
			continue;
		fprintf(out, "\n%s:\n", groups[g].title);
		for (size_t i = 0; i < groups[g].count; i++) {
			const struct option_spec *spec = &groups[g].specs[i];
			char left[64];
			int length;

			length = snprintf(left, sizeof(left), "  %c%c%c --%s%s%s", spec->letter ? '-' : ' ',
					  spec->letter ? spec->letter : ' ', spec->letter ? ',' : ' ', spec->name,
					  spec->argument ? " " : "", spec->argument ? spec->argument : "");
			if (length > 28)
				fprintf(out, "%s\n%*s", left, 30, "");
			else
				fprintf(out, "%-30s", left);
			write_wrapped(spec->help, 30, out);
		}
	}
}

void text_list_deinit(struct text_list *list)
{
	free(list->list);
	*list = (struct text_list){ 0 };
}

/* Edits between two words: insert, delete, replace, and swap of neighbours (optimal string alignment). */
static unsigned int edit_distance(const char *a, const char *b)
{
	enum { MAX = 32 };
	unsigned int d[MAX + 1][MAX + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > MAX || m > MAX)
		return MAX;
	for (size_t i = 0; i <= n; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= m; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= n; i++) {
		for (size_t j = 1; j <= m; j++) {
			unsigned int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	}
	return d[n][m];
}

const char *nearest_name(const char *word, const char *const *names)
{
	const char *nearest = NULL;
	unsigned int best = strlen(word) / 3 + 2;

	for (; *names; names++) {
		unsigned int distance = edit_distance(word, *names);

		if (!strncmp(word, *names, strlen(word)) && strlen(word) >= 2)
			distance = 1;
		if (distance < best) {
			best = distance;
			nearest = *names;
		}
	}
	return nearest;
}
