/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Sizes, durations and counts as people write and read them. Integer arithmetic throughout, and the decimal
 * point is always a point. JSON has raw numbers: of these it uses units_put_number() alone.
 */
#ifndef DILL_VIEW_UNITS_H
#define DILL_VIEW_UNITS_H

#include <stddef.h>
#include <stdint.h>

/* Enough for every result below, NUL included. */
#define UNITS_TEXT_MAX 24

/* The digits, without sign and unit, and a NUL. Returns how many there are. Rows have many numbers: printf() is slow. */
size_t units_put_number(uint64_t number, char to[UNITS_TEXT_MAX]);
size_t units_put_hex(uint64_t number, char to[UNITS_TEXT_MAX]); /* with 0x */

/* Each fills @to and returns it. Values are rounded to the nearest tenth of the unit shown. */

/* "512 B", "1.5 MiB": powers of 1024. */
char *units_format_bytes(uint64_t bytes, char to[UNITS_TEXT_MAX]);

/* "850 ns", "1.2 us", "1.2 ms", "3.4 s", then "2m05s", "3h07m", "4d03h" (these cut, not rounded). */
char *units_format_duration(uint64_t ns, char to[UNITS_TEXT_MAX]);

/* "9999", "12.3k", "4.5M": powers of 1000, exact below 10000. */
char *units_format_count(uint64_t count, char to[UNITS_TEXT_MAX]);

/*
 * "4096", "512K", "1.5MiB", "10g": K M G T P E are powers of 1024 and may be followed by iB; a B may stand
 * alone. "KB" is refused: it means 1000 to some and 1024 to others. A fraction (18 digits of it count) is
 * rounded to the nearest byte.
 * Returns -EINVAL for what isn't a size, -ERANGE for one that doesn't fit.
 */
int units_parse_size(const char *text, uint64_t *ret_bytes);

/*
 * "300ms", "1.5s", "2m", bare = seconds: ns us (µs) ms s m (min) h d. A fraction is rounded to the nearest
 * ns. Returns -EINVAL for what isn't a duration, -ERANGE for one that doesn't fit.
 */
int units_parse_duration(const char *text, uint64_t *ret_ns);

#endif
