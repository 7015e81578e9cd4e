// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Finds the names of allocation flags in the running kernel, and writes flags with them. */
#include "gfp_names.h"

#include <bpf/btf.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "kernel_targets.h"
#include "kernel_tracefs.h"

#define MOST_NAMES 96
#define FORMAT_BYTES (64U << 10)

struct gfp_name {
	char text[48];
	uint64_t mask;
};

struct gfp_names {
	struct gfp_name names[MOST_NAMES]; /* with the most bits first */
	size_t count;
};

static void add_name(struct gfp_names *names, const char *text, size_t length, uint64_t mask)
{
	struct gfp_name *name = &names->names[names->count];
	size_t place = names->count;

	if (!mask || names->count == MOST_NAMES || length >= sizeof(name->text))
		return;
	while (place && __builtin_popcountll(names->names[place - 1].mask) < __builtin_popcountll(mask))
		place--;
	memmove(&names->names[place + 1], &names->names[place], (names->count - place) * sizeof(*name));
	names->names[place].mask = mask;
	snprintf(names->names[place].text, sizeof(name->text), "%.*s", (int)length, text);
	names->count++;
}

/* By the enum of bits --------------------------------------------------------------------------------------- */

/* What combinations are made of, include/linux/gfp_types.h; a bit that this kernel lacks is none of it. */
static const struct {
	const char *name, *bits;
} combinations[] = {
	{ "GFP_TRANSHUGE", "DIRECT_RECLAIM IO FS HARDWALL HIGHMEM MOVABLE SKIP_KASAN COMP NOMEMALLOC NOWARN" },
	{ "GFP_TRANSHUGE_LIGHT", "IO FS HARDWALL HIGHMEM MOVABLE SKIP_KASAN COMP NOMEMALLOC NOWARN" },
	{ "GFP_HIGHUSER_MOVABLE", "DIRECT_RECLAIM KSWAPD_RECLAIM IO FS HARDWALL HIGHMEM MOVABLE SKIP_KASAN" },
	{ "GFP_HIGHUSER", "DIRECT_RECLAIM KSWAPD_RECLAIM IO FS HARDWALL HIGHMEM" },
	{ "GFP_USER", "DIRECT_RECLAIM KSWAPD_RECLAIM IO FS HARDWALL" },
	{ "GFP_KERNEL_ACCOUNT", "DIRECT_RECLAIM KSWAPD_RECLAIM IO FS ACCOUNT" },
	{ "GFP_KERNEL", "DIRECT_RECLAIM KSWAPD_RECLAIM IO FS" },
	{ "GFP_NOFS", "DIRECT_RECLAIM KSWAPD_RECLAIM IO" },
	{ "GFP_NOIO", "DIRECT_RECLAIM KSWAPD_RECLAIM" },
	{ "GFP_ATOMIC", "HIGH KSWAPD_RECLAIM" },
};

static const struct btf_type *find_bits(const struct btf *btf)
{
	for (unsigned int id = 1; id < btf__type_cnt(btf); id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);

		if (btf_is_enum(type) && btf_vlen(type) > 8 &&
		    strcmp(btf__name_by_offset(btf, btf_enum(type)[0].name_off), "___GFP_DMA_BIT") == 0)
			return type;
	}
	return NULL;
}

/* The mask of "NAME" (as in ___GFP_NAME_BIT), of @length; 0: there is none. */
static uint64_t find_bit(const struct btf *btf, const struct btf_type *bits, const char *name, size_t length)
{
	for (int i = 0; i < btf_vlen(bits); i++) {
		const char *text = btf__name_by_offset(btf, btf_enum(bits)[i].name_off);

		if (strncmp(text, "___GFP_", 7) == 0 && strncmp(text + 7, name, length) == 0 &&
		    strcmp(text + 7 + length, "_BIT") == 0 && btf_enum(bits)[i].val >= 0 && btf_enum(bits)[i].val < 64)
			return 1ULL << btf_enum(bits)[i].val;
	}
	return 0;
}

static void take_enum(struct gfp_names *names, const struct btf *btf)
{
	const struct btf_type *bits = find_bits(btf);

	if (!bits)
		return;
	for (int i = 0; i < btf_vlen(bits); i++) {
		const char *text = btf__name_by_offset(btf, btf_enum(bits)[i].name_off);
		size_t length = strlen(text);

		if (length > 11 && strcmp(text + length - 4, "_BIT") == 0 && strcmp(text + 7, "LAST_BIT") != 0 &&
		    strncmp(text + 7, "UNUSED", 6) != 0)
			add_name(names, text + 1, length - 5, find_bit(btf, bits, text + 7, length - 11));
	}
	for (size_t i = 0; i < sizeof(combinations) / sizeof(*combinations); i++) {
		uint64_t mask = 0;

		for (const char *at = combinations[i].bits; *at; at += strspn(at, " ")) {
			mask |= find_bit(btf, bits, at, strcspn(at, " "));
			at += strcspn(at, " ");
		}
		add_name(names, combinations[i].name, strlen(combinations[i].name), mask);
	}
}

/* By the tracepoint's format -------------------------------------------------------------------------------- */

/*
 * An expression of the format: hex and decimal numbers, | & ~ ( ), casts, which are left out. Anything else makes it
 * unknown. The kernel wrote it, but it is bounded all the same.
 */
struct expression {
	const char *at, *end;
	unsigned int depth;
	bool is_unknown;
};

static uint64_t any_of(struct expression *expression);

static void skip_spaces(struct expression *expression)
{
	while (expression->at < expression->end && isspace((unsigned char)*expression->at))
		expression->at++;
}

static bool take(struct expression *expression, const char *text)
{
	size_t length = strlen(text);

	skip_spaces(expression);
	if ((size_t)(expression->end - expression->at) < length || strncmp(expression->at, text, length) != 0)
		return false;
	expression->at += length;
	return true;
}

/* "(unsigned long)", "( gfp_t)": nothing but words between. What sparse wants is left of it as spaces. */
static bool take_cast(struct expression *expression)
{
	const char *at;
	bool has_letter = false;

	skip_spaces(expression);
	if (expression->at >= expression->end || *expression->at != '(')
		return false;
	for (at = expression->at + 1; at < expression->end && (isalpha((unsigned char)*at) || *at == '_' || *at == ' '); at++)
		has_letter |= *at != ' ';
	if (!has_letter || at >= expression->end || *at != ')')
		return false;
	expression->at = at + 1;
	return true;
}

static uint64_t operand(struct expression *expression)
{
	uint64_t value;
	char *rest;

	while (take_cast(expression))
		;
	if (take(expression, "~"))
		return ~operand(expression);
	if (take(expression, "(")) {
		if (expression->depth++ > 64) {
			expression->is_unknown = true;
			return 0;
		}
		value = any_of(expression);
		expression->depth--;
		expression->is_unknown |= !take(expression, ")");
		return value;
	}
	skip_spaces(expression);
	if (expression->at >= expression->end || !isdigit((unsigned char)*expression->at)) {
		expression->is_unknown = true;
		return 0;
	}
	value = strtoull(expression->at, &rest, 0);
	expression->at = rest + strspn(rest, "uUlL");
	return value;
}

static uint64_t all_of(struct expression *expression)
{
	uint64_t value = operand(expression);

	while (!expression->is_unknown && take(expression, "&"))
		value &= operand(expression);
	return value;
}

static uint64_t any_of(struct expression *expression)
{
	uint64_t value = all_of(expression);

	while (!expression->is_unknown && take(expression, "|"))
		value |= all_of(expression);
	return value;
}

/* {EXPRESSION, "NAME"}, … */
static void take_format(struct gfp_names *names, const char *format)
{
	const char *at = strstr(format, "__print_flags(REC->gfp_flags");

	for (at = at ? strchr(at, '{') : NULL; at; at = strchr(at, '{')) {
		const char *quote = strchr(at, '"'), *close = quote ? strchr(quote + 1, '"') : NULL;
		struct expression expression = { .at = at + 1, .end = quote };
		uint64_t mask;

		if (!close)
			return;
		mask = any_of(&expression);
		if (!expression.is_unknown && take(&expression, ","))
			add_name(names, quote + 1, close - quote - 1, mask & UINT32_MAX);
		at = close;
	}
}

/* The format file's text, or NULL. */
static char *read_format(void)
{
	CLEANUP(close) int tracefs = -1, fd = -1;
	char *format = malloc(FORMAT_BYTES);
	size_t size = 0;
	ssize_t got;

	if (!format || kernel_tracefs_open(&tracefs, NULL)) {
		free(format);
		return NULL;
	}
	fd = openat(tracefs, "events/kmem/mm_page_alloc/format", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && size < FORMAT_BYTES - 1 && (got = read(fd, format + size, FORMAT_BYTES - 1 - size)) > 0)
		size += got;
	format[size] = '\0';
	return format;
}

static int hand_over(struct gfp_names *names, struct gfp_names **ret_names)
{
	if (!names->count) {
		free(names);
		return -ENOENT;
	}
	*ret_names = names;
	return 0;
}

int gfp_names_from_types(const struct btf *btf, struct gfp_names **ret_names)
{
	struct gfp_names *names = calloc(1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	take_enum(names, btf);
	return hand_over(names, ret_names);
}

int gfp_names_from_format(const char *format, struct gfp_names **ret_names)
{
	struct gfp_names *names = calloc(1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	take_format(names, format);
	return hand_over(names, ret_names);
}

int gfp_names_open(struct kernel_targets *targets, struct gfp_names **ret_names, struct error *err)
{
	int status = gfp_names_from_types(kernel_targets_btf(targets), ret_names);
	CLEANUP(free) char *format = status == -ENOENT ? read_format() : NULL;

	if (format)
		status = gfp_names_from_format(format, ret_names);
	if (status == -ENOENT) {
		struct gfp_names *none = calloc(1, sizeof(*none));

		status = none ? 0 : -ENOMEM;
		if (none)
			*ret_names = none;
	}
	return status ? error_set(err, status, "out of memory") : 0;
}

void gfp_names_close(struct gfp_names *names)
{
	free(names);
}

void gfp_names_text(const struct gfp_names *names, uint64_t flags, char *text, size_t size)
{
	size_t length = 0;

	snprintf(text, size, "0");
	for (size_t i = 0; i < names->count && flags && length < size; i++) {
		if ((flags & names->names[i].mask) != names->names[i].mask)
			continue;
		length += snprintf(text + length, size - length, "%s%s", length ? "|" : "", names->names[i].text);
		flags &= ~names->names[i].mask;
	}
	if (flags && length < size)
		snprintf(text + length, size - length, "%s0x%llx", length ? "|" : "", (unsigned long long)flags);
}
