// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Takes snapshots and tells whose they are. Their file is heap_snapshot_file.c's part. */
#include "heap_snapshot.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "kernel.h"
#include "slab_heap.h"

void heap_snapshot_deinit(struct heap_snapshot *snapshot)
{
	free(snapshot->caches);
	free(snapshot->slabs);
	free(snapshot->states);
	*snapshot = (struct heap_snapshot){ 0 };
}

static int grow_slabs(struct heap_snapshot *snapshot)
{
	size_t capacity = snapshot->slab_capacity ? 2 * snapshot->slab_capacity : 1024;
	struct snapshot_slab *grown;

	if (snapshot->slab_count < snapshot->slab_capacity)
		return 0;
	grown = reallocarray(snapshot->slabs, capacity, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	snapshot->slabs = grown;
	snapshot->slab_capacity = capacity;
	return 0;
}

static int grow_states(struct heap_snapshot *snapshot, size_t count)
{
	uint64_t capacity = 2 * (snapshot->state_count + count) + 4096;
	uint8_t *grown;

	if (snapshot->state_count + count < snapshot->state_capacity)
		return 0;
	grown = realloc(snapshot->states, capacity / 2 + 1);
	if (!grown)
		return -ENOMEM;
	snapshot->states = grown;
	snapshot->state_capacity = capacity;
	return 0;
}

int heap_snapshot_add_slab(struct heap_snapshot *snapshot, const struct snapshot_slab *slab,
			   const uint8_t *states)
{
	uint64_t at = snapshot->state_count + snapshot->state_count % 2; /* from a byte's lower half on */

	if (grow_slabs(snapshot) || grow_states(snapshot, slab->objects + 1u))
		return -ENOMEM;
	for (uint32_t i = 0; i < slab->objects; i++) {
		uint8_t *byte = &snapshot->states[(at + i) / 2];

		*byte = (at + i) % 2 ? (uint8_t)(*byte | states[i] << 4) : states[i];
	}
	snapshot->slabs[snapshot->slab_count] = *slab;
	snapshot->slabs[snapshot->slab_count++].states_at = at;
	snapshot->state_count = at + slab->objects;
	return 0;
}

void heap_snapshot_finish(struct heap_snapshot *snapshot)
{
	size_t slab = 0;

	for (size_t cache = 0; cache <= snapshot->cache_count; cache++) {
		while (slab < snapshot->slab_count && snapshot->slabs[slab].cache < cache)
			slab++;
		snapshot->caches[cache].first_slab = slab;
	}
}

/* One way only (FNV-1a over SplitMix64's finish): a file tells nobody how freelists are obfuscated. */
static uint64_t mark_of(const struct slab_cache *cache)
{
	uint64_t mark = cache->random;

	if (!cache->random)
		return 0;
	for (int round = 0; round < 3; round++) {
		mark = (mark ^ cache->address) * 0x100000001b3;
		mark = (mark ^ mark >> 30) * 0xbf58476d1ce4e5b9;
		mark = (mark ^ mark >> 27) * 0x94d049bb133111eb;
		mark ^= mark >> 31;
	}
	mark &= UINT32_MAX; /* half of it is lost: not even trying all keys gives the one */
	return mark ? mark : 1;
}

static void take_identity(struct kernel *kernel, struct snapshot_identity *identity)
{
	struct timespec now;
	uint64_t address;

	memcpy(identity->release, kernel->release, sizeof(identity->release));
	memcpy(identity->banner, kernel->banner, sizeof(identity->banner));
	kernel_build_id(kernel, identity->build_id, sizeof(identity->build_id));
	identity->base = kernel->layout.base.value;
	identity->page_offset_base = kernel->layout.page_offset_base.value;
	identity->vmemmap_base = kernel->layout.vmemmap_base.value;
	if (kernel_symbol(kernel, "sysctl_bootid", &address) ||
	    kernel_read(kernel, address, identity->boot_id, sizeof(identity->boot_id)))
		memset(identity->boot_id, 0, sizeof(identity->boot_id));
	clock_gettime(CLOCK_REALTIME, &now);
	identity->saved_ns = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static int take_caches(struct slab_heap *heap, struct heap_snapshot *snapshot, struct error *err)
{
	snapshot->caches = calloc(heap->cache_count + 1, sizeof(*snapshot->caches));
	if (!snapshot->caches)
		return error_set(err, -ENOMEM, "out of memory");
	snapshot->cache_count = heap->cache_count;
	for (uint32_t i = 0; i < heap->cache_count; i++) {
		const struct slab_cache *from = &heap->caches[i];
		struct snapshot_cache *to = &snapshot->caches[i];
		int status = slab_totals_count(heap, i, &to->totals, err);

		if (status)
			return status;
		to->address = from->address;
		memcpy(to->name, from->name, sizeof(to->name));
		to->flags = from->flags;
		to->size = from->size;
		to->object_size = from->object_size;
		to->red_left_pad = from->red_left_pad;
		to->objects = from->objects;
		to->order = from->order;
		to->mark = mark_of(from);
		snapshot->is_damaged |= from->is_damaged || to->totals.is_damaged;
	}
	return 0;
}

static int take_slab(const struct slab *slab, const struct slab_object *objects, enum slab_damage damage,
		     void *context)
{
	struct heap_snapshot *snapshot = context;
	struct snapshot_slab taken = { .start = slab->start, .cache = slab->cache, .objects = slab->objects,
				       .order = slab->order, .place = slab->place };
	uint8_t states[SLAB_OBJECTS_MAX + 1];

	snapshot->is_damaged |= damage != SLAB_INTACT || slab->is_bad;
	if (slab->is_bad || slab->objects > SLAB_OBJECTS_MAX)
		return 0;
	for (uint32_t i = 0; i < slab->objects; i++)
		states[i] = objects[i].state;
	return heap_snapshot_add_slab(snapshot, &taken, states);
}

int heap_snapshot_take(struct slab_heap *heap, struct heap_snapshot *ret_snapshot, struct error *err)
{
	struct heap_snapshot snapshot = { 0 };
	int status = slab_heap_load(heap, NULL, 0, err);

	take_identity(heap->kernel, &snapshot.identity);
	if (!status)
		status = take_caches(heap, &snapshot, err);
	if (!status)
		status = slab_objects_each(heap, SLAB_NO_CACHE, take_slab, &snapshot, err);
	if (status) {
		heap_snapshot_deinit(&snapshot);
		return status;
	}
	heap_snapshot_finish(&snapshot);
	*ret_snapshot = snapshot;
	return 0;
}

static bool differ(uint64_t one, uint64_t other)
{
	return one && other && one != other;
}

static const struct snapshot_cache *cache_named(const struct heap_snapshot *snapshot, const char *name)
{
	for (size_t i = 0; i < snapshot->cache_count; i++)
		if (strcmp(snapshot->caches[i].name, name) == 0)
			return &snapshot->caches[i];
	return NULL;
}

/* Caches that are made while a kernel boots, and never go. */
static bool have_other_boot_caches(const struct heap_snapshot *before, const struct heap_snapshot *after)
{
	static const char *const names[] = { "kmem_cache", "kmem_cache_node", "task_struct", "dentry" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct snapshot_cache *one = cache_named(before, names[i]),
					    *other = cache_named(after, names[i]);

		if (one && other && (one->address != other->address || one->mark != other->mark))
			return true;
	}
	return false;
}

int heap_snapshot_compare(const struct heap_snapshot *before, const struct heap_snapshot *after,
			  struct error *err)
{
	const struct snapshot_identity *one = &before->identity, *other = &after->identity;
	static const uint8_t unknown[16];

	if ((one->build_id[0] && other->build_id[0] && strcmp(one->build_id, other->build_id)) ||
	    (one->banner[0] && other->banner[0] && strcmp(one->banner, other->banner)))
		return error_set(err, -EBADMSG, "the snapshots are of different kernels: %s and %s",
				 one->release, other->release);
	if (differ(one->base, other->base) || differ(one->page_offset_base, other->page_offset_base) ||
	    differ(one->vmemmap_base, other->vmemmap_base) || have_other_boot_caches(before, after) ||
	    (memcmp(one->boot_id, unknown, 16) && memcmp(other->boot_id, unknown, 16) &&
	     memcmp(one->boot_id, other->boot_id, 16)))
		return error_set(err, -EBADMSG, "the snapshots are of different boots of one kernel");
	return 0;
}
