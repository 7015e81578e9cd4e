// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// The model's machine: what percpu.c, machine.c, fork.c and lock.c are in the fast build. Then what can be asked of it.
#include "model.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cache.h"
#include "cpu_slab.h"
#include "fork.h"
#include "machine.h"
#include "percpu.h"

#define MODEL_PAGES (1u << 18) /* of one model: 1 GiB of addresses */
#define MOST_CPUS 64

struct slub_model {
	struct slub_state state;
	struct slub_model_setting setting;
	unsigned cpu;
	struct slub_step steps[SLUB_MODEL_STEPS];
	size_t nr_steps;
	int paused;
	struct slub_cpu_slab *percpu; /* [place][cpu] */
};

__thread struct slub_state *slub_model_state;
static __thread struct slub_model *current;

void *slub_bootstrap_sheaf[SLUB_BOOTSTRAP_WORDS + 1] __attribute__((aligned(SLUB_MAX_SHEAF)));
ptrdiff_t slub_rseq_offset;

#define PLACES 4096

static struct slub_cpu_slab *part(struct kmem_cache *cache, unsigned cpu)
{
	return (struct slub_cpu_slab *)cache->percpu_home + cpu;
}

unsigned slub_machine_cpus(void)
{
	return current->setting.cpus;
}

unsigned slub_machine_nodes(unsigned limit)
{
	return current->setting.nodes < limit ? current->setting.nodes : limit;
}

uint64_t slub_machine_seed(void)
{
	return current->setting.seed;
}

unsigned slub_node(void)
{
	return current->cpu * current->setting.nodes / current->setting.cpus;
}

void slub_watch_forks(void)
{
}

bool slub_percpu_init(struct slub_state *state)
{
	(void)state;
	return true;
}

bool slub_percpu_add(struct kmem_cache *cache)
{
	unsigned cpus = current->setting.cpus;

	if (!cache->percpu_home) {
		if (current->state.percpu_used == PLACES)
			return false;
		cache->percpu_home = (char *)(current->percpu + (size_t)current->state.percpu_used++ * cpus);
	}
	for (unsigned cpu = 0; cpu < cpus; cpu++)
		*part(cache, cpu) = (struct slub_cpu_slab){ .none.main = SLUB_BOOTSTRAP_TOP };
	cache->percpu = cache->percpu_home;
	return true;
}

void slub_percpu_remove(struct kmem_cache *cache)
{
	(void)cache;
}

void *slub_percpu_pop(struct kmem_cache *cache)
{
	void ***main = &part(cache, current->cpu)->none.main;

	if (!(*main)[-1])
		return NULL;
	slub_why(SLUB_WHY_MAIN, NULL);
	return *--*main;
}

bool slub_percpu_push(struct kmem_cache *cache, void *object)
{
	void ***main = &part(cache, current->cpu)->none.main;

	if (sheaf_is_full(cache, *main))
		return false;
	slub_why(SLUB_WHY_TO_MAIN, NULL);
	*(*main)++ = object;
	return true;
}

void *slub_cpu_freelist_pop(struct kmem_cache *cache)
{
	struct slub_cpu_slab *cpu = part(cache, current->cpu);
	void *object = cpu->freelist, **slot;

	if (!object)
		return NULL;
	slot = freelist_slot(cache, object);
	cpu->freelist = freelist_pointer(cache, *slot, slot);
	return object;
}

bool slub_cpu_freelist_push(struct kmem_cache *cache, struct slab *slab, void *object)
{
	struct slub_cpu_slab *cpu = part(cache, current->cpu);
	void **slot = freelist_slot(cache, object);

	if (cpu->slab != slab)
		return false;
	*slot = freelist_pointer(cache, cpu->freelist, slot);
	cpu->freelist = object;
	return true;
}

void slub_percpu_begin_at(struct kmem_cache *cache, unsigned place, struct slub_percpu_view *view)
{
	struct slub_percpu_sheaves *area = &part(cache, current->cpu)->none + place;

	*view = (struct slub_percpu_view){ .sheaves = *area, .cpu = (int)current->cpu, .area = area };
}

void slub_percpu_begin(struct kmem_cache *cache, struct slub_percpu_view *view)
{
	slub_percpu_begin_at(cache, 0, view);
}

bool slub_percpu_commit(struct kmem_cache *cache, struct slub_percpu_view *view, struct slub_percpu_sheaves sheaves)
{
	(void)cache;
	if (view->area->main != view->sheaves.main || view->area->spare != view->sheaves.spare)
		return false;
	*view->area = sheaves;
	return true;
}

void slub_percpu_end(struct slub_percpu_view *view)
{
	(void)view;
}

void slub_percpu_drain(struct kmem_cache *cache, void (*take)(struct kmem_cache *, void **top))
{
	for (unsigned cpu = 0; cpu < current->setting.cpus; cpu++) {
		struct slub_percpu_sheaves had = part(cache, cpu)->none;

		part(cache, cpu)->none = (struct slub_percpu_sheaves){ .main = SLUB_BOOTSTRAP_TOP };
		if (had.main != SLUB_BOOTSTRAP_TOP)
			take(cache, had.main);
		if (had.spare)
			take(cache, had.spare);
	}
}

void slub_percpu_drain_cpu_slabs(struct kmem_cache *cache, void (*take)(struct kmem_cache *, const struct slub_cpu_slab *))
{
	for (unsigned cpu = 0; cpu < current->setting.cpus; cpu++) {
		struct slub_cpu_slab had = *part(cache, cpu);

		*part(cache, cpu) = (struct slub_cpu_slab){ .none.main = SLUB_BOOTSTRAP_TOP };
		take(cache, &had);
	}
}

size_t slub_percpu_count(struct kmem_cache *cache)
{
	size_t count = 0;

	for (unsigned cpu = 0; cpu < current->setting.cpus; cpu++) {
		const struct slub_percpu_sheaves *seen = &part(cache, cpu)->none;

		count += seen->main == SLUB_BOOTSTRAP_TOP ? 0 : sheaf_size(cache, seen->main);
		count += seen->spare ? sheaf_size(cache, seen->spare) : 0;
	}
	return count;
}

size_t slub_cpu_slab_count(struct kmem_cache *cache)
{
	size_t count = 0;

	for (unsigned cpu = 0; cpu < current->setting.cpus; cpu++)
		count += slub_freelist_length(cache, part(cache, cpu)->slab, part(cache, cpu)->freelist);
	return count;
}

// Numbers of slabs are places of their descriptors.
static unsigned number_of(const struct slab *slab)
{
	return slab ? (unsigned)(slab - current->state.pages.slabs) + 1 : 0;
}

void slub_why(enum slub_why why, const struct slab *slab)
{
	if (current->paused || why == SLUB_WHY_NONE)
		return;
	if (current->nr_steps < SLUB_MODEL_STEPS)
		current->steps[current->nr_steps] = (struct slub_step){ why, number_of(slab) };
	current->nr_steps++;
}

void slub_why_pause(bool is_paused)
{
	current->paused += is_paused ? 1 : -1;
}

void slub_model_enter(struct slub_model *model, unsigned cpu)
{
	current = model;
	slub_model_state = &model->state;
	model->cpu = cpu < model->setting.cpus ? cpu : 0;
}

static size_t percpu_bytes(const struct slub_model *model)
{
	return (size_t)PLACES * model->setting.cpus * sizeof(struct slub_cpu_slab);
}

struct slub_model *slub_model_create(const struct slub_model_setting *setting)
{
	struct slub_model *model;
	void *percpu;

	if (!setting->cpus || setting->cpus > MOST_CPUS || !setting->nodes || setting->nodes > SLUB_MAX_NODES ||
	    setting->nodes > setting->cpus)
		return NULL;
	model = calloc(1, sizeof(*model));
	if (!model)
		return NULL;
	model->setting = *setting;
	percpu = mmap(NULL, percpu_bytes(model), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	model->percpu = percpu;
	model->state.pages.limit = MODEL_PAGES;
	model->state.rules = setting->engine == SLUB_ENGINE_CPU_SLABS ? slub_rules_of_cpu_slabs(setting->cpus) :
									 slub_rules_of_sheaves(setting->cpus);
	model->state.default_flags = setting->engine == SLUB_ENGINE_CPU_SLABS ? SLUB_CPU_SLABS : 0;
	slub_model_enter(model, 0);
	if (percpu == MAP_FAILED || !slub_init()) {
		slub_model_destroy(model);
		return NULL;
	}
	return model;
}

void slub_model_destroy(struct slub_model *model)
{
	if (!model)
		return;
	if (model->state.pages.count)
		slub_pages_end(&model->state.pages);
	if (model->percpu != MAP_FAILED)
		munmap(model->percpu, percpu_bytes(model));
	if (current == model) {
		current = NULL;
		slub_model_state = NULL;
	}
	free(model);
}

size_t slub_model_steps(struct slub_model *model, struct slub_step *ret_steps, size_t count)
{
	size_t had = model->nr_steps;

	for (size_t i = 0; i < had && i < count && i < SLUB_MODEL_STEPS; i++)
		ret_steps[i] = model->steps[i];
	model->nr_steps = 0;
	return had;
}

static struct slub_model_slab describe(const struct slab *slab)
{
	return (struct slub_model_slab){
		.number = number_of(slab), .objects = slab->objects, .inuse = slab->inuse, .node = slab->node,
		.frozen = slab->frozen,
	};
}

static int sheaf_count(const struct kmem_cache *cache, void **top)
{
	return !top || top == SLUB_BOOTSTRAP_TOP ? -1 : (int)sheaf_size(cache, top);
}

void slub_model_look_at_cpu(struct slub_model *model, struct kmem_cache *cache, unsigned cpu, struct slub_model_cpu *ret_cpu)
{
	const struct slub_cpu_slab *seen = part(cache, cpu < model->setting.cpus ? cpu : 0);

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

	for (unsigned node = 0; node < current->setting.nodes; node++)
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
