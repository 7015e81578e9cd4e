/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What a command declares: records made of named, typed columns; and what it hands over: values. Every output
 * form (table, sentence, list, JSON) is derived from these, so that commands format nothing.
 */
#ifndef DILL_VIEW_COLUMN_H
#define DILL_VIEW_COLUMN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "colour.h"
#include "histogram.h"
#include "stack.h"

/* What a column holds.      constructor                text                   JSON */
enum view_type {
	VIEW_TEXT = 0,	  /* view_text()                escaped                string */
	VIEW_PATH,	  /* view_text()                cut at the left        string */
	VIEW_SYMBOL,	  /* view_text()                escaped                string */
	VIEW_ENUM,	  /* view_u64(), an index       column's names[i]      string; number beyond names */
	VIEW_U64,	  /* view_u64()                 1234567                integer */
	VIEW_I64,	  /* view_i64()                 -12                    integer */
	VIEW_HEX,	  /* view_u64()                 0xffff888004a2b000     string: jq rounds above 2^53 */
	VIEW_COUNT,	  /* view_u64() or view_i64()   12.3k                  integer */
	VIEW_BYTES,	  /* view_u64() or view_i64()   1.5 MiB                integer, bytes */
	VIEW_DURATION_NS, /* view_u64() or view_i64()   1.2 ms                 integer, ns */
	VIEW_TIME, /* view_u64(), ns (realtime)  12:00:05, local        "…-31T11:00:05.123456789Z", UTC */
	VIEW_PERCENT, /* view_double(), 0 to 100    12.5%                  number */
	VIEW_DECIMAL, /* view_double()              0.35                   number */
	VIEW_BOOL,    /* view_bool()                yes                    true */
	VIEW_ANY,     /* text, number or bool       by what it is          by what it is */
	/* Blocks: never inside a line, but on lines of their own below it. */
	VIEW_STACK,	/* view_frames()              indented frames        array, see stack.h */
	VIEW_HISTOGRAM, /* view_slots()               bars                   array, see histogram.h */
	VIEW_COUNTERS,	/* view_counters()            "name 3, other 1"      object of integers, zeros too */
};

enum view_align {
	VIEW_ALIGN_BY_TYPE = 0, /* numbers right, the rest left */
	VIEW_ALIGN_LEFT,
	VIEW_ALIGN_RIGHT,
};

struct view_column {
	const char *name;  /* JSON key and placeholder: lower_snake, with its unit where JSON needs one */
	const char *title; /* table heading and list label; NULL: made from @name */
	enum view_type type;
	unsigned width; /* columns in a table; 0: by type. Never less than the heading takes */
	enum view_align align;
	enum colour_style style;  /* COLOUR_PLAIN: by type */
	const char *const *names; /* VIEW_ENUM: texts by value, NULL-terminated */
	bool is_optional;         /* may be absent: "-" in a table, left out elsewhere */
	bool is_json_only;        /* not in tables and lists; a template may still name it */
	bool is_text_only;        /* not in JSON: composed of what other columns have */
	unsigned level_indent;    /* spaces in a table for each level of view_text_at(); 0: 2 */
	bool is_bad_when_set;     /* shown as COLOUR_BAD unless zero: losses, damage */
};

/* One kind of output line. Constant data of the command. */
struct view_record {
	const char *type; /* JSON "type": lower_snake */
	const struct view_column *columns;
	size_t column_count;

	/*
	 * For view_object() in text: the sentence. NULL: a list of "title  value" lines. Columns of block
	 * types follow below it, unless a placeholder shows them (VIEW_COUNTERS only).
	 *
	 *     {name}           the value with its unit; "-" when absent
	 *     {name:raw}       without unit or rounding: 81920 instead of 80.0 KiB
	 *     {name:+}         with its sign also when positive; {name:raw+} both
	 *     {name:one|many}  the word that fits the number: {count:allocation|allocations}
	 *     {? … ?}          only when each value named within is present and neither zero, false nor empty
	 *     {{  }}           literal braces
	 */
	const char *text;
	const struct view_record
		*joins;	     /* rows go on in that record's table, under its heading; NULL: its own */
	unsigned indent;     /* spaces before text lines; blocks stand 4 further right */
	bool starts_section; /* text: an empty line before it, unless it comes first */
	bool is_remark;      /* text: left out when the view is quiet */
	bool is_text_only;   /* not in JSON: another sentence about what another record has */
};

enum view_kind {
	VIEW_KIND_ABSENT = 0,
	VIEW_KIND_U64,
	VIEW_KIND_I64,
	VIEW_KIND_DOUBLE,
	VIEW_KIND_BOOL,
	VIEW_KIND_TEXT,
	VIEW_KIND_STACK,
	VIEW_KIND_HISTOGRAM,
	VIEW_KIND_COUNTERS,
};

struct view_counter {
	const char *name; /* lower_snake: a JSON key */
	uint64_t value;
};

/* A value for one column; whatever it points to is borrowed for the call. All zeros is "absent". */
struct view_value {
	enum view_kind kind;
	union {
		uint64_t u64;
		int64_t i64;
		double real;
		bool flag;
		struct {
			const char *bytes;
			size_t length;
			unsigned level; /* in a tree */
		} text;
		const struct view_stack *stack;
		const struct view_histogram *histogram;
		struct {
			const struct view_counter *items;
			size_t count;
		} counters;
	};
};

static inline struct view_value view_absent(void)
{
	return (struct view_value){ .kind = VIEW_KIND_ABSENT };
}

static inline struct view_value view_u64(uint64_t value)
{
	return (struct view_value){ .kind = VIEW_KIND_U64, .u64 = value };
}

static inline struct view_value view_i64(int64_t value)
{
	return (struct view_value){ .kind = VIEW_KIND_I64, .i64 = value };
}

static inline struct view_value view_double(double value)
{
	return (struct view_value){ .kind = VIEW_KIND_DOUBLE, .real = value };
}

static inline struct view_value view_bool(bool value)
{
	return (struct view_value){ .kind = VIEW_KIND_BOOL, .flag = value };
}

/* Bytes from anywhere, up to the first NUL or @size: fits fixed arrays such as comm[16]. NULL is absent. */
static inline struct view_value view_text_n(const char *bytes, size_t size)
{
	if (!bytes)
		return view_absent();
	return (struct view_value){ .kind = VIEW_KIND_TEXT, .text = { bytes, strnlen(bytes, size), 0 } };
}

static inline struct view_value view_text(const char *text)
{
	return view_text_n(text, text ? strlen(text) : 0);
}

/* A row of a tree: in a table the text stands @level levels to the right (VIEW_LEVELS_MAX at most). */
#define VIEW_LEVELS_MAX 32
static inline struct view_value view_text_at(const char *text, unsigned level)
{
	struct view_value value = view_text(text);

	if (value.kind == VIEW_KIND_TEXT)
		value.text.level = level;
	return value;
}

static inline struct view_value view_frames(const struct view_stack *stack)
{
	return (struct view_value){ .kind = stack ? VIEW_KIND_STACK : VIEW_KIND_ABSENT, .stack = stack };
}

static inline struct view_value view_slots(const struct view_histogram *histogram)
{
	return (struct view_value){ .kind = histogram ? VIEW_KIND_HISTOGRAM : VIEW_KIND_ABSENT,
				    .histogram = histogram };
}

static inline struct view_value view_counters(const struct view_counter *items, size_t count)
{
	return (struct view_value){ .kind = VIEW_KIND_COUNTERS, .counters = { items, count } };
}

/* True for types that take lines of their own. */
bool view_type_is_block(enum view_type type);

/* True when @value may stand in @column: the right kind, and absent only where that is allowed. */
bool view_value_fits(const struct view_column *column, const struct view_value *value);

/* True when @value says something: present, and neither zero, false nor empty. */
bool view_value_is_set(const struct view_value *value);

/* The column called @name (of @length bytes), or NULL. */
const struct view_column *view_record_find(const struct view_record *record, const char *name, size_t length);

/*
 * Check a declaration: names, types, and every placeholder of the template. Meant for tests over all
 * commands; view_row() and view_object() check too. Returns -EINVAL with a sentence in @problem (of @size;
 * may be NULL).
 */
int view_record_check(const struct view_record *record, char *problem, size_t size);

#endif
