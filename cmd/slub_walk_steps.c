// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Steps of slub-walk in words: what was called, what it got, why. */
#include <stdio.h>
#include <string.h>

#include "slub_walk.h"
#include "view.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { STEP_CPU, STEP_ORDER, STEP_CACHE, STEP_FIRST, STEP_LAST, STEP_ADDR, STEP_SLAB, STEP_INDEX, STEP_PLACE, STEP_THREAD, STEP_STOPPED, STEP_WHY,
       STEP_COLUMNS };
static const struct view_column step_columns[STEP_COLUMNS] = {
	[STEP_CPU] = { .name = "cpu", .type = VIEW_U64 },
	[STEP_ORDER] = { .name = "order", .type = VIEW_TEXT },
	[STEP_CACHE] = { .name = "cache", .type = VIEW_TEXT },
	[STEP_FIRST] = { .name = "object", .type = VIEW_U64, .is_optional = true },
	[STEP_LAST] = { .name = "last_object", .type = VIEW_U64, .is_optional = true },
	[STEP_ADDR] = { .name = "addr", .type = VIEW_HEX, .is_optional = true },
	[STEP_SLAB] = { .name = "slab", .type = VIEW_U64, .is_optional = true, .is_json_only = true },
	[STEP_INDEX] = { .name = "index", .type = VIEW_U64, .is_optional = true, .is_json_only = true },
	[STEP_PLACE] = { .name = "place", .type = VIEW_TEXT, .is_optional = true },
	[STEP_THREAD] = { .name = "thread", .type = VIEW_TEXT, .is_optional = true },
	[STEP_STOPPED] = { .name = "stopped_at", .type = VIEW_TEXT, .is_optional = true },
	[STEP_WHY] = { .name = "why", .type = VIEW_TEXT, .is_optional = true },
};
const struct view_record slub_walk_step_record = {
	.type = "step", .columns = step_columns, .column_count = STEP_COLUMNS,
	.text = "cpu {cpu}: {order} {cache}{? #{object}?}{? to #{last_object}?}{? at {addr}?}{? in {place}?}"
		"{?, thread {thread}?}{? stops at {stopped_at}?}{?: {why}?}",
};

static void append(char *text, const char *more)
{
	size_t length = strlen(text);

	snprintf(text + length, WALK_REASON_BYTES - length, "%s", more);
}

/* The reasons of the last call in words, and the slabs that they are about. */
static void tell_why(struct slub_model *model, char *text)
{
	struct slub_step steps[SLUB_MODEL_STEPS];
	size_t had = slub_model_steps(model, steps, COUNT(steps));

	text[0] = 0;
	for (size_t i = 0; i < had && i < COUNT(steps); i++) {
		char slab[32];

		append(text, i ? "; " : "");
		append(text, slub_why_words(steps[i].why));
		if (steps[i].slab) {
			snprintf(slab, sizeof(slab), " (slab %u)", steps[i].slab);
			append(text, slab);
		}
	}
	if (had > COUNT(steps))
		append(text, "; …");
}

void slub_walk_show_steps(struct walk *walk)
{
	static const char *const orders[] = {
		[SLUB_ORDER_ALLOC] = "alloc", [SLUB_ORDER_FREE] = "free", [SLUB_ORDER_SHRINK] = "shrink",
	};
	struct view_value values[STEP_COLUMNS] = {};
	const struct walk_step *step = &walk->pending.step;
	char thread[2] = { step->thread };

	if (!walk->pending.is_any || walk->status)
		return;
	walk->pending.is_any = false;
	values[STEP_CPU] = view_u64(step->cpu);
	values[STEP_ORDER] = view_text(orders[step->order]);
	values[STEP_CACHE] = view_text(slub_model_name(step->cache));
	if (step->first)
		values[STEP_FIRST] = view_u64(step->first);
	if (step->last != step->first)
		values[STEP_LAST] = view_u64(step->last);
	if (walk->pending.origin)
		values[STEP_ADDR] = view_u64(walk->pending.origin);
	if (walk->pending.has_place) {
		values[STEP_SLAB] = view_u64(walk->pending.slab);
		values[STEP_INDEX] = view_u64(walk->pending.index);
	}
	if (walk->pending.place[0])
		values[STEP_PLACE] = view_text(walk->pending.place);
	if (step->thread)
		values[STEP_THREAD] = view_text(thread);
	if (step->stopped_at)
		values[STEP_STOPPED] = view_text(slub_point_name(step->stopped_at));
	if (walk->pending.why[0])
		values[STEP_WHY] = view_text(walk->pending.why);
	walk->status = view_object(walk->view, &slub_walk_step_record, values);
}

/* "slab 1, object 5 3; slab 2, object 0": in the order of the calls. */
static void add_place(struct walk *walk, unsigned slab, unsigned index, bool is_first)
{
	char *place = walk->pending.place, more[64];
	size_t length = is_first ? 0 : strlen(place);

	if (length > WALK_PLACE_BYTES - sizeof(more)) {
		if (strcmp(place + length - strlen("…"), "…"))
			strcpy(place + length, " …");
		return;
	}
	if (is_first || slab != walk->pending.last_slab)
		snprintf(more, sizeof(more), "%sslab %u, object %u", is_first ? "" : "; ", slab, index);
	else
		snprintf(more, sizeof(more), " %u", index);
	strcpy(place + length, more);
	walk->pending.last_slab = slab;
}

void slub_walk_add_step(struct walk *walk, const struct walk_step *step)
{
	struct walk_step *last = &walk->pending.step;
	struct slub_model_slab slab = {};
	unsigned index = 0;
	bool has_place = step->object && slub_model_locate(walk->model, step->object, &slab, &index);
	uint64_t origin = has_place ? slub_model_origin(walk->model, step->object) : 0;
	char why[WALK_REASON_BYTES];

	tell_why(walk->model, why);
	if (walk->pending.is_any && !origin && !walk->pending.origin && !step->thread && !last->thread && last->order == step->order && last->cache == step->cache &&
	    last->cpu == step->cpu && last->last + 1 == step->first && !strcmp(walk->pending.why, why)) {
		last->last = step->last;
		walk->pending.has_place = false;
		if (has_place)
			add_place(walk, slab.number, index, !walk->pending.place[0]);
		return;
	}
	slub_walk_show_steps(walk);
	walk->pending.is_any = true;
	*last = *step;
	walk->pending.origin = origin;
	walk->pending.has_place = has_place;
	walk->pending.slab = slab.number;
	walk->pending.index = index;
	walk->pending.place[0] = 0;
	if (has_place)
		add_place(walk, slab.number, index, true);
	strcpy(walk->pending.why, why);
}
