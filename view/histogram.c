// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Rendering of power-of-two histograms. */
#include "histogram.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "units.h"

#define BAR_MIN 8
#define BAR_MAX 40

/* The slots from the first to the last that isn't empty. */
struct span {
	size_t first, end;
	uint64_t fullest;
};

static struct span span_of(const struct view_histogram *histogram)
{
	size_t count = histogram->slot_count;
	struct span span = { 0 };

	if (count > HISTOGRAM_SLOTS_MAX)
		count = HISTOGRAM_SLOTS_MAX;
	span.first = count;
	for (size_t i = 0; i < count; i++) {
		if (!histogram->slots[i])
			continue;
		if (span.first == count)
			span.first = i;
		span.end = i + 1;
		if (histogram->slots[i] > span.fullest)
			span.fullest = histogram->slots[i];
	}
	return span;
}

static uint64_t slot_low(size_t slot)
{
	return slot ? UINT64_C(1) << slot : 0;
}

static uint64_t slot_high(size_t slot)
{
	return slot == 63 ? UINT64_MAX : (UINT64_C(1) << (slot + 1)) - 1;
}

static const char *format_bound(enum histogram_unit unit, uint64_t value, char to[UNITS_TEXT_MAX])
{
	switch (unit) {
	case HISTOGRAM_BYTES:
		return units_format_bytes(value, to);
	case HISTOGRAM_DURATION_NS:
		return units_format_duration(value, to);
	case HISTOGRAM_COUNT:
		break;
	}
	snprintf(to, UNITS_TEXT_MAX, "%" PRIu64, value);
	return to;
}

/* In a unit, 8191 bytes read "8.0 KiB": there the next slot's low bound is shown. Counts are exact. */
static uint64_t shown_high(enum histogram_unit unit, size_t slot)
{
	return unit == HISTOGRAM_COUNT || slot == 63 ? slot_high(slot) : slot_high(slot) + 1;
}

struct layout {
	unsigned low, high, count, bar;
};

static void widen(unsigned *width, size_t length)
{
	if (length > *width)
		*width = length;
}

static struct layout layout_of(const struct view_histogram *histogram, const struct span *span,
			       unsigned indent, unsigned columns)
{
	struct layout layout = { .bar = BAR_MIN };
	char text[UNITS_TEXT_MAX];
	unsigned used;

	for (size_t i = span->first; i < span->end; i++) {
		widen(&layout.low, strlen(format_bound(histogram->unit, slot_low(i), text)));
		widen(&layout.high,
		      strlen(format_bound(histogram->unit, shown_high(histogram->unit, i), text)));
		widen(&layout.count, snprintf(text, sizeof(text), "%" PRIu64, histogram->slots[i]));
	}
	used = indent + layout.low + layout.high + layout.count +
	       strlen(" .. "
		      "  "
		      " ||");
	if (columns > used + BAR_MIN)
		layout.bar = columns - used < BAR_MAX ? columns - used : BAR_MAX;
	return layout;
}

void view_histogram_write_text(const struct view_histogram *histogram, struct out *out, unsigned indent,
			       unsigned columns)
{
	const struct span span = span_of(histogram);
	const struct layout layout = layout_of(histogram, &span, indent, columns);
	char low[UNITS_TEXT_MAX], high[UNITS_TEXT_MAX];

	for (size_t i = span.first; i < span.end; i++) {
		uint64_t count = histogram->slots[i];
		unsigned bar = (unsigned __int128)count * layout.bar / span.fullest;

		if (count && !bar)
			bar = 1;
		out_fill(out, ' ', indent);
		out_format(out, "%*s .. %*s  %*" PRIu64 " |", (int)layout.low,
			   format_bound(histogram->unit, slot_low(i), low), (int)layout.high,
			   format_bound(histogram->unit, shown_high(histogram->unit, i), high),
			   (int)layout.count, count);
		out_fill(out, '#', bar);
		out_fill(out, ' ', layout.bar - bar);
		out_string(out, "|\n");
	}
	if (!span.end) {
		out_fill(out, ' ', indent);
		out_string(out, "(empty)\n");
	}
}

void view_histogram_write_json(const struct view_histogram *histogram, struct json_writer *json)
{
	const struct span span = span_of(histogram);

	json_write_array_begin(json);
	for (size_t i = span.first; i < span.end; i++) {
		json_write_object_begin(json);
		json_write_key(json, "low");
		json_write_u64(json, slot_low(i));
		json_write_key(json, "high");
		json_write_u64(json, slot_high(i));
		json_write_key(json, "count");
		json_write_u64(json, histogram->slots[i]);
		json_write_object_end(json);
	}
	json_write_array_end(json);
}
