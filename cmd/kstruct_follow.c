// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * dill kstruct --follow: what a container of the kernel holds, an entry a line, with chosen members of each.
 * The container is what is asked for, or a member of it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <bpf/btf.h>

#include "cleanup.h"
#include "kernel_follow.h"
#include "kstruct.h"
#include "kstruct_values.h"
#include "type_text.h"
#include "view.h"

#define FIELDS_MAX 32
#define FIELD_TEXT_MAX 1024

DEFINE_CLEANUP(object, struct kernel_object, kernel_object_deinit(&v));

enum {
	ENTRY_INDEX,
	ENTRY_STRUCT,
	ENTRY_ADDR,
	ENTRY_NUMBER,
	ENTRY_KEY,
	ENTRY_LAST_KEY,
	ENTRY_FIELDS,
	ENTRY_COLUMNS
};
static const struct view_column entry_columns[ENTRY_COLUMNS] = {
	[ENTRY_INDEX] = { .name = "index", .title = "#", .type = VIEW_U64, .width = 6 },
	[ENTRY_STRUCT] = { .name = "struct", .type = VIEW_TEXT, .is_json_only = true, .is_optional = true },
	[ENTRY_ADDR] = { .name = "addr", .type = VIEW_HEX, .is_optional = true },
	[ENTRY_NUMBER] = { .name = "number", .type = VIEW_U64, .is_json_only = true, .is_optional = true },
	[ENTRY_KEY] = { .name = "key", .type = VIEW_HEX, .is_json_only = true, .is_optional = true },
	[ENTRY_LAST_KEY] = { .name = "last_key",
			     .type = VIEW_HEX,
			     .is_json_only = true,
			     .is_optional = true },
	[ENTRY_FIELDS] = { .name = "fields", .title = "ENTRY", .type = VIEW_TEXT, .is_text_only = true },
};
const struct view_record kstruct_entry_record = {
	.type = "entry",
	.columns = entry_columns,
	.column_count = ENTRY_COLUMNS,
};

enum {
	FIELD_STRUCT,
	FIELD_ADDR,
	FIELD_PATH,
	FIELD_TYPE,
	FIELD_VALUE,
	FIELD_NUMBER,
	FIELD_SYMBOL,
	FIELD_STRING,
	FIELD_COLUMNS
};
static const struct view_column field_columns[FIELD_COLUMNS] = {
	[FIELD_STRUCT] = { .name = "struct", .type = VIEW_TEXT, .is_json_only = true },
	[FIELD_ADDR] = { .name = "addr", .type = VIEW_HEX, .is_json_only = true },
	[FIELD_PATH] = { .name = "path", .type = VIEW_TEXT, .is_json_only = true },
	[FIELD_TYPE] = { .name = "member_type", .type = VIEW_TEXT, .is_json_only = true },
	[FIELD_VALUE] = { .name = "value", .type = VIEW_ANY, .is_json_only = true, .is_optional = true },
	[FIELD_NUMBER] = { .name = "number", .type = VIEW_ANY, .is_json_only = true, .is_optional = true },
	[FIELD_SYMBOL] = { .name = "symbol", .type = VIEW_SYMBOL, .is_json_only = true, .is_optional = true },
	[FIELD_STRING] = { .name = "string", .type = VIEW_TEXT, .is_json_only = true, .is_optional = true },
};
/* In text the fields stand in the entry's own line. */
const struct view_record kstruct_field_record = {
	.type = "field",
	.columns = field_columns,
	.column_count = FIELD_COLUMNS,
	.joins = &kstruct_entry_record,
};

/* One member of each entry that is to be shown. */
struct followed_field {
	char path[160];
	struct kernel_member member;
	char *type; /* owned */
};

struct following {
	struct inspection *inspection;
	struct kernel *kernel;
	struct kernel_types *types;
	enum follow_kind kind;
	uint64_t start; /* address of the container */
	char type[256]; /* of the entries, "" if it isn't known */
	uint32_t type_id;
	uint64_t link;  /* bytes from an entry's start to its node */
	bool has_link;
	struct followed_field fields[FIELDS_MAX];
	size_t field_count;
};

static void following_deinit(struct following *following)
{
	for (size_t i = 0; i < following->field_count; i++)
		free(following->fields[i].type);
}
DEFINE_CLEANUP(following, struct following, following_deinit(&v));

/* Fields ------------------------------------------------------------------------------------------------- */

static int find_fields(struct following *following, const char *list, struct error *err)
{
	while (list && *list) {
		struct followed_field *field = &following->fields[following->field_count];
		size_t length = strcspn(list, ",");
		int status;

		if (!following->type[0])
			return error_set(err, -EINVAL,
					 "--fields needs the entries' type: --follow KIND:TYPE");
		if (following->field_count == FIELDS_MAX || length >= sizeof(field->path))
			return error_set(err, -EINVAL, "--fields: too many, or too long a name");
		snprintf(field->path, sizeof(field->path), "%.*s", (int)length, list);
		status = kernel_member_find(following->types, following->type_id, field->path, &field->member,
					    err);
		if (status)
			return error_context(err, "%s", following->type), status;
		status = type_declaration(following->types, field->member.type_id, "", &field->type);
		if (status)
			return error_set(err, status, "no memory");
		following->field_count++;
		list += length + (list[length] == ',');
	}
	return 0;
}

/* The value of one member, on its own: the rest of the entry need not be readable. */
static void read_field(const struct following *following, const struct followed_field *field,
		       uint64_t address, struct value_text *text)
{
	const struct kstruct_options *options = following->inspection->options;
	const struct kernel_member *member = &field->member;
	CLEANUP(object) struct kernel_object object = { 0 };
	struct value value = { .kind = VALUE_UNREADABLE };
	size_t size = member->size < VALUE_TEXT_MAX ? member->size : VALUE_TEXT_MAX;

	if (!kernel_object_read(following->kernel, address + member->bit_offset / 8, size, &object, NULL))
		value_decode(following->types, member->type_id, member->bit_offset % 8, member->bit_size,
			     &object, &value);
	if (value.kind == VALUE_UNREADABLE)
		inspect_incomplete(following->inspection, "%s at 0x%" PRIx64 " can't be read", field->path,
				   address);
	kstruct_value_text(following->kernel, &value, options->shows_strings, text);
}

static int show_field(const struct following *following, const struct followed_field *field, uint64_t address,
		      const struct value_text *text)
{
	const struct view_value values[FIELD_COLUMNS] = {
		[FIELD_STRUCT] = view_text(following->type),
		[FIELD_ADDR] = view_u64(address),
		[FIELD_PATH] = view_text(field->path),
		[FIELD_TYPE] = view_text(field->type),
		[FIELD_VALUE] = text->value,
		[FIELD_NUMBER] = text->number,
		[FIELD_SYMBOL] = text->has_symbol ? view_text(text->symbol) : view_absent(),
		[FIELD_STRING] = text->has_string ? view_text(text->string) : view_absent(),
	};

	return view_row(following->inspection->view, &kstruct_field_record, values);
}

/* Entries ------------------------------------------------------------------------------------------------ */

static void put_fields(const struct following *following, uint64_t address, char *to, size_t size)
{
	size_t length = 0;

	to[0] = '\0';
	for (size_t i = 0; i < following->field_count && length < size; i++) {
		struct value_text text;

		read_field(following, &following->fields[i], address, &text);
		length += snprintf(to + length, size - length, "%s%s = %s", length ? ", " : "",
				   following->fields[i].path, text.text[0] ? text.text : "{...}");
	}
}

static size_t put_key(const struct follow_entry *entry, char *to, size_t size)
{
	to[0] = '\0';
	if (!entry->has_key)
		return 0;
	if (entry->key == entry->last_key)
		return snprintf(to, size, "[0x%" PRIx64 "] ", entry->key);
	return snprintf(to, size, "[0x%" PRIx64 "..0x%" PRIx64 "] ", entry->key, entry->last_key);
}

static int show_entry(const struct follow_entry *entry, void *context)
{
	const struct following *following = context;
	uint64_t address = entry->is_value ? 0 : entry->address - following->link;
	char fields[FIELD_TEXT_MAX];
	size_t length = put_key(entry, fields, sizeof(fields));
	int status;

	if (entry->is_value)
		snprintf(fields + length, sizeof(fields) - length, "number %" PRIu64, entry->address);
	else if (following->field_count)
		put_fields(following, address, fields + length, sizeof(fields) - length);
	else if (length)
		fields[length - 1] = '\0';

	const struct view_value values[ENTRY_COLUMNS] = {
		[ENTRY_INDEX] = view_u64(entry->index),
		[ENTRY_STRUCT] = following->type[0] ? view_text(following->type) : view_absent(),
		[ENTRY_ADDR] = entry->is_value ? view_absent() : view_u64(address),
		[ENTRY_NUMBER] = entry->is_value ? view_u64(entry->address) : view_absent(),
		[ENTRY_KEY] = entry->has_key ? view_u64(entry->key) : view_absent(),
		[ENTRY_LAST_KEY] = entry->has_key ? view_u64(entry->last_key) : view_absent(),
		[ENTRY_FIELDS] = view_text(fields),
	};

	status = view_row(following->inspection->view, &kstruct_entry_record, values);
	for (size_t i = 0; i < following->field_count && !status && !entry->is_value; i++) {
		struct value_text text;

		read_field(following, &following->fields[i], address, &text);
		status = show_field(following, &following->fields[i], address, &text);
	}
	return status;
}

/* What is followed --------------------------------------------------------------------------------------- */

/* The container's kind by the type of a member; typedefs count, arrays don't. */
static int kind_of_member(struct kernel_types *types, const struct kernel_member *member,
			  enum follow_kind *ret_kind)
{
	const struct btf *btf = kernel_types_btf(types);
	const struct btf_type *type = btf__type_by_id(btf, member->type_id);

	for (int i = 0; i < 32 && type && (btf_is_mod(type) || btf_is_typedef(type) || btf_is_type_tag(type));
	     i++)
		type = btf__type_by_id(btf, type->type);
	if (!type || !btf_is_struct(type))
		return -ENOENT;
	return follow_kind_find(btf__name_by_offset(btf, type->name_off) ?: "", ret_kind);
}

/* TYPE[.MEMBER] of the entries. */
static int find_entry_type(struct following *following, const char *text, struct error *err)
{
	size_t length = strcspn(text, ".");
	struct kernel_member member;
	int status;

	if (length >= sizeof(following->type))
		return error_set(err, -EINVAL, "no type has so long a name");
	snprintf(following->type, sizeof(following->type), "%.*s", (int)length, text);
	if (kernel_type_find(following->types, following->type, &following->type_id))
		return error_set(err, -ENOENT, "--follow: no type '%s'", following->type);
	if (!text[length])
		return 0;
	status = kernel_member_find(following->types, following->type_id, text + length + 1, &member, err);
	if (status)
		return error_context(err, "--follow: %s", following->type), status;
	following->link = member.bit_offset / 8;
	following->has_link = true;
	return 0;
}

/*
 * Where it starts: the container that was asked for; a member of what was asked for, named before the colon;
 * or the ring of which that is an entry.
 */
static int find_start(struct following *following, const struct kstruct_query *query, uint64_t address,
		      const char *prefix, struct error *err)
{
	struct kernel_member member = query->member;
	enum follow_kind named;
	bool is_kind = !*prefix || !follow_kind_find(prefix, &named);
	char path[700];

	following->start = address + member.bit_offset / 8;
	if (!is_kind) {
		snprintf(path, sizeof(path), "%s%s%s", query->path, *query->path ? "." : "", prefix);
		if (kernel_member_find(query->types, query->id, path, &member, err))
			return error_context(
				err, "--follow: '%s' is neither a kind of container nor a member of %s",
				prefix, query->name);
		following->start = address + member.bit_offset / 8;
	}
	if (!kind_of_member(query->types, &member, &following->kind)) {
		if (is_kind && *prefix && named != following->kind)
			return error_set(err, -EINVAL, "--follow: this is no %s", prefix);
		return 0;
	}
	if (is_kind && *prefix && named == FOLLOW_LIST && member.type_id == query->id &&
	    following->has_link && following->type_id == query->id) {
		following->kind = FOLLOW_RING;
		following->start += following->link;
		return 0;
	}
	return error_set(err, -EINVAL,
			 "--follow: %s%s%s is none of list_head, hlist_head, llist_head, rb_root, "
			 "rb_root_cached, xarray, idr, maple_tree",
			 query->name, *query->path ? "." : "", query->path);
}

static int report_end(const struct following *following, const struct follow_end *end)
{
	if (end->damage)
		inspect_incomplete(following->inspection, "after %" PRIu64 " entries it %s: 0x%" PRIx64,
				   end->count, end->damage, end->damaged_at);
	else if (end->is_cut)
		inspect_notice(following->inspection, "more than %" PRIu64 " entries", end->count);
	return 0;
}

int kstruct_follow(struct inspection *inspection, const struct kstruct_query *query, struct kernel *kernel,
		   uint64_t address, struct error *err)
{
	const struct kstruct_options *options = inspection->options;
	CLEANUP(following) struct following following = {
		.inspection = inspection, .kernel = kernel, .types = query->types,
	};
	const char *colon = strchr(options->follow, ':');
	struct follow_end end;
	char prefix[160] = "";
	int status = 0;

	if (colon)
		snprintf(prefix, sizeof(prefix), "%.*s", (int)(colon - options->follow), options->follow);
	if (colon ? colon[1] : *options->follow)
		status = find_entry_type(&following, colon ? colon + 1 : options->follow, err);
	if (!status)
		status = find_start(&following, query, address, prefix, err);
	if (!status)
		status = find_fields(&following, options->fields, err);
	if (!status)
		status = kernel_follow(kernel, query->types, following.kind, following.start,
				       options->entries, show_entry, &following, &end, err);
	return status ? status : report_end(&following, &end);
}
