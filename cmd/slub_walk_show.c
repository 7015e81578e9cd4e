// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* What stands where in a modelled cache, as text: sheaves and slabs as boxes, `#` in use and `.` free. */
#include <stdio.h>
#include <string.h>

#include "slub_walk.h"
#include "view.h"

#define PICTURE_BYTES 2048
#define BOX_WIDTH 16

enum { CACHE_NAME, CACHE_SIZE, CACHE_ORDER, CACHE_OBJECTS, CACHE_MIN_PARTIAL, CACHE_SHEAF, CACHE_CPU_PARTIAL, CACHE_SLABS,
       CACHE_COLUMNS };
static const struct view_column cache_columns[CACHE_COLUMNS] = {
	[CACHE_NAME] = { .name = "cache", .type = VIEW_TEXT },
	[CACHE_SIZE] = { .name = "size", .type = VIEW_U64 },
	[CACHE_ORDER] = { .name = "order", .type = VIEW_U64 },
	[CACHE_OBJECTS] = { .name = "objects_per_slab", .type = VIEW_U64 },
	[CACHE_MIN_PARTIAL] = { .name = "min_partial", .type = VIEW_U64 },
	[CACHE_SHEAF] = { .name = "sheaf_capacity", .type = VIEW_U64, .is_optional = true },
	[CACHE_CPU_PARTIAL] = { .name = "cpu_partial_slabs", .type = VIEW_U64, .is_optional = true },
	[CACHE_SLABS] = { .name = "slabs", .type = VIEW_U64 },
};
const struct view_record slub_walk_cache_record = {
	.type = "cache", .columns = cache_columns, .column_count = CACHE_COLUMNS, .starts_section = true,
	.text = "{cache}: objects of {size} bytes, {objects_per_slab} in a slab of order {order}; {slabs} {slabs:slab|slabs}; "
		"a node keeps {min_partial} partial {min_partial:slab|slabs}{?, a sheaf holds {sheaf_capacity}?}"
		"{?, a CPU's partial list {cpu_partial_slabs} {cpu_partial_slabs:slab|slabs}?}",
};

enum { CPU_NUMBER, CPU_MAIN, CPU_SPARE, CPU_SLAB, CPU_FREELIST, CPU_PARTIALS, CPU_PICTURE, CPU_COLUMNS };
static const struct view_column cpu_columns[CPU_COLUMNS] = {
	[CPU_NUMBER] = { .name = "cpu", .type = VIEW_U64 },
	[CPU_MAIN] = { .name = "main", .type = VIEW_U64, .is_optional = true },
	[CPU_SPARE] = { .name = "spare", .type = VIEW_U64, .is_optional = true },
	[CPU_SLAB] = { .name = "slab", .type = VIEW_U64, .is_optional = true },
	[CPU_FREELIST] = { .name = "freelist", .type = VIEW_U64, .is_optional = true },
	[CPU_PARTIALS] = { .name = "partial_slabs", .type = VIEW_U64, .is_optional = true },
	[CPU_PICTURE] = { .name = "picture", .type = VIEW_TEXT },
};
const struct view_record slub_walk_cpu_record = {
	.type = "cpu", .columns = cpu_columns, .column_count = CPU_COLUMNS, .indent = 2, .text = "cpu {cpu}   {picture}",
};

enum { NODE_NUMBER, NODE_PARTIALS, NODE_FULL, NODE_EMPTY, NODE_PICTURE, NODE_COLUMNS };
static const struct view_column node_columns[NODE_COLUMNS] = {
	[NODE_NUMBER] = { .name = "node", .type = VIEW_U64 },
	[NODE_PARTIALS] = { .name = "partial_slabs", .type = VIEW_U64 },
	[NODE_FULL] = { .name = "full_sheaves", .type = VIEW_U64, .is_optional = true },
	[NODE_EMPTY] = { .name = "empty_sheaves", .type = VIEW_U64, .is_optional = true },
	[NODE_PICTURE] = { .name = "picture", .type = VIEW_TEXT },
};
const struct view_record slub_walk_node_record = {
	.type = "node", .columns = node_columns, .column_count = NODE_COLUMNS, .indent = 2, .text = "node {node}  {picture}",
};

static void add(char *picture, const char *text)
{
	size_t length = strlen(picture);

	snprintf(picture + length, PICTURE_BYTES - length, "%s", text);
}

/* "[######....]", as wide as what it shows, up to a width; never all of one kind when it isn't. */
static void add_box(char *picture, unsigned filled, unsigned all)
{
	unsigned width = all < BOX_WIDTH ? all : BOX_WIDTH, part = all ? filled * width / all : 0;
	char box[BOX_WIDTH + 3] = "[";

	part += !part && filled && width > 1;
	part -= part == width && filled < all && width > 1;
	memset(box + 1, '#', part);
	memset(box + 1 + part, '.', width - part);
	box[width + 1] = ']';
	box[width + 2] = 0;
	add(picture, box);
}

static void add_slab(char *picture, const struct slub_model_slab *slab)
{
	char text[64];

	snprintf(text, sizeof(text), "slab %u ", slab->number);
	add(picture, text);
	add_box(picture, slab->inuse, slab->objects);
	snprintf(text, sizeof(text), " %u/%u", slab->inuse, slab->objects);
	add(picture, text);
}

static void add_list(char *picture, const struct slub_model_slab *slabs, size_t count, size_t given)
{
	char text[32];

	if (!count)
		add(picture, "none");
	for (size_t i = 0; i < count && i < given; i++) {
		add(picture, i ? " → " : "");
		add_slab(picture, &slabs[i]);
	}
	if (count > given) {
		snprintf(text, sizeof(text), " → %zu more", count - given);
		add(picture, text);
	}
}

static void add_sheaf(char *picture, const char *name, int objects, unsigned capacity)
{
	char text[48];

	add(picture, name);
	if (objects < 0) {
		add(picture, "none");
		return;
	}
	add_box(picture, (unsigned)objects, capacity);
	snprintf(text, sizeof(text), " %d/%u", objects, capacity);
	add(picture, text);
}

static int show_cpu(struct view *view, const struct slub_model_cpu *cpu, unsigned number, unsigned capacity)
{
	struct view_value values[CPU_COLUMNS] = { [CPU_NUMBER] = view_u64(number) };
	char picture[PICTURE_BYTES] = "", text[64];

	if (capacity) {
		add_sheaf(picture, "main ", cpu->main, capacity);
		add_sheaf(picture, "   spare ", cpu->spare, capacity);
		if (cpu->main >= 0)
			values[CPU_MAIN] = view_u64((uint64_t)cpu->main);
		if (cpu->spare >= 0)
			values[CPU_SPARE] = view_u64((uint64_t)cpu->spare);
	} else {
		if (cpu->slab.number) {
			snprintf(text, sizeof(text), "slab %u, %u on the freelist", cpu->slab.number, cpu->freelist);
			add(picture, text);
			values[CPU_SLAB] = view_u64(cpu->slab.number);
		} else {
			add(picture, "no slab");
		}
		add(picture, "   partial ");
		add_list(picture, cpu->partial, cpu->partials, sizeof(cpu->partial) / sizeof(cpu->partial[0]));
		values[CPU_FREELIST] = view_u64(cpu->freelist);
		values[CPU_PARTIALS] = view_u64(cpu->partials);
	}
	values[CPU_PICTURE] = view_text(picture);
	return view_object(view, &slub_walk_cpu_record, values);
}

static int show_node(struct view *view, const struct slub_model_node *node, unsigned number, unsigned capacity)
{
	struct view_value values[NODE_COLUMNS] = {
		[NODE_NUMBER] = view_u64(number), [NODE_PARTIALS] = view_u64(node->partials),
	};
	char picture[PICTURE_BYTES] = "", text[64];

	if (capacity) {
		snprintf(text, sizeof(text), "barn %u full, %u empty   ", node->full_sheaves, node->empty_sheaves);
		add(picture, text);
		values[NODE_FULL] = view_u64(node->full_sheaves);
		values[NODE_EMPTY] = view_u64(node->empty_sheaves);
	}
	add(picture, "partial ");
	add_list(picture, node->partial, node->partials, sizeof(node->partial) / sizeof(node->partial[0]));
	values[NODE_PICTURE] = view_text(picture);
	return view_object(view, &slub_walk_node_record, values);
}

int slub_walk_show(struct view *view, struct slub_model *model, const struct slub_model_setting *setting,
		   struct kmem_cache *cache)
{
	struct slub_model_measures measures = slub_model_measure(cache);
	struct view_value values[CACHE_COLUMNS] = {
		[CACHE_NAME] = view_text(slub_model_name(cache)), [CACHE_SIZE] = view_u64(measures.size),
		[CACHE_ORDER] = view_u64(measures.order), [CACHE_OBJECTS] = view_u64(measures.objects),
		[CACHE_MIN_PARTIAL] = view_u64(measures.min_partial), [CACHE_SLABS] = view_u64(measures.slabs),
	};
	struct slub_model_node node;
	struct slub_model_cpu cpu;
	int status;

	if (measures.sheaf_capacity)
		values[CACHE_SHEAF] = view_u64(measures.sheaf_capacity);
	else
		values[CACHE_CPU_PARTIAL] = view_u64(measures.cpu_partial_slabs);
	status = view_object(view, &slub_walk_cache_record, values);
	for (unsigned i = 0; !status && i < setting->cpus; i++) {
		slub_model_look_at_cpu(model, cache, i, &cpu);
		status = show_cpu(view, &cpu, i, measures.sheaf_capacity);
	}
	for (unsigned i = 0; !status && i < setting->nodes; i++) {
		slub_model_look_at_node(model, cache, i, &node);
		status = show_node(view, &node, i, measures.sheaf_capacity);
	}
	return status;
}
