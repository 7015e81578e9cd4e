/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What the files of `dill kstruct` share: its options, what is asked for, and the records that are shown. */
#ifndef DILL_KSTRUCT_H
#define DILL_KSTRUCT_H

#include "column.h"
#include "inspect.h"
#include "kernel_types.h"

struct type_step;

struct kstruct_options {
	uint64_t depth; /* levels; 0: all */
	uint64_t with_size;
	const char *search, *containing, *follow, *fields;
	uint64_t cpu;
	uint64_t limit;   /* elements of an array */
	uint64_t entries; /* of a container; 0: all */
	bool is_c, shows_strings;
};

#define KSTRUCT_NO_NUMBER UINT64_MAX /* with_size, cpu: not given */

/* A type, or a member of it. */
struct kstruct_query {
	struct kernel_types *types;
	char name[256]; /* the type's, as it was asked for, without "struct " */
	uint32_t id;
	char path[512]; /* of the member; "": the type itself */
	struct kernel_member member;
};

enum {
	HEAD_NAME,
	HEAD_KIND,
	HEAD_TEXT,
	HEAD_ADDR,
	HEAD_SIZE,
	HEAD_ALIGNMENT,
	HEAD_MEMBERS,
	HEAD_HOLES,
	HEAD_HOLE_BITS,
	HEAD_PADDING_BITS,
	HEAD_GAP_TEXT,
	HEAD_COLUMNS
};
extern const struct view_record kstruct_head_record;

enum {
	MEMBER_STRUCT,
	MEMBER_PATH,
	MEMBER_OFFSET_TEXT,
	MEMBER_SIZE_TEXT,
	MEMBER_OFFSET,
	MEMBER_SIZE,
	MEMBER_BIT_OFFSET,
	MEMBER_BIT_SIZE,
	MEMBER_TYPE,
	MEMBER_LEVEL,
	MEMBER_VALUE,
	MEMBER_SYMBOL,
	MEMBER_STRING,
	MEMBER_NUMBER,
	MEMBER_REPEATS,
	MEMBER_TEXT,
	MEMBER_COLUMNS
};
extern const struct view_record kstruct_member_record, kstruct_hole_record, kstruct_padding_record;
extern const struct view_record *const kstruct_records[];

/* "struct task_struct: 9344 bytes, …"; for enums with their values below. @address: 0 for a layout. */
int kstruct_show_head(struct inspection *inspection, const struct kstruct_query *query, uint64_t address,
		      struct error *err);
/* The members, or the one that was asked for and its members. */
int kstruct_show_layout(struct inspection *inspection, const struct kstruct_query *query, struct error *err);
/* "PATH in NAME's offset: 0x…" before that. */
int kstruct_show_offset(struct inspection *inspection, const struct kstruct_query *query, struct error *err);
int kstruct_show_matches(struct inspection *inspection, struct kernel_types *types, struct error *err);

/*
 * One line of a table: @step of @query, @level as shown, with a value (NULL: none). The caller's @values may
 * have MEMBER_VALUE and those behind it set.
 */
int kstruct_show_step(struct inspection *inspection, const struct kstruct_query *query,
		      const struct type_step *step, unsigned level, struct view_value values[MEMBER_COLUMNS],
		      const char *value_text);

#endif
