// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * A cache that is loaded goes on as the one whose state it has: after any history, for either engine, on several nodes. What
 * can't be a state is refused with the reason, and the model is as it was.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "model_state.h"
#include "slub_census.h"

#define CPUS 4
#define MOST_SLABS 4096
#define MOST_OBJECTS 65536
#define HELD 600

/* A state in the making, with room for all that it points to. */
static struct {
	struct slub_cache_state state;
	struct slub_state_slab slabs[MOST_SLABS];
	struct slub_state_cpu cpus[CPUS];
	struct slub_state_node nodes[2];
	struct slub_state_objects sheaves[64];
	uint64_t addresses[MOST_OBJECTS];
	size_t address_count, sheaf_count;
} taken;

static const uint64_t *keep(uint64_t address)
{
	assert_true(taken.address_count < MOST_OBJECTS);
	taken.addresses[taken.address_count] = address;
	return &taken.addresses[taken.address_count++];
}

static struct slub_state_objects take_chain(const struct kmem_cache *cache, void *object)
{
	struct slub_state_objects objects = { taken.addresses + taken.address_count, 0 };

	while (object) {
		void **slot = freelist_slot(cache, object);

		keep((uintptr_t)object);
		objects.count++;
		object = freelist_pointer(cache, *slot, slot);
	}
	return objects;
}

static struct slub_state_objects take_sheaf(const struct kmem_cache *cache, void **top)
{
	struct slub_state_objects objects = { taken.addresses + taken.address_count, sheaf_size(cache, top) };

	for (size_t i = 0; i < objects.count; i++)
		keep((uintptr_t)top[-1 - (ptrdiff_t)i]);
	return objects;
}

static void take_slab(const struct kmem_cache *cache, const struct slab *slab, enum slub_state_place place, unsigned cpu)
{
	assert_true(taken.state.slab_count < MOST_SLABS);
	taken.slabs[taken.state.slab_count++] = (struct slub_state_slab){
		(uintptr_t)slab->base, slab->order, slab->objects, slab->node, place, cpu, take_chain(cache, slab->freelist),
	};
}

static void take_cpu(struct kmem_cache *cache, unsigned number, unsigned node)
{
	const struct slub_cpu_slab *cpu = (const struct slub_cpu_slab *)cache->percpu_home + number;
	struct slub_state_cpu *to = &taken.cpus[number];

	*to = (struct slub_state_cpu){ .node = node };
	if (cpu->none.main != SLUB_BOOTSTRAP_TOP) {
		to->has_main = true;
		to->main = take_sheaf(cache, cpu->none.main);
	}
	if (cpu->none.spare) {
		to->has_spare = true;
		to->spare = take_sheaf(cache, cpu->none.spare);
	}
	if (cpu->slab)
		take_slab(cache, cpu->slab, SLUB_STATE_ON_CPU, number);
	to->freelist = take_chain(cache, cpu->freelist);
	for (const struct slab *slab = cpu->partial; slab; slab = slab->next)
		take_slab(cache, slab, SLUB_STATE_CPU_PARTIAL, number);
}

static void take_node(struct kmem_cache *cache, unsigned number)
{
	struct kmem_cache_node *node = &cache->node[number];
	struct slub_state_node *to = &taken.nodes[number];

	*to = (struct slub_state_node){ .full_sheaves = taken.sheaves + taken.sheaf_count, .empty_count = node->barn.nr_empty };
	for (const struct slab_sheaf *sheaf = node->barn.sheaves_full; sheaf; sheaf = sheaf->next, to->full_count++)
		taken.sheaves[taken.sheaf_count++] = take_sheaf(cache, (void **)((char *)sheaf + cache->sheaf_mask + 1));
	for (struct list *at = node->partial.next; at != &node->partial; at = at->next)
		take_slab(cache, (const struct slab *)((char *)at - offsetof(struct slab, slab_list)), SLUB_STATE_NODE_PARTIAL, 0);
}

/* All that a cache of the model that this thread is in has. */
static void take(struct kmem_cache *cache, const struct slub_model_setting *setting)
{
	memset(&taken, 0, sizeof(taken));
	taken.state = (struct slub_cache_state){
		.name = "loaded", .geometry = cache->geometry, .flags = cache->flags, .random = 0x123456789abcdef1,
		.slabs = taken.slabs, .cpus = taken.cpus, .nodes = taken.nodes,
	};
	for (unsigned cpu = 0; cpu < setting->cpus; cpu++)
		take_cpu(cache, cpu, cpu * setting->nodes / setting->cpus);
	for (unsigned node = 0; node < setting->nodes; node++)
		take_node(cache, node);
	for (uint32_t number = 0; number < slub.pages.slabs_used; number++) {
		const struct slab *slab = &slub.pages.slabs[number];

		if (slab->slab_cache == cache && slab->inuse == slab->objects && !slab->frozen)
			take_slab(cache, slab, SLUB_STATE_FULL, 0);
	}
}

/* A cache that was used, and one that was loaded. */
struct pair {
	struct slub_model_setting setting;
	struct slub_model *models[2];
	struct kmem_cache *caches[2];
	void *held[2][HELD];
};

static void assert_sound(struct pair *pair, int which)
{
	struct slub_census census;

	slub_model_enter(pair->models[which], 0);
	if (!census_take(pair->caches[which], &census))
		fail_msg("%s", census.fault);
}

static void step(struct pair *pair, unsigned *chance, int models)
{
	unsigned cpu = (unsigned)rand_r(chance) % pair->setting.cpus, at = (unsigned)rand_r(chance) % HELD;
	bool is_alloc = rand_r(chance) % 8 < 4 + 3 * (rand_r(chance) / 64 % 2);

	for (int which = 0; which < models; which++) {
		slub_model_enter(pair->models[which], cpu);
		if (pair->held[which][at]) {
			slub_kmem_cache_free(pair->caches[which], pair->held[which][at]);
			pair->held[which][at] = NULL;
		} else if (is_alloc) {
			pair->held[which][at] = slub_kmem_cache_alloc(pair->caches[which]);
			assert_non_null(pair->held[which][at]);
		}
	}
	if (models == 2 && pair->held[0][at]) {
		uint64_t origin = slub_model_origin(pair->models[1], pair->held[1][at]);
		struct slub_step steps[2][SLUB_MODEL_STEPS];
		size_t counts[2];

		for (int which = 0; which < 2; which++)
			counts[which] = slub_model_steps(pair->models[which], steps[which], SLUB_MODEL_STEPS);
		assert_int_equal(counts[0], counts[1]);
		for (size_t i = 0; i < counts[0] && i < SLUB_MODEL_STEPS; i++)
			assert_int_equal(steps[0][i].why, steps[1][i].why);
		if (origin)
			assert_int_equal(origin, (uintptr_t)pair->held[0][at]);
	}
}

static void compare(enum slub_engine engine, bool counts_objects, unsigned nodes, uint32_t flags, unsigned seed)
{
	struct pair pair = { .setting = { .cpus = CPUS, .nodes = nodes, .seed = seed, .engine = engine,
					  .flags = SLUB_NO_RANDOM | flags } };
	struct slub_state_fault fault;
	unsigned chance = seed;
	size_t known = 0;

	if (counts_objects)
		pair.setting.rules = slub_rules_of_counted_objects(CPUS);
	pair.models[0] = slub_model_create(&pair.setting);
	pair.models[1] = slub_model_create(&pair.setting);
	slub_model_enter(pair.models[0], 0);
	pair.caches[0] = slub_kmem_cache_create("worn", 500, 0, SLUB_NO_MERGE, NULL);
	for (unsigned i = 0; i < 4000 + seed % 1000; i++)
		step(&pair, &chance, 1);
	slub_model_enter(pair.models[0], 0);
	take(pair.caches[0], &pair.setting);
	assert_int_equal(slub_model_load(pair.models[1], &taken.state, &pair.caches[1], &fault), 0);
	assert_ptr_equal(slub_model_cache(pair.models[1], "loaded"), pair.caches[1]);
	assert_sound(&pair, 1);
	for (int i = 0; i < HELD; i++) {
		struct kmem_cache *cache;

		if (!pair.held[0][i])
			continue;
		pair.held[1][i] = slub_model_object(pair.models[1], (uintptr_t)pair.held[0][i] + 17, &cache);
		assert_ptr_equal(cache, pair.caches[1]);
		assert_int_equal(slub_model_origin(pair.models[1], pair.held[1][i]), (uintptr_t)pair.held[0][i]);
		assert_false(slub_model_is_free(pair.models[1], cache, pair.held[1][i]));
		known++;
	}
	assert_true(known > 50);
	for (size_t i = 0; i < taken.address_count; i++) {
		struct kmem_cache *cache;
		void *object = slub_model_object(pair.models[1], taken.addresses[i], &cache);

		assert_true(object && slub_model_is_free(pair.models[1], cache, object));
	}
	for (int which = 0; which < 2; which++) {
		struct slub_step steps[1];

		slub_model_steps(pair.models[which], steps, 0);
	}
	// What a CPU's partial list had in free objects when they came in, by which it is measured then, no state tells.
	for (unsigned i = 0; i < 6000 && !counts_objects; i++)
		step(&pair, &chance, 2);
	assert_sound(&pair, 0);
	assert_sound(&pair, 1);
	for (unsigned i = 0; i < HELD; i++) {
		slub_model_enter(pair.models[1], i % CPUS);
		if (pair.held[1][i])
			slub_kmem_cache_free(pair.caches[1], pair.held[1][i]);
	}
	assert_sound(&pair, 1);
	slub_kmem_cache_shrink(pair.caches[1]);
	slub_model_enter(pair.models[1], 0);
	assert_int_equal(slub_model_measure(pair.caches[1]).slabs, 0);
	slub_model_destroy(pair.models[0]);
	slub_model_destroy(pair.models[1]);
}

static void a_loaded_cache_goes_on_as_the_one_it_was_taken_from(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 6; seed++) {
		compare(SLUB_ENGINE_SHEAVES, false, 1 + seed % 2, 0, seed);
		compare(SLUB_ENGINE_CPU_SLABS, false, 1 + seed % 2, 0, seed);
		compare(SLUB_ENGINE_SHEAVES, false, 1, SLUB_NO_SHEAVES, seed);
		compare(SLUB_ENGINE_CPU_SLABS, true, 1, 0, seed);
	}
}

/* 8 objects of 512 bytes in a slab. CPU 0: 2, 5 on its freelist, 7 in that slab's own; 1 and 6 of a partial one; on the node. */
static uint64_t words[32];
static struct slub_state_slab few_slabs[4];
static struct slub_state_cpu one_cpu;
static struct slub_state_node one_node;

static struct slub_cache_state small_state(uint32_t flags)
{
	static const uint64_t objects[] = { 0x10400, 0x10a00, 0x10e00, 0x20200, 0x20c00, 0x30000, 0x30600, 0x30800 };

	memcpy(words, objects, sizeof(objects));
	few_slabs[0] = (struct slub_state_slab){ 0x10000, 0, 8, 0, SLUB_STATE_ON_CPU, 0, { words + 2, 1 } };
	few_slabs[1] = (struct slub_state_slab){ 0x20000, 0, 8, 0, SLUB_STATE_CPU_PARTIAL, 0, { words + 3, 2 } };
	few_slabs[2] = (struct slub_state_slab){ 0x30000, 0, 8, 0, SLUB_STATE_NODE_PARTIAL, 0, { words + 5, 3 } };
	few_slabs[3] = (struct slub_state_slab){ 0x40000, 0, 8, 0, SLUB_STATE_FULL, 0, {} };
	one_cpu = (struct slub_state_cpu){ .freelist = { words, 2 } };
	one_node = (struct slub_state_node){};
	return (struct slub_cache_state){
		.name = "few", .flags = flags, .slabs = few_slabs, .slab_count = 4, .cpus = &one_cpu, .nodes = &one_node,
		.geometry = { .object_size = 500, .size = 512, .inuse = 504, .align = 8, .offset = 248, .objects = 8,
			      .min_objects = 8, .min_partial = 5, .cpu_partial = 52, .cpu_partial_slabs = 13 },
	};
}

/* The same with sheaves of 4: one in main, two in the spare, two full ones in the barn. */
static struct slub_cache_state small_sheaves(void)
{
	static struct slub_state_objects barn[2];
	struct slub_cache_state state = small_state(0);

	few_slabs[0].place = few_slabs[1].place = SLUB_STATE_FULL;
	few_slabs[0].free.count = few_slabs[1].free.count = 0;
	for (int i = 0; i < 8; i++)
		words[16 + i] = 0x40000 + 512 * (uint64_t)i;
	barn[0] = (struct slub_state_objects){ words + 16, 4 };
	barn[1] = (struct slub_state_objects){ words + 20, 4 };
	one_cpu = (struct slub_state_cpu){ .has_main = true, .has_spare = true, .main = { words, 1 }, .spare = { words + 1, 2 } };
	one_node = (struct slub_state_node){ barn, 2, 2 };
	state.geometry.sheaf_capacity = 4;
	return state;
}

static struct slub_model *one_cpus_model(enum slub_engine engine)
{
	return slub_model_create(&(struct slub_model_setting){ .cpus = 1, .nodes = 1, .seed = 1, .engine = engine });
}

static void assert_order(struct slub_model *model, struct kmem_cache *cache, const uint64_t *wanted, size_t count)
{
	for (size_t i = 0; i < count; i++)
		assert_int_equal(slub_model_origin(model, slub_kmem_cache_alloc(cache)), wanted[i]);
}

static void objects_come_out_in_the_states_order(void **state)
{
	// Then a sheaf is filled: three objects of the node's slab, and one of a new slab, which comes out first.
	static const uint64_t of_sheaves[] = {
		0x10400, 0x10a00, 0x10e00, 0x40000, 0x40200, 0x40400, 0x40600, 0x40800, 0x40a00, 0x40c00, 0x40e00,
		0, 0x30800, 0x30600, 0x30000,
	};
	struct slub_cache_state one = small_state(SLUB_CPU_SLABS);
	struct slub_model *model = one_cpus_model(SLUB_ENGINE_CPU_SLABS);
	struct slub_state_fault fault;
	struct kmem_cache *cache;
	void *fresh;

	(void)state;
	assert_int_equal(slub_model_load(model, &one, &cache, &fault), 0);
	assert_order(model, cache, words, 8);
	fresh = slub_kmem_cache_alloc(cache);
	assert_non_null(fresh);
	assert_int_equal(slub_model_origin(model, fresh), 0);
	assert_null(slub_model_object(model, 0x11000, &cache));
	assert_null(slub_model_object(model, 0xffff, &cache));
	slub_model_destroy(model);

	one = small_sheaves();
	model = one_cpus_model(SLUB_ENGINE_SHEAVES);
	assert_int_equal(slub_model_load(model, &one, &cache, &fault), 0);
	assert_order(model, cache, of_sheaves, sizeof(of_sheaves) / sizeof(of_sheaves[0]));
	slub_model_destroy(model);
}

static void cpus_are_on_the_nodes_that_the_state_says(void **state)
{
	struct slub_cache_state one = small_state(SLUB_NO_SHEAVES);
	struct slub_model *model =
		slub_model_create(&(struct slub_model_setting){ .cpus = 2, .nodes = 2, .seed = 1 });
	const struct slub_state_cpu crossed[2] = { { .node = 1 }, { .node = 0 } };
	const struct slub_state_node nodes[2] = {};
	struct slub_state_fault fault;
	struct kmem_cache *cache;

	(void)state;
	few_slabs[0].place = few_slabs[1].place = SLUB_STATE_NODE_PARTIAL;
	few_slabs[1].node = 1;
	one.cpus = crossed;
	one.nodes = nodes;
	assert_int_equal(slub_model_load(model, &one, &cache, &fault), 0);
	assert_order(model, cache, words + 3, 2);
	slub_model_enter(model, 1);
	assert_order(model, cache, words + 2, 1);
	assert_order(model, cache, words + 5, 3);
	slub_model_destroy(model);
}

/* A slab that went back leaves its address; another one in its place is the model's own. */
static void discarded_slabs_are_forgotten(void **state)
{
	struct slub_cache_state one = small_state(SLUB_CPU_SLABS);
	struct slub_model *model = one_cpus_model(SLUB_ENGINE_CPU_SLABS);
	struct slub_state_fault fault;
	struct kmem_cache *cache, *found;

	(void)state;
	assert_int_equal(slub_model_load(model, &one, &cache, &fault), 0);
	slub_model_set_min_partial(cache, 0);
	for (uint64_t address = 0x30000; address < 0x31000; address += 512) {
		void *object = slub_model_object(model, address, &found);

		if (!slub_model_is_free(model, cache, object))
			slub_kmem_cache_free(cache, object);
	}
	assert_null(slub_model_object(model, 0x30000, &found));
	for (int i = 0; i < 5; i++)
		assert_int_not_equal(slub_model_origin(model, slub_kmem_cache_alloc(cache)), 0);
	for (int i = 0; i < 16; i++)
		assert_int_equal(slub_model_origin(model, slub_kmem_cache_alloc(cache)), 0);
	assert_null(slub_model_object(model, 0x30000, &found));
	slub_model_destroy(model);
}

static void assert_refused(const struct slub_cache_state *state, enum slub_engine engine, int status, const char *what)
{
	struct slub_model *model = one_cpus_model(engine);
	struct slub_state_fault fault = { "", 0 };
	struct kmem_cache *cache = NULL;

	assert_int_equal(slub_model_load(model, state, &cache, &fault), status);
	if (!strstr(fault.what, what))
		fail_msg("'%s', not '%s'", fault.what, what);
	assert_null(cache);
	assert_null(slub_model_cache(model, state->name));
	assert_non_null(slub_kmem_cache_alloc(slub_model_cache(model, "kmalloc-64")));
	slub_model_destroy(model);
}

#define REFUSED(change, what)                                                                    \
	do {                                                                                     \
		struct slub_cache_state one = small_state(SLUB_CPU_SLABS);                       \
		change;                                                                          \
		assert_refused(&one, SLUB_ENGINE_CPU_SLABS, -EBADMSG, what);                     \
	} while (0)
#define REFUSED_SHEAVES(change, status, what)                                                    \
	do {                                                                                     \
		struct slub_cache_state one = small_sheaves();                                   \
		change;                                                                          \
		assert_refused(&one, SLUB_ENGINE_SHEAVES, status, what);                         \
	} while (0)

static void states_that_cant_be_are_refused(void **state)
{
	(void)state;
	REFUSED(words[6] = 0x30000, "free in two places");
	REFUSED(words[3] = 0x10400, "another slab");
	REFUSED(words[5] = 0x30010, "no object of a slab");
	REFUSED(words[0] = 0x20400, "another slab");
	REFUSED(words[0] = 0x10e00, "two places");
	REFUSED(words[0] = 0, "no object");
	REFUSED(words[0] = UINT64_MAX, "no object");
	REFUSED(few_slabs[1].start = 0x10000, "same memory");
	REFUSED(few_slabs[1].start = 0x10800, "can lie there");
	REFUSED(few_slabs[0].order = 5, "same memory");
	REFUSED(few_slabs[0].order = 11, "can lie there");
	REFUSED(few_slabs[2].start = UINT64_MAX - 0xfff, "can lie there");
	REFUSED(few_slabs[3].start = 0, "can lie there");
	REFUSED(few_slabs[3].objects = 9, "more objects than fit");
	REFUSED(few_slabs[3].objects = 0, "more objects than fit");
	REFUSED(few_slabs[3].node = 1, "CPU or node");
	REFUSED(few_slabs[1].cpu = 1, "CPU or node");
	REFUSED(few_slabs[2].place = SLUB_STATE_FULL, "on no list");
	REFUSED(few_slabs[3].place = SLUB_STATE_NODE_PARTIAL, "without free objects");
	REFUSED(few_slabs[3].place = SLUB_STATE_ON_CPU, "two slabs");
	REFUSED(few_slabs[0].place = SLUB_STATE_NODE_PARTIAL, "freelist and no slab");
	REFUSED(one_cpu.node = 1, "node that there isn't");
	REFUSED(one_cpu.has_main = true, "sheaves of a cache without");
	REFUSED(one_node.empty_count = 1, "sheaves of a cache without");
	REFUSED(one.flags = 0, "CPU slabs, or neither");
	REFUSED(one.flags = SLUB_NO_SHEAVES, "without CPU slabs");
	REFUSED(one.geometry.size = 0, "objects don't fit");
	REFUSED(one.geometry.size = 4, "objects don't fit");
	REFUSED(one.geometry.object_size = 513, "objects don't fit");
	REFUSED(one.geometry.red_left_pad = UINT32_MAX, "objects don't fit");
	REFUSED(one.geometry.offset = 505, "free pointer");
	REFUSED(one.geometry.offset = UINT32_MAX, "free pointer");
	REFUSED(one.geometry.order = 11, "order and number");
	REFUSED(one.geometry.objects = 9, "order and number");
	REFUSED(one.geometry.min_objects = 0, "order and number");
	REFUSED(one.geometry.min_order = 1, "order and number");
	REFUSED_SHEAVES(words[17] = 0x10400, -EBADMSG, "two places");
	REFUSED_SHEAVES(words[17] = 0x30000, -EBADMSG, "two places");
	REFUSED_SHEAVES(one_cpu.main.count = 5, -EBADMSG, "more than it can");
	REFUSED_SHEAVES(one_cpu.has_main = false, -EBADMSG, "no main one");
	REFUSED_SHEAVES(one_cpu.has_spare = false, -EBADMSG, "isn't there");
	REFUSED_SHEAVES(one_node.empty_count = 5000, -EBADMSG, "more empty sheaves");
	REFUSED_SHEAVES(((struct slub_state_objects *)one_node.full_sheaves)->count = 3, -EOPNOTSUPP, "not full");
	REFUSED_SHEAVES(one.geometry.sheaf_capacity = 5, -EOPNOTSUPP, "4, 12, 28");
	REFUSED_SHEAVES(one.geometry.sheaf_capacity = UINT32_MAX, -EOPNOTSUPP, "4, 12, 28");
	REFUSED_SHEAVES((one.geometry.sheaf_capacity = 124, one_node.full_count = 0), -EOPNOTSUPP, "rules have no sheaves");
	REFUSED_SHEAVES(one.geometry.sheaf_refill = 5, -EBADMSG, "filled with more");
}

static void two_states_may_not_lie_in_one_place(void **state)
{
	struct slub_cache_state one = small_state(SLUB_CPU_SLABS);
	struct slub_model *model = one_cpus_model(SLUB_ENGINE_CPU_SLABS);
	struct slub_state_fault fault = {};
	struct kmem_cache *cache;

	(void)state;
	assert_int_equal(slub_model_load(model, &one, &cache, &fault), 0);
	assert_int_equal(slub_model_load(model, &one, &cache, &fault), -EBADMSG);
	assert_int_equal(fault.address, 0x10000);
	for (int i = 0; i < 4; i++)
		few_slabs[i].start += 0x100000;
	for (int i = 0; i < 8; i++)
		words[i] += 0x100000;
	one.name = "more";
	assert_int_equal(slub_model_load(model, &one, &cache, &fault), 0);
	assert_order(model, cache, words, 8);
	assert_order(model, slub_model_cache(model, "few"), (const uint64_t[]){ 0x10400, 0x10a00 }, 2);
	slub_model_destroy(model);
}

static void a_state_without_room_is_refused(void **state)
{
	static struct slub_state_slab slabs[300];
	struct slub_cache_state one = small_state(SLUB_CPU_SLABS);
	struct slub_model *model = one_cpus_model(SLUB_ENGINE_CPU_SLABS);
	struct slub_state_fault fault;
	struct kmem_cache *cache;

	(void)state;
	one_cpu = (struct slub_state_cpu){};
	for (uint64_t i = 0; i < 300; i++)
		slabs[i] = (struct slub_state_slab){ (i + 1) << 24, 10, 8, 0, SLUB_STATE_FULL, 0, {} };
	one.slabs = slabs;
	one.slab_count = 300;
	assert_int_equal(slub_model_load(model, &one, &cache, &fault), -ENOMEM);
	slub_model_destroy(model);
	model = slub_model_create(&(struct slub_model_setting){ .cpus = 1, .nodes = 1, .pages = 300 << 10,
							       .engine = SLUB_ENGINE_CPU_SLABS });
	assert_int_equal(slub_model_load(model, &one, &cache, &fault), 0);
	slub_model_destroy(model);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loaded_cache_goes_on_as_the_one_it_was_taken_from),
		cmocka_unit_test(objects_come_out_in_the_states_order),
		cmocka_unit_test(cpus_are_on_the_nodes_that_the_state_says),
		cmocka_unit_test(discarded_slabs_are_forgotten),
		cmocka_unit_test(states_that_cant_be_are_refused),
		cmocka_unit_test(two_states_may_not_lie_in_one_place),
		cmocka_unit_test(a_state_without_room_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
