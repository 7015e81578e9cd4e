// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * How a type is laid out, as a table: its head, its members with offset and size, and the gaps between them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <bpf/btf.h>

#include "cleanup.h"
#include "kstruct.h"
#include "type_text.h"
#include "type_walk.h"
#include "view.h"

static const struct view_column head_columns[HEAD_COLUMNS] = {
	[HEAD_NAME] = { .name = "name", .type = VIEW_TEXT },
	[HEAD_KIND] = { .name = "kind", .type = VIEW_TEXT },
	[HEAD_TEXT] = { .name = "text", .type = VIEW_TEXT, .is_text_only = true, .style = COLOUR_SYMBOL },
	[HEAD_ADDR] = { .name = "addr", .type = VIEW_HEX, .is_optional = true },
	[HEAD_SIZE] = { .name = "size", .type = VIEW_U64 },
	[HEAD_ALIGNMENT] = { .name = "alignment", .type = VIEW_U64 },
	[HEAD_MEMBERS] = { .name = "members", .type = VIEW_U64, .is_optional = true },
	[HEAD_HOLES] = { .name = "holes", .type = VIEW_U64, .is_optional = true },
	[HEAD_HOLE_BITS] = { .name = "hole_bits", .type = VIEW_U64, .is_optional = true },
	[HEAD_PADDING_BITS] = { .name = "padding_bits", .type = VIEW_U64, .is_optional = true },
	[HEAD_GAP_TEXT] = { .name = "gaps", .type = VIEW_TEXT, .is_text_only = true, .is_optional = true },
};
const struct view_record kstruct_head_record = {
	.type = "struct",
	.columns = head_columns,
	.column_count = HEAD_COLUMNS,
	.text = "{text}{? at {addr}?}: {size} {size:byte|bytes}, alignment {alignment}"
		"{?, {members} {members:member|members}?}{?, {gaps}?}",
};

/* In text one column has it all; JSON has the parts. */
static const struct view_column member_columns[MEMBER_COLUMNS] = {
	[MEMBER_STRUCT] = { .name = "struct", .type = VIEW_TEXT, .is_json_only = true },
	[MEMBER_PATH] = { .name = "path", .type = VIEW_TEXT, .is_json_only = true },
	[MEMBER_OFFSET_TEXT] = { .name = "offset_text",
				 .title = "OFFSET",
				 .type = VIEW_TEXT,
				 .align = VIEW_ALIGN_RIGHT,
				 .width = 8,
				 .style = COLOUR_DIM,
				 .is_text_only = true },
	[MEMBER_SIZE_TEXT] = { .name = "size_text",
			       .title = "SIZE",
			       .type = VIEW_TEXT,
			       .align = VIEW_ALIGN_RIGHT,
			       .width = 7,
			       .is_text_only = true },
	[MEMBER_OFFSET] = { .name = "offset", .type = VIEW_U64, .is_json_only = true },
	[MEMBER_SIZE] = { .name = "size", .type = VIEW_U64, .is_json_only = true },
	[MEMBER_BIT_OFFSET] = { .name = "bit_offset",
				.type = VIEW_U64,
				.is_json_only = true,
				.is_optional = true },
	[MEMBER_BIT_SIZE] = { .name = "bit_size",
			      .type = VIEW_U64,
			      .is_json_only = true,
			      .is_optional = true },
	[MEMBER_TYPE] = { .name = "member_type",
			  .type = VIEW_TEXT,
			  .is_json_only = true,
			  .is_optional = true },
	[MEMBER_LEVEL] = { .name = "level", .type = VIEW_U64, .is_json_only = true },
	[MEMBER_VALUE] = { .name = "value", .type = VIEW_ANY, .is_json_only = true, .is_optional = true },
	[MEMBER_SYMBOL] = { .name = "symbol",
			    .type = VIEW_SYMBOL,
			    .is_json_only = true,
			    .is_optional = true },
	[MEMBER_STRING] = { .name = "string", .type = VIEW_TEXT, .is_json_only = true, .is_optional = true },
	[MEMBER_NUMBER] = { .name = "number", .type = VIEW_ANY, .is_json_only = true, .is_optional = true },
	[MEMBER_REPEATS] = { .name = "repeats", .type = VIEW_U64, .is_json_only = true, .is_optional = true },
	[MEMBER_TEXT] = { .name = "text",
			  .title = "MEMBER",
			  .type = VIEW_TEXT,
			  .width = 40,
			  .is_text_only = true,
			  .level_indent = 4 },
};
const struct view_record kstruct_member_record = {
	.type = "member",
	.columns = member_columns,
	.column_count = MEMBER_COLUMNS,
};

enum {
	GAP_STRUCT,
	GAP_OFFSET_TEXT,
	GAP_SIZE_TEXT,
	GAP_OFFSET,
	GAP_BIT_OFFSET,
	GAP_BITS,
	GAP_LEVEL,
	GAP_TEXT,
	GAP_COLUMNS
};
static const struct view_column gap_columns[GAP_COLUMNS] = {
	[GAP_STRUCT] = { .name = "struct", .type = VIEW_TEXT, .is_json_only = true },
	[GAP_OFFSET_TEXT] = { .name = "offset_text",
			      .title = "OFFSET",
			      .type = VIEW_TEXT,
			      .align = VIEW_ALIGN_RIGHT,
			      .width = 8,
			      .style = COLOUR_DIM,
			      .is_text_only = true },
	[GAP_SIZE_TEXT] = { .name = "size_text",
			    .title = "SIZE",
			    .type = VIEW_TEXT,
			    .align = VIEW_ALIGN_RIGHT,
			    .width = 7,
			    .style = COLOUR_WARNING,
			    .is_text_only = true },
	[GAP_OFFSET] = { .name = "offset", .type = VIEW_U64, .is_json_only = true },
	[GAP_BIT_OFFSET] = { .name = "bit_offset", .type = VIEW_U64, .is_json_only = true },
	[GAP_BITS] = { .name = "bits", .type = VIEW_U64, .is_json_only = true },
	[GAP_LEVEL] = { .name = "level", .type = VIEW_U64, .is_json_only = true },
	[GAP_TEXT] = { .name = "text",
		       .type = VIEW_TEXT,
		       .is_text_only = true,
		       .style = COLOUR_WARNING,
		       .level_indent = 4 },
};
const struct view_record kstruct_hole_record = {
	.type = "hole",
	.columns = gap_columns,
	.column_count = GAP_COLUMNS,
	.joins = &kstruct_member_record,
};
const struct view_record kstruct_padding_record = {
	.type = "padding",
	.columns = gap_columns,
	.column_count = GAP_COLUMNS,
	.joins = &kstruct_member_record,
};

enum {
	ENUMERATOR_ENUM,
	ENUMERATOR_VALUE,
	ENUMERATOR_HEX,
	ENUMERATOR_NAME,
	ENUMERATOR_COLUMNS
};
static const struct view_column enumerator_columns[ENUMERATOR_COLUMNS] = {
	[ENUMERATOR_ENUM] = { .name = "enum", .type = VIEW_TEXT, .is_json_only = true },
	[ENUMERATOR_VALUE] = { .name = "value", .type = VIEW_ANY, .width = 12, .align = VIEW_ALIGN_RIGHT },
	[ENUMERATOR_HEX] = { .name = "hex", .type = VIEW_HEX, .width = 10, .align = VIEW_ALIGN_RIGHT,
			     .is_text_only = true },
	[ENUMERATOR_NAME] = { .name = "name", .type = VIEW_TEXT },
};
static const struct view_record enumerator_record = {
	.type = "enumerator",
	.columns = enumerator_columns,
	.column_count = ENUMERATOR_COLUMNS,
};

enum {
	OFFSET_STRUCT,
	OFFSET_PATH,
	OFFSET_TEXT,
	OFFSET_OFFSET,
	OFFSET_COLUMNS
};
static const struct view_column offset_columns[OFFSET_COLUMNS] = {
	[OFFSET_STRUCT] = { .name = "struct", .type = VIEW_TEXT },
	[OFFSET_PATH] = { .name = "path", .type = VIEW_TEXT },
	[OFFSET_TEXT] = { .name = "offset_text", .type = VIEW_HEX, .is_text_only = true },
	[OFFSET_OFFSET] = { .name = "offset", .type = VIEW_U64 },
};
static const struct view_record offset_record = {
	.type = "offset",
	.columns = offset_columns,
	.column_count = OFFSET_COLUMNS,
	.text = "{path} in {struct}'s offset: {offset_text}",
};

extern const struct view_record kstruct_match_record, kstruct_containing_record, kstruct_more_record,
	kstruct_entry_record, kstruct_field_record;
const struct view_record *const kstruct_records[] = {
	&kstruct_head_record, &kstruct_member_record, &kstruct_hole_record,  &kstruct_padding_record,
	&enumerator_record,   &offset_record,	      &kstruct_match_record, &kstruct_containing_record,
	&kstruct_more_record, &kstruct_entry_record,  &kstruct_field_record, NULL,
};

/* "4 bytes", "3 bits", "2 bytes 3 bits". */
static const char *put_bits(uint64_t bits, char *to, size_t size)
{
	const char *bytes_plural = bits / 8 == 1 ? "" : "s", *bits_plural = bits % 8 == 1 ? "" : "s";

	if (!(bits % 8))
		snprintf(to, size, "%" PRIu64 " byte%s", bits / 8, bytes_plural);
	else if (bits < 8)
		snprintf(to, size, "%" PRIu64 " bit%s", bits, bits_plural);
	else
		snprintf(to, size, "%" PRIu64 " byte%s %" PRIu64 " bit%s", bits / 8, bytes_plural, bits % 8,
			 bits_plural);
	return to;
}

static int show_gap(struct inspection *inspection, const struct kstruct_query *query,
		    const struct type_step *step, unsigned level)
{
	bool is_hole = step->kind == STEP_HOLE;
	char offset[40], size[40], text[80], bits[40];

	if (step->bit_offset % 8)
		snprintf(offset, sizeof(offset), "0x%" PRIx64 ":%u", step->bit_offset / 8,
			 (unsigned)(step->bit_offset % 8));
	else
		snprintf(offset, sizeof(offset), "0x%" PRIx64, step->bit_offset / 8);
	put_bits(step->bit_count, bits, sizeof(bits));
	snprintf(text, sizeof(text), "/* %s of %s */", is_hole ? "hole" : "padding", bits);
	if (step->bit_count % 8)
		snprintf(size, sizeof(size), "%s", bits);
	else
		snprintf(size, sizeof(size), "%zu", step->size);

	const struct view_value values[GAP_COLUMNS] = {
		[GAP_STRUCT] = view_text(query->name),
		[GAP_OFFSET_TEXT] = view_text(offset),
		[GAP_SIZE_TEXT] = view_text(size),
		[GAP_OFFSET] = view_u64(step->bit_offset / 8),
		[GAP_BIT_OFFSET] = view_u64(step->bit_offset),
		[GAP_BITS] = view_u64(step->bit_count),
		[GAP_LEVEL] = view_u64(level),
		[GAP_TEXT] = view_text_at(text, level),
	};

	return view_row(inspection->view, is_hole ? &kstruct_hole_record : &kstruct_padding_record, values);
}

int kstruct_show_step(struct inspection *inspection, const struct kstruct_query *query,
		      const struct type_step *step, unsigned level, struct view_value values[MEMBER_COLUMNS],
		      const char *value_text)
{
	CLEANUP(free) char *declaration = NULL, *type = NULL, *text = NULL;
	char offset[40], size[40], bits[16] = "";
	int status;

	if (step->kind != STEP_MEMBER)
		return show_gap(inspection, query, step, level);
	status = type_declaration(query->types, step->type_id, "", &type);
	if (!status && *step->name == '[') /* an element: the array has said the type */
		status = (declaration = strdup(step->name)) ? 0 : -ENOMEM;
	else if (!status)
		status = type_declaration(query->types, step->type_id, step->name, &declaration);
	if (status)
		return status;
	snprintf(offset, sizeof(offset), "0x%" PRIx64, step->bit_offset / 8);
	snprintf(size, sizeof(size), "%zu", step->size);
	if (step->bit_size) {
		snprintf(offset, sizeof(offset), "0x%" PRIx64 ":%u", step->bit_offset / 8,
			 (unsigned)(step->bit_offset % 8));
		snprintf(size, sizeof(size), "%u bit%s", step->bit_size, step->bit_size == 1 ? "" : "s");
		snprintf(bits, sizeof(bits), ":%u", step->bit_size);
	}
	if (asprintf(&text, "%s%s%s%s", declaration, bits, value_text ? " = " : "",
		     value_text ? value_text : "") < 0) {
		text = NULL;
		return -ENOMEM;
	}
	values[MEMBER_STRUCT] = view_text(query->name);
	values[MEMBER_PATH] = view_text(step->path);
	values[MEMBER_OFFSET_TEXT] = view_text(offset);
	values[MEMBER_SIZE_TEXT] = view_text(size);
	values[MEMBER_OFFSET] = view_u64(step->bit_offset / 8);
	values[MEMBER_SIZE] = view_u64(step->size);
	values[MEMBER_BIT_OFFSET] = step->bit_size ? view_u64(step->bit_offset) : view_absent();
	values[MEMBER_BIT_SIZE] = step->bit_size ? view_u64(step->bit_size) : view_absent();
	values[MEMBER_TYPE] = view_text(type);
	values[MEMBER_LEVEL] = view_u64(level);
	values[MEMBER_TEXT] = view_text_at(text, level);
	return view_row(inspection->view, &kstruct_member_record, values);
}

/* Head --------------------------------------------------------------------------------------------------- */

/* "struct page", and for a typedef its whole declaration. */
static int head_text(const struct kstruct_query *query, const struct btf_type *type, char **ret_text)
{
	CLEANUP(free) char *declared = NULL;
	int status;

	if (!btf_is_typedef(type))
		return type_declaration(query->types, query->id, "", ret_text);
	status = type_declaration(query->types, type->type, query->name, &declared);
	if (status)
		return status;
	return asprintf(ret_text, "typedef %s", declared) < 0 ? -ENOMEM : 0;
}

static void put_gaps(const struct type_summary *summary, char *to, size_t size)
{
	size_t length = 0;
	char bits[40];

	to[0] = '\0';
	if (summary->holes)
		length = snprintf(to, size, "%u hole%s of %s", summary->holes, summary->holes == 1 ? "" : "s",
				  put_bits(summary->hole_bits, bits, sizeof(bits)));
	if (summary->padding_bits)
		snprintf(to + length, size - length, "%s%s of padding", length ? ", " : "",
			 put_bits(summary->padding_bits, bits, sizeof(bits)));
}

static int show_enumerators(struct inspection *inspection, const struct kstruct_query *query)
{
	struct kernel_enumeration enumeration;
	int status = kernel_enumeration(query->types, query->id, &enumeration);

	for (uint32_t i = 0; !status && i < enumeration.count; i++) {
		const char *name;
		int64_t value = kernel_enumerator_at(&enumeration, i, &name);
		const struct view_value values[ENUMERATOR_COLUMNS] = {
			[ENUMERATOR_ENUM] = view_text(query->name),
			[ENUMERATOR_VALUE] = enumeration.is_signed ? view_i64(value) : view_u64(value),
			[ENUMERATOR_HEX] = view_u64(enumeration.size < 8 ? (uint32_t)value : (uint64_t)value),
			[ENUMERATOR_NAME] = view_text(name),
		};

		status = view_row(inspection->view, &enumerator_record, values);
	}
	return status == -ENOENT ? 0 : status;
}

int kstruct_show_head(struct inspection *inspection, const struct kstruct_query *query, uint64_t address,
		      struct error *err)
{
	const struct btf_type *type = btf__type_by_id(kernel_types_btf(query->types), query->id);
	bool has_members = type_has_members(query->types, query->id, NULL);
	CLEANUP(free) char *text = NULL;
	struct type_summary summary;
	char gaps[120];
	int status = type_summarize(query->types, query->id, &summary);

	if (status)
		return error_set(err, status, "%s has no size: %s", query->name, strerror(-status));
	status = head_text(query, type, &text);
	if (status)
		return error_set(err, status, "no memory");
	put_gaps(&summary, gaps, sizeof(gaps));

	const struct view_value values[HEAD_COLUMNS] = {
		[HEAD_NAME] = view_text(query->name),
		[HEAD_KIND] = view_text(type_kind_word(type) ?: "base"),
		[HEAD_TEXT] = view_text(text),
		[HEAD_ADDR] = address ? view_u64(address) : view_absent(),
		[HEAD_SIZE] = view_u64(summary.size),
		[HEAD_ALIGNMENT] = view_u64(summary.alignment),
		[HEAD_MEMBERS] = has_members ? view_u64(summary.members) : view_absent(),
		[HEAD_HOLES] = has_members ? view_u64(summary.holes) : view_absent(),
		[HEAD_HOLE_BITS] = has_members ? view_u64(summary.hole_bits) : view_absent(),
		[HEAD_PADDING_BITS] = has_members ? view_u64(summary.padding_bits) : view_absent(),
		[HEAD_GAP_TEXT] = has_members ? view_text(gaps) : view_absent(),
	};

	status = view_object(inspection->view, &kstruct_head_record, values);
	return status ? status : show_enumerators(inspection, query);
}

/* Layout ------------------------------------------------------------------------------------------------- */

struct layout {
	struct inspection *inspection;
	const struct kstruct_query *query;
	unsigned level; /* where the walk begins */
};

static int show_step(const struct type_step *step, void *context)
{
	const struct layout *layout = context;
	struct view_value values[MEMBER_COLUMNS] = { 0 };

	return kstruct_show_step(layout->inspection, layout->query, step, layout->level + step->level, values,
				 NULL);
}

/* The member that was asked for, as if a walk had come by. */
static int show_member_itself(struct layout *layout)
{
	const struct kstruct_query *query = layout->query;
	const char *dot = strrchr(query->path, '.');
	const struct type_step step = {
		.type_id = query->member.type_id,
		.name = dot ? dot + 1 : query->path,
		.path = query->path,
		.bit_offset = query->member.bit_offset,
		.bit_size = query->member.bit_size,
		.size = query->member.size,
	};

	return show_step(&step, layout);
}

int kstruct_show_layout(struct inspection *inspection, const struct kstruct_query *query, struct error *err)
{
	const struct kstruct_options *options = inspection->options;
	struct layout layout = { .inspection = inspection, .query = query };
	int status = 0;

	if (*query->path) {
		status = show_member_itself(&layout);
		layout.level = 1;
	}
	if (!status)
		status = type_walk(query->types, query->member.type_id, query->path, query->member.bit_offset,
				   options->depth, show_step, &layout);
	return status == -EBADMSG
		       ? error_set(err, status, "%s nests beyond reason: damaged types", query->name)
		       : status;
}

int kstruct_show_offset(struct inspection *inspection, const struct kstruct_query *query, struct error *err)
{
	const struct view_value values[OFFSET_COLUMNS] = {
		[OFFSET_STRUCT] = view_text(query->name),
		[OFFSET_PATH] = view_text(query->path),
		[OFFSET_TEXT] = view_u64(query->member.bit_offset / 8),
		[OFFSET_OFFSET] = view_u64(query->member.bit_offset / 8),
	};
	int status = view_object(inspection->view, &offset_record, values);

	return status ? status : kstruct_show_layout(inspection, query, err);
}
