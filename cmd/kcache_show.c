// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * dill kcache NAME: one cache from the top down: its facts, what each CPU holds, what each node holds, and the
 * full slabs that are on no list. Every free object in the order in which it will be handed out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cleanup.h"
#include "kcache_views.h"
#include "slab_freelist.h"
#include "slab_pages.h"
#include "slab_state.h"
#include "slab_totals.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

DEFINE_CLEANUP(slab_pages, struct slab_pages, slab_pages_deinit(&v));

static const char *const encoding_names[] = { "plain", "xor", "xor_swap", NULL };
enum {
	FACT_NAME,
	FACT_ADDR,
	FACT_OBJECT_SIZE,
	FACT_SIZE,
	FACT_OFFSET,
	FACT_INUSE,
	FACT_ALIGN,
	FACT_RED_LEFT,
	FACT_ORDER,
	FACT_PAGES,
	FACT_OBJECTS,
	FACT_MIN_ORDER,
	FACT_MIN_OBJECTS,
	FACT_MIN_PARTIAL,
	FACT_CPU_PARTIAL,
	FACT_CPU_PARTIAL_SLABS,
	FACT_SHEAF_CAPACITY,
	FACT_SHEAF_REFILL,
	FACT_FLAGS,
	FACT_FLAG_BITS,
	FACT_ENCODING,
	FACT_RANDOM,
	FACT_REFCOUNT,
	FACT_ALIASES,
	FACT_CTOR,
	FACT_CTOR_ADDR,
	FACT_USEROFFSET,
	FACT_USERSIZE,
	FACT_SLABS,
	FACT_NUM_OBJS,
	FACT_ACTIVE,
	FACT_ALLOCATED,
	FACT_FREE_SLAB,
	FACT_FREE_CPU,
	FACT_FREE_CPU_PARTIAL,
	FACT_FREE_SHEAF,
	FACT_FREE_BARN,
	FACT_PENDING,
	FACT_BYTES,
	FACT_COLUMNS
};
static const struct view_column fact_columns[FACT_COLUMNS] = {
	[FACT_NAME] = { .name = "name", .title = "name", .type = VIEW_TEXT },
	[FACT_ADDR] = { .name = "addr", .title = "kmem_cache", .type = VIEW_HEX },
	[FACT_OBJECT_SIZE] = { .name = "object_size", .type = VIEW_U64 },
	[FACT_SIZE] = { .name = "size", .type = VIEW_U64 },
	[FACT_OFFSET] = { .name = "offset", .type = VIEW_U64 },
	[FACT_INUSE] = { .name = "inuse", .type = VIEW_U64 },
	[FACT_ALIGN] = { .name = "align", .type = VIEW_U64 },
	[FACT_RED_LEFT] = { .name = "red_left_pad", .type = VIEW_U64, .is_optional = true },
	[FACT_ORDER] = { .name = "order", .type = VIEW_U64 },
	[FACT_PAGES] = { .name = "pages_count", .type = VIEW_U64 },
	[FACT_OBJECTS] = { .name = "objects_count", .type = VIEW_U64 },
	[FACT_MIN_ORDER] = { .name = "min_order", .type = VIEW_U64, .is_optional = true },
	[FACT_MIN_OBJECTS] = { .name = "min_objects_count", .type = VIEW_U64, .is_optional = true },
	[FACT_MIN_PARTIAL] = { .name = "min_partial", .type = VIEW_U64 },
	[FACT_CPU_PARTIAL] = { .name = "cpu_partial", .type = VIEW_U64, .is_optional = true },
	[FACT_CPU_PARTIAL_SLABS] = { .name = "cpu_partial_slabs", .type = VIEW_U64, .is_optional = true },
	[FACT_SHEAF_CAPACITY] = { .name = "sheaf_capacity", .type = VIEW_U64, .is_optional = true },
	[FACT_SHEAF_REFILL] = { .name = "sheaf_refill", .type = VIEW_U64, .is_optional = true },
	[FACT_FLAGS] = { .name = "flags", .type = VIEW_TEXT },
	[FACT_FLAG_BITS] = { .name = "flag_bits", .type = VIEW_HEX },
	[FACT_ENCODING] = { .name = "freelist_encoding", .type = VIEW_ENUM, .names = encoding_names },
	[FACT_RANDOM] = { .name = "random", .type = VIEW_HEX, .is_optional = true },
	[FACT_REFCOUNT] = { .name = "refcount", .type = VIEW_I64 },
	[FACT_ALIASES] = { .name = "aliases", .type = VIEW_TEXT, .is_optional = true },
	[FACT_CTOR] = { .name = "ctor", .type = VIEW_SYMBOL, .is_optional = true },
	[FACT_CTOR_ADDR] = { .name = "ctor_addr", .type = VIEW_HEX, .is_optional = true, .is_json_only = true },
	[FACT_USEROFFSET] = { .name = "useroffset", .type = VIEW_U64 },
	[FACT_USERSIZE] = { .name = "usersize", .type = VIEW_U64 },
	[FACT_SLABS] = { .name = "slabs", .type = VIEW_U64 },
	[FACT_NUM_OBJS] = { .name = "num_objs", .type = VIEW_U64 },
	[FACT_ACTIVE] = { .name = "active_objs", .type = VIEW_U64 },
	[FACT_ALLOCATED] = { .name = "allocated", .type = VIEW_U64 },
	[FACT_FREE_SLAB] = { .name = "free_slab", .type = VIEW_U64 },
	[FACT_FREE_CPU] = { .name = "free_cpu", .type = VIEW_U64 },
	[FACT_FREE_CPU_PARTIAL] = { .name = "free_cpu_partial", .type = VIEW_U64 },
	[FACT_FREE_SHEAF] = { .name = "free_sheaf", .type = VIEW_U64 },
	[FACT_FREE_BARN] = { .name = "free_barn", .type = VIEW_U64 },
	[FACT_PENDING] = { .name = "pending", .type = VIEW_U64 },
	[FACT_BYTES] = { .name = "bytes", .type = VIEW_BYTES },
};
const struct view_record kcache_facts_record = {
	.type = "cache_facts",
	.columns = fact_columns,
	.column_count = FACT_COLUMNS,
};

enum {
	CPU_CPU, CPU_ADDR, CPU_TID, CPU_SLAB, CPU_START, CPU_INUSE, CPU_OBJECTS, CPU_FREE, CPU_OWN, CPU_PARTIAL,
	CPU_NODE, CPU_COLUMNS
};
static const struct view_column cpu_columns[CPU_COLUMNS] = {
	[CPU_CPU] = { .name = "cpu", .type = VIEW_U64 },
	[CPU_ADDR] = { .name = "kmem_cache_cpu", .type = VIEW_HEX },
	[CPU_TID] = { .name = "tid", .type = VIEW_U64 },
	[CPU_SLAB] = { .name = "slab", .type = VIEW_HEX, .is_optional = true },
	[CPU_START] = { .name = "start", .type = VIEW_HEX, .is_optional = true },
	[CPU_INUSE] = { .name = "inuse", .type = VIEW_U64, .is_optional = true },
	[CPU_OBJECTS] = { .name = "objects", .type = VIEW_U64, .is_optional = true },
	[CPU_FREE] = { .name = "free_cpu", .type = VIEW_U64 },
	[CPU_OWN] = { .name = "free_slab", .type = VIEW_U64 },
	[CPU_PARTIAL] = { .name = "partial_slabs", .type = VIEW_U64 },
	[CPU_NODE] = { .name = "node", .type = VIEW_U64, .is_optional = true, .is_json_only = true },
};
const struct view_record kcache_cpu_record = {
	.type = "cpu",
	.columns = cpu_columns,
	.column_count = CPU_COLUMNS,
	.starts_section = true,
	.text = "cpu {cpu} kmem_cache_cpu {kmem_cache_cpu}: {?slab {slab} at {start}, {inuse} of {objects} in "
		"use, ?}"
		"freelist {free_cpu} {free_cpu:object|objects}{?, the slab's own {free_slab}?}"
		"{?, {partial_slabs} partial {partial_slabs:slab|slabs}?}",
};

enum {
	SHEAVES_CPU, SHEAVES_ADDR, SHEAVES_CAPACITY, SHEAVES_MAIN, SHEAVES_MAIN_SIZE, SHEAVES_SPARE,
	SHEAVES_SPARE_SIZE, SHEAVES_RCU, SHEAVES_RCU_SIZE, SHEAVES_NODE, SHEAVES_COLUMNS
};
static const struct view_column sheaves_columns[SHEAVES_COLUMNS] = {
	[SHEAVES_CPU] = { .name = "cpu", .type = VIEW_U64 },
	[SHEAVES_ADDR] = { .name = "sheaves", .type = VIEW_HEX },
	[SHEAVES_CAPACITY] = { .name = "capacity", .type = VIEW_U64 },
	[SHEAVES_MAIN] = { .name = "main", .type = VIEW_HEX, .is_optional = true },
	[SHEAVES_MAIN_SIZE] = { .name = "main_size", .type = VIEW_U64 },
	[SHEAVES_SPARE] = { .name = "spare", .type = VIEW_HEX, .is_optional = true },
	[SHEAVES_SPARE_SIZE] = { .name = "spare_size", .type = VIEW_U64 },
	[SHEAVES_RCU] = { .name = "rcu_free", .type = VIEW_HEX, .is_optional = true },
	[SHEAVES_RCU_SIZE] = { .name = "rcu_free_size", .type = VIEW_U64 },
	[SHEAVES_NODE] = { .name = "node", .type = VIEW_U64, .is_optional = true, .is_json_only = true },
};
const struct view_record kcache_sheaves_record = {
	.type = "cpu_sheaves",
	.columns = sheaves_columns,
	.column_count = SHEAVES_COLUMNS,
	.starts_section = true,
	.text = "cpu {cpu} sheaves {sheaves} of {capacity}: main {main} holds {main_size}"
		"{?, spare {spare}?}{? holds {spare_size}?}{?, rcu_free {rcu_free}?}{? holds {rcu_free_size}?}",
};

enum {
	NODE_NODE,
	NODE_ADDR,
	NODE_PARTIAL,
	NODE_SLABS,
	NODE_OBJECTS,
	NODE_BARN,
	NODE_FULL,
	NODE_EMPTY,
	NODE_COLUMNS
};
static const struct view_column node_columns[NODE_COLUMNS] = {
	[NODE_NODE] = { .name = "node", .type = VIEW_U64 },
	[NODE_ADDR] = { .name = "kmem_cache_node", .type = VIEW_HEX },
	[NODE_PARTIAL] = { .name = "nr_partial", .type = VIEW_U64 },
	[NODE_SLABS] = { .name = "nr_slabs", .type = VIEW_U64, .is_optional = true },
	[NODE_OBJECTS] = { .name = "total_objects", .type = VIEW_U64, .is_optional = true },
	[NODE_BARN] = { .name = "barn", .type = VIEW_HEX, .is_optional = true },
	[NODE_FULL] = { .name = "full_sheaves", .type = VIEW_U64, .is_optional = true },
	[NODE_EMPTY] = { .name = "empty_sheaves", .type = VIEW_U64, .is_optional = true },
};
const struct view_record kcache_node_record = {
	.type = "node",
	.columns = node_columns,
	.column_count = NODE_COLUMNS,
	.starts_section = true,
	.text = "node {node} kmem_cache_node {kmem_cache_node}: {nr_partial} partial {nr_partial:slab|slabs}"
		"{? of {nr_slabs}?}{?, barn {barn}?}{?: {full_sheaves} full {full_sheaves:sheaf|sheaves}?}"
		"{?, {empty_sheaves} empty?}",
};

enum { FREE_ADDR, FREE_STATE, FREE_POSITION, FREE_CPU, FREE_NODE, FREE_SLAB, FREE_COLUMNS };
static const struct view_column free_columns[FREE_COLUMNS] = {
	[FREE_ADDR] = { .name = "addr", .type = VIEW_HEX },
	[FREE_STATE] = { .name = "state", .type = VIEW_ENUM, .names = slab_object_state_names },
	[FREE_POSITION] = { .name = "position", .type = VIEW_U64 },
	[FREE_CPU] = { .name = "cpu", .type = VIEW_U64, .is_optional = true },
	[FREE_NODE] = { .name = "node", .type = VIEW_U64, .is_optional = true },
	[FREE_SLAB] = { .name = "slab", .type = VIEW_HEX, .is_optional = true },
};
const struct view_record kcache_free_record = {
	.type = "free_object",
	.columns = free_columns,
	.column_count = FREE_COLUMNS,
	.indent = 4,
	.text = "->{addr}",
};

/* What all steps need. */
struct showing {
	struct inspection *inspection;
	struct slab_heap *heap;
	const struct kcache_scope *scope;
	uint32_t cache;
	struct error *err;
};

static struct view_value if_any(uint64_t value)
{
	return value ? view_u64(value) : view_absent();
}

static const char *join_aliases(const struct slab_cache *cache, char *text, size_t size)
{
	size_t used = 0;

	text[0] = 0;
	for (size_t i = 0; i < cache->alias_count && used < size; i++)
		used += snprintf(text + used, size - used, "%s%s", i ? " " : "", cache->aliases[i]);
	return cache->alias_count ? text : NULL;
}

static int show_facts(const struct showing *showing)
{
	const struct slab_cache *cache = &showing->heap->caches[showing->cache];
	bool is_smaller = cache->min_order != cache->order;
	struct view_value values[FACT_COLUMNS];
	char flags[512], aliases[1024], ctor[256] = "";
	struct slab_totals totals;
	uint64_t offset;
	int status = slab_totals_count(showing->heap, showing->cache, &totals, showing->err);

	if (status)
		return status;
	if (cache->ctor && kernel_symbol_at(showing->heap->kernel, cache->ctor, ctor, sizeof(ctor), &offset))
		snprintf(ctor, sizeof(ctor), "%#lx", (unsigned long)cache->ctor);
	values[FACT_NAME] = view_text(cache->name);
	values[FACT_ADDR] = view_u64(cache->address);
	values[FACT_OBJECT_SIZE] = view_u64(cache->object_size);
	values[FACT_SIZE] = view_u64(cache->size);
	values[FACT_OFFSET] = view_u64(cache->offset);
	values[FACT_INUSE] = view_u64(cache->inuse);
	values[FACT_ALIGN] = view_u64(cache->align);
	values[FACT_RED_LEFT] = if_any(cache->red_left_pad);
	values[FACT_ORDER] = view_u64(cache->order);
	values[FACT_PAGES] = view_u64(UINT64_C(1) << cache->order);
	values[FACT_OBJECTS] = view_u64(cache->objects);
	values[FACT_MIN_ORDER] = is_smaller ? view_u64(cache->min_order) : view_absent();
	values[FACT_MIN_OBJECTS] = is_smaller ? view_u64(cache->min_objects) : view_absent();
	values[FACT_MIN_PARTIAL] = view_u64(cache->min_partial);
	values[FACT_CPU_PARTIAL] = if_any(cache->cpu_partial);
	values[FACT_CPU_PARTIAL_SLABS] = if_any(cache->cpu_partial_slabs);
	values[FACT_SHEAF_CAPACITY] = if_any(cache->sheaf_capacity);
	values[FACT_SHEAF_REFILL] = if_any(cache->sheaf_refill);
	values[FACT_FLAGS] =
		view_text(slab_cache_flag_names(&showing->heap->layout, cache->flags, flags, sizeof(flags)));
	values[FACT_FLAG_BITS] = view_u64(cache->flags);
	values[FACT_ENCODING] = view_u64(showing->heap->encoding);
	values[FACT_RANDOM] = if_any(cache->random);
	values[FACT_REFCOUNT] = view_i64(cache->refcount);
	values[FACT_ALIASES] = view_text(join_aliases(cache, aliases, sizeof(aliases)));
	values[FACT_CTOR] = cache->ctor ? view_text(ctor) : view_absent();
	values[FACT_CTOR_ADDR] = if_any(cache->ctor);
	values[FACT_USEROFFSET] = view_u64(cache->useroffset);
	values[FACT_USERSIZE] = view_u64(cache->usersize);
	values[FACT_SLABS] = view_u64(totals.slabs);
	values[FACT_NUM_OBJS] = view_u64(totals.num_objs);
	values[FACT_ACTIVE] = view_u64(totals.active_objs);
	values[FACT_ALLOCATED] = view_u64(totals.allocated);
	values[FACT_FREE_SLAB] = view_u64(totals.free_slab + totals.free_cpu_partial);
	values[FACT_FREE_CPU] = view_u64(totals.free_cpu);
	values[FACT_FREE_CPU_PARTIAL] = view_u64(totals.free_cpu_partial);
	values[FACT_FREE_SHEAF] = view_u64(totals.free_sheaf + totals.free_barn);
	values[FACT_FREE_BARN] = view_u64(totals.free_barn);
	values[FACT_PENDING] = view_u64(totals.pending);
	values[FACT_BYTES] = view_u64(totals.bytes);
	return view_object(showing->inspection->view, &kcache_facts_record, values);
}

/* One free object after the other. @owner is a CPU, or a node where @is_node. */
static int show_chain(const struct showing *showing, const uint64_t *objects, size_t count, bool is_reverse,
		      enum slab_object_state state, uint64_t owner, bool is_node, uint64_t slab)
{
	int status = 0;

	if (showing->scope->is_brief)
		return 0;
	for (size_t i = 0; i < count && !status; i++) {
		struct view_value values[FREE_COLUMNS] = {
			[FREE_ADDR] = view_u64(objects[is_reverse ? count - 1 - i : i]),
			[FREE_STATE] = view_u64(state),
			[FREE_POSITION] = view_u64(i),
			[FREE_CPU] = is_node ? view_absent() : view_u64(owner),
			[FREE_NODE] = is_node ? view_u64(owner) : view_absent(),
			[FREE_SLAB] = if_any(slab),
		};

		status = view_object(showing->inspection->view, &kcache_free_record, values);
	}
	return status;
}

/* The slabs of a list, each with its freelist; all freelists are walked side by side. */
static int show_list(const struct showing *showing, const struct slab_list *list, enum slab_object_state state)
{
	CLEANUP(free) struct slab_freelist_walk *walks = calloc(list->count + 1, sizeof(*walks));
	int status = walks ? 0 : -ENOMEM;

	for (size_t i = 0; i < list->count && walks; i++)
		walks[i] = (struct slab_freelist_walk){
			.cache = &showing->heap->caches[showing->cache],
			.slab = &list->slabs[i],
			.first = list->slabs[i].freelist,
			.limit = list->slabs[i].is_bad ? 0 : list->slabs[i].objects - list->slabs[i].inuse,
		};
	if (!status && !showing->scope->is_brief)
		status = slab_freelists_walk(showing->heap, walks, list->count, showing->err);
	for (size_t i = 0; i < list->count && !status; i++) {
		const struct slab *slab = &list->slabs[i];

		status = kcache_show_slab_line(showing->inspection, showing->heap, showing->cache, slab);
		if (!status)
			status = show_chain(showing, walks[i].result.objects, walks[i].result.count, false,
					    state, slab->owner, slab->place >= SLAB_NODE_PARTIAL, slab->page);
	}
	for (size_t i = 0; walks && i < list->count; i++)
		slab_freelist_deinit(&walks[i].result);
	return status;
}

/* Of a process it isn't known, unless there is only one. */
static struct view_value node_of(const struct showing *showing, const struct slab_cpu *cpu)
{
	const struct kernel *kernel = showing->heap->kernel;

	return kernel->process && kernel->node_count > 1 ? view_absent() : view_u64(slab_cpu_node(showing->heap, cpu->cpu));
}

static int show_sheaves(const struct showing *showing, const struct slab_cpu *cpu)
{
	struct view_value values[SHEAVES_COLUMNS] = {
		[SHEAVES_CPU] = view_u64(cpu->cpu),
		[SHEAVES_ADDR] = view_u64(cpu->sheaves),
		[SHEAVES_CAPACITY] = view_u64(showing->heap->caches[showing->cache].sheaf_capacity),
		[SHEAVES_MAIN] = if_any(cpu->main.address),
		[SHEAVES_MAIN_SIZE] = view_u64(cpu->main.size),
		[SHEAVES_SPARE] = if_any(cpu->spare.address),
		[SHEAVES_SPARE_SIZE] = view_u64(cpu->spare.size),
		[SHEAVES_RCU] = if_any(cpu->rcu_free.address),
		[SHEAVES_RCU_SIZE] = view_u64(cpu->rcu_free.size),
		[SHEAVES_NODE] = node_of(showing, cpu),
	};
	const struct {
		const struct slab_sheaf *sheaf;
		enum slab_object_state state;
	} sheaves[] = { { &cpu->main, SLAB_OBJECT_SHEAF_MAIN },
			{ &cpu->spare, SLAB_OBJECT_SHEAF_SPARE },
			{ &cpu->rcu_free, SLAB_OBJECT_SHEAF_RCU } };
	int status = view_object(showing->inspection->view, &kcache_sheaves_record, values);

	for (size_t i = 0; i < COUNT(sheaves) && !status; i++)
		status = show_chain(showing, sheaves[i].sheaf->objects, sheaves[i].sheaf->size, true,
				    sheaves[i].state, cpu->cpu, false, 0);
	return status;
}

static int show_cpu_slab(const struct showing *showing, const struct slab_cpu *cpu)
{
	CLEANUP(free) uint64_t *own_objects = NULL;
	struct slab_freelist own = { 0 };
	int status = 0;

	if (cpu->has_slab && !cpu->slab.is_bad)
		status = slab_freelist_read(showing->heap, &cpu->slab, &own, showing->err);
	own_objects = own.objects;
	if (!status) {
		struct view_value values[CPU_COLUMNS] = {
			[CPU_CPU] = view_u64(cpu->cpu),
			[CPU_ADDR] = view_u64(cpu->cpu_slab),
			[CPU_TID] = view_u64(cpu->tid),
			[CPU_SLAB] = cpu->has_slab ? view_u64(cpu->slab.page) : view_absent(),
			[CPU_START] = cpu->has_slab ? view_u64(cpu->slab.start) : view_absent(),
			[CPU_INUSE] = cpu->has_slab ? view_u64(cpu->slab.inuse) : view_absent(),
			[CPU_OBJECTS] = cpu->has_slab ? view_u64(cpu->slab.objects) : view_absent(),
			[CPU_FREE] = view_u64(cpu->freelist.count),
			[CPU_OWN] = view_u64(own.count),
			[CPU_PARTIAL] = view_u64(cpu->partial.count),
			[CPU_NODE] = node_of(showing, cpu),
		};

		status = view_object(showing->inspection->view, &kcache_cpu_record, values);
	}
	if (!status)
		status = show_chain(showing, cpu->freelist.objects, cpu->freelist.count, false,
				    SLAB_OBJECT_CPU_FREELIST, cpu->cpu, false, cpu->slab.page);
	if (!status && cpu->has_slab)
		status = kcache_show_slab_line(showing->inspection, showing->heap, showing->cache, &cpu->slab);
	if (!status)
		status = show_chain(showing, own.objects, own.count, false, SLAB_OBJECT_FREE, cpu->cpu, false,
				    cpu->slab.page);
	return status ? status : show_list(showing, &cpu->partial, SLAB_OBJECT_CPU_PARTIAL);
}

static int show_cpu(const struct showing *showing, const struct slab_cpu *cpu)
{
	int status = 0;

	if (cpu->sheaves && showing->heap->caches[showing->cache].sheaf_capacity)
		status = show_sheaves(showing, cpu);
	if (!status && cpu->cpu_slab)
		status = show_cpu_slab(showing, cpu);
	return status;
}

static int show_node(const struct showing *showing, const struct slab_node *node)
{
	struct view_value values[NODE_COLUMNS] = {
		[NODE_NODE] = view_u64(node->node),
		[NODE_ADDR] = view_u64(node->address),
		[NODE_PARTIAL] = view_u64(node->nr_partial),
		[NODE_SLABS] = node->has_books ? view_u64(node->nr_slabs) : view_absent(),
		[NODE_OBJECTS] = node->has_books ? view_u64(node->total_objects) : view_absent(),
		[NODE_BARN] = if_any(node->barn),
		[NODE_FULL] = node->barn ? view_u64(node->nr_full) : view_absent(),
		[NODE_EMPTY] = node->barn ? view_u64(node->nr_empty) : view_absent(),
	};
	int status = view_object(showing->inspection->view, &kcache_node_record, values);

	for (size_t i = 0; i < node->full_sheaf_count && !status; i++)
		status = show_chain(showing, node->full_sheaves[i].objects, node->full_sheaves[i].size, true,
				    SLAB_OBJECT_BARN, node->node, true, 0);
	if (!status)
		status = show_list(showing, &node->partial, SLAB_OBJECT_FREE);
	return status ? status : show_list(showing, &node->full, SLAB_OBJECT_FREE);
}

/* Slabs that no list has: all their objects are in use. */
static int show_full_slabs(const struct showing *showing)
{
	CLEANUP(slab_pages) struct slab_pages pages = { 0 };
	int status = slab_pages_read(showing->heap, showing->cache, &pages, showing->err);

	if (status)
		return status;
	for (size_t i = pages.first[showing->cache]; i < pages.first[showing->cache + 1] && !status; i++)
		if (pages.slabs[i].place == SLAB_UNLISTED)
			status = kcache_show_slab_line(showing->inspection, showing->heap, showing->cache, &pages.slabs[i]);
	return status;
}

int kcache_show_cache(struct inspection *inspection, struct slab_heap *heap, uint32_t cache,
		      const struct kcache_scope *scope, struct error *err)
{
	struct showing showing = { inspection, heap, scope, cache, err };
	const struct slab_contents *contents = slab_heap_contents(heap, cache, err);
	int status;

	if (!contents)
		return err->code;
	if (scope->cpu != KCACHE_ALL && scope->cpu >= contents->cpu_count)
		return error_set(err, -ENOENT, "no CPU %lu: there are %zu", (long)scope->cpu,
				 contents->cpu_count);
	if (scope->node != KCACHE_ALL && scope->node >= contents->node_count)
		return error_set(err, -ENOENT, "no node %lu: there are %zu", (long)scope->node,
				 contents->node_count);
	status = show_facts(&showing);
	for (size_t i = 0; i < contents->cpu_count && !status; i++)
		if (scope->node == KCACHE_ALL && (scope->cpu == KCACHE_ALL || scope->cpu == i))
			status = show_cpu(&showing, &contents->cpus[i]);
	for (size_t i = 0; i < contents->node_count && !status; i++)
		if (scope->cpu == KCACHE_ALL && (scope->node == KCACHE_ALL || scope->node == i) &&
		    contents->nodes[i].address)
			status = show_node(&showing, &contents->nodes[i]);
	if (!status && scope->cpu == KCACHE_ALL && scope->node == KCACHE_ALL)
		status = show_full_slabs(&showing);
	return status ? status : kcache_show_findings(inspection, heap, cache);
}
