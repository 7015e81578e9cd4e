// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The list of caches, single slabs, and what was found wrong. The caches' contents: slab_load.c. */
#include "slab_heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"
#include "partition_point.h"
#include "slab_load.h"
#include "slub_heap.h"

/* More caches than any kernel has: bounds a list that was damaged into something long. */
#define CACHES_MAX 65536
/* CONFIG_KFENCE_NUM_OBJECTS is no larger. */
#define KFENCE_OBJECTS_MAX 65535

const char *const slab_damage_names[SLAB_DAMAGE_KINDS + 1] = {
	[SLAB_INTACT] = "intact",
	[SLAB_FREELIST_LOOP] = "freelist-loop",
	[SLAB_FREELIST_OUTSIDE] = "freelist-outside",
	[SLAB_FREELIST_MISALIGNED] = "freelist-misaligned",
	[SLAB_FREELIST_UNREADABLE] = "freelist-unreadable",
	[SLAB_FREELIST_TOO_LONG] = "freelist-too-long",
	[SLAB_FREELIST_TOO_SHORT] = "freelist-too-short",
	[SLAB_LIST_UNREADABLE] = "list-unreadable",
	[SLAB_LIST_LOOP] = "list-loop",
	[SLAB_LIST_BAD_BACK_LINK] = "list-bad-back-link",
	[SLAB_LIST_TOO_LONG] = "list-too-long",
	[SLAB_LIST_COUNT] = "list-count",
	[SLAB_NOT_A_SLAB] = "not-a-slab",
	[SLAB_WRONG_CACHE] = "wrong-cache",
	[SLAB_BAD_COUNTERS] = "bad-counters",
	[SLAB_BAD_FROZEN] = "bad-frozen",
	[SLAB_LISTED_TWICE] = "listed-twice",
	[SLAB_SHEAF_UNREADABLE] = "sheaf-unreadable",
	[SLAB_SHEAF_WRONG_CACHE] = "sheaf-wrong-cache",
	[SLAB_SHEAF_TOO_LARGE] = "sheaf-too-large",
	[SLAB_SHEAF_BAD_OBJECT] = "sheaf-bad-object",
	[SLAB_FREE_TWICE] = "free-twice",
	[SLAB_CACHE_UNREADABLE] = "cache-unreadable",
	[SLAB_CACHE_DAMAGED] = "cache-damaged",
	[SLAB_CACHE_LIST] = "cache-list",
	[SLAB_CPU_UNREADABLE] = "cpu-unreadable",
	[SLAB_NODE_UNREADABLE] = "node-unreadable",
	[SLAB_NOT_LISTED] = "not-listed",
	[SLAB_BOOKS_SLABS] = "books-slabs",
	[SLAB_BOOKS_OBJECTS] = "books-objects",
	[SLAB_RED_ZONE_LEFT] = "red-zone-left",
	[SLAB_RED_ZONE_RIGHT] = "red-zone-right",
	[SLAB_POISON] = "poison",
	[SLAB_PADDING] = "padding",
};

const char *const slab_place_names[SLAB_PLACES + 1] = {
	[SLAB_UNLISTED] = "full",
	[SLAB_ON_CPU] = "cpu",
	[SLAB_CPU_PARTIAL] = "cpu_partial",
	[SLAB_NODE_PARTIAL] = "node_partial",
	[SLAB_NODE_FULL] = "node_full",
};

void slab_heap_note(struct slab_heap *heap, const struct slab_finding *finding)
{
	if (heap->finding_count == heap->finding_capacity) {
		size_t capacity = heap->finding_capacity ? heap->finding_capacity * 2 : 64;
		struct slab_finding *larger = NULL;

		if (capacity <= SLAB_FINDINGS_MAX)
			larger = realloc(heap->findings, capacity * sizeof(*larger));
		if (!larger) {
			heap->findings_dropped++;
			return;
		}
		heap->findings = larger;
		heap->finding_capacity = capacity;
	}
	heap->findings[heap->finding_count++] = *finding;
}

uint32_t slab_heap_find_address(const struct slab_heap *heap, uint64_t address)
{
	size_t at = PARTITION_POINT(i, heap->cache_count, heap->caches[heap->by_address[i]].address < address);

	if (at == heap->cache_count || heap->caches[heap->by_address[at]].address != address)
		return SLAB_NO_CACHE;
	return heap->by_address[at];
}

uint32_t slab_heap_find(const struct slab_heap *heap, const char *name)
{
	for (size_t i = 0; i < heap->cache_count; i++)
		if (!strcmp(heap->caches[i].name, name))
			return (uint32_t)i;
	for (size_t i = 0; i < heap->cache_count; i++)
		for (size_t a = 0; a < heap->caches[i].alias_count; a++)
			if (!strcmp(heap->caches[i].aliases[a], name))
				return (uint32_t)i;
	return SLAB_NO_CACHE;
}

/* Order and nonsense of a slab whose cache is known. */
static void judge(const struct slab_heap *heap, struct slab *slab)
{
	const struct slab_cache *cache = &heap->caches[slab->cache];

	if (!field_exists(&heap->layout.slab.order))
		slab->order = slab->objects == cache->min_objects && slab->objects != cache->objects
				      ? cache->min_order
				      : cache->order;
	slab->is_bad = cache->is_damaged || !slab->start || !slab->objects || slab->inuse > slab->objects ||
		       slab->objects > SLAB_OBJECTS_MAX ||
		       (slab->order != cache->order && slab->order != cache->min_order) ||
		       (uint64_t)slab->objects * cache->size > UINT64_C(4096) << slab->order;
}

void slab_decode(const struct slab_heap *heap, uint64_t page, const void *bytes, struct slab *ret_slab)
{
#define GET(member) field_get(&heap->layout.slab.member, bytes, heap->layout.page.size)
	struct slab slab = {
		.page = page,
		.freelist = GET(freelist),
		.cache = slab_heap_find_address(heap, GET(cache)),
		.owner = SLAB_NO_OWNER,
		.inuse = (uint16_t)GET(inuse),
		.objects = (uint16_t)GET(objects),
		.order = GET(order) < SLAB_ORDER_MAX ? (uint8_t)GET(order) : SLAB_ORDER_MAX,
		.is_frozen = GET(frozen) != 0,
		.is_bad = true,
	};
	uint64_t pfn;

	if (field_exists(&heap->layout.slab.base))
		slab.start = GET(base);
	else if (kernel_page_to_pfn(heap->kernel, page, &pfn) ||
	    kernel_pfn_to_direct(heap->kernel, pfn, &slab.start))
		slab.start = 0;
	if (field_exists(&heap->layout.slab.node))
		slab.node = (uint16_t)GET(node);
	else if (heap->layout.page.node_bits)
		slab.node = (uint16_t)(GET(flags) >> (64 - heap->layout.page.node_bits));
#undef GET
	if (slab.cache != SLAB_NO_CACHE)
		judge(heap, &slab);
	*ret_slab = slab;
}

uint32_t slab_cpu_node(const struct slab_heap *heap, uint32_t cpu)
{
	uint64_t variable, address;
	uint32_t number = 0;

	if (!kernel_symbol(heap->kernel, "numa_node", &variable) &&
	    !kernel_percpu(heap->kernel, variable, cpu, &address))
		(void)kernel_read_u32(heap->kernel, address, &number);
	return number < heap->kernel->node_count ? number : 0;
}

int slab_read(struct slab_heap *heap, uint64_t page, struct slab *ret_slab)
{
	char bytes[SLAB_PAGE_BYTES_MAX];
	int status = kernel_read(heap->kernel, page, bytes, heap->layout.page.size);

	if (!status)
		slab_decode(heap, page, bytes, ret_slab);
	return status;
}

const struct slab *slab_contents_find(const struct slab_contents *contents, uint64_t page)
{
	size_t low = PARTITION_POINT(i, contents->listed_count, contents->listed[i]->page < page);

	return low < contents->listed_count && contents->listed[low]->page == page ? contents->listed[low]
										   : NULL;
}

/* The addresses of all caches, as far as the list leads. */
static int collect_caches(struct slab_heap *heap, uint64_t **ret_addresses, size_t *ret_count,
			  struct error *err)
{
	CLEANUP(free) uint64_t *addresses = NULL;
	size_t count = 0, capacity = 0;
	struct list_walk walk;
	uint64_t head, node;
	int status = kernel_symbol(heap->kernel, "slab_caches", &head);

	if (status)
		return error_set(err, -ENOENT, "the kernel has no symbol slab_caches, or hides it");
	list_walk_begin(&walk, heap->kernel, head, CACHES_MAX);
	while (list_walk_next(&walk, &node)) {
		if (count == capacity) {
			uint64_t *larger;

			capacity = capacity ? capacity * 2 : 256;
			larger = realloc(addresses, capacity * sizeof(*addresses));
			if (!larger)
				return error_set(err, -ENOMEM, "no memory for the list of caches");
			addresses = larger;
		}
		addresses[count++] = node - heap->layout.cache.list.offset;
	}
	if (walk.damage)
		slab_heap_note(heap, &(struct slab_finding){ .kind = SLAB_CACHE_LIST,
							     .cache = SLAB_NO_CACHE,
							     .object = walk.damaged_node,
							     .value = walk.damage,
							     .owner = SLAB_NO_OWNER });
	if (!count)
		return error_set(err, -EFAULT, "slab_caches at 0x%llx %s", (unsigned long long)head,
				 walk.damage ? list_damage_text(walk.damage) : "is empty");
	*ret_addresses = TAKE_PTR(addresses);
	*ret_count = count;
	return 0;
}

/* Names stand all over read-only data and the heap: bring them in together. */
static void prefetch_names(struct slab_heap *heap, const struct memory_read *reads, size_t count)
{
	struct memory_range *ranges = calloc(count, sizeof(*ranges));

	if (!ranges)
		return;
	for (size_t i = 0; i < count; i++)
		if (!reads[i].result)
			ranges[i] = (struct memory_range){
				field_get(&heap->layout.cache.name, reads[i].buffer, reads[i].size),
				sizeof(heap->caches->name)
			};
	kernel_prefetch(heap->kernel, ranges, count);
	free(ranges);
}

static int decode_caches(struct slab_heap *heap, const struct memory_read *reads, size_t count,
			 struct error *err)
{
	if (!heap->kernel->process)
		prefetch_names(heap, reads, count);
	for (size_t i = 0; i < count; i++) {
		struct slab_cache *cache = &heap->caches[heap->cache_count];
		struct slab_finding finding = { .cache = (uint32_t)heap->cache_count,
						.object = reads[i].address,
						.owner = SLAB_NO_OWNER };

		if (reads[i].result) {
			finding.kind = SLAB_CACHE_UNREADABLE;
			finding.cache = SLAB_NO_CACHE;
			slab_heap_note(heap, &finding);
			continue;
		}
		if ((heap->kernel->process ? slub_cache_decode : slab_cache_decode)(
			    heap->kernel, &heap->layout, reads[i].address, reads[i].buffer, cache))
			return error_set(err, -ENOMEM, "no memory for a cache");
		heap->cache_count++;
		if (cache->is_damaged) {
			finding.kind = SLAB_CACHE_DAMAGED;
			slab_heap_note(heap, &finding);
		}
	}
	return 0;
}

static int compare_addresses(const void *left, const void *right, void *context)
{
	const struct slab_cache *caches = context;
	uint64_t a = caches[*(const uint32_t *)left].address, b = caches[*(const uint32_t *)right].address;

	return a < b ? -1 : a > b;
}

static int read_caches(struct slab_heap *heap, const uint64_t *addresses, size_t count, struct error *err)
{
	CLEANUP(free) struct memory_read *reads = calloc(count, sizeof(*reads));
	CLEANUP(free) char *bytes = calloc(count, heap->layout.cache.size);
	int status;

	heap->caches = calloc(count, sizeof(*heap->caches));
	heap->contents = calloc(count, sizeof(struct slab_contents *));
	heap->by_address = calloc(count, sizeof(*heap->by_address));
	if (!reads || !bytes || !heap->caches || !heap->contents || !heap->by_address)
		return error_set(err, -ENOMEM, "no memory for %zu caches", count);
	for (size_t i = 0; i < count; i++)
		reads[i] = (struct memory_read){ .address = addresses[i],
						 .buffer = bytes + i * heap->layout.cache.size,
						 .size = heap->layout.cache.size };
	status = kernel_read_many(heap->kernel, reads, count);
	if (status)
		return error_set(err, status, "%s", heap->kernel->reader.text);
	status = decode_caches(heap, reads, count, err);
	for (size_t i = 0; i < heap->cache_count; i++)
		heap->by_address[i] = (uint32_t)i;
	if (heap->cache_count)
		qsort_r(heap->by_address, heap->cache_count, sizeof(*heap->by_address), compare_addresses,
			heap->caches);
	return status;
}

/* Whether metadata @index at @at tells of an object in its page of the pool. */
static bool is_kfence_metadata(struct kernel *kernel, uint64_t at, uint64_t pool, uint64_t index)
{
	uint64_t address;

	return !kernel_read_u64(kernel, at, &address) &&
	       (address & ~UINT64_C(4095)) == pool + UINT64_C(2) * 4096 * (index + 1);
}

/*
 * The pool has no size of its own in memory, but metadata i tells where object i lies: in page 2 × (i + 1) of
 * the pool (mm/kfence/core.c, kfence_init_pool()).
 */
static void find_kfence_pool(struct slab_heap *heap)
{
	struct kernel *kernel = heap->kernel;
	size_t stride = kernel_sizeof(kernel->types, "kfence_metadata");
	uint64_t pool, metadata, objects = 0;
	struct kernel_member member;
	uint32_t id;

	if (!stride || kernel_read_variable(kernel, "__kfence_pool", sizeof(pool), &pool) || !pool ||
	    kernel_type_find(kernel->types, "kfence_metadata", &id) ||
	    kernel_member_find(kernel->types, id, "addr", &member, NULL) ||
	    kernel_symbol(kernel, "kfence_metadata", &metadata))
		return;
	/* An array at first, a pointer to one since 6.6: whichever of them has the first object's address. */
	if (!is_kfence_metadata(kernel, metadata + member.bit_offset / 8, pool, 0) &&
	    kernel_read_u64(kernel, metadata, &metadata))
		return;
	while (objects < KFENCE_OBJECTS_MAX &&
	       is_kfence_metadata(kernel, metadata + objects * stride + member.bit_offset / 8, pool, objects))
		objects++;
	if (objects)
		heap->kfence_pool = (struct memory_range){ pool, (objects + 1) * 2 * 4096 };
}

int slab_heap_open(struct kernel *kernel, struct slab_heap **ret_heap, struct error *err)
{
	CLEANUP(free) uint64_t *addresses = NULL;
	struct slab_heap *heap = calloc(1, sizeof(*heap));
	size_t count = 0;
	int status;

	if (!heap)
		return error_set(err, -ENOMEM, "no memory for the slab allocator's model");
	heap->kernel = kernel;
	status = (kernel->process ? slub_layout_load : slab_layout_load)(kernel, &heap->layout, err);
	if (!status && heap->layout.page.size > SLAB_PAGE_BYTES_MAX)
		status = error_set(err, -EBADMSG, "struct page has %zu bytes", heap->layout.page.size);
	heap->encoding = heap->layout.is_hardened ? SLAB_ENCODING_XOR_SWAP : SLAB_ENCODING_PLAIN;
	heap->is_encoding_proven = !heap->layout.is_hardened || kernel->process;
	if (!status)
		status = (kernel->process ? slub_caches_collect : collect_caches)(heap, &addresses, &count, err);
	if (!status)
		status = read_caches(heap, addresses, count, err);
	if (status) {
		slab_heap_close(heap);
		return status;
	}
	if (kernel->process)
		slub_stripes_find(heap);
	else
		find_kfence_pool(heap);
	*ret_heap = heap;
	return 0;
}

void slab_heap_close(struct slab_heap *heap)
{
	if (!heap)
		return;
	for (size_t i = 0; i < heap->cache_count; i++) {
		slab_contents_destroy(heap->contents[i]);
		slab_cache_deinit(&heap->caches[i]);
	}
	free(heap->caches);
	free(heap->contents);
	free(heap->by_address);
	free(heap->findings);
	free(heap->counted);
	free(heap);
}
