// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// What stands where in a model: nothing here changes it.
#include "model_private.h"

#include <string.h>

#include "cpu_slab.h"
#include "percpu.h"

static struct slub_model_slab describe(const struct slab *slab)
{
	return (struct slub_model_slab){
		.number = slub_model_number(slab), .objects = slab->objects, .inuse = slab->inuse, .node = slab->node,
		.frozen = slab->frozen,
	};
}

static int sheaf_count(const struct kmem_cache *cache, void **top)
{
	return !top || top == SLUB_BOOTSTRAP_TOP ? -1 : (int)sheaf_size(cache, top);
}

void slub_model_look_at_cpu(struct slub_model *model, struct kmem_cache *cache, unsigned cpu, struct slub_model_cpu *ret_cpu)
{
	const struct slub_cpu_slab *seen = slub_model_part(cache, cpu < model->setting.cpus ? cpu : 0);

	*ret_cpu = (struct slub_model_cpu){
		.main = sheaf_count(cache, seen->none.main), .spare = sheaf_count(cache, seen->none.spare),
	};
	if (seen->slab) {
		ret_cpu->slab = describe(seen->slab);
		ret_cpu->freelist = (unsigned)slub_freelist_length(cache, seen->slab, seen->freelist);
		ret_cpu->slab.on_cpu_freelist = ret_cpu->freelist;
	}
	for (const struct slab *slab = seen->partial; slab; slab = slab->next) {
		if (ret_cpu->partials < sizeof(ret_cpu->partial) / sizeof(ret_cpu->partial[0]))
			ret_cpu->partial[ret_cpu->partials] = describe(slab);
		ret_cpu->partials++;
	}
}

void slub_model_look_at_node(struct slub_model *model, struct kmem_cache *cache, unsigned number,
			     struct slub_model_node *ret_node)
{
	struct kmem_cache_node *node = &cache->node[number < model->setting.nodes ? number : 0];

	*ret_node = (struct slub_model_node){
		.full_sheaves = node->barn.nr_full, .empty_sheaves = node->barn.nr_empty, .slabs = node->nr_slabs,
	};
	for (struct list *entry = node->partial.next; entry != &node->partial; entry = entry->next) {
		const struct slab *slab = (const struct slab *)((char *)entry - offsetof(struct slab, slab_list));

		if (ret_node->partials < sizeof(ret_node->partial) / sizeof(ret_node->partial[0]))
			ret_node->partial[ret_node->partials] = describe(slab);
		ret_node->partials++;
	}
}

struct kmem_cache *slub_model_cache(struct slub_model *model, const char *name)
{
	for (struct kmem_cache *cache = model->state.caches; cache; cache = cache->next) {
		if (!strcmp(cache->name, name) && cache->kind != SLUB_PAGE_SHEAF)
			return cache;
	}
	return NULL;
}

const char *slub_model_name(const struct kmem_cache *cache)
{
	return cache->name;
}

struct slub_model_measures slub_model_measure(const struct kmem_cache *cache)
{
	struct slub_model_measures measures = {
		.size = cache->size, .order = cache->geometry.order, .objects = cache->geometry.objects,
		.min_partial = cache->geometry.min_partial, .sheaf_capacity = cache->geometry.sheaf_capacity,
		.cpu_partial_slabs = cache->geometry.cpu_partial_slabs,
	};

	for (unsigned node = 0; node < slub_model_current->setting.nodes; node++)
		measures.slabs += cache->node[node].nr_slabs;
	return measures;
}

bool slub_model_locate(struct slub_model *model, const void *object, struct slub_model_slab *ret_slab, unsigned *ret_index)
{
	const struct slab *slab = slab_of_address(object);

	(void)model;
	if (!slab)
		return false;
	*ret_slab = describe(slab);
	*ret_index = (unsigned)(((const char *)object - slab->base - slab->slab_cache->red_left_pad) / slab->slab_cache->size);
	return true;
}
