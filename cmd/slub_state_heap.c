// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * What one CPU can come by in a cache of a kernel or a process, as a model: that CPU's slab, lists and sheaves, and the nodes'.
 * Other CPUs stand empty, full slabs are left out but for those of objects in sheaves, and of long lists only the front is
 * read: what the next allocations need.
 */
#include <errno.h>
#include <stdlib.h>

#include "slab_freelist.h"
#include "slub_state.h"

struct gathering {
	struct slub_state_build *build;
	struct slab_heap *heap;
	const struct slab_contents *contents;
	uint32_t cache, cpu;
	struct error *err;
};

static int add_facts(const struct gathering *gathering)
{
	const struct slab_layout *layout = &gathering->heap->layout;
	const struct slab_cache *from = &gathering->heap->caches[gathering->cache];
	uint64_t debug = layout->flag_red_zone | layout->flag_poison | layout->flag_store_user | layout->flag_consistency |
			 layout->flag_trace;
	struct slub_state_facts facts = {
		.name = "next", .random = from->random, .is_debugged = from->flags & debug,
		.geometry = { .object_size = from->object_size, .size = from->size, .inuse = from->inuse, .align = from->align,
			      .offset = from->offset, .red_left_pad = from->red_left_pad, .order = from->order,
			      .objects = from->objects, .min_order = from->min_order, .min_objects = from->min_objects,
			      .min_partial = (unsigned)from->min_partial, .cpu_partial = from->cpu_partial,
			      .cpu_partial_slabs = from->cpu_partial_slabs, .sheaf_capacity = from->sheaf_capacity,
			      .sheaf_refill = from->sheaf_refill },
	};

	return slub_state_set_facts(gathering->build, &facts, gathering->err);
}

static int add_objects(const struct gathering *gathering, const uint64_t *objects, size_t count, bool is_reverse,
		       enum slab_object_state state, uint64_t owner, uint64_t page)
{
	int status = 0;

	for (size_t i = 0; !status && i < count; i++)
		status = slub_state_add_free(gathering->build, objects[is_reverse ? count - 1 - i : i], state, i, owner, page,
					     gathering->err);
	return status;
}

static int add_slab(const struct gathering *gathering, const struct slab *slab, enum slab_place place,
		    enum slab_object_state state)
{
	const struct slub_state_slab to = {
		.start = slab->start, .order = slab->order, .objects = slab->objects, .node = slab->node,
	};
	struct slab_freelist own = { 0 };
	int status = slub_state_add_slab(gathering->build, slab->page, place, 0, &to, gathering->err);

	if (!status && slab->is_bad)
		return error_set(gathering->err, -EBADMSG, "slab %#lx is damaged", (unsigned long)slab->page);
	if (!status && place != SLAB_UNLISTED)
		status = slab_freelist_read(gathering->heap, slab, &own, gathering->err);
	if (!status)
		status = add_objects(gathering, own.objects, own.count, false, state, 0, slab->page);
	slab_freelist_deinit(&own);
	return status;
}

/* Objects in a sheaf, and their slabs, which are on no list unless they are added already. */
static int add_sheaf(const struct gathering *gathering, const struct slab_sheaf *sheaf, enum slab_object_state state,
		     uint64_t owner)
{
	int status = add_objects(gathering, sheaf->objects, sheaf->size, true, state, owner, 0);

	for (uint32_t i = 0; !status && i < sheaf->size; i++) {
		struct slab slab;

		status = slab_locate(gathering->heap, sheaf->objects[i], &slab, gathering->err);
		/* Whatever else is free in it stands behind what was read of a list. */
		if (!status && !slub_state_has_slab(gathering->build, slab.page))
			status = add_slab(gathering, &slab, SLAB_UNLISTED, SLAB_OBJECT_FREE);
	}
	return status;
}

/*
 * As much of a node's list as @count allocations can come by, and as many slabs more as go to a CPU's partial list with the
 * last of them, or make the node one that has some to spare.
 */
static int add_node_list(const struct gathering *gathering, const struct slab_node *node, size_t count)
{
	const struct slab_cache *cache = &gathering->heap->caches[gathering->cache];
	size_t wanted = count + cache->sheaf_capacity, more = 2 * (size_t)cache->cpu_partial + cache->min_partial + 2, found = 0;
	int status = 0;

	if (node->partial.damage)
		return error_set(gathering->err, -EBADMSG, "a list is damaged");
	for (size_t i = 0; !status && i < node->partial.count && more; i++) {
		const struct slab *slab = &node->partial.slabs[i];

		status = add_slab(gathering, slab, SLAB_NODE_PARTIAL, SLAB_OBJECT_FREE);
		found += slab->objects - slab->inuse;
		more -= found >= wanted;
	}
	return status;
}

static int add_node(const struct gathering *gathering, const struct slab_node *node)
{
	int status = slub_state_add_node(gathering->build, node->node, node->full_sheaf_count, node->nr_empty, gathering->err);

	for (size_t i = 0; !status && i < node->full_sheaf_count; i++)
		status = add_sheaf(gathering, &node->full_sheaves[i], SLAB_OBJECT_BARN, node->node);
	return status;
}

static int add_cpu_slab(const struct gathering *gathering, const struct slab_cpu *cpu)
{
	int status = 0;

	if (cpu->has_slab)
		status = add_slab(gathering, &cpu->slab, SLAB_ON_CPU, SLAB_OBJECT_FREE);
	if (!status)
		status = add_objects(gathering, cpu->freelist.objects, cpu->freelist.count, false, SLAB_OBJECT_CPU_FREELIST, 0,
				     cpu->slab.page);
	for (size_t i = 0; !status && i < cpu->partial.count; i++)
		status = add_slab(gathering, &cpu->partial.slabs[i], SLAB_CPU_PARTIAL, SLAB_OBJECT_CPU_PARTIAL);
	return status;
}

/* The CPU is the model's first; there are as many as nodes, since a model has no more nodes than CPUs. */
static int add_cpus(const struct gathering *gathering, const struct slab_cpu *cpu)
{
	uint32_t node = slab_cpu_node(gathering->heap, gathering->cpu);
	bool has_sheaves = cpu->sheaves && gathering->heap->caches[gathering->cache].sheaf_capacity;
	int status = 0;

	for (size_t i = 0; !status && i < gathering->contents->node_count; i++) {
		if (has_sheaves)
			status = slub_state_add_sheaves(gathering->build, i, i ? i : node, !i && cpu->main.address,
							!i && cpu->spare.address, gathering->err);
		if (!status && cpu->cpu_slab)
			status = slub_state_add_cpu(gathering->build, i, i ? i : node, gathering->err);
	}
	if (!status && cpu->cpu_slab)
		status = add_cpu_slab(gathering, cpu);
	return status;
}

int slub_state_gather(struct slub_state_build *build, struct slab_heap *heap, uint32_t cache, uint32_t cpu, size_t count,
		      struct error *err)
{
	struct gathering gathering = {
		.build = build, .heap = heap, .contents = heap->contents[cache], .cache = cache, .cpu = cpu, .err = err,
	};
	const struct slab_contents *contents = gathering.contents;
	const struct slab_cpu *of;
	int status;

	if (!contents || cpu >= contents->cpu_count)
		return error_set(err, -ENOENT, "CPU %u was not read", cpu);
	of = &contents->cpus[cpu];
	status = add_facts(&gathering);
	if (!status)
		status = add_cpus(&gathering, of);
	/* Slabs of lists before those of sheaves, which may be the same. */
	for (size_t i = 0; !status && i < contents->node_count; i++)
		status = add_node_list(&gathering, &contents->nodes[i], count);
	for (size_t i = 0; !status && i < contents->node_count; i++)
		status = add_node(&gathering, &contents->nodes[i]);
	if (!status)
		status = add_sheaf(&gathering, &of->main, SLAB_OBJECT_SHEAF_MAIN, 0);
	return status ? status : add_sheaf(&gathering, &of->spare, SLAB_OBJECT_SHEAF_SPARE, 0);
}
