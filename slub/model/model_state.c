// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// Caches that start in a given state: their slabs, freelists, lists and sheaves are made as the state has them, at addresses of
// the model's own. Which address is which is kept beside.
#include "model_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "cpu_slab.h"
#include "machine.h"
#include "model_private.h"
#include "percpu.h"
#include "slab.h"
#include "slab_lists.h"
#include "state_check.h"

#define KNOWN_FLAGS (SLUB_CPU_SLABS | SLUB_NO_SHEAVES | SLUB_NO_RANDOM)

// Where a slab of the model lies in the original. An entry whose number has another start by now is of a slab that is gone.
struct slub_model_origin {
	uint64_t start, bytes;
	unsigned number;
};

struct load {
	struct slub_model *model;
	const struct slub_cache_state *state;
	struct slub_checked_state checked;
	struct kmem_cache *cache;
	struct slab **slabs; // of the state's slabs
};

static void *object_of(const struct load *load, uint64_t address)
{
	size_t slab = 0;
	unsigned index = 0;

	slub_state_find(&load->checked, address, &slab, &index);
	return load->slabs[slab]->base + load->cache->red_left_pad + (size_t)index * load->cache->size;
}

// The head of a chain of these objects.
static void *chain(const struct load *load, const struct slub_state_objects *objects)
{
	void *next = NULL;

	for (size_t i = objects->count; i-- > 0;) {
		void *object = object_of(load, objects->addresses[i]), **slot = freelist_slot(load->cache, object);

		*slot = freelist_pointer(load->cache, next, slot);
		next = object;
	}
	return next;
}

static int make_slab(struct load *load, size_t number)
{
	const struct slub_state_slab *from = &load->state->slabs[number];
	struct kmem_cache_node *node = &load->cache->node[from->node];
	struct slab *slab = slub_slab_descriptor(&slub.pages);
	bool is_zero;
	char *base = slab ? slub_pages_alloc(&slub.pages, from->order, &is_zero) : NULL;

	if (!base)
		return -ENOMEM;
	*slab = (struct slab){
		.slab_cache = load->cache, .base = base, .order = (uint8_t)from->order, .node = (uint8_t)from->node,
		.objects = (uint16_t)from->objects, .inuse = (uint16_t)(from->objects - from->free.count),
		.frozen = from->place == SLUB_STATE_ON_CPU,
	};
	load->slabs[number] = slab;
	slub_pages_set(&slub.pages, base, 1ul << from->order, slab, load->cache->kind);
	slab->freelist = chain(load, &from->free);
	add_slab(node, slab);
	if (from->place == SLUB_STATE_NODE_PARTIAL)
		add_partial(node, slab, true);
	return 0;
}

// From the last slab of each list to the first, as the first has the sum.
static void make_cpu_partials(struct load *load)
{
	for (size_t i = load->state->slab_count; i-- > 0;) {
		const struct slub_state_slab *from = &load->state->slabs[i];

		if (from->place == SLUB_STATE_CPU_PARTIAL)
			slub_cpu_partial_add(&slub_model_part(load->cache, from->cpu)->partial, load->slabs[i]);
	}
}

// NULL when memory is out.
static struct slab_sheaf *make_sheaf(struct load *load, const struct slub_state_objects *objects)
{
	struct kmem_cache *sheaves = slub.sheaf_caches[slub_kmalloc_index(load->cache->sheaf_mask + 1)];
	struct slab_sheaf *sheaf;
	void *memory;
	size_t had;

	slub_why_pause(true);
	had = slub_slabs_take(sheaves, slub_node(), 1, &memory);
	slub_why_pause(false);
	if (!had)
		return NULL;
	sheaf = memory;
	memset(sheaf, 0, sizeof(*sheaf));
	for (size_t i = 0; i < objects->count; i++)
		sheaf->objects[i] = object_of(load, objects->addresses[objects->count - 1 - i]);
	return sheaf;
}

static int make_cpu(struct load *load, unsigned number)
{
	const struct slub_state_cpu *from = &load->state->cpus[number];
	struct slub_cpu_slab *cpu = slub_model_part(load->cache, number);
	struct slab_sheaf *main, *spare;

	if (load->checked.cpu_slab[number] != SIZE_MAX)
		cpu->slab = load->slabs[load->checked.cpu_slab[number]];
	cpu->freelist = chain(load, &from->freelist);
	if (from->has_main) {
		main = make_sheaf(load, &from->main);
		if (!main)
			return -ENOMEM;
		cpu->none.main = main->objects + from->main.count;
	}
	if (from->has_spare) {
		spare = make_sheaf(load, &from->spare);
		if (!spare)
			return -ENOMEM;
		cpu->none.spare = spare->objects + from->spare.count;
	}
	return 0;
}

static int make_barn(struct load *load, unsigned number)
{
	const struct slub_state_node *from = &load->state->nodes[number];
	struct node_barn *barn = &load->cache->node[number].barn;
	struct slab_sheaf *sheaf;

	for (size_t i = from->full_count; i-- > 0; barn->nr_full++) {
		sheaf = make_sheaf(load, &from->full_sheaves[i]);
		if (!sheaf)
			return -ENOMEM;
		sheaf->next = barn->sheaves_full;
		barn->sheaves_full = sheaf;
	}
	for (; barn->nr_empty < from->empty_count; barn->nr_empty++) {
		sheaf = make_sheaf(load, &(struct slub_state_objects){});
		if (!sheaf)
			return -ENOMEM;
		sheaf->next = barn->sheaves_empty;
		barn->sheaves_empty = sheaf;
	}
	return 0;
}

static int compare_origins(const void *left, const void *right)
{
	uint64_t one = ((const struct slub_model_origin *)left)->start, other = ((const struct slub_model_origin *)right)->start;

	return one < other ? -1 : one > other;
}

static int keep_origins(struct load *load)
{
	struct slub_model *model = load->model;
	size_t count = model->origin_count + load->state->slab_count, numbers = model->state.pages.slabs_used + 1;
	struct slub_model_origin *origins = realloc(model->origins, (count + 1) * sizeof(*origins));
	uint64_t *starts;

	if (!origins)
		return -ENOMEM;
	model->origins = origins;
	starts = realloc(model->starts, numbers * sizeof(*starts));
	if (!starts)
		return -ENOMEM;
	memset(starts + model->start_count, 0, (numbers - model->start_count) * sizeof(*starts));
	model->starts = starts;
	model->start_count = numbers;
	for (size_t i = 0; i < load->state->slab_count; i++) {
		const struct slub_state_slab *slab = &load->state->slabs[i];
		unsigned number = slub_model_number(load->slabs[i]);

		starts[number] = slab->start;
		origins[model->origin_count++] = (struct slub_model_origin){
			slab->start, (uint64_t)SLUB_PAGE_SIZE << slab->order, number,
		};
	}
	qsort(origins, model->origin_count, sizeof(*origins), compare_origins);
	return 0;
}

static int make(struct load *load)
{
	const struct slub_cache_state *state = load->state;
	struct slub_geometry geometry = state->geometry;
	int status = 0;

	if (!geometry.sheaf_refill)
		geometry.sheaf_refill = geometry.sheaf_capacity;
	for (unsigned cpu = 0; cpu < load->model->setting.cpus; cpu++)
		load->model->node_of_cpu[cpu] = (uint8_t)state->cpus[cpu].node;
	load->cache = slub_lay_cache(state->name, &geometry, state->flags & KNOWN_FLAGS, NULL, SLUB_PAGE_SLAB);
	load->slabs = calloc(state->slab_count + 1, sizeof(*load->slabs));
	if (!load->cache || !load->slabs)
		return -ENOMEM;
	load->cache->random = state->random;
	for (size_t i = 0; !status && i < state->slab_count; i++)
		status = make_slab(load, i);
	if (status)
		return status;
	make_cpu_partials(load);
	for (unsigned cpu = 0; !status && cpu < load->model->setting.cpus; cpu++)
		status = make_cpu(load, cpu);
	for (unsigned node = 0; !status && node < load->model->setting.nodes; node++)
		status = make_barn(load, node);
	return status ? status : keep_origins(load);
}

// Sheaves of that size are a cache of the model's, if its rules have any.
static bool has_room_for_sheaves(unsigned capacity)
{
	return !capacity || slub.sheaf_caches[slub_kmalloc_index((SHEAF_HEADER_WORDS + capacity) * sizeof(void *))];
}

int slub_model_load(struct slub_model *model, const struct slub_cache_state *state, struct kmem_cache **ret_cache,
		    struct slub_state_fault *ret_fault)
{
	struct load load = { .model = model, .state = state };
	int status;

	slub_model_enter(model, 0);
	status = slub_state_check(&load.checked, state, &model->setting);
	if (!status && !has_room_for_sheaves(state->geometry.sheaf_capacity)) {
		load.checked.fault.what = "the model's rules have no sheaves as large as those";
		status = -EOPNOTSUPP;
	}
	for (size_t i = 0; !status && i < state->slab_count; i++) {
		struct kmem_cache *cache;

		if (!slub_model_object(model, state->slabs[i].start, &cache))
			continue;
		load.checked.fault = (struct slub_state_fault){ "a slab of another cache lies there", state->slabs[i].start };
		status = -EBADMSG;
	}
	if (!status)
		status = make(&load);
	else if (status != -ENOMEM)
		*ret_fault = load.checked.fault;
	if (!status)
		*ret_cache = load.cache;
	slub_state_end(&load.checked);
	free(load.slabs);
	return status;
}

void slub_model_forget(struct slub_model *model, const struct slab *slab)
{
	unsigned number = slub_model_number(slab);

	if (number < model->start_count)
		model->starts[number] = 0;
}

uint64_t slub_model_origin(struct slub_model *model, const void *object)
{
	const struct slab *slab = slab_of_address(object);
	unsigned number = slub_model_number(slab);

	if (!slab || number >= model->start_count || !model->starts[number])
		return 0;
	return model->starts[number] + (uint64_t)((const char *)object - slab->base);
}

void *slub_model_object(struct slub_model *model, uint64_t address, struct kmem_cache **ret_cache)
{
	const struct slub_model_origin *origin;
	size_t low = 0, high = model->origin_count;
	uint64_t index;
	struct slab *slab;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (model->origins[middle].start <= address)
			low = middle + 1;
		else
			high = middle;
	}
	origin = low ? &model->origins[low - 1] : NULL;
	if (!origin || address - origin->start >= origin->bytes || model->starts[origin->number] != origin->start)
		return NULL;
	slab = &model->state.pages.slabs[origin->number - 1];
	if (!slab->slab_cache)
		return NULL;
	index = (address - origin->start) / slab->slab_cache->size;
	if (index >= slab->objects)
		return NULL;
	*ret_cache = slab->slab_cache;
	return slab->base + slab->slab_cache->red_left_pad + index * slab->slab_cache->size;
}

static bool chain_has(const struct kmem_cache *cache, void *first, size_t count, const void *object)
{
	for (void *at = first; at && count; count--) {
		void **slot = freelist_slot(cache, at);

		if (at == object)
			return true;
		at = freelist_pointer(cache, *slot, slot);
	}
	return false;
}

static bool sheaf_has(const struct kmem_cache *cache, void **top, const void *object)
{
	if (!top || top == SLUB_BOOTSTRAP_TOP)
		return false;
	for (void **at = sheaf_of_top(cache, top)->objects; at < top; at++) {
		if (*at == object)
			return true;
	}
	return false;
}

bool slub_model_is_free(struct slub_model *model, struct kmem_cache *cache, const void *object)
{
	const struct slab *slab = slab_of_address(object);

	if (!slab || chain_has(cache, slab->freelist, slab->objects, object))
		return true;
	for (unsigned number = 0; number < model->setting.cpus; number++) {
		const struct slub_cpu_slab *cpu = slub_model_part(cache, number);

		if (sheaf_has(cache, cpu->none.main, object) || sheaf_has(cache, cpu->none.spare, object) ||
		    (cpu->slab == slab && chain_has(cache, cpu->freelist, slab->objects, object)))
			return true;
	}
	for (unsigned number = 0; number < model->setting.nodes; number++) {
		const struct slab_sheaf *sheaf = cache->node[number].barn.sheaves_full;

		for (; sheaf; sheaf = sheaf->next) {
			if (sheaf_has(cache, (void **)((char *)sheaf + cache->sheaf_mask + 1), object))
				return true;
		}
	}
	return false;
}
