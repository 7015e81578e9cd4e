// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// Whether a state can be: sizes that fit each other, slabs that don't overlap, objects that are free in one place. Nothing is
// made here, and nothing of the model is touched.
#include "state_check.h"

#include <errno.h>
#include <stdlib.h>

#define MOST_EMPTY_SHEAVES 1024 /* a kernel keeps ten */
#define SHEAF_HEADER_BYTES 32u

static int bad(struct slub_checked_state *checked, int code, const char *what, uint64_t address)
{
	checked->fault = (struct slub_state_fault){ what, address };
	return code;
}

static bool is_power_of_two(uint64_t value)
{
	return value && !(value & (value - 1));
}

static int check_geometry(struct slub_checked_state *checked)
{
	const struct slub_geometry *geometry = &checked->state->geometry;
	uint64_t sheaf_bytes = SHEAF_HEADER_BYTES + 8ull * geometry->sheaf_capacity;

	if (geometry->size < 8 || geometry->size > SLUB_PAGE_SIZE << SLUB_MAX_PAGE_ORDER || !geometry->object_size ||
	    geometry->red_left_pad > geometry->size || geometry->object_size > geometry->size - geometry->red_left_pad)
		return bad(checked, -EBADMSG, "objects don't fit into their size", 0);
	if ((uint64_t)geometry->red_left_pad + geometry->offset + 8 > geometry->size)
		return bad(checked, -EBADMSG, "the free pointer stands outside of the object", 0);
	if (geometry->order > SLUB_MAX_PAGE_ORDER || geometry->min_order > geometry->order || !geometry->objects ||
	    !geometry->min_objects || geometry->objects > SLUB_MAX_OBJECTS_PER_SLAB ||
	    (uint64_t)geometry->objects * geometry->size > SLUB_PAGE_SIZE << geometry->order ||
	    (uint64_t)geometry->min_objects * geometry->size > SLUB_PAGE_SIZE << geometry->min_order)
		return bad(checked, -EBADMSG, "a slab's order and number of objects contradict each other", 0);
	if (!geometry->sheaf_capacity != !!(checked->state->flags & (SLUB_CPU_SLABS | SLUB_NO_SHEAVES)))
		return bad(checked, -EBADMSG, "a cache has sheaves, CPU slabs, or neither", 0);
	if (geometry->sheaf_refill > geometry->sheaf_capacity)
		return bad(checked, -EBADMSG, "sheaves are filled with more than they hold", 0);
	if (geometry->sheaf_capacity &&
	    (sheaf_bytes < 64 || sheaf_bytes > SLUB_MAX_SHEAF || !is_power_of_two(sheaf_bytes)))
		return bad(checked, -EOPNOTSUPP, "sheaves of a model hold 4, 12, 28, 60, 124 or 252 objects", 0);
	return 0;
}

static int check_slab(struct slub_checked_state *checked, const struct slub_state_slab *slab,
		      const struct slub_model_setting *setting)
{
	const struct slub_geometry *geometry = &checked->state->geometry;
	bool is_cpus = slab->place == SLUB_STATE_ON_CPU || slab->place == SLUB_STATE_CPU_PARTIAL;

	if (!slab->start || slab->start % SLUB_PAGE_SIZE || slab->order > SLUB_MAX_PAGE_ORDER ||
	    slab->start > UINT64_MAX - (SLUB_PAGE_SIZE << slab->order))
		return bad(checked, -EBADMSG, "no slab can lie there", slab->start);
	if (!slab->objects || slab->objects > SLUB_MAX_OBJECTS_PER_SLAB ||
	    (uint64_t)slab->objects * geometry->size > SLUB_PAGE_SIZE << slab->order)
		return bad(checked, -EBADMSG, "a slab has more objects than fit", slab->start);
	if (slab->node >= setting->nodes || (is_cpus && slab->cpu >= setting->cpus))
		return bad(checked, -EBADMSG, "a slab is of a CPU or node that there isn't", slab->start);
	if (is_cpus && !(checked->state->flags & SLUB_CPU_SLABS))
		return bad(checked, -EBADMSG, "a CPU has a slab of a cache without CPU slabs", slab->start);
	if (slab->place == SLUB_STATE_FULL && slab->free.count)
		return bad(checked, -EBADMSG, "a slab with free objects is on no list", slab->start);
	if ((slab->place == SLUB_STATE_CPU_PARTIAL || slab->place == SLUB_STATE_NODE_PARTIAL) && !slab->free.count)
		return bad(checked, -EBADMSG, "a slab without free objects is on a list of partial ones", slab->start);
	return 0;
}

static int compare_starts(const void *left, const void *right, void *context)
{
	const struct slub_cache_state *state = context;
	uint64_t one = state->slabs[*(const size_t *)left].start, other = state->slabs[*(const size_t *)right].start;

	return one < other ? -1 : one > other;
}

static int check_slabs(struct slub_checked_state *checked, const struct slub_model_setting *setting)
{
	const struct slub_cache_state *state = checked->state;
	size_t objects = 0;

	for (size_t i = 0; i < state->slab_count; i++) {
		int status = check_slab(checked, &state->slabs[i], setting);

		if (status)
			return status;
		if (state->slabs[i].place == SLUB_STATE_ON_CPU) {
			size_t *cpu_slab = &checked->cpu_slab[state->slabs[i].cpu];

			if (*cpu_slab != SIZE_MAX)
				return bad(checked, -EBADMSG, "a CPU has two slabs", state->slabs[i].start);
			*cpu_slab = i;
		}
		checked->by_start[i] = i;
		checked->first_bit[i] = objects;
		objects += state->slabs[i].objects;
	}
	qsort_r(checked->by_start, state->slab_count, sizeof(*checked->by_start), compare_starts, (void *)state);
	for (size_t i = 1; i < state->slab_count; i++) {
		const struct slub_state_slab *before = &state->slabs[checked->by_start[i - 1]];

		if (state->slabs[checked->by_start[i]].start - before->start < SLUB_PAGE_SIZE << before->order)
			return bad(checked, -EBADMSG, "two slabs lie in the same memory", before->start);
	}
	checked->seen = calloc(objects / 64 + 1, sizeof(*checked->seen));
	return checked->seen ? 0 : -ENOMEM;
}

bool slub_state_find(const struct slub_checked_state *checked, uint64_t object, size_t *ret_slab, unsigned *ret_index)
{
	const struct slub_cache_state *state = checked->state;
	size_t low = 0, high = state->slab_count;
	const struct slub_state_slab *slab;
	uint64_t offset;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (state->slabs[checked->by_start[middle]].start <= object)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return false;
	slab = &state->slabs[checked->by_start[low - 1]];
	offset = object - slab->start - state->geometry.red_left_pad;
	if (offset / state->geometry.size >= slab->objects || offset % state->geometry.size)
		return false;
	*ret_slab = checked->by_start[low - 1];
	*ret_index = (unsigned)(offset / state->geometry.size);
	return true;
}

// Objects that must lie in slab number `slab`; SIZE_MAX: in any.
static int check_objects(struct slub_checked_state *checked, const struct slub_state_objects *objects, size_t slab)
{
	for (size_t i = 0; i < objects->count; i++) {
		uint64_t address = objects->addresses[i];
		unsigned index;
		size_t found, bit;

		if (!slub_state_find(checked, address, &found, &index))
			return bad(checked, -EBADMSG, "what is free is no object of a slab", address);
		if (slab != SIZE_MAX && found != slab)
			return bad(checked, -EBADMSG, "an object is on the freelist of another slab", address);
		bit = checked->first_bit[found] + index;
		if (checked->seen[bit / 64] >> bit % 64 & 1)
			return bad(checked, -EBADMSG, "an object is free in two places", address);
		checked->seen[bit / 64] |= 1ull << bit % 64;
	}
	return 0;
}

static int check_sheaf(struct slub_checked_state *checked, const struct slub_state_objects *sheaf, bool is_there)
{
	if (sheaf->count && !is_there)
		return bad(checked, -EBADMSG, "a sheaf that isn't there holds objects", sheaf->addresses[0]);
	if (sheaf->count > checked->state->geometry.sheaf_capacity)
		return bad(checked, -EBADMSG, "a sheaf holds more than it can", sheaf->addresses[0]);
	return check_objects(checked, sheaf, SIZE_MAX);
}

static int check_cpu(struct slub_checked_state *checked, unsigned number, const struct slub_model_setting *setting)
{
	const struct slub_state_cpu *cpu = &checked->state->cpus[number];
	size_t slab = checked->cpu_slab[number];
	int status;

	if (cpu->node >= setting->nodes)
		return bad(checked, -EBADMSG, "a CPU is of a node that there isn't", 0);
	if ((cpu->has_main || cpu->has_spare) && !checked->state->geometry.sheaf_capacity)
		return bad(checked, -EBADMSG, "a CPU has sheaves of a cache without", 0);
	if (cpu->has_spare && !cpu->has_main)
		return bad(checked, -EBADMSG, "a CPU has a spare sheaf and no main one", 0);
	if (cpu->freelist.count && slab == SIZE_MAX)
		return bad(checked, -EBADMSG, "a CPU has a freelist and no slab", cpu->freelist.addresses[0]);
	status = check_objects(checked, &cpu->freelist, slab);
	if (!status)
		status = check_sheaf(checked, &cpu->main, cpu->has_main);
	return status ? status : check_sheaf(checked, &cpu->spare, cpu->has_spare);
}

static int check_node(struct slub_checked_state *checked, const struct slub_state_node *node)
{
	unsigned capacity = checked->state->geometry.sheaf_capacity;
	int status = 0;

	if ((node->full_count || node->empty_count) && !capacity)
		return bad(checked, -EBADMSG, "a node has sheaves of a cache without", 0);
	if (node->empty_count > MOST_EMPTY_SHEAVES)
		return bad(checked, -EBADMSG, "a barn has more empty sheaves than one ever has", 0);
	for (size_t i = 0; !status && i < node->full_count; i++) {
		const struct slub_state_objects *sheaf = &node->full_sheaves[i];

		status = check_sheaf(checked, sheaf, true);
		if (!status && sheaf->count < capacity)
			status = bad(checked, -EOPNOTSUPP, "a barn's sheaf is not full, which a model's always is",
				     sheaf->count ? sheaf->addresses[0] : 0);
	}
	return status;
}

int slub_state_check(struct slub_checked_state *checked, const struct slub_cache_state *state,
		     const struct slub_model_setting *setting)
{
	int status;

	*checked = (struct slub_checked_state){ .state = state };
	if (state->slab_count > SIZE_MAX / SLUB_MAX_OBJECTS_PER_SLAB / sizeof(size_t))
		return -ENOMEM;
	checked->by_start = calloc(state->slab_count + 1, sizeof(*checked->by_start));
	checked->first_bit = calloc(state->slab_count + 1, sizeof(*checked->first_bit));
	checked->cpu_slab = calloc(setting->cpus, sizeof(*checked->cpu_slab));
	if (!checked->by_start || !checked->first_bit || !checked->cpu_slab)
		return -ENOMEM;
	for (unsigned cpu = 0; cpu < setting->cpus; cpu++)
		checked->cpu_slab[cpu] = SIZE_MAX;
	status = check_geometry(checked);
	if (!status)
		status = check_slabs(checked, setting);
	for (size_t i = 0; !status && i < state->slab_count; i++)
		status = check_objects(checked, &state->slabs[i].free, i);
	for (unsigned cpu = 0; !status && cpu < setting->cpus; cpu++)
		status = check_cpu(checked, cpu, setting);
	for (unsigned node = 0; !status && node < setting->nodes; node++)
		status = check_node(checked, &state->nodes[node]);
	return status;
}

void slub_state_end(struct slub_checked_state *checked)
{
	free(checked->by_start);
	free(checked->first_bit);
	free(checked->cpu_slab);
	free(checked->seen);
}
