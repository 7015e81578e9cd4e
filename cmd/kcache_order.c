// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * kcache --next beyond what the CPU has: a CPU takes several slabs of a node's list at once, and hands them out in an order of
 * its own. libslub's model does it, from the state that was read.
 */
#include <errno.h>

#include "cleanup.h"
#include "kcache_views.h"
#include "slab_next.h"
#include "slub_state.h"

DEFINE_CLEANUP(model, struct slub_model *, slub_model_destroy(v));

static size_t certain_of(const struct slab_forecast *forecast)
{
	size_t certain = 0;

	while (certain < forecast->count && forecast->objects[certain].is_certain)
		certain++;
	return certain;
}

/* The objects of the model's allocations in place of those that aren't certain, up to the first that it makes itself. */
static int follow(struct slub_state_build *build, struct slub_model *model, struct kmem_cache *cache,
		  struct slab_forecast *forecast)
{
	size_t certain = certain_of(forecast), at = 0;

	slub_model_enter(model, 0);
	for (; at < forecast->count; at++) {
		struct slab_next next = { .address = slub_model_origin(model, slub_kmem_cache_alloc(cache)) };
		enum slab_object_state state;
		int status;

		if (!next.address)
			break;
		if (at < certain && next.address != forecast->objects[at].address)
			return -EBADMSG;
		if (at < certain)
			continue;
		status = slub_state_find_free(build, next.address, &state, &next.slab);
		if (status)
			return status;
		next.from = (uint8_t)state;
		forecast->objects[at] = next;
	}
	if (at >= certain)
		forecast->count = at;
	return 0;
}

int kcache_order_next(struct slab_heap *heap, uint32_t cache, uint32_t cpu, size_t count, struct slab_forecast *forecast)
{
	CLEANUP(slub_state) struct slub_state_build *build = NULL;
	CLEANUP(model) struct slub_model *model = NULL;
	struct slub_model_setting setting = { .seed = 1 };
	struct kmem_cache *loaded;
	size_t pending;
	int status;

	if (forecast->damage || certain_of(forecast) == forecast->count)
		return 0;
	build = slub_state_create();
	if (!build)
		return -ENOMEM;
	status = slub_state_gather(build, heap, cache, cpu, count, NULL);
	if (!status)
		status = slub_state_load(build, &setting, &model, &loaded, &pending, NULL);
	return status ? status : follow(build, model, loaded, forecast);
}
