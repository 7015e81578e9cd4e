// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Records of a cache, gathered and put in order for the model. Where they come from is not known here. */
#include "slub_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "partition_point.h"

#define CPUS_MAX 1024
#define NODES_MAX 16

/* Objects that are free in one place, in order. */
struct free_list {
	enum slab_object_state state;
	uint64_t owner, page;
	size_t first, count; /* in addresses */
};

struct whereabouts {
	uint64_t address;
	size_t list;
};

struct known_slab {
	uint64_t page;
	struct slub_state_slab slab;
};

struct slub_state_build {
	struct slub_state_facts facts;
	struct slub_state_cpu cpus[CPUS_MAX];
	bool has_cpu_slabs, has_sheaves;
	unsigned cpu_count, cpu_slab_count, cpu_sheaves_count, unknown_nodes;
	struct slub_state_node nodes[NODES_MAX];
	size_t full_sheaves[NODES_MAX]; /* that were told of */
	unsigned node_count;
	uint64_t *addresses;
	size_t address_count, address_room;
	struct free_list *lists;
	size_t list_count, list_room;
	struct known_slab *slabs;
	size_t slab_count, slab_room;
	struct whereabouts *by_address; /* address_count of them, sorted; made when asked for */
};

struct slub_state_build *slub_state_create(void)
{
	return calloc(1, sizeof(struct slub_state_build));
}

void slub_state_destroy(struct slub_state_build *build)
{
	if (!build)
		return;
	free(build->addresses);
	free(build->lists);
	free(build->slabs);
	free(build->by_address);
	free(build);
}

/* Room for one more of @size bytes. */
static int make_room(void **array, size_t *room, size_t count, size_t size)
{
	size_t wanted = *room ? 2 * *room : 64;
	void *larger = count < *room ? *array : reallocarray(*array, wanted, size);

	if (!larger)
		return -ENOMEM;
	if (count >= *room)
		*room = wanted;
	*array = larger;
	return 0;
}

int slub_state_set_facts(struct slub_state_build *build, const struct slub_state_facts *facts, struct error *err)
{
	if (build->facts.geometry.size)
		return error_set(err, -EBADMSG, "it is of two caches, '%s' and '%s': take one", build->facts.name, facts->name);
	build->facts = *facts;
	return 0;
}

static int note_cpu(struct slub_state_build *build, uint64_t cpu, uint64_t node, struct error *err)
{
	if (cpu >= CPUS_MAX || (node >= NODES_MAX && node != SLUB_STATE_NO_NODE))
		return error_set(err, -EOPNOTSUPP, "a model has CPUs 0 to %d and nodes 0 to %d", CPUS_MAX - 1, NODES_MAX - 1);
	if (cpu >= build->cpu_count)
		build->cpu_count = (unsigned)cpu + 1;
	build->unknown_nodes += node == SLUB_STATE_NO_NODE;
	build->cpus[cpu].node = node == SLUB_STATE_NO_NODE ? 0 : (unsigned)node;
	return 0;
}

int slub_state_add_cpu(struct slub_state_build *build, uint64_t cpu, uint64_t node, struct error *err)
{
	build->cpu_slab_count++;
	build->has_cpu_slabs = true;
	return note_cpu(build, cpu, node, err);
}

int slub_state_add_sheaves(struct slub_state_build *build, uint64_t cpu, uint64_t node, bool has_main, bool has_spare,
			   struct error *err)
{
	int status = note_cpu(build, cpu, node, err);

	if (status)
		return status;
	build->cpu_sheaves_count++;
	build->has_sheaves = true;
	build->cpus[cpu].has_main = has_main;
	build->cpus[cpu].has_spare = has_spare;
	return 0;
}

int slub_state_add_node(struct slub_state_build *build, uint64_t node, uint64_t full_sheaves, uint64_t empty_sheaves,
			struct error *err)
{
	if (node >= NODES_MAX)
		return error_set(err, -EOPNOTSUPP, "a model has nodes 0 to %d", NODES_MAX - 1);
	if (empty_sheaves > UINT16_MAX)
		return error_set(err, -EBADMSG, "%lu empty sheaves in a barn", (unsigned long)empty_sheaves);
	if (node >= build->node_count)
		build->node_count = (unsigned)node + 1;
	build->full_sheaves[node] = full_sheaves;
	build->nodes[node].empty_count = (unsigned)empty_sheaves;
	return 0;
}

int slub_state_add_slab(struct slub_state_build *build, uint64_t page, enum slab_place place, uint64_t owner,
			const struct slub_state_slab *slab, struct error *err)
{
	static const enum slub_state_place places[SLAB_PLACES] = {
		[SLAB_UNLISTED] = SLUB_STATE_FULL, [SLAB_NODE_FULL] = SLUB_STATE_FULL, [SLAB_ON_CPU] = SLUB_STATE_ON_CPU,
		[SLAB_CPU_PARTIAL] = SLUB_STATE_CPU_PARTIAL, [SLAB_NODE_PARTIAL] = SLUB_STATE_NODE_PARTIAL,
	};
	void *slabs = build->slabs;

	if (owner >= CPUS_MAX)
		return error_set(err, -EBADMSG, "slab %#lx is CPU %lu's", (unsigned long)page, (unsigned long)owner);
	if (make_room(&slabs, &build->slab_room, build->slab_count, sizeof(*build->slabs)))
		return error_set(err, -ENOMEM, "out of memory");
	build->slabs = slabs;
	build->slabs[build->slab_count] = (struct known_slab){ page, *slab };
	build->slabs[build->slab_count].slab.place = places[place];
	build->slabs[build->slab_count++].slab.cpu = (unsigned)owner;
	return 0;
}

int slub_state_add_free(struct slub_state_build *build, uint64_t address, enum slab_object_state state,
			uint64_t position, uint64_t owner, uint64_t page, struct error *err)
{
	struct free_list *last = build->list_count ? &build->lists[build->list_count - 1] : NULL;
	void *addresses = build->addresses, *lists = build->lists;

	if (make_room(&addresses, &build->address_room, build->address_count, sizeof(*build->addresses)))
		return error_set(err, -ENOMEM, "out of memory");
	build->addresses = addresses;
	if (!position) {
		if (make_room(&lists, &build->list_room, build->list_count, sizeof(*build->lists)))
			return error_set(err, -ENOMEM, "out of memory");
		build->lists = lists;
		last = &build->lists[build->list_count++];
		*last = (struct free_list){ state, owner, page, build->address_count, 0 };
	}
	if (!last || last->count != position || last->state != state || last->owner != owner || last->page != page)
		return error_set(err, -EBADMSG, "%#lx is not at position %lu of its list", (unsigned long)address,
				 (unsigned long)position);
	build->addresses[build->address_count++] = address;
	last->count++;
	return 0;
}

bool slub_state_has_slab(const struct slub_state_build *build, uint64_t page)
{
	for (size_t i = 0; i < build->slab_count; i++)
		if (build->slabs[i].page == page)
			return true;
	return false;
}

static int compare_addresses(const void *left, const void *right)
{
	uint64_t one = ((const struct whereabouts *)left)->address, other = ((const struct whereabouts *)right)->address;

	return one < other ? -1 : one > other;
}

int slub_state_find_free(struct slub_state_build *build, uint64_t address, enum slab_object_state *ret_state,
		    uint64_t *ret_page)
{
	const struct whereabouts *found;

	if (!build->by_address) {
		build->by_address = calloc(build->address_count + 1, sizeof(*build->by_address));
		if (!build->by_address)
			return -ENOMEM;
		for (size_t i = 0; i < build->list_count; i++)
			for (size_t n = build->lists[i].first; n < build->lists[i].first + build->lists[i].count; n++)
				build->by_address[n] = (struct whereabouts){ build->addresses[n], i };
		qsort(build->by_address, build->address_count, sizeof(*build->by_address), compare_addresses);
	}
	found = bsearch(&(struct whereabouts){ .address = address }, build->by_address, build->address_count,
			sizeof(*build->by_address), compare_addresses);
	if (!found)
		return -ENOENT;
	*ret_state = build->lists[found->list].state;
	*ret_page = build->lists[found->list].page;
	return 0;
}

/* The state as the model takes it, under way. */
struct assembly {
	struct slub_state_build *build;
	struct slub_cache_state state;
	struct slub_state_slab *slabs;
	struct known_slab **by_page;
	struct slub_state_objects *sheaves; /* full ones of barns, node by node */
	size_t pending;
};

DEFINE_CLEANUP(assembly, struct assembly, (free(v.slabs), free(v.by_page), free(v.sheaves)));

static int compare_pages(const void *left, const void *right)
{
	uint64_t one = (*(struct known_slab *const *)left)->page, other = (*(struct known_slab *const *)right)->page;

	return one < other ? -1 : one > other;
}

static struct slub_state_slab *find_slab(const struct assembly *assembly, uint64_t page)
{
	size_t low = PARTITION_POINT(i, assembly->build->slab_count, assembly->by_page[i]->page < page);

	if (low == assembly->build->slab_count || assembly->by_page[low]->page != page)
		return NULL;
	return &assembly->slabs[assembly->by_page[low] - assembly->build->slabs];
}

static int place_list(struct assembly *assembly, const struct free_list *list, struct error *err)
{
	const struct slub_state_objects objects = { assembly->build->addresses + list->first, list->count };
	struct slub_state_cpu *cpu = list->owner < CPUS_MAX ? &assembly->build->cpus[list->owner] : NULL;
	struct slub_state_objects *to = NULL;
	struct slub_state_slab *slab;

	switch (list->state) {
	case SLAB_OBJECT_FREE:
	case SLAB_OBJECT_CPU_PARTIAL:
		slab = find_slab(assembly, list->page);
		to = slab ? &slab->free : NULL;
		break;
	case SLAB_OBJECT_CPU_FREELIST:
		to = cpu ? &cpu->freelist : NULL;
		break;
	case SLAB_OBJECT_SHEAF_MAIN:
		to = cpu ? &cpu->main : NULL;
		break;
	case SLAB_OBJECT_SHEAF_SPARE:
		to = cpu ? &cpu->spare : NULL;
		break;
	case SLAB_OBJECT_SHEAF_RCU:
	case SLAB_OBJECT_DEFERRED:
		assembly->pending += list->count;
		return 0;
	default:
		break;
	}
	if (!to || to->count)
		return error_set(err, -EBADMSG, "what is free at %#lx belongs nowhere, or there is a list already",
				 (unsigned long)objects.addresses[0]);
	*to = objects;
	return 0;
}

/* Full sheaves of barns stand together by node, in their order. */
static int place_barns(struct assembly *assembly, struct error *err)
{
	const struct slub_state_build *build = assembly->build;
	size_t at = 0;

	for (unsigned node = 0; node < build->node_count; node++) {
		size_t first = at;

		for (size_t i = 0; i < build->list_count; i++) {
			const struct free_list *list = &build->lists[i];

			if (list->state == SLAB_OBJECT_BARN && list->owner == node)
				assembly->sheaves[at++] = (struct slub_state_objects){ build->addresses + list->first,
										       list->count };
		}
		assembly->build->nodes[node].full_sheaves = assembly->sheaves + first;
		assembly->build->nodes[node].full_count = at - first;
		if (at - first != build->full_sheaves[node])
			return error_set(err, -EBADMSG, "node %u has %zu full sheaves, of which %zu are told", node,
					 build->full_sheaves[node], at - first);
	}
	return 0;
}

static int assemble(struct slub_state_build *build, struct assembly *assembly, struct error *err)
{
	int status = 0;

	assembly->build = build;
	assembly->slabs = calloc(build->slab_count + 1, sizeof(*assembly->slabs));
	assembly->by_page = calloc(build->slab_count + 1, sizeof(*assembly->by_page));
	assembly->sheaves = calloc(build->list_count + 1, sizeof(*assembly->sheaves));
	if (!assembly->slabs || !assembly->by_page || !assembly->sheaves)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < build->slab_count; i++) {
		assembly->slabs[i] = build->slabs[i].slab;
		assembly->by_page[i] = &build->slabs[i];
	}
	qsort(assembly->by_page, build->slab_count, sizeof(*assembly->by_page), compare_pages);
	for (size_t i = 0; !status && i < build->list_count; i++) {
		if (build->lists[i].state != SLAB_OBJECT_BARN)
			status = place_list(assembly, &build->lists[i], err);
	}
	if (!status)
		status = place_barns(assembly, err);
	assembly->state = (struct slub_cache_state){
		.name = build->facts.name, .geometry = build->facts.geometry, .random = build->facts.random,
		.slabs = assembly->slabs, .slab_count = build->slab_count, .cpus = build->cpus, .nodes = build->nodes,
	};
	assembly->state.flags = build->has_sheaves ? 0 : !build->has_cpu_slabs || build->facts.is_debugged ? SLUB_NO_SHEAVES :
														 SLUB_CPU_SLABS;
	return status;
}

static int judge(const struct slub_state_build *build, struct error *err)
{
	if (!build->facts.geometry.size)
		return error_set(err, -EBADMSG, "no cache is in it");
	if (build->has_cpu_slabs && build->has_sheaves)
		return error_set(err, -EOPNOTSUPP, "'%s' has sheaves in front of CPU slabs, which no model has", build->facts.name);
	if (!build->node_count)
		return error_set(err, -EBADMSG, "no node is in it");
	if ((build->has_cpu_slabs && build->cpu_slab_count != build->cpu_count) ||
	    (build->has_sheaves && build->cpu_sheaves_count != build->cpu_count))
		return error_set(err, -EBADMSG, "not all CPUs are in it, or one is twice");
	return 0;
}

/* The kernel's rules, as far as they decide what happens to a cache that is there. */
static void set_rules(const struct slub_state_build *build, struct slub_model_setting *setting)
{
	const struct slub_geometry *geometry = &build->facts.geometry;

	setting->cpus = build->cpu_count ? build->cpu_count : 1;
	setting->nodes = build->node_count;
	setting->engine = build->has_cpu_slabs ? SLUB_ENGINE_CPU_SLABS : SLUB_ENGINE_SHEAVES;
	if (build->has_cpu_slabs && geometry->cpu_partial && !geometry->cpu_partial_slabs)
		setting->rules = slub_rules_of_counted_objects(setting->cpus);
	else if (build->has_sheaves && geometry->sheaf_capacity > (SLUB_MAX_KERNEL_SHEAF - 32) / 8)
		setting->rules = slub_rules_of_programs(setting->cpus);
	for (size_t i = 0; i < build->slab_count; i++)
		setting->pages += build->slabs[i].slab.order <= SLUB_MAX_PAGE_ORDER ? 1ul << build->slabs[i].slab.order : 0;
}

int slub_state_load(struct slub_state_build *build, struct slub_model_setting *setting, struct slub_model **ret_model,
		    struct kmem_cache **ret_cache, size_t *ret_pending, struct error *err)
{
	CLEANUP(assembly) struct assembly assembly = {};
	struct slub_state_fault fault = {};
	struct slub_model *model;
	int status = judge(build, err);

	if (!status)
		status = assemble(build, &assembly, err);
	if (status)
		return status;
	set_rules(build, setting);
	for (unsigned cpu = 0; build->unknown_nodes && cpu < setting->cpus; cpu++)
		build->cpus[cpu].node = cpu * setting->nodes / setting->cpus;
	assembly.state.flags |= setting->flags & SLUB_NO_RANDOM;
	model = slub_model_create(setting);
	if (!model)
		return error_set(err, -EOPNOTSUPP, "no model has %u CPUs on %u nodes", setting->cpus, setting->nodes);
	status = slub_model_load(model, &assembly.state, ret_cache, &fault);
	if (!status) {
		*ret_model = model;
		*ret_pending = assembly.pending;
		return 0;
	}
	slub_model_destroy(model);
	if (fault.address)
		return error_set(err, status, "%s: %#lx", fault.what, (unsigned long)fault.address);
	return error_set(err, status, "%s", fault.what ? fault.what : "no memory for that many slabs");
}
