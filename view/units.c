// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Units for people: formatting and parsing. */
#include "units.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NS_PER_S UINT64_C(1000000000)
#define FRACTION_SCALE_MAX UINT64_C(1000000000000000000)

size_t units_put_number(uint64_t number, char to[UNITS_TEXT_MAX])
{
	char backwards[UNITS_TEXT_MAX];
	size_t length = 0;

	do
		backwards[length++] = '0' + number % 10;
	while (number /= 10);
	for (size_t i = 0; i < length; i++)
		to[i] = backwards[length - 1 - i];
	to[length] = '\0';
	return length;
}

size_t units_put_hex(uint64_t number, char to[UNITS_TEXT_MAX])
{
	unsigned int digits = number ? (63 - __builtin_clzll(number)) / 4 + 1 : 1;

	to[0] = '0';
	to[1] = 'x';
	for (unsigned int i = 0; i < digits; i++)
		to[2 + i] = "0123456789abcdef"[number >> 4 * (digits - 1 - i) & 15];
	to[2 + digits] = '\0';
	return 2 + digits;
}

/* @value over @unit in tenths, rounded to nearest. */
static uint64_t tenths_of(uint64_t value, uint64_t unit)
{
	return ((unsigned __int128)value * 10 + unit / 2) / unit;
}

static char *put_tenths(uint64_t tenths, const char *suffix, char to[UNITS_TEXT_MAX])
{
	size_t length = units_put_number(tenths / 10, to);

	to[length++] = '.';
	to[length++] = '0' + tenths % 10;
	strcpy(to + length, suffix);
	return to;
}

/*
 * Show @value in the first unit, from @unit on in steps of @step, in which it rounds to less than a step.
 * @suffixes ends with NULL; the last one takes whatever is left.
 */
static char *put_scaled(uint64_t value, uint64_t unit, unsigned step, const char *const *suffixes,
			char to[UNITS_TEXT_MAX])
{
	while (suffixes[1] && tenths_of(value, unit) >= step * UINT64_C(10)) {
		unit *= step;
		suffixes++;
	}
	return put_tenths(tenths_of(value, unit), *suffixes, to);
}

char *units_format_bytes(uint64_t bytes, char to[UNITS_TEXT_MAX])
{
	static const char *const suffixes[] = { " KiB", " MiB", " GiB", " TiB", " PiB", " EiB", NULL };

	if (bytes >= 1024)
		return put_scaled(bytes, 1024, 1024, suffixes, to);
	strcpy(to + units_put_number(bytes, to), " B");
	return to;
}

char *units_format_count(uint64_t count, char to[UNITS_TEXT_MAX])
{
	static const char *const suffixes[] = { "k", "M", "G", "T", "P", "E", NULL };

	if (count >= 10000)
		return put_scaled(count, 1000, 1000, suffixes, to);
	units_put_number(count, to);
	return to;
}

static char *put_pair(uint64_t large, char large_unit, uint64_t small, char small_unit,
		      char to[UNITS_TEXT_MAX])
{
	snprintf(to, UNITS_TEXT_MAX, "%" PRIu64 "%c%02" PRIu64 "%c", large, large_unit, small, small_unit);
	return to;
}

char *units_format_duration(uint64_t ns, char to[UNITS_TEXT_MAX])
{
	static const char *const suffixes[] = { " us", " ms", " s", NULL };
	uint64_t seconds = ns / NS_PER_S;

	if (ns < 1000) {
		strcpy(to + units_put_number(ns, to), " ns");
		return to;
	}
	if (tenths_of(ns, NS_PER_S) < 600)
		return put_scaled(ns, 1000, 1000, suffixes, to);
	if (seconds < 60) /* 59.95 s and more would round to "60.0 s" */
		seconds = 60;
	if (seconds < 3600)
		return put_pair(seconds / 60, 'm', seconds % 60, 's', to);
	if (seconds < 24 * 3600)
		return put_pair(seconds / 3600, 'h', seconds / 60 % 60, 'm', to);
	return put_pair(seconds / (24 * 3600), 'd', seconds / 3600 % 24, 'h', to);
}

/* A decimal number as whole + fraction / scale. Digits past the 18th after the point are dropped. */
struct decimal {
	uint64_t whole, fraction, scale;
};

/* Parse "12" or "1.5" at *@at and move *@at past it. At least one digit must stand before the point. */
static int parse_decimal(const char **at, struct decimal *ret_number)
{
	struct decimal number = { .scale = 1 };
	const char *start = *at;

	for (; **at >= '0' && **at <= '9'; (*at)++)
		if (__builtin_mul_overflow(number.whole, UINT64_C(10), &number.whole) ||
		    __builtin_add_overflow(number.whole, (uint64_t)(**at - '0'), &number.whole))
			return -ERANGE;
	if (*at == start)
		return -EINVAL;
	if (**at == '.') {
		(*at)++;
		if (**at < '0' || **at > '9')
			return -EINVAL;
		for (; **at >= '0' && **at <= '9'; (*at)++)
			if (number.scale < FRACTION_SCALE_MAX) {
				number.fraction = number.fraction * 10 + (**at - '0');
				number.scale *= 10;
			}
	}
	*ret_number = number;
	return 0;
}

static int scale_decimal(const struct decimal *number, uint64_t unit, uint64_t *ret_value)
{
	unsigned __int128 whole = (unsigned __int128)number->whole * unit;
	unsigned __int128 part = (unsigned __int128)number->fraction * unit;

	whole += (part + number->scale / 2) / number->scale;
	if (whole > UINT64_MAX)
		return -ERANGE;
	*ret_value = whole;
	return 0;
}

static bool is_size_suffix(const char *text, bool has_unit)
{
	return !*text || !strcasecmp(text, "B") || (has_unit && !strcasecmp(text, "iB"));
}

int units_parse_size(const char *text, uint64_t *ret_bytes)
{
	static const char letters[] = "KMGTPE";
	struct decimal number;
	uint64_t unit = 1;
	int error = parse_decimal(&text, &number);

	if (error)
		return error;
	for (size_t i = 0; letters[i] && *text; i++)
		if ((*text & ~0x20) == letters[i]) {
			unit = UINT64_C(1) << (10 * (i + 1));
			text++;
			if (!strcasecmp(text, "B"))
				return -EINVAL;
			break;
		}
	if (!is_size_suffix(text, unit > 1))
		return -EINVAL;
	return scale_decimal(&number, unit, ret_bytes);
}

int units_parse_duration(const char *text, uint64_t *ret_ns)
{
	static const struct {
		const char *suffix;
		uint64_t ns;
	} units[] = {
		{ "", NS_PER_S },
		{ "ns", 1 },
		{ "us", 1000 },
		{ "\u00b5s", 1000 },
		{ "\u03bcs", 1000 },
		{ "ms", 1000 * 1000 },
		{ "s", NS_PER_S },
		{ "m", 60 * NS_PER_S },
		{ "min", 60 * NS_PER_S },
		{ "h", 3600 * NS_PER_S },
		{ "d", 24 * 3600 * NS_PER_S },
	};
	struct decimal number;
	int error = parse_decimal(&text, &number);

	if (error)
		return error;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (!strcmp(text, units[i].suffix))
			return scale_decimal(&number, units[i].ns, ret_ns);
	return -EINVAL;
}
