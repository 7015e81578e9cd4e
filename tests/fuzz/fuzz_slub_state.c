// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Any bytes as what kcache printed: refused, or a model that works: objects of what was loaded come once each, all can be
 * freed, and nothing is left. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "slub_state.h"

#define CALLS 3000

static uint64_t origins[CALLS];
static void *objects[CALLS];

static int compare(const void *left, const void *right)
{
	uint64_t one = *(const uint64_t *)left, other = *(const uint64_t *)right;

	return one < other ? -1 : one > other;
}

static void use(struct slub_model *model, struct kmem_cache *cache, unsigned cpus)
{
	size_t count = 0, loaded = 0;

	for (; count < CALLS; count++) {
		slub_model_enter(model, (unsigned)count % cpus);
		objects[count] = slub_kmem_cache_alloc(cache);
		if (!objects[count])
			break;
		origins[loaded] = slub_model_origin(model, objects[count]);
		loaded += !!origins[loaded];
	}
	qsort(origins, loaded, sizeof(*origins), compare);
	for (size_t i = 1; i < loaded; i++)
		CHECK(origins[i] != origins[i - 1]);
	for (size_t i = 0; i < count; i++) {
		slub_model_enter(model, (unsigned)(i / 7) % cpus);
		CHECK(!slub_model_is_free(model, cache, objects[i]));
		slub_kmem_cache_free(cache, objects[i]);
	}
	slub_kmem_cache_shrink(cache);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slub_model_setting setting = { .seed = 1 };
	struct slub_state_build *build = slub_state_create();
	FILE *file = size ? fmemopen((void *)data, size, "r") : NULL;
	struct slub_model *model;
	struct kmem_cache *cache;
	struct error err = { 0 };
	size_t pending;

	if (build && file && !slub_state_read_json(build, file, &err) &&
	    !slub_state_load(build, &setting, &model, &cache, &pending, &err)) {
		use(model, cache, setting.cpus);
		slub_model_destroy(model);
	}
	if (file)
		fclose(file);
	slub_state_destroy(build);
	return 0;
}
