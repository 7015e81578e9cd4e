// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Types that match --search, --with-size and --containing, as tables. */
#include <errno.h>

#include "cleanup.h"
#include "kstruct.h"
#include "type_search.h"
#include "type_text.h"
#include "view.h"

DEFINE_CLEANUP(matches, struct type_matches, type_matches_deinit(&v));

enum {
	MATCH_KIND,
	MATCH_SIZE,
	MATCH_MEMBERS,
	MATCH_NAME,
	MATCH_COLUMNS
};
static const struct view_column match_columns[MATCH_COLUMNS] = {
	[MATCH_KIND] = { .name = "kind", .type = VIEW_TEXT, .width = 7 },
	[MATCH_SIZE] = { .name = "size", .type = VIEW_U64, .width = 7 },
	[MATCH_MEMBERS] = { .name = "members", .type = VIEW_U64, .width = 7, .is_optional = true },
	[MATCH_NAME] = { .name = "name", .type = VIEW_TEXT },
};
const struct view_record kstruct_match_record = {
	.type = "match",
	.columns = match_columns,
	.column_count = MATCH_COLUMNS,
};

enum {
	CONTAINING_KIND,
	CONTAINING_SIZE,
	CONTAINING_NAME,
	CONTAINING_OFFSET_TEXT,
	CONTAINING_OFFSET,
	CONTAINING_PATH,
	CONTAINING_TYPE,
	CONTAINING_TEXT,
	CONTAINING_COLUMNS
};
static const struct view_column containing_columns[CONTAINING_COLUMNS] = {
	[CONTAINING_KIND] = { .name = "kind", .type = VIEW_TEXT, .width = 7 },
	[CONTAINING_SIZE] = { .name = "size", .type = VIEW_U64, .width = 7 },
	[CONTAINING_NAME] = { .name = "name", .type = VIEW_TEXT, .width = 32 },
	[CONTAINING_OFFSET_TEXT] = { .name = "offset_text",
				     .title = "OFFSET",
				     .type = VIEW_HEX,
				     .width = 8,
				     .align = VIEW_ALIGN_RIGHT,
				     .is_text_only = true },
	[CONTAINING_OFFSET] = { .name = "offset", .type = VIEW_U64, .is_json_only = true },
	[CONTAINING_PATH] = { .name = "path", .type = VIEW_TEXT, .is_json_only = true },
	[CONTAINING_TYPE] = { .name = "member_type", .type = VIEW_TEXT, .is_json_only = true },
	[CONTAINING_TEXT] = { .name = "text", .title = "MEMBER", .type = VIEW_TEXT, .is_text_only = true },
};
const struct view_record kstruct_containing_record = {
	.type = "containing",
	.columns = containing_columns,
	.column_count = CONTAINING_COLUMNS,
};

static int show_match(struct view *view, const struct type_match *match)
{
	const struct view_value values[MATCH_COLUMNS] = {
		[MATCH_KIND] = view_text(match->kind),
		[MATCH_SIZE] = view_u64(match->size),
		[MATCH_MEMBERS] = match->members ? view_u64(match->members) : view_absent(),
		[MATCH_NAME] = view_text(match->name),
	};

	return view_row(view, &kstruct_match_record, values);
}

static int show_containing(struct view *view, struct kernel_types *types, const struct type_match *match)
{
	CLEANUP(free) char *type = NULL, *text = NULL;
	int status = type_declaration(types, match->member_type, "", &type);

	if (!status)
		status = type_declaration(types, match->member_type, match->path, &text);
	if (status)
		return status;

	const struct view_value values[CONTAINING_COLUMNS] = {
		[CONTAINING_KIND] = view_text(match->kind),
		[CONTAINING_SIZE] = view_u64(match->size),
		[CONTAINING_NAME] = view_text(match->name),
		[CONTAINING_OFFSET_TEXT] = view_u64(match->offset),
		[CONTAINING_OFFSET] = view_u64(match->offset),
		[CONTAINING_PATH] = view_text(match->path),
		[CONTAINING_TYPE] = view_text(type),
		[CONTAINING_TEXT] = view_text(text),
	};

	return view_row(view, &kstruct_containing_record, values);
}

int kstruct_show_matches(struct inspection *inspection, struct kernel_types *types, struct error *err)
{
	const struct kstruct_options *options = inspection->options;
	const struct type_filter filter = {
		.pattern = options->search,
		.has_size = options->with_size != KSTRUCT_NO_NUMBER,
		.size = options->with_size,
		.containing = options->containing,
	};
	CLEANUP(matches) struct type_matches matches = { 0 };
	int status = type_search(types, &filter, &matches, err);

	if (status)
		return status;
	if (!matches.count)
		return error_set(err, -ENOENT, "no type matches");
	for (size_t i = 0; i < matches.count && !status; i++)
		status = filter.containing ? show_containing(inspection->view, types, &matches.list[i])
					   : show_match(inspection->view, &matches.list[i]);
	return status;
}
