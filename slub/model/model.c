// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// The model's machine: what percpu.c, machine.c, fork.c and lock.c are in the fast build. Making and ending models.
#include "model_private.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "cache.h"
#include "cpu_slab.h"
#include "fork.h"
#include "machine.h"
#include "percpu.h"

#define MODEL_PAGES (1u << 18) /* of one model: 1 GiB of addresses */
#define MOST_CPUS 1024
#define PLACES 4096

__thread struct slub_state *slub_model_state;
__thread struct slub_model *slub_model_current;
__thread unsigned slub_model_locks;
#define current slub_model_current

void *slub_bootstrap_sheaf[SLUB_BOOTSTRAP_WORDS + 1] __attribute__((aligned(SLUB_MAX_SHEAF)));
ptrdiff_t slub_rseq_offset;

struct slub_cpu_slab *slub_model_part(struct kmem_cache *cache, unsigned cpu)
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

// In a model no time passes.
uint64_t slub_machine_ms(void)
{
	return 0;
}

bool slub_machine_has_cmpxchg_double(void)
{
	return true;
}

uint64_t slub_machine_seed(void)
{
	return current->setting.seed;
}

unsigned slub_node(void)
{
	return current->node_of_cpu[current->cpu];
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
		*slub_model_part(cache, cpu) = (struct slub_cpu_slab){ .none.main = SLUB_BOOTSTRAP_TOP };
	cache->percpu = cache->percpu_home;
	return true;
}

void slub_percpu_remove(struct kmem_cache *cache)
{
	(void)cache;
}

// A cache that is being drained: nothing of any CPU may be used.
static bool is_stopped(const struct kmem_cache *cache)
{
	return !cache->percpu;
}

void *slub_percpu_pop(struct kmem_cache *cache)
{
	void ***main;

	slub_point(SLUB_POINT_FAST);
	main = &slub_model_part(cache, current->cpu)->none.main;
	if (is_stopped(cache) || !(*main)[-1])
		return NULL;
	slub_why(SLUB_WHY_MAIN, NULL);
	return *--*main;
}

bool slub_percpu_push(struct kmem_cache *cache, void *object)
{
	void ***main;

	slub_point(SLUB_POINT_FAST);
	main = &slub_model_part(cache, current->cpu)->none.main;
	if (is_stopped(cache) || sheaf_is_full(cache, *main))
		return false;
	slub_why(SLUB_WHY_TO_MAIN, NULL);
	*(*main)++ = object;
	return true;
}

void *slub_cpu_freelist_pop(struct kmem_cache *cache)
{
	struct slub_cpu_slab *cpu;
	void *object, **slot;

	slub_point(SLUB_POINT_FAST);
	cpu = slub_model_part(cache, current->cpu);
	object = cpu->freelist;
	if (is_stopped(cache) || !object)
		return NULL;
	slot = freelist_slot(cache, object);
	cpu->freelist = freelist_pointer(cache, *slot, slot);
	return object;
}

enum slub_pushed slub_cpu_freelist_push(struct kmem_cache *cache, struct slab *slab, void *object)
{
	void **slot = freelist_slot(cache, object);
	struct slub_cpu_slab *cpu;

	slub_point(SLUB_POINT_FAST);
	cpu = slub_model_part(cache, current->cpu);
	if (is_stopped(cache) || cpu->slab != slab)
		return SLUB_NOT_PUSHED;
	if (cpu->freelist == object)
		return SLUB_PUSHED_TWICE;
	*slot = freelist_pointer(cache, cpu->freelist, slot);
	cpu->freelist = object;
	return SLUB_PUSHED;
}

enum slub_update slub_percpu_update(struct kmem_cache *cache, struct slab *slab, const struct freelist_counters *old,
				    const struct freelist_counters *new)
{
	slub_point(SLUB_POINT_SLAB);
	if (is_stopped(cache))
		return SLUB_UPDATE_LOCKED;
	return slub_cmpxchg_double(slab, old, new) ? SLUB_UPDATED : SLUB_CHANGED;
}

void slub_percpu_begin_at(struct kmem_cache *cache, unsigned place, struct slub_percpu_view *view)
{
	struct slub_percpu_sheaves *area = &slub_model_part(cache, current->cpu)->none + place;

	*view = (struct slub_percpu_view){ .sheaves = *area, .cpu = (int)current->cpu, .area = area };
	if (is_stopped(cache)) {
		view->cpu = -1;
		view->sheaves = (struct slub_percpu_sheaves){ .main = SLUB_BOOTSTRAP_TOP };
	}
}

bool slub_percpu_commit(struct kmem_cache *cache, struct slub_percpu_view *view, struct slub_percpu_sheaves sheaves)
{
	slub_point(SLUB_POINT_COMMIT);
	if (is_stopped(cache) || view->cpu != (int)current->cpu || view->area->main != view->sheaves.main ||
	    view->area->spare != view->sheaves.spare)
		return false;
	*view->area = sheaves;
	return true;
}

void slub_percpu_end(struct slub_percpu_view *view)
{
	(void)view;
}

static void begin_drain(struct kmem_cache *cache)
{
	while (is_stopped(cache))
		slub_model_wait();
	cache->percpu = NULL;
}

void slub_percpu_drain(struct kmem_cache *cache, void (*take)(struct kmem_cache *, void **top))
{
	begin_drain(cache);
	for (unsigned cpu = 0; cpu < current->setting.cpus; cpu++) {
		struct slub_percpu_sheaves had;

		slub_point(SLUB_POINT_DRAIN);
		had = slub_model_part(cache, cpu)->none;
		slub_why(had.main != SLUB_BOOTSTRAP_TOP ? SLUB_WHY_DRAINED : SLUB_WHY_NONE, NULL);
		slub_model_part(cache, cpu)->none = (struct slub_percpu_sheaves){ .main = SLUB_BOOTSTRAP_TOP };
		if (had.main != SLUB_BOOTSTRAP_TOP)
			take(cache, had.main);
		if (had.spare)
			take(cache, had.spare);
	}
	cache->percpu = cache->percpu_home;
}

void slub_percpu_drain_cpu_slabs(struct kmem_cache *cache, void (*take)(struct kmem_cache *, const struct slub_cpu_slab *))
{
	begin_drain(cache);
	for (unsigned cpu = 0; cpu < current->setting.cpus; cpu++) {
		struct slub_cpu_slab had;

		slub_point(SLUB_POINT_DRAIN);
		had = *slub_model_part(cache, cpu);
		slub_why(had.slab || had.partial ? SLUB_WHY_DRAINED : SLUB_WHY_NONE, NULL);
		*slub_model_part(cache, cpu) = (struct slub_cpu_slab){ .none.main = SLUB_BOOTSTRAP_TOP };
		take(cache, &had);
	}
	cache->percpu = cache->percpu_home;
}

size_t slub_percpu_count(struct kmem_cache *cache)
{
	size_t count = 0;

	for (unsigned cpu = 0; cpu < current->setting.cpus; cpu++) {
		const struct slub_percpu_sheaves *seen = &slub_model_part(cache, cpu)->none;

		count += seen->main == SLUB_BOOTSTRAP_TOP ? 0 : sheaf_size(cache, seen->main);
		count += seen->spare ? sheaf_size(cache, seen->spare) : 0;
	}
	return count;
}

struct slub_cpu_slab_counts slub_cpu_slab_count(struct kmem_cache *cache)
{
	struct slub_cpu_slab_counts counts = {};

	for (unsigned cpu = 0; cpu < current->setting.cpus; cpu++)
		slub_cpu_slab_add_counts(cache, slub_model_part(cache, cpu), &counts);
	return counts;
}

unsigned slub_model_number(const struct slab *slab)
{
	return slab ? (unsigned)(slab - current->state.pages.slabs) + 1 : 0;
}

void slub_why(enum slub_why why, const struct slab *slab)
{
	if (why == SLUB_WHY_NEW_SLAB)
		slub_model_forget(current, slab);
	if (current->paused || why == SLUB_WHY_NONE)
		return;
	if (current->nr_steps < SLUB_MODEL_STEPS)
		current->steps[current->nr_steps] = (struct slub_step){ why, slub_model_number(slab) };
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
	model->node_of_cpu = calloc(setting->cpus, 1);
	for (unsigned cpu = 0; model->node_of_cpu && cpu < setting->cpus; cpu++)
		model->node_of_cpu[cpu] = (uint8_t)(cpu * setting->nodes / setting->cpus);
	model->state.pages.limit = MODEL_PAGES + setting->pages;
	model->state.rules = setting->rules.cpus			? setting->rules :
			     setting->engine == SLUB_ENGINE_CPU_SLABS ? slub_rules_of_cpu_slabs(setting->cpus) :
									slub_rules_of_sheaves(setting->cpus);
	model->state.default_flags = setting->flags | (setting->engine == SLUB_ENGINE_CPU_SLABS ? SLUB_CPU_SLABS : 0);
	slub_model_enter(model, 0);
	if (percpu == MAP_FAILED || !model->node_of_cpu || !slub_init()) {
		slub_model_destroy(model);
		return NULL;
	}
	return model;
}

void slub_model_destroy(struct slub_model *model)
{
	if (!model)
		return;
	slub_model_threads_end(model);
	if (model->state.pages.count)
		slub_pages_end(&model->state.pages);
	if (model->percpu != MAP_FAILED)
		munmap(model->percpu, percpu_bytes(model));
	if (current == model) {
		current = NULL;
		slub_model_state = NULL;
	}
	free(model->node_of_cpu);
	free(model->origins);
	free(model->starts);
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

void slub_model_set_min_partial(struct kmem_cache *cache, unsigned slabs)
{
	cache->geometry.min_partial = slabs;
}

// slub_set_cpu_partial(), mm/slub.c.
void slub_model_set_cpu_partial(struct kmem_cache *cache, unsigned objects)
{
	cache->geometry.cpu_partial = objects;
	if (!slub.rules.cpu_partial_counts_objects)
		cache->geometry.cpu_partial_slabs = (objects * 2 + cache->geometry.objects - 1) / cache->geometry.objects;
}
