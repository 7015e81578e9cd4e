// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Reads what `dill kcache --json NAME` printed. Records and keys that it doesn't know are passed over; what it needs must
 * be there and be in range. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "slub_state.h"

#define LINE_BYTES 65536

DEFINE_CLEANUP(json, json_t *, json_decref(v));

/* One line. */
struct line {
	const json_t *record;
	const char *lacks; /* the first key that is missing or out of range */
};

/* Absent: @otherwise; that is UINT64_MAX where it must be there. */
static uint64_t number_of(struct line *line, const char *key, uint64_t most, uint64_t otherwise)
{
	const json_t *value = json_object_get(line->record, key);
	json_int_t number = json_integer_value(value);

	if (!value && otherwise != UINT64_MAX)
		return otherwise;
	if (!json_is_integer(value) || number < 0 || (uint64_t)number > most) {
		line->lacks = line->lacks ? line->lacks : key;
		return 0;
	}
	return (uint64_t)number;
}

static uint64_t needed(struct line *line, const char *key, uint64_t most)
{
	return number_of(line, key, most, UINT64_MAX);
}

/* "0x…"; 0 when there is none. */
static uint64_t address_of(struct line *line, const char *key, bool is_needed)
{
	const char *text = json_string_value(json_object_get(line->record, key));
	char *end = NULL;
	uint64_t address;

	if (!text && !is_needed)
		return 0;
	errno = 0;
	address = text ? strtoull(text, &end, 16) : 0;
	if (!text || strncmp(text, "0x", 2) || !text[2] || *end || errno)
		line->lacks = line->lacks ? line->lacks : key;
	return address;
}

/* The place of a name in a list of names. */
static unsigned name_of(struct line *line, const char *key, const char *const *names)
{
	const char *text = json_string_value(json_object_get(line->record, key));

	for (unsigned i = 0; text && names[i]; i++)
		if (!strcmp(text, names[i]))
			return i;
	line->lacks = line->lacks ? line->lacks : key;
	return 0;
}

/* A flag among those of "RED_ZONE|POISON|…". */
static bool has_flag(const char *flags, const char *flag)
{
	size_t length = strlen(flag);

	for (const char *at = flags; (at = strstr(at, flag)); at += length)
		if ((at == flags || at[-1] == '|') && (!at[length] || at[length] == '|'))
			return true;
	return false;
}

static int read_facts(struct slub_state_build *build, struct line *line, struct error *err)
{
	const char *name = json_string_value(json_object_get(line->record, "name"));
	const char *flags = json_string_value(json_object_get(line->record, "flags"));
	struct slub_state_facts facts = { .random = address_of(line, "random", false) };
	struct slub_geometry *to = &facts.geometry;

	to->object_size = (unsigned)needed(line, "object_size", UINT32_MAX);
	to->size = (unsigned)needed(line, "size", UINT32_MAX);
	to->inuse = (unsigned)needed(line, "inuse", UINT32_MAX);
	to->align = (unsigned)needed(line, "align", UINT32_MAX);
	to->offset = (unsigned)needed(line, "offset", UINT32_MAX);
	to->red_left_pad = (unsigned)number_of(line, "red_left_pad", UINT32_MAX, 0);
	to->order = (unsigned)needed(line, "order", UINT8_MAX);
	to->objects = (unsigned)needed(line, "objects_count", UINT16_MAX);
	to->min_order = (unsigned)number_of(line, "min_order", UINT8_MAX, to->order);
	to->min_objects = (unsigned)number_of(line, "min_objects_count", UINT16_MAX, to->objects);
	to->min_partial = (unsigned)needed(line, "min_partial", UINT32_MAX);
	to->cpu_partial = (unsigned)number_of(line, "cpu_partial", UINT32_MAX, 0);
	to->cpu_partial_slabs = (unsigned)number_of(line, "cpu_partial_slabs", UINT32_MAX, 0);
	to->sheaf_capacity = (unsigned)number_of(line, "sheaf_capacity", UINT32_MAX, 0);
	to->sheaf_refill = (unsigned)number_of(line, "sheaf_refill", UINT32_MAX, to->sheaf_capacity);
	if (!name || !flags || !to->size)
		line->lacks = line->lacks ? line->lacks : !name ? "name" : !flags ? "flags" : "size";
	if (line->lacks)
		return 0;
	snprintf(facts.name, sizeof(facts.name), "%s", name);
	facts.is_debugged = has_flag(flags, "CONSISTENCY_CHECKS") || has_flag(flags, "RED_ZONE") || has_flag(flags, "POISON") ||
			    has_flag(flags, "STORE_USER") || has_flag(flags, "TRACE");
	return slub_state_set_facts(build, &facts, err);
}

static int read_slab(struct slub_state_build *build, struct line *line, struct error *err)
{
	struct slub_state_slab slab = {
		.start = address_of(line, "start", true),
		.order = (unsigned)needed(line, "order", UINT8_MAX),
		.objects = (unsigned)needed(line, "objects", UINT16_MAX),
		.node = (unsigned)number_of(line, "memory_node", UINT16_MAX, number_of(line, "node", UINT16_MAX, 0)),
	};
	uint64_t page = address_of(line, "slab", true), cpu = number_of(line, "cpu", UINT16_MAX, 0);
	enum slab_place place = name_of(line, "place", slab_place_names);

	return line->lacks ? 0 : slub_state_add_slab(build, page, place, cpu, &slab, err);
}

static int read_free(struct slub_state_build *build, struct line *line, struct error *err)
{
	enum slab_object_state state = name_of(line, "state", slab_object_state_names);
	uint64_t owner = number_of(line, "node", UINT16_MAX, number_of(line, "cpu", UINT16_MAX, 0));
	uint64_t address = address_of(line, "addr", true), position = needed(line, "position", UINT32_MAX);
	uint64_t page = address_of(line, "slab", false);

	return line->lacks ? 0 : slub_state_add_free(build, address, state, position, owner, page, err);
}

static int read_record(struct slub_state_build *build, struct line *line, const char *type, struct error *err)
{
	uint64_t cpu, node;

	if (!strcmp(type, "cache_facts"))
		return read_facts(build, line, err);
	if (!strcmp(type, "slab"))
		return read_slab(build, line, err);
	if (!strcmp(type, "free_object"))
		return read_free(build, line, err);
	if (!strcmp(type, "cpu") || !strcmp(type, "cpu_sheaves")) {
		cpu = needed(line, "cpu", UINT32_MAX);
		node = number_of(line, "node", UINT32_MAX - 1, SLUB_STATE_NO_NODE);
		if (line->lacks)
			return 0;
		return type[3] ? slub_state_add_sheaves(build, cpu, node, address_of(line, "main", false),
							 address_of(line, "spare", false), err) :
				 slub_state_add_cpu(build, cpu, node, err);
	}
	if (!strcmp(type, "node")) {
		node = needed(line, "node", UINT32_MAX);
		return line->lacks ? 0 : slub_state_add_node(build, node, number_of(line, "full_sheaves", UINT32_MAX, 0),
							     number_of(line, "empty_sheaves", UINT32_MAX, 0), err);
	}
	if (!strcmp(type, "finding"))
		return error_set(err, -EBADMSG, "damage was found in it");
	if (!strcmp(type, "cache"))
		return error_set(err, -EBADMSG, "it is a list of caches: it takes kcache --json with the name of one");
	return 0;
}

static int read_line(struct slub_state_build *build, const char *text, size_t length, struct error *err)
{
	json_error_t problem;
	CLEANUP(json) json_t *record = json_loadb(text, length, 0, &problem);
	const char *type = json_string_value(json_object_get(record, "type"));
	struct line line = { .record = record };
	int status;

	if (!record)
		return error_set(err, -EBADMSG, "no JSON: %s", problem.text);
	if (!type)
		return error_set(err, -EBADMSG, "no record of kcache's: it has no type");
	status = read_record(build, &line, type, err);
	if (!status && line.lacks)
		return error_set(err, -EBADMSG, "a record '%s' without a right '%s'", type, line.lacks);
	return status;
}

int slub_state_read_json(struct slub_state_build *build, FILE *file, struct error *err)
{
	CLEANUP(free) char *text = malloc(LINE_BYTES);
	int status = text ? 0 : error_set(err, -ENOMEM, "out of memory");

	for (unsigned long number = 1; !status && fgets(text, LINE_BYTES, file); number++) {
		size_t length = strlen(text);

		if (length == LINE_BYTES - 1 && text[length - 1] != '\n')
			status = error_set(err, -EBADMSG, "longer than %d bytes", LINE_BYTES - 2);
		else
			status = read_line(build, text, length, err);
		if (status)
			error_context(err, "line %lu", number);
	}
	if (!status && ferror(file))
		status = error_set(err, -EIO, "it can't be read");
	return status;
}
