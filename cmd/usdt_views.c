// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Rows of usdt: lists of probes, and probes that were met with their arguments by name. */
#include "usdt_views.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "elf_object.h"
#include "units.h"
#include "view.h"

#define NAME_BYTES 256

static void name_probe(const struct usdt_probe *probe, char name[NAME_BYTES])
{
	snprintf(name, NAME_BYTES, "%s:%s", probe->provider, probe->name);
}

bool usdt_is_wanted(const struct usdt_probe *probe, const char *const *patterns, size_t count)
{
	char name[NAME_BYTES];

	name_probe(probe, name);
	for (size_t i = 0; i < count; i++)
		if (fnmatch(patterns[i], strchr(patterns[i], ':') ? name : probe->provider, 0) == 0)
			return true;
	return count == 0;
}

/* Lists ----------------------------------------------------------------------------------------------------- */

enum { PROBE_NAME, PROBE_PLACES, PROBE_SEMAPHORE, PROBE_FILE, PROBE_ARGUMENTS, PROBE_OPERANDS, PROBE_ADDRESS, PROBE_SAYS,
       PROBE_COLUMNS };
static const struct view_column probe_columns[PROBE_COLUMNS] = {
	[PROBE_NAME] = { .name = "probe", .type = VIEW_TEXT, .width = 36 },
	[PROBE_PLACES] = { .name = "places", .type = VIEW_U64, .width = 6 },
	[PROBE_SEMAPHORE] = { .name = "has_semaphore", .type = VIEW_BOOL, .is_json_only = true },
	[PROBE_FILE] = { .name = "file", .type = VIEW_PATH, .width = 40 },
	[PROBE_ARGUMENTS] = { .name = "arguments", .type = VIEW_TEXT },
	[PROBE_OPERANDS] = { .name = "operands", .type = VIEW_TEXT, .is_json_only = true },
	[PROBE_ADDRESS] = { .name = "address", .type = VIEW_HEX, .is_json_only = true },
	[PROBE_SAYS] = { .name = "says", .type = VIEW_TEXT, .is_json_only = true, .is_optional = true },
};
const struct view_record usdt_probe_record = { .type = "probe", .columns = probe_columns, .column_count = PROBE_COLUMNS };

static int by_name(const void *one, const void *other)
{
	const struct usdt_probe *a = *(const struct usdt_probe *const *)one, *b = *(const struct usdt_probe *const *)other;
	int order = strcmp(a->provider, b->provider);

	order = order ? order : strcmp(a->name, b->name);
	return order ? order : a->vaddr < b->vaddr ? -1 : a->vaddr > b->vaddr;
}

/* "address, size", or operands as the note has them. */
static void name_arguments(const struct usdt_probe *probe, char *text, size_t size)
{
	const struct usdt_known *known = usdt_known_find(probe->provider, probe->name);
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; known && i < probe->argument_count && i < 3 && known->arguments[i].name && at < size; i++)
		at += (size_t)snprintf(text + at, size - at, "%s%s", i ? ", " : "", known->arguments[i].name);
	if (!known)
		snprintf(text, size, "%s", probe->arguments_text);
}

static int show_probe(struct view *view, const struct usdt_probe *probe, size_t places, const char *path)
{
	const struct usdt_known *known = usdt_known_find(probe->provider, probe->name);
	struct view_value values[PROBE_COLUMNS] = { 0 };
	char name[NAME_BYTES], arguments[512];

	name_probe(probe, name);
	name_arguments(probe, arguments, sizeof(arguments));
	values[PROBE_NAME] = view_text(name);
	values[PROBE_PLACES] = view_u64(places);
	values[PROBE_SEMAPHORE] = view_bool(probe->semaphore_offset);
	values[PROBE_ARGUMENTS] = view_text(arguments);
	values[PROBE_OPERANDS] = view_text(probe->arguments_text);
	values[PROBE_ADDRESS] = view_u64(probe->vaddr);
	values[PROBE_SAYS] = view_text(known ? known->says : NULL);
	values[PROBE_FILE] = view_text(path);
	return view_row(view, &usdt_probe_record, values);
}

static int show_file(struct view *view, const struct usdt_file *file, const char *const *patterns, size_t count,
		     size_t *shown)
{
	size_t total = usdt_probes_count(file->probes), wanted = 0;
	CLEANUP(free) const struct usdt_probe **sorted = calloc(total, sizeof(*sorted));
	int status = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < total; i++)
		if (usdt_is_wanted(usdt_probes_get(file->probes, i), patterns, count))
			sorted[wanted++] = usdt_probes_get(file->probes, i);
	qsort(sorted, wanted, sizeof(*sorted), by_name);
	for (size_t i = 0, next; i < wanted && !status; i = next) {
		for (next = i + 1; next < wanted && strcmp(sorted[i]->name, sorted[next]->name) == 0 &&
				   strcmp(sorted[i]->provider, sorted[next]->provider) == 0;)
			next++;
		status = show_probe(view, sorted[i], next - i, elf_object_path(file->object));
		(*shown)++;
	}
	return status;
}

int usdt_show_list(struct view *view, const struct usdt_files *files, const char *const *patterns, size_t count,
		   size_t *ret_count)
{
	size_t shown = 0;
	int status = 0;

	for (size_t i = 0; i < files->count && !status; i++)
		if (files->list[i].object)
			status = show_file(view, &files->list[i], patterns, count, &shown);
	*ret_count = shown;
	return status;
}

/* Events ---------------------------------------------------------------------------------------------------- */

enum { EVENT_PROBE = TRACE_HEAD_COUNT, EVENT_ARGUMENTS, EVENT_FIRST,
       EVENT_ADDRESS = EVENT_FIRST + USDT_EVENT_ARGUMENTS, EVENT_FILE, EVENT_STACK, EVENT_COLUMNS };
#define ARGUMENT_COLUMN(number) \
	[EVENT_FIRST + number - 1] = { .name = "arg" #number, .type = VIEW_ANY, .is_json_only = true, .is_optional = true }
static const struct view_column event_columns[EVENT_COLUMNS] = {
	TRACE_HEAD_COLUMNS,
	[EVENT_PROBE] = { .name = "probe", .type = VIEW_TEXT, .width = 28 },
	[EVENT_ARGUMENTS] = { .name = "arguments", .type = VIEW_TEXT },
	ARGUMENT_COLUMN(1), ARGUMENT_COLUMN(2), ARGUMENT_COLUMN(3), ARGUMENT_COLUMN(4), ARGUMENT_COLUMN(5), ARGUMENT_COLUMN(6),
	ARGUMENT_COLUMN(7), ARGUMENT_COLUMN(8), ARGUMENT_COLUMN(9), ARGUMENT_COLUMN(10), ARGUMENT_COLUMN(11), ARGUMENT_COLUMN(12),
	[EVENT_ADDRESS] = { .name = "address", .type = VIEW_HEX, .is_json_only = true },
	[EVENT_FILE] = { .name = "file", .type = VIEW_PATH, .is_json_only = true },
	[EVENT_STACK] = { .name = "stack", .type = VIEW_STACK, .is_optional = true },
};
const struct view_record usdt_event_record = { .type = "usdt", .columns = event_columns, .column_count = EVENT_COLUMNS };

/* As wide as the probe says, with its sign. */
static int64_t widen(const struct usdt_argument *argument, uint64_t value)
{
	unsigned int unused = 64 - 8 * argument->size;

	return argument->is_signed ? (int64_t)(value << unused) >> unused : (int64_t)(value << unused >> unused);
}

/* "size=132.0 KiB", and what JSON has of it: hexadecimal texts for addresses, or in @hex of them. */
static size_t show_argument(const struct usdt_argument *argument, const char *name, enum usdt_meaning meaning, uint64_t raw,
			    char *text, size_t size, struct view_value *ret_value, char hex[32])
{
	int64_t value = widen(argument, raw);
	char units[UNITS_TEXT_MAX];

	snprintf(hex, 32, "0x%llx", (unsigned long long)value);
	if (meaning == USDT_ADDRESS) {
		*ret_value = view_text(hex);
		return (size_t)snprintf(text, size, "%s=%s", name, hex);
	}
	*ret_value = argument->is_signed ? view_i64(value) : view_u64((uint64_t)value);
	if (meaning == USDT_BYTES)
		return (size_t)snprintf(text, size, "%s=%s%s", name, argument->is_signed && value < 0 ? "-" : "",
					units_format_bytes(argument->is_signed && value < 0 ? -(uint64_t)value : (uint64_t)value,
							   units));
	/* Of what nobody named, large numbers are addresses mostly. */
	if (!argument->is_signed && (uint64_t)value > UINT32_MAX)
		return (size_t)snprintf(text, size, "%s=%s", name, hex);
	return (size_t)snprintf(text, size, argument->is_signed ? "%s=%lld" : "%s=%llu", name, (long long)value);
}

int usdt_show_event(struct trace *trace, const struct usdt_event *event, const struct usdt_probe *probe, const char *path)
{
	const struct usdt_known *known = usdt_known_find(probe->provider, probe->name);
	char name[NAME_BYTES], text[1024] = "", hex[USDT_EVENT_ARGUMENTS][32];
	struct view_value values[EVENT_COLUMNS] = { 0 };
	size_t at = 0;

	trace_head_values(trace, &event->head, values);
	for (size_t i = 0; i < probe->argument_count && at + 64 < sizeof(text); i++) {
		bool is_named = known && i < 3 && known->arguments[i].name;
		char number[32];

		snprintf(number, sizeof(number), "arg%zu", i + 1);
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s", at ? " " : "");
		if (event->known & 1U << i)
			at += show_argument(&probe->arguments[i], is_named ? known->arguments[i].name : number,
					    is_named ? known->arguments[i].meaning : USDT_NUMBER, event->values[i],
					    text + at, sizeof(text) - at, &values[EVENT_FIRST + i], hex[i]);
		else
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%s=?", is_named ? known->arguments[i].name : number);
	}
	name_probe(probe, name);
	values[EVENT_PROBE] = view_text(name);
	values[EVENT_ARGUMENTS] = view_text(text);
	values[EVENT_ADDRESS] = view_u64(event->ip);
	values[EVENT_FILE] = view_text(path);
	values[EVENT_STACK] = view_frames(trace_user_frames(trace, (pid_t)event->head.pid, event->user_stack, false));
	return trace_row(trace, &usdt_event_record, values);
}
