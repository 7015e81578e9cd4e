// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* dill kcache NAME --objects, --slab ADDR: objects one by one, with their bytes and tracks on request. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kcache_views.h"
#include "slab_state.h"
#include "slab_track.h"

#define MAP_WIDTH 64
#define BYTES_A_LINE 16

enum { OBJ_ADDR, OBJ_STATE, OBJ_CACHE, OBJ_INDEX, OBJ_SLAB, OBJ_PLACE, OBJ_CPU, OBJ_NODE, OBJ_POSITION,
       OBJ_WHERE, OBJ_COLUMNS };
static const struct view_column object_columns[OBJ_COLUMNS] = {
	[OBJ_ADDR] = { .name = "addr", .type = VIEW_HEX, .width = 18 },
	[OBJ_STATE] = { .name = "state", .type = VIEW_ENUM, .names = slab_object_state_names, .width = 12 },
	[OBJ_CACHE] = { .name = "cache", .type = VIEW_TEXT, .is_json_only = true },
	[OBJ_INDEX] = { .name = "index", .type = VIEW_U64, .width = 5 },
	[OBJ_SLAB] = { .name = "slab", .type = VIEW_HEX, .width = 18 },
	[OBJ_PLACE] = { .name = "place",
			.title = "SLAB IS",
			.type = VIEW_ENUM,
			.names = slab_place_names,
			.width = 12 },
	[OBJ_CPU] = { .name = "cpu", .type = VIEW_U64, .width = 4, .is_optional = true },
	[OBJ_NODE] = { .name = "node", .type = VIEW_U64, .width = 4, .is_optional = true },
	[OBJ_POSITION] = { .name = "position",
			   .title = "POS",
			   .type = VIEW_U64,
			   .width = 5,
			   .is_optional = true },
	[OBJ_WHERE] = { .name = "where",
			.title = "",
			.type = VIEW_TEXT,
			.is_optional = true,
			.is_text_only = true },
};
const struct view_record kcache_object_record = { /* rows have it all in columns */
	.type = "object",
	.columns = object_columns,
	.column_count = OBJ_WHERE,
};
const struct view_record kcache_object_line_record = {
	.type = "object",
	.columns = object_columns,
	.column_count = OBJ_COLUMNS,
	.text = "{addr} {state}{?, {where}?}, object {index} of slab {slab}",
};

enum { MAP_SLAB, MAP_INDEX, MAP_ADDR, MAP_STATES, MAP_COLUMNS };
static const struct view_column map_columns[MAP_COLUMNS] = {
	[MAP_SLAB] = { .name = "slab", .type = VIEW_HEX, .is_json_only = true },
	[MAP_INDEX] = { .name = "index", .type = VIEW_U64 },
	[MAP_ADDR] = { .name = "addr", .type = VIEW_HEX },
	[MAP_STATES] = { .name = "states", .type = VIEW_TEXT },
};
const struct view_record kcache_map_record = {
	.type = "slab_map",
	.columns = map_columns,
	.column_count = MAP_COLUMNS,
	.indent = 4,
	.text = "{addr}  {states}",
};

enum { BYTES_ADDR, BYTES_HEX, BYTES_TEXT, BYTES_COLUMNS };
static const struct view_column bytes_columns[BYTES_COLUMNS] = {
	[BYTES_ADDR] = { .name = "addr", .type = VIEW_HEX },
	[BYTES_HEX] = { .name = "bytes", .type = VIEW_TEXT },
	[BYTES_TEXT] = { .name = "text", .type = VIEW_TEXT, .is_text_only = true },
};
const struct view_record kcache_bytes_record = {
	.type = "bytes",
	.columns = bytes_columns,
	.column_count = BYTES_COLUMNS,
	.indent = 4,
	.text = "{addr}  {bytes}  {text}",
};

static const char *const track_names[] = { "allocated", "freed", NULL };
enum {
	TRACK_OBJECT,
	TRACK_WHAT,
	TRACK_PID,
	TRACK_CPU,
	TRACK_JIFFIES,
	TRACK_NS,
	TRACK_REQUESTED,
	TRACK_STACK,
	TRACK_COLUMNS
};
static const struct view_column track_columns[TRACK_COLUMNS] = {
	[TRACK_OBJECT] = { .name = "addr", .type = VIEW_HEX },
	[TRACK_WHAT] = { .name = "what", .type = VIEW_ENUM, .names = track_names },
	[TRACK_PID] = { .name = "pid", .type = VIEW_U64 },
	[TRACK_CPU] = { .name = "cpu", .type = VIEW_U64 },
	[TRACK_JIFFIES] = { .name = "jiffies", .type = VIEW_U64, .is_optional = true },
	[TRACK_NS] = { .name = "monotonic_ns", .type = VIEW_DURATION_NS, .is_optional = true },
	[TRACK_REQUESTED] = { .name = "requested_bytes", .type = VIEW_U64, .is_optional = true },
	[TRACK_STACK] = { .name = "stack", .type = VIEW_STACK },
};
const struct view_record kcache_track_record = {
	.type = "track",
	.columns = track_columns,
	.column_count = TRACK_COLUMNS,
	.indent = 4,
	.text = "{what} by pid {pid} on cpu {cpu} at {?jiffy {jiffies}?}{?{monotonic_ns} after boot?}{?, {requested_bytes} bytes asked for?}",
};

enum {
	SLAB_CACHE,
	SLAB_PAGE,
	SLAB_START,
	SLAB_ORDER,
	SLAB_INUSE,
	SLAB_OBJECTS,
	SLAB_FROZEN,
	SLAB_PLACE,
	SLAB_CPU,
	SLAB_NODE,
	SLAB_MEMORY_NODE,
	SLAB_COLUMNS
};
static const struct view_column slab_columns[SLAB_COLUMNS] = {
	[SLAB_CACHE] = { .name = "cache", .type = VIEW_TEXT },
	[SLAB_PAGE] = { .name = "slab", .type = VIEW_HEX },
	[SLAB_START] = { .name = "start", .type = VIEW_HEX },
	[SLAB_ORDER] = { .name = "order", .type = VIEW_U64 },
	[SLAB_INUSE] = { .name = "inuse", .type = VIEW_U64 },
	[SLAB_OBJECTS] = { .name = "objects", .type = VIEW_U64 },
	[SLAB_FROZEN] = { .name = "is_frozen", .type = VIEW_BOOL },
	[SLAB_PLACE] = { .name = "place", .type = VIEW_ENUM, .names = slab_place_names },
	[SLAB_CPU] = { .name = "cpu", .type = VIEW_U64, .is_optional = true },
	[SLAB_NODE] = { .name = "node", .type = VIEW_U64, .is_optional = true },
	[SLAB_MEMORY_NODE] = { .name = "memory_node", .type = VIEW_U64, .is_json_only = true },
};
const struct view_record kcache_slab_record = {
	.type = "slab",
	.columns = slab_columns,
	.column_count = SLAB_COLUMNS,
	.indent = 2,
	.text = "{place} slab {slab} at {start}: {inuse} of {objects} in use",
};

int kcache_show_slab_line(struct inspection *inspection, const struct slab_heap *heap, uint32_t cache,
			  const struct slab *slab)
{
	bool is_on_cpu = slab->place == SLAB_ON_CPU || slab->place == SLAB_CPU_PARTIAL;
	bool has_owner = slab->owner != SLAB_NO_OWNER;
	struct view_value values[SLAB_COLUMNS] = {
		[SLAB_CACHE] = view_text(heap->caches[cache].name),
		[SLAB_PAGE] = view_u64(slab->page),
		[SLAB_START] = view_u64(slab->start),
		[SLAB_ORDER] = view_u64(slab->order),
		[SLAB_INUSE] = view_u64(slab->inuse),
		[SLAB_OBJECTS] = view_u64(slab->objects),
		[SLAB_FROZEN] = view_bool(slab->is_frozen),
		[SLAB_PLACE] = view_u64(slab->place),
		[SLAB_CPU] = has_owner && is_on_cpu ? view_u64(slab->owner) : view_absent(),
		[SLAB_NODE] = has_owner && !is_on_cpu ? view_u64(slab->owner) : view_absent(),
		[SLAB_MEMORY_NODE] = view_u64(slab->node),
	};

	return view_object(inspection->view, &kcache_slab_record, values);
}

struct listing {
	struct inspection *inspection;
	struct slab_heap *heap;
	const struct kcache_object_options *options;
	struct error *err;
	uint64_t unreadable; /* objects whose bytes or tracks can't be read */
	uint64_t unknown;    /* objects behind damage */
};

static bool is_wanted(enum kcache_objects which, const struct slab_object *object)
{
	bool is_allocated = object->state == SLAB_OBJECT_ALLOCATED;

	return which == KCACHE_OBJECTS_ALL || is_allocated == (which == KCACHE_OBJECTS_ALLOCATED);
}

static int show_bytes(struct listing *listing, const struct slab_object *object)
{
	const struct slab_cache *cache = &listing->heap->caches[object->cache];
	CLEANUP(free) uint8_t *bytes = malloc(cache->object_size + 1);
	int status = 0;

	if (!bytes)
		return -ENOMEM;
	if (kernel_read(listing->heap->kernel, object->address, bytes, cache->object_size)) {
		listing->unreadable++;
		return 0;
	}
	for (size_t at = 0; at < cache->object_size && !status; at += BYTES_A_LINE) {
		char hex[BYTES_A_LINE * 3 + 1] = "", text[BYTES_A_LINE + 1] = "";
		struct view_value values[BYTES_COLUMNS] = { [BYTES_ADDR] = view_u64(object->address + at) };

		for (size_t i = 0; i < BYTES_A_LINE; i++) {
			bool is_there = at + i < cache->object_size;
			uint8_t byte = is_there ? bytes[at + i] : 0;

			snprintf(hex + 3 * i, 4, is_there ? "%02x " : "   ", byte);
			text[i] = byte >= 0x20 && byte < 0x7f ? (char)byte : is_there ? '.' : 0;
		}
		hex[BYTES_A_LINE * 3 - 1] = 0;
		values[BYTES_HEX] = view_text(hex);
		values[BYTES_TEXT] = view_text(text);
		status = view_object(listing->inspection->view, &kcache_bytes_record, values);
	}
	return status;
}

static int show_track(struct listing *listing, uint64_t object, unsigned int what,
		      const struct slab_track *track, uint64_t requested)
{
	struct view_frame frames[STACK_DEPOT_DEPTH];
	char names[STACK_DEPOT_DEPTH][128];
	struct view_stack stack = { .frames = frames, .count = track->depth };
	bool is_process = listing->heap->kernel->process;

	if (!track->caller)
		return 0;
	for (size_t i = 0; i < track->depth; i++) {
		uint64_t offset;

		frames[i] = (struct view_frame){ .address = track->stack[i] };
		if (kernel_symbol_at(listing->heap->kernel, track->stack[i], names[i], sizeof(names[i]),
				     &offset))
			continue;
		frames[i].symbol = names[i];
		frames[i].offset = offset;
	}
	return view_object(listing->inspection->view, &kcache_track_record,
			   (struct view_value[TRACK_COLUMNS]){
				   [TRACK_OBJECT] = view_u64(object),
				   [TRACK_WHAT] = view_u64(what),
				   [TRACK_PID] = view_u64(track->pid),
				   [TRACK_CPU] = view_u64(track->cpu),
				   [TRACK_JIFFIES] = is_process ? view_absent() : view_u64(track->jiffies),
				   [TRACK_NS] = is_process ? view_u64(track->jiffies) : view_absent(),
				   [TRACK_REQUESTED] = requested ? view_u64(requested) : view_absent(),
				   [TRACK_STACK] = view_frames(&stack),
			   });
}

static int show_tracks(struct listing *listing, const struct slab_object *object)
{
	struct slab_tracks tracks;
	int status = slab_tracks_read(listing->heap, object->cache, object->address, &tracks, listing->err);

	if (status == -EFAULT) {
		listing->unreadable++;
		return 0;
	}
	if (!status)
		status = show_track(listing, object->address, 0, &tracks.allocation, tracks.requested);
	return status ? status : show_track(listing, object->address, 1, &tracks.free, 0);
}

static int show_object(struct listing *listing, const struct slab_object *object)
{
	bool is_listed = object->owner != SLAB_NO_OWNER;
	bool is_on_node = object->state == SLAB_OBJECT_BARN ||
			  (object->place >= SLAB_NODE_PARTIAL && (object->state == SLAB_OBJECT_FREE ||
								  object->state == SLAB_OBJECT_ALLOCATED));
	bool is_plain = !listing->options->has_hexdump && !listing->options->has_tracks;
	struct view_value values[OBJ_COLUMNS] = {
		[OBJ_ADDR] = view_u64(object->address),
		[OBJ_STATE] = view_u64(object->state),
		[OBJ_CACHE] = view_text(listing->heap->caches[object->cache].name),
		[OBJ_INDEX] = view_u64(object->index),
		[OBJ_SLAB] = view_u64(object->slab),
		[OBJ_PLACE] = view_u64(object->place),
		[OBJ_CPU] = is_listed && !is_on_node ? view_u64(object->owner) : view_absent(),
		[OBJ_NODE] = is_listed && is_on_node ? view_u64(object->owner) : view_absent(),
		[OBJ_POSITION] =
			object->state > SLAB_OBJECT_ALLOCATED ? view_u64(object->position) : view_absent(),
	};
	char where[64];
	int status;

	if (object->state > SLAB_OBJECT_ALLOCATED && is_listed) {
		snprintf(where, sizeof(where), "%s %u, position %u", is_on_node ? "node" : "cpu", object->owner,
			 object->position);
		values[OBJ_WHERE] = view_text(where);
	}
	listing->unknown += object->state == SLAB_OBJECT_UNKNOWN;
	if (is_plain)
		return view_row(listing->inspection->view, &kcache_object_record, values);
	status = view_object(listing->inspection->view, &kcache_object_line_record, values);
	if (!status && listing->options->has_hexdump)
		status = show_bytes(listing, object);
	return !status && listing->options->has_tracks ? show_tracks(listing, object) : status;
}

static int list_slab(const struct slab *slab, const struct slab_object *objects, enum slab_damage damage,
		     void *context)
{
	struct listing *listing = context;
	int status = 0;

	(void)damage;
	for (uint32_t i = 0; i < slab->objects && !status; i++)
		if (is_wanted(listing->options->which, &objects[i]))
			status = show_object(listing, &objects[i]);
	return status;
}

static void say_gaps(const struct listing *listing)
{
	if (listing->unreadable)
		inspect_incomplete(listing->inspection, "%lu objects can't be read", (long)listing->unreadable);
	if (listing->unknown)
		inspect_incomplete(listing->inspection,
				   "the state of %lu objects can't be told: their freelist is damaged",
				   (long)listing->unknown);
}

int kcache_show_objects(struct inspection *inspection, struct slab_heap *heap, uint32_t cache,
			const struct kcache_object_options *options, struct error *err)
{
	struct listing listing = { .inspection = inspection, .heap = heap, .options = options, .err = err };
	int status = slab_objects_each(heap, cache, list_slab, &listing, err);

	say_gaps(&listing);
	return status;
}

/* By enum slab_object_state. */
static const char map_letters[SLAB_OBJECT_STATES] = { '?', '#', '.', 'c', 'p', 'm', 's', 'b', 'r', 'd' };
static const char map_legend[] =
	"    # allocated  . free  c CPU freelist  p CPU partial  m main sheaf  s spare sheaf  "
	"b barn  r rcu sheaf  d deferred  ? unknown\n";

static int show_map(struct listing *listing, const struct slab *slab, const struct slab_object *objects)
{
	int status = 0;

	for (uint32_t first = 0; first < slab->objects && !status; first += MAP_WIDTH) {
		char states[MAP_WIDTH + 1] = "";
		struct view_value values[MAP_COLUMNS] = {
			[MAP_SLAB] = view_u64(slab->page),
			[MAP_INDEX] = view_u64(first),
			[MAP_ADDR] = view_u64(objects[first].address),
		};

		for (uint32_t i = first; i < slab->objects && i < first + MAP_WIDTH; i++)
			states[i - first] = map_letters[objects[i].state];
		values[MAP_STATES] = view_text(states);
		status = view_object(listing->inspection->view, &kcache_map_record, values);
	}
	if (!status && !listing->inspection->invocation->output.is_json &&
	    !listing->inspection->invocation->output.is_quiet)
		status = view_literal(listing->inspection->view, map_legend);
	return status;
}

int kcache_show_slab(struct inspection *inspection, struct slab_heap *heap, uint32_t cache, uint64_t address,
		     const struct kcache_object_options *options, struct error *err)
{
	struct kcache_object_options every = *options;
	struct listing listing = { .inspection = inspection, .heap = heap, .options = &every, .err = err };
	CLEANUP(free) struct slab_object *objects = NULL;
	enum slab_damage damage = SLAB_INTACT;
	struct slab slab;
	int status = slab_at(heap, address, &slab, err);

	if (status)
		return status;
	if (slab.cache == SLAB_NO_CACHE)
		return error_set(err, -EBADMSG, "the slab of %#lx belongs to no cache", (long)address);
	if (cache != SLAB_NO_CACHE && cache != slab.cache)
		return error_set(err, -ENOENT, "%#lx is in a slab of %s, not of %s", (long)address,
				 heap->caches[slab.cache].name, heap->caches[cache].name);
	objects = calloc((size_t)slab.objects + 1, sizeof(*objects));
	if (!objects)
		return -ENOMEM;
	status = slab_objects_of(heap, &slab, objects, &damage, err);
	if (status)
		return status;
	if (!every.which)
		every.which = KCACHE_OBJECTS_ALL;
	status = kcache_show_slab_line(inspection, heap, slab.cache, &slab);
	if (!status)
		status = show_map(&listing, &slab, objects);
	if (!status)
		status = list_slab(&slab, objects, damage, &listing);
	if (damage != SLAB_INTACT)
		inspect_found(inspection);
	say_gaps(&listing);
	return status;
}
