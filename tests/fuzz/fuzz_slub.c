// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Fuzzes sequences of calls to libslub: bytes choose caches of any size, alignment and flags, then what is done with
 * them, on CPUs of the model or with and without restartable sequences. Contents, alignment, the count of what is alive
 * and a census of all structures must hold throughout.
 *
 * Built with -DFUZZ_REPLAY it runs the files named on its command line once; with -DSLUB_MODEL it drives the model
 * (fuzz_slub_model.c). The corpus, tests/data/slub, was made by fuzzing and minimised.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#ifndef SLUB_MODEL
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>
#else
#include "model.h"
#endif

#include "cache.h"
#include "fuzz.h"
#include "slub_census.h"

#define CACHES 4
#define SLOTS 128
#define BULK 80
#define KMALLOC CACHES /* kind of what has no cache of ours */

struct input {
	const uint8_t *at, *end;
};

struct slot {
	unsigned char *object;
	size_t size;
	unsigned kind;
	uint8_t stamp;
};

static struct kmem_cache *caches[CACHES];
static struct slub_request requests[CACHES];
static struct slot slots[SLOTS];

static uint8_t take_byte(struct input *input)
{
	return input->at < input->end ? *input->at++ : 0;
}

static unsigned take_word(struct input *input)
{
	unsigned low = take_byte(input);

	return low | (unsigned)take_byte(input) << 8;
}

static void construct(void *object)
{
	*(unsigned char *)object = 0x5c;
}

static void make_cache(struct input *input, unsigned kind)
{
	struct slub_request *request = &requests[kind];
	char name[] = "fuzz-0";
	unsigned align = take_byte(input);

	name[5] = (char)('0' + kind);
	*request = (struct slub_request){
		.object_size = take_word(input) % 12000, .align = align & 16 ? 1u << align % 13 : 0,
		.flags = take_word(input) & ((SLUB_CPU_SLABS << 1) - 1), .has_ctor = align > 240,
	};
	caches[kind] = slub_kmem_cache_create(name, request->object_size, request->align, request->flags,
					      request->has_ctor ? construct : NULL);
	CHECK(caches[kind] || !request->object_size);
}

static bool has_objects(const struct kmem_cache *cache)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		if (slots[i].object && slots[i].kind < CACHES && caches[slots[i].kind] == cache)
			return true;
	}
	return false;
}

static void end_cache(unsigned kind)
{
	if (caches[kind])
		CHECK(!slub_kmem_cache_destroy(caches[kind]));
	caches[kind] = NULL;
}

static void stamp(struct slot *slot)
{
	memset(slot->object, slot->stamp, slot->size);
}

static void check(const struct slot *slot)
{
	for (size_t at = 0; at < slot->size; at++)
		CHECK(slot->object[at] == slot->stamp);
}

static void fill(struct input *input, struct slot *slot, unsigned kind)
{
	uint8_t how = take_byte(input);
	bool is_zero = how & 1;

	if (kind < CACHES && !caches[kind])
		return;
	slot->kind = kind;
	slot->stamp = how | 1;
	if (kind < CACHES) {
		slot->size = requests[kind].object_size;
		slot->object = is_zero ? slub_kmem_cache_zalloc(caches[kind]) : slub_kmem_cache_alloc(caches[kind]);
	} else {
		slot->size = take_word(input);
		slot->object = is_zero ? slub_kzalloc(slot->size) : slub_kmalloc(slot->size);
	}
	CHECK(slot->object);
	CHECK(kind == KMALLOC || !requests[kind].align || !((uintptr_t)slot->object & (requests[kind].align - 1)));
	CHECK(slub_ksize(slot->object) >= slot->size && !((uintptr_t)slot->object & 7));
	for (size_t at = 0; is_zero && at < slot->size; at++)
		CHECK(!slot->object[at]);
	stamp(slot);
}

static void empty(struct slot *slot, bool by_cache)
{
	check(slot);
	memset(slot->object, 0xdd, slot->size);
	if (by_cache && slot->kind < CACHES)
		slub_kmem_cache_free(caches[slot->kind], slot->object);
	else
		slub_kfree(slot->object);
	slot->object = NULL;
}

static void resize(struct input *input, struct slot *slot)
{
	size_t size = take_word(input) * (size_t)(1 + take_byte(input) % 4), had = slot->size;

	slot->object = slub_krealloc(slot->object, size);
	CHECK(slot->object);
	slot->size = size < had ? size : had;
	check(slot);
	// It may be kmalloc's now, or stay where it is with the cache's bounds.
	slot->size = size;
	if (slot->kind < CACHES && slab_of_address(slot->object) &&
	    slab_of_address(slot->object)->slab_cache != caches[slot->kind])
		slot->kind = KMALLOC;
	else if (slot->kind < CACHES && !slab_of_address(slot->object))
		slot->kind = KMALLOC;
	CHECK(slub_ksize(slot->object) >= size);
	stamp(slot);
}

static void use_many(struct input *input, unsigned kind)
{
	size_t count = 1 + take_byte(input) % BULK;
	void *objects[BULK];

	if (!caches[kind])
		return;
	CHECK(slub_kmem_cache_alloc_bulk(caches[kind], count, objects) == count);
	for (size_t i = 0; i < count; i++)
		memset(objects[i], (int)i, requests[kind].object_size);
	for (size_t i = 0; i < count; i++)
		CHECK(*(unsigned char *)objects[i] == i);
	slub_kmem_cache_free_bulk(caches[kind], count, objects);
}

static void count_cache(struct kmem_cache *cache)
{
	struct slub_census census;
	size_t alive = 0;

	if (!census_take(cache, &census))
		require(0, census.fault);
	for (unsigned i = 0; i < SLOTS; i++) {
		const struct slab *slab = slots[i].object ? slab_of_address(slots[i].object) : NULL;

		if (!slab || slab->slab_cache != cache)
			continue;
		alive++;
		CHECK(!census_is_free(slots[i].object));
	}
	CHECK(cache->kind == SLUB_PAGE_SHEAF || census_allocated(&census) == alive);
}

static void count_all(void)
{
	static struct slub_cache_info info[64];
	size_t count = slub_slabinfo(info, 64);

	for (struct kmem_cache *cache = slub.caches; cache; cache = cache->next, count--)
		count_cache(cache);
	CHECK(!count);
}

#ifdef SLUB_MODEL
static struct slub_model *model;

static void change_machine(uint8_t how)
{
	slub_model_enter(model, how % 8);
}
#else
static void change_machine(uint8_t how)
{
	void *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	if (__rseq_size)
		syscall(SYS_rseq, area, 32, how & 1 ? RSEQ_FLAG_UNREGISTER : 0, 0x53053053);
}
#endif

static void do_something(struct input *input)
{
	uint8_t what = take_byte(input);
	struct slot *slot = &slots[take_byte(input) % SLOTS];
	unsigned kind = what / 16 % (CACHES + 1);

	switch (what % 16) {
	case 0: case 1: case 2: case 3: case 4: case 5: case 6: case 7: case 8:
		if (slot->object)
			empty(slot, what & 1);
		else
			fill(input, slot, kind);
		return;
	case 9:
		if (slot->object && slot->size)
			resize(input, slot);
		return;
	case 10:
		use_many(input, kind % CACHES);
		return;
	case 11:
		if (kind < CACHES && caches[kind])
			slub_kmem_cache_shrink(caches[kind]);
		return;
	case 12:
		if (kind < CACHES && caches[kind] && !has_objects(caches[kind])) {
			end_cache(kind);
			make_cache(input, kind);
		}
		return;
	case 13:
		count_all();
		return;
	default:
		change_machine(take_byte(input));
	}
}

static void begin(struct input *input)
{
#ifdef SLUB_MODEL
	uint8_t how = take_byte(input);

	model = slub_model_create(&(struct slub_model_setting){ .cpus = 8, .nodes = 1 + how % 4, .seed = how / 4 % 16,
							       .engine = how >> 7 });
	CHECK(model);
#else
	CHECK(slub_init());
	slub.seed = 1;
#endif
	for (unsigned kind = 0; kind < CACHES; kind++)
		make_cache(input, kind);
}

static void end(void)
{
	for (unsigned i = 0; i < SLOTS; i++) {
		if (slots[i].object)
			empty(&slots[i], i & 1);
	}
	count_all();
	for (unsigned kind = 0; kind < CACHES; kind++)
		end_cache(kind);
#ifdef SLUB_MODEL
	slub_model_destroy(model);
#else
	change_machine(0);
	for (unsigned index = 1; index < SLUB_KMALLOC_CACHES; index++)
		slub_kmem_cache_shrink(slub.kmalloc_caches[index]);
#endif
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, data + size };

	begin(&input);
	while (input.at < input.end)
		do_something(&input);
	end();
	return 0;
}
