// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* libslub's structures as the slab model has them: its layout, its caches, the slab of a page. */
#include "slub_heap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"
#include "slab_chain.h"
#include "slab_track.h"
#include "slub_inspection.h"
#include "slub_process.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define AT(member) offsetof(struct slab_layout, member)
/* Caches times CPUs, for each of which the model has a structure. */
#define CPU_PARTS_MAX (1u << 20)
#define PAGES_AT_ONCE 4096
/* Flags that the kernel has in kmem_cache.flags and libslub elsewhere. */
#define FLAG_KMALLOC (UINT64_C(1) << 62)
#define FLAG_OBJECT_POISON (UINT64_C(1) << 63)

static const struct field_spec fields[] = {
	{ "kmem_cache_node", "nr_partial", AT(node.nr_partial), true },
	{ "kmem_cache_node", "partial", AT(node.partial), true },
	{ "kmem_cache_node", "nr_slabs", AT(node.nr_slabs), true },
	{ "kmem_cache_node", "total_objects", AT(node.total_objects), true },
	{ "slab", "slab_list", AT(slab.list), true },
	{ "slab", "next", AT(slab.next), true },
	{ "slab", "slab_cache", AT(slab.cache), true },
	{ "slab", "freelist", AT(slab.freelist), true },
	{ "slab", "inuse", AT(slab.inuse), true },
	{ "slab", "objects", AT(slab.objects), true },
	{ "slab", "frozen", AT(slab.frozen), false },
	{ "slab", "base", AT(slab.base), true },
	{ "slab", "order", AT(slab.order), true },
	{ "slab", "on_partial", AT(slab.on_partial), false },
	{ "slab", "node", AT(slab.node), false },
	{ "slub_cpu_slab", "freelist", AT(cpu.freelist), false },
	{ "slub_cpu_slab", "slab", AT(cpu.slab), false },
	{ "slub_cpu_slab", "partial", AT(cpu.partial), false },
	{ "slub_percpu_sheaves", "main", AT(sheaves.main), true },
	{ "slub_percpu_sheaves", "spare", AT(sheaves.spare), true },
	{ "slab_sheaf", "next", AT(sheaf.barn_list), true },
	{ "node_barn", "sheaves_full", AT(barn.full), true },
	{ "node_barn", "nr_full", AT(barn.nr_full), true },
	{ "node_barn", "nr_empty", AT(barn.nr_empty), true },
	/* A track without a time is of nobody; its stack is slub_layout's. */
	{ "slub_track", "when_ns", AT(track.addr), false },
	{ "slub_track", "when_ns", AT(track.when), false },
	{ "slub_track", "cpu", AT(track.cpu), false },
	{ "slub_track", "pid", AT(track.pid), false },
};

struct sizes {
	struct field slab, cpu, sheaves, sheaf, barn;
};

static const struct field_spec size_fields[] = {
	{ "slab", "", offsetof(struct sizes, slab), true },
	{ "slub_cpu_slab", "", offsetof(struct sizes, cpu), false },
	{ "slub_percpu_sheaves", "", offsetof(struct sizes, sheaves), true },
	{ "slab_sheaf", "", offsetof(struct sizes, sheaf), true },
	{ "node_barn", "", offsetof(struct sizes, barn), true },
};

static void load_flags(const struct slub_process *process, struct slab_layout *layout)
{
	static const char prefix[] = "=flags.";
	const size_t room = COUNT(layout->flags) - 2;

	for (size_t i = 0; i < process->member_count && layout->flag_count < room; i++) {
		const struct slub_inspection_member *member = &process->members[i];
		struct slab_flag *flag = &layout->flags[layout->flag_count];
		size_t length = strnlen(member->name, sizeof(member->name));

		if (length < sizeof(prefix) || length - (sizeof(prefix) - 1) >= sizeof(flag->name) ||
		    strncmp(member->name, prefix, sizeof(prefix) - 1) != 0)
			continue;
		memcpy(flag->name, member->name + sizeof(prefix) - 1, length - (sizeof(prefix) - 1));
		flag->mask = member->offset;
		layout->flag_count++;
		layout->flag_red_zone |= strcmp(flag->name, "RED_ZONE") ? 0 : flag->mask;
		layout->flag_poison |= strcmp(flag->name, "POISON") ? 0 : flag->mask;
		layout->flag_store_user |= strcmp(flag->name, "STORE_USER") ? 0 : flag->mask;
		layout->flag_consistency |= strcmp(flag->name, "CONSISTENCY_CHECKS") ? 0 : flag->mask;
		layout->flag_typesafe_by_rcu |= strcmp(flag->name, "TYPESAFE_BY_RCU") ? 0 : flag->mask;
	}
	layout->flags[layout->flag_count++] = (struct slab_flag){ "KMALLOC", FLAG_KMALLOC };
	layout->flags[layout->flag_count++] = (struct slab_flag){ "OBJECT_POISON", FLAG_OBJECT_POISON };
	layout->flag_kmalloc = FLAG_KMALLOC;
	layout->flag_object_poison = FLAG_OBJECT_POISON;
}

/* What copies out of a structure without looking at its size relies on. */
static bool is_sound(const struct slab_layout *layout)
{
	return layout->page.size <= SLAB_PAGE_BYTES_MAX && layout->slab.list.size == 16 && layout->slab.next.size == 8 &&
	       layout->slab.list.offset + 16 <= layout->page.size && layout->slab.next.offset + 8 <= layout->page.size &&
	       layout->node.partial.size == 16 && layout->sheaves.size >= 16 && layout->barn.full.size == 8 &&
	       layout->sheaf.barn_list.size == 8 && layout->sheaf.barn_list.offset + 8 <= layout->sheaf.objects &&
	       layout->sheaf.objects % 8 == 0;
}

int slub_layout_load(struct kernel *kernel, struct slab_layout *ret_layout, struct error *err)
{
	const struct slub_process *process = kernel->process;
	struct slab_layout layout = { .page_test = SLAB_PAGE_BY_CACHE, .is_hardened = true };
	struct sizes sizes = { 0 };
	int status = slub_fields_load(process, fields, COUNT(fields), &layout, err);

	if (!status)
		status = slub_fields_load(process, size_fields, COUNT(size_fields), &sizes, err);
	if (status)
		return status;
	layout.cache.size = process->layout.cache.all.size;
	layout.node.size = process->layout.node.all.size;
	layout.page.size = sizes.slab.size;
	layout.cpu.size = sizes.cpu.size;
	layout.sheaves.size = sizes.sheaves.size;
	layout.sheaf.objects = sizes.sheaf.size;
	layout.barn.size = sizes.barn.size;
	layout.track.size = process->layout.track.all.size;
	load_flags(process, &layout);
	if (!is_sound(&layout))
		return error_set(err, -EBADMSG, "%s: what its libslub says of its slabs can't be", process->file);
	*ret_layout = layout;
	return 0;
}

struct collection {
	uint64_t *addresses;
	size_t count, limit;
};

static int collect(struct slab_chain *chain, uint64_t record, const void *bytes)
{
	struct collection *collection = chain->context;

	(void)bytes;
	if (collection->count < collection->limit)
		collection->addresses[collection->count++] = record;
	return 0;
}

int slub_caches_collect(struct slab_heap *heap, uint64_t **ret_addresses, size_t *ret_count, struct error *err)
{
	const struct slub_process *process = heap->kernel->process;
	struct collection caches = { .limit = CPU_PARTS_MAX / (2 * process->cpus) };
	struct slab_chain chain = { .link = process->layout.cache.next.offset,
				    .record_size = process->layout.cache.all.size,
				    .limit = caches.limit,
				    .visit = collect,
				    .context = &caches };
	int status = field_read(heap->kernel, &process->layout.state.caches, process->state, &chain.next);

	if (heap->kernel->reader.code)
		return error_set(err, heap->kernel->reader.code, "%s", heap->kernel->reader.text);
	if (status || !chain.next)
		return error_set(err, -EFAULT, "process %d: the list of its caches can't be read", (int)process->pid);
	caches.addresses = calloc(caches.limit, sizeof(*caches.addresses));
	if (!caches.addresses)
		return error_set(err, -ENOMEM, "no memory for the list of caches");
	status = slab_chains_follow(heap->kernel, &chain, 1, err);
	if (!status && !caches.count)
		status = error_set(err, -EFAULT, "process %d: the first of its caches can't be read", (int)process->pid);
	if (status) {
		free(caches.addresses);
		return status;
	}
	if (chain.damage)
		slab_heap_note(heap, &(struct slab_finding){ .kind = SLAB_CACHE_LIST,
							     .cache = SLAB_NO_CACHE,
							     .object = chain.damaged_node,
							     .value = chain.damage,
							     .owner = SLAB_NO_OWNER });
	*ret_addresses = caches.addresses;
	*ret_count = caches.count;
	return 0;
}

/* A sheaf is told by an address in it: so it is a power of two long, and aligned to that. */
static bool has_sound_sheaves(const struct slab_layout *layout, const struct slab_cache *cache, uint64_t mask)
{
	uint64_t bytes = layout->sheaf.objects + cache->sheaf_capacity * UINT64_C(8);

	return !cache->sheaf_capacity || (cache->sheaf_capacity <= 4096 && bytes == mask + 1 && !(bytes & mask));
}

int slub_cache_decode(struct kernel *kernel, const struct slab_layout *layout, uint64_t address, const void *bytes,
		      struct slab_cache *ret_cache)
{
	const struct slub_process *process = kernel->process;
	const struct slub_layout *own = &process->layout;
#define GET(member) field_get(&own->cache.member, bytes, own->cache.all.size)
	uint64_t part = GET(percpu_home) ? GET(percpu_home) - process->percpu_bytes : 0;
	struct slab_cache cache = {
		.address = address,
		.flags = GET(flags) | (GET(is_kmalloc) ? FLAG_KMALLOC : 0),
		.size = (uint32_t)GET(size),
		.object_size = (uint32_t)GET(object_size),
		.inuse = (uint32_t)GET(inuse),
		.offset = (uint32_t)GET(offset),
		.align = (uint32_t)GET(align),
		.red_left_pad = (uint32_t)GET(red_left_pad),
		.order = (uint8_t)GET(order),
		.min_order = (uint8_t)GET(min_order),
		.objects = (uint16_t)GET(objects),
		.min_objects = (uint16_t)GET(min_objects),
		.min_partial = GET(min_partial),
		.cpu_partial = (uint32_t)GET(cpu_partial),
		.cpu_partial_slabs = (uint32_t)GET(cpu_partial_slabs),
		.sheaf_capacity = (uint32_t)GET(sheaf_capacity),
		.sheaf_refill = (uint32_t)GET(sheaf_refill),
		.random = GET(random),
		.refcount = (int32_t)GET(refcount),
		.ctor = GET(ctor),
		.usersize = (uint32_t)GET(object_size),
		.cpu_slab = GET(has_cpu_slabs) ? part : 0,
		.cpu_sheaves = GET(has_sheaves) ? part : 0,
	};

	if (cache.flags & layout->flag_poison && !(cache.flags & layout->flag_typesafe_by_rcu) && !cache.ctor)
		cache.flags |= FLAG_OBJECT_POISON;
	memcpy(cache.name, (const char *)bytes + own->cache.name.offset,
	       own->cache.name.size < sizeof(cache.name) ? own->cache.name.size : sizeof(cache.name) - 1);
	cache.is_damaged = GET(order) > SLAB_ORDER_MAX || GET(min_order) > SLAB_ORDER_MAX ||
			   GET(objects) > SLAB_OBJECTS_MAX || !slab_cache_is_plausible(&cache) ||
			   !has_sound_sheaves(layout, &cache, GET(sheaf_mask));
	cache.cpu_sheaves = cache.is_damaged ? 0 : cache.cpu_sheaves;
#undef GET
	cache.nodes = calloc(kernel->node_count, sizeof(*cache.nodes));
	if (!cache.nodes)
		return -ENOMEM;
	for (size_t i = 0; i < kernel->node_count; i++) {
		cache.nodes[i].node = address + own->cache.node.offset + i * own->node.all.size;
		cache.nodes[i].barn = cache.sheaf_capacity ? cache.nodes[i].node + own->node.barn.offset : 0;
	}
	*ret_cache = cache;
	return 0;
}

/* The last object's place is the word before the top, and the sheaf is the aligned block around that. */
enum slab_damage slub_sheaf_at_top(struct kernel *kernel, const struct slab_layout *layout,
				   const struct slab_cache *cache, uint64_t top, struct slab_sheaf *ret_sheaf)
{
	uint64_t bytes = layout->sheaf.objects + cache->sheaf_capacity * UINT64_C(8);

	if (!top || top == kernel->process->bootstrap_top)
		return SLAB_INTACT;
	ret_sheaf->address = (top - 1) & ~(bytes - 1);
	if (top % 8 || top - ret_sheaf->address < layout->sheaf.objects)
		return SLAB_SHEAF_TOO_LARGE;
	ret_sheaf->size = (uint32_t)((top - ret_sheaf->address - layout->sheaf.objects) / 8);
	return SLAB_INTACT;
}

static bool holds_anything(const struct slub_process *process, const struct slab_layout *layout, const char *part)
{
	uint64_t main = field_get(&layout->sheaves.main, part, layout->cpu.size);

	return (main && main != process->bootstrap_top) || field_get(&layout->sheaves.spare, part, layout->cpu.size) ||
	       field_get(&layout->cpu.slab, part, layout->cpu.size) ||
	       field_get(&layout->cpu.partial, part, layout->cpu.size);
}

void slub_stripes_find(struct slab_heap *heap)
{
	const struct slub_process *process = heap->kernel->process;
	const struct slab_layout *layout = &heap->layout;
	CLEANUP(free) char *part = calloc(1, layout->cpu.size + layout->sheaves.size);
	bool is_used = false;

	for (size_t i = 0; i < heap->cache_count && part && !is_used; i++) {
		const struct slab_cache *cache = &heap->caches[i];
		uint64_t pointer = cache->cpu_slab ? cache->cpu_slab : cache->cpu_sheaves;

		for (size_t cpu = process->cpus; cpu < 2 * process->cpus && pointer && !is_used; cpu++) {
			uint64_t address = pointer + heap->kernel->percpu_offsets[cpu];

			is_used = !kernel_read(heap->kernel, address, part, layout->cpu.size) &&
				  holds_anything(process, layout, part);
		}
	}
	heap->kernel->cpu_count = process->cpus * (is_used ? 2 : 1);
}

/* The slab with that number, 1 for the first, if it is one. -ENOENT, -EFAULT. */
static int read_numbered(struct slab_heap *heap, uint32_t number, struct slab *ret_slab)
{
	const struct slub_process *process = heap->kernel->process;
	uint64_t page = process->slabs + (number - UINT64_C(1)) * heap->layout.page.size;
	char bytes[SLAB_PAGE_BYTES_MAX];
	int status = number && number <= process->page_count
			     ? kernel_read(heap->kernel, page, bytes, heap->layout.page.size)
			     : -ENOENT;

	if (status)
		return status;
	if (!slab_layout_is_slab(&heap->layout, bytes))
		return -ENOENT;
	slab_decode(heap, page, bytes, ret_slab);
	return 0;
}

/* Pages [@first, @first + @count) by what they are. */
static int pass_some(struct slab_heap *heap, uint64_t first, size_t count, slab_callback callback, void *context)
{
	const struct slub_process *process = heap->kernel->process;
	uint32_t numbers[PAGES_AT_ONCE], last = 0;
	uint8_t kinds[PAGES_AT_ONCE];
	int status = kernel_read(heap->kernel, process->kind + first, kinds, count);

	if (!status)
		status = kernel_read(heap->kernel, process->slab_of + first * sizeof(*numbers), numbers,
				     count * sizeof(*numbers));
	if (status)
		return status;
	for (size_t i = 0; i < count && !status; i++) {
		struct slab slab;

		if (kinds[i] == process->page_none || kinds[i] == process->page_run || numbers[i] == last)
			continue;
		last = numbers[i];
		/* Each slab once, at its first page. */
		if (!read_numbered(heap, numbers[i], &slab) && slab.start == process->base + (first + i) * 4096)
			status = callback(&slab, context);
	}
	return status;
}

/* Pages that are or were in use. What is known of others can't always be read. */
static int used_pages(struct kernel *kernel, uint64_t *ret_used)
{
	const struct slub_process *process = kernel->process;
	uint64_t used;
	int status = field_read(kernel, &process->layout.state.used, process->state, &used);

	if (!status)
		*ret_used = used < process->page_count ? used : process->page_count;
	return status;
}

int slub_pages_each(struct slab_heap *heap, slab_callback callback, void *context, struct error *err)
{
	struct kernel *kernel = heap->kernel;
	uint64_t used = 0;
	int status = used_pages(kernel, &used);

	for (uint64_t at = 0; !status && at < used; at += PAGES_AT_ONCE)
		status = pass_some(heap, at, used - at < PAGES_AT_ONCE ? used - at : PAGES_AT_ONCE, callback, context);
	if (status && status == kernel->reader.code)
		return error_set(err, status, "%s", kernel->reader.text);
	return status == -EFAULT ? error_set(err, status, "what the process's pages are can't be read") : status;
}

int slub_locate(struct slab_heap *heap, uint64_t address, struct slab *ret_slab, struct error *err)
{
	const struct slub_process *process = heap->kernel->process;
	uint64_t page = (address - process->base) >> 12;
	uint64_t used;
	uint32_t number;
	uint8_t kind;
	int status = used_pages(heap->kernel, &used);

	if (status)
		return error_set(err, -EFAULT, "how many pages the process uses can't be read");
	if (address < process->base || page >= used)
		return error_set(err, -ENOENT, "0x%llx is not in libslub's pages", (unsigned long long)address);
	if (kernel_read_u8(heap->kernel, process->kind + page, &kind) ||
	    kernel_read_u32(heap->kernel, process->slab_of + page * sizeof(number), &number))
		return error_set(err, -EFAULT, "what the page of 0x%llx is can't be read", (unsigned long long)address);
	status = kind == process->page_none || kind == process->page_run ? -ENOENT
									  : read_numbered(heap, number, ret_slab);
	if (!status && (address < ret_slab->start || address - ret_slab->start >= UINT64_C(4096) << ret_slab->order))
		status = -ENOENT;
	if (status == -ENOENT)
		return error_set(err, status, "0x%llx is in no slab", (unsigned long long)address);
	return status ? error_set(err, status, "the struct slab of 0x%llx can't be read", (unsigned long long)address) : 0;
}

void slub_stack_read(struct kernel *kernel, const void *bytes, struct slab_track *track)
{
	const struct slub_process *process = kernel->process;
	const struct slub_layout *layout = &process->layout;
	uint64_t number = field_get(&layout->track.stack, bytes, layout->track.all.size);
	size_t room = layout->stack.frames.size / sizeof(uint64_t);
	uint64_t stacks, stack, depth;

	if (!number || number > process->stack_count || kernel_read_u64(kernel, process->stacks, &stacks))
		return;
	stack = stacks + (number - 1) * layout->stack.all.size;
	room = room < STACK_DEPOT_DEPTH ? room : STACK_DEPOT_DEPTH;
	if (field_read(kernel, &layout->stack.count, stack, &depth))
		return;
	depth = depth < room ? depth : room;
	if (!kernel_read(kernel, stack + layout->stack.frames.offset, track->stack, depth * sizeof(uint64_t)))
		track->depth = depth;
}
