// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// The kernel's formulas (mm/slub.c calculate_sizes(), calculate_order(), slub_set_cpu_partial(),
// calculate_sheaf_capacity(); mm/slab_common.c calculate_alignment()). Nothing here touches memory.
#include "geometry.h"
#include "slub.h"

#define WORD 8u
#define MIN_PARTIAL 5u
#define MAX_PARTIAL 10u
#define SHEAF_HEADER 32u
#define PROGRAM_SHEAF_BYTES 32768u

static unsigned align_up(unsigned value, unsigned align)
{
	return (value + align - 1) & ~(align - 1);
}

static unsigned max_of(unsigned left, unsigned right)
{
	return left > right ? left : right;
}

static unsigned min_of(unsigned left, unsigned right)
{
	return left < right ? left : right;
}

static unsigned bits_of(unsigned value)
{
	return value ? 32 - __builtin_clz(value) : 0;
}

static unsigned order_of(uint64_t bytes)
{
	uint64_t pages = (bytes + SLUB_PAGE_SIZE - 1) >> SLUB_PAGE_SHIFT;

	return pages > 1 ? 64 - __builtin_clzll(pages - 1) : 0;
}

static unsigned objects_in(unsigned order, unsigned size)
{
	return (SLUB_PAGE_SIZE << order) / size;
}

struct slub_rules slub_rules_of_sheaves(unsigned cpus)
{
	return (struct slub_rules){
		.cpus = cpus, .max_order = 3, .cache_line = 64, .track_size = 0x20, .orig_size_bytes = 8,
		.kmalloc_aligns_to_factor = true, .has_sheaves = true,
	};
}

struct slub_rules slub_rules_of_programs(unsigned cpus)
{
	struct slub_rules rules = slub_rules_of_sheaves(cpus);

	rules.sheaf_bytes = PROGRAM_SHEAF_BYTES;
	return rules;
}

struct slub_rules slub_rules_of_cpu_slabs(unsigned cpus)
{
	return (struct slub_rules){
		.cpus = cpus, .max_order = 3, .cache_line = 64, .track_size = 0x20, .orig_size_bytes = 4,
		.kmalloc_aligns_to_factor = true, .has_cpu_partial = true,
	};
}

struct slub_rules slub_rules_of_counted_objects(unsigned cpus)
{
	return (struct slub_rules){
		.cpus = cpus, .max_order = 3, .cache_line = 64, .track_size = 0x98,
		.order_by_min_objects = true, .cpu_partial_counts_objects = true, .has_cpu_partial = true,
	};
}

static unsigned alignment(const struct slub_rules *rules, const struct slub_request *request)
{
	unsigned align = max_of(request->align, WORD);

	if (request->is_kmalloc && (rules->kmalloc_aligns_to_factor || !(request->object_size & (request->object_size - 1))))
		align = max_of(align, request->object_size & -request->object_size);
	if (request->flags & SLUB_HWCACHE_ALIGN) {
		unsigned line = rules->cache_line;

		while (request->object_size <= line / 2)
			line /= 2;
		align = max_of(align, line);
	}
	return align_up(align, WORD);
}

// Where the parts of an object stand.
static void lay_object(const struct slub_rules *rules, const struct slub_request *request,
		       struct slub_geometry *out)
{
	uint32_t flags = request->flags;
	bool keeps_orig_size = request->is_kmalloc && flags & SLUB_STORE_USER && rules->orig_size_bytes;
	unsigned size = align_up(request->object_size, WORD);

	out->object_size = request->object_size;
	out->align = alignment(rules, request);
	if (flags & SLUB_RED_ZONE && size == request->object_size)
		size += WORD;
	out->inuse = size;
	if (((flags & SLUB_TYPESAFE_BY_RCU || request->has_ctor) && !request->use_freeptr_offset) || flags & SLUB_POISON ||
	    (flags & SLUB_RED_ZONE && (request->object_size < WORD || keeps_orig_size))) {
		out->offset = size;
		size += WORD;
	} else {
		out->offset = request->use_freeptr_offset ? request->freeptr_offset : request->object_size / 2 & ~(WORD - 1);
	}
	if (flags & SLUB_STORE_USER)
		size += 2 * rules->track_size + (keeps_orig_size ? rules->orig_size_bytes : 0);
	if (flags & SLUB_RED_ZONE) {
		out->red_left_pad = align_up(WORD, out->align);
		size += WORD + out->red_left_pad;
	}
	out->size = align_up(size, out->align);
}

// The smallest order from `order` on that wastes at most 1/fraction of the slab; max_order + 1 when none does.
static unsigned order_with_little_waste(unsigned size, unsigned order, unsigned max_order, unsigned fraction)
{
	for (; order <= max_order; order++) {
		unsigned slab = SLUB_PAGE_SIZE << order;

		if (slab % size <= slab / fraction)
			break;
	}
	return order;
}

// Since "mm, slub: remove min_objects loop from calculate_order()".
static unsigned order_by_waste(const struct slub_rules *rules, unsigned size, unsigned min_objects)
{
	unsigned first = order_of((uint64_t)min_objects * size), order;

	for (unsigned fraction = 16; fraction > 1; fraction /= 2) {
		order = order_with_little_waste(size, first, rules->max_order, fraction);
		if (order <= rules->max_order)
			return order;
	}
	return order_of(size);
}

static unsigned order_by_objects(const struct slub_rules *rules, unsigned size, unsigned min_objects)
{
	for (; min_objects > 1; min_objects--) {
		unsigned first = order_of((uint64_t)min_objects * size);

		for (unsigned fraction = 16; fraction >= 4; fraction /= 2) {
			unsigned order = order_with_little_waste(size, first, rules->max_order, fraction);

			if (order <= rules->max_order)
				return order;
		}
	}
	return order_of(size);
}

static unsigned slab_order(const struct slub_rules *rules, unsigned size)
{
	unsigned most = max_of(objects_in(rules->max_order, size), 1);
	unsigned min_objects = min_of(4 * (bits_of(rules->cpus) + 1), most);

	if (objects_in(order_of((uint64_t)min_objects * size), size) > SLUB_MAX_OBJECTS_PER_SLAB)
		return order_of((uint64_t)size * SLUB_MAX_OBJECTS_PER_SLAB) - 1;
	return (rules->order_by_min_objects ? order_by_objects : order_by_waste)(rules, size, min_objects);
}

static unsigned by_size(unsigned size, unsigned page, unsigned kilobyte, unsigned quarter, unsigned small)
{
	return size >= SLUB_PAGE_SIZE ? page : size >= 1024 ? kilobyte : size >= 256 ? quarter : small;
}

static void set_cpu_partial(const struct slub_rules *rules, struct slub_geometry *out)
{
	if (rules->cpu_partial_counts_objects) {
		out->cpu_partial = by_size(out->size, 2, 6, 13, 30);
		return;
	}
	out->cpu_partial = by_size(out->size, 6, 24, 52, 120);
	out->cpu_partial_slabs = (out->cpu_partial * 2 + out->objects - 1) / out->objects;
}

// 4, 12, 26 or 60 objects, then as many as the kmalloc bucket of that sheaf holds.
static void set_sheaf_capacity(const struct slub_rules *rules, struct slub_geometry *out)
{
	unsigned bytes = slub_kmalloc_size(slub_kmalloc_index(SHEAF_HEADER + WORD * by_size(out->size, 4, 12, 26, 60)));

	out->sheaf_refill = (bytes - SHEAF_HEADER) / WORD;
	while (bytes < SLUB_MAX_SHEAF && (2 * bytes - SHEAF_HEADER) / WORD * out->size <= rules->sheaf_bytes)
		bytes *= 2;
	out->sheaf_capacity = (bytes - SHEAF_HEADER) / WORD;
}

bool slub_geometry(const struct slub_rules *rules, const struct slub_request *request, struct slub_geometry *ret)
{
	const uint32_t debug = SLUB_RED_ZONE | SLUB_POISON | SLUB_STORE_USER | SLUB_CONSISTENCY_CHECKS;
	const unsigned too_large = SLUB_PAGE_SIZE << SLUB_MAX_PAGE_ORDER;
	struct slub_geometry out = {};

	if (!request->object_size || request->object_size > too_large || request->align > SLUB_PAGE_SIZE ||
	    (request->align & (request->align - 1)))
		return false;
	lay_object(rules, request, &out);
	if (out.size > too_large)
		return false;
	out.order = slab_order(rules, out.size);
	if (out.order > SLUB_MAX_PAGE_ORDER)
		return false;
	out.objects = objects_in(out.order, out.size);
	out.min_order = order_of(out.size);
	out.min_objects = objects_in(out.min_order, out.size);
	out.min_partial = min_of(MAX_PARTIAL, max_of(MIN_PARTIAL, (bits_of(out.size) - 1) / 2));
	if ((rules->has_cpu_partial || request->flags & SLUB_CPU_SLABS) && !(request->flags & debug))
		set_cpu_partial(rules, &out);
	if (rules->has_sheaves && !(request->flags & (debug | SLUB_NO_SHEAVES | SLUB_CPU_SLABS)))
		set_sheaf_capacity(rules, &out);
	// Before 7.0 only caches that asked for sheaves had some.
	if (!(request->flags & debug))
		out.sheaf_capacity = max_of(out.sheaf_capacity, request->sheaf_capacity);
	*ret = out;
	return true;
}

int slub_kmalloc_index(uint64_t size)
{
	if (!size)
		return 0;
	if (size > 8192)
		return -1;
	if (size > 64 && size <= 96)
		return 1;
	if (size > 128 && size <= 192)
		return 2;
	return size <= 8 ? 3 : (int)bits_of((unsigned)size - 1);
}

unsigned slub_kmalloc_size(int index)
{
	if (index == 1 || index == 2)
		return 96u * (unsigned)index;
	return index >= 3 && index <= 13 ? 1u << index : 0;
}
