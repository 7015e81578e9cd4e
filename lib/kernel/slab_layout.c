// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Finds SLUB's members, flags and page types in the kernel's types. Reads no memory of the target. */
#include "slab_layout.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernel.h"
#include "page.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define AT(member) offsetof(struct slab_layout, member)

static const struct field_spec cache_fields[] = {
	{ "kmem_cache", "cpu_slab", AT(cache.cpu_slab), false },
	{ "kmem_cache", "cpu_sheaves", AT(cache.cpu_sheaves), false },
	{ "kmem_cache", "flags", AT(cache.flags), true },
	{ "kmem_cache", "min_partial", AT(cache.min_partial), true },
	{ "kmem_cache", "size", AT(cache.object_bytes), true },
	{ "kmem_cache", "object_size", AT(cache.object_size), true },
	{ "kmem_cache", "offset", AT(cache.offset), true },
	{ "kmem_cache", "cpu_partial", AT(cache.cpu_partial), false },
	{ "kmem_cache", "cpu_partial_slabs", AT(cache.cpu_partial_slabs), false },
	{ "kmem_cache", "sheaf_capacity", AT(cache.sheaf_capacity), false },
	{ "kmem_cache", "oo.x", AT(cache.oo), true },
	{ "kmem_cache", "min.x", AT(cache.min), true },
	{ "kmem_cache", "refcount", AT(cache.refcount), true },
	{ "kmem_cache", "ctor", AT(cache.ctor), true },
	{ "kmem_cache", "inuse", AT(cache.inuse), true },
	{ "kmem_cache", "align", AT(cache.align), true },
	{ "kmem_cache", "red_left_pad", AT(cache.red_left_pad), false },
	{ "kmem_cache", "name", AT(cache.name), true },
	{ "kmem_cache", "list", AT(cache.list), true },
	{ "kmem_cache", "random", AT(cache.random), false },
	{ "kmem_cache", "useroffset", AT(cache.useroffset), false },
	{ "kmem_cache", "usersize", AT(cache.usersize), false },
	{ "kmem_cache", "kobj", AT(cache.kobj), false },
	/* 7.1 put barn and node side by side. */
	{ "kmem_cache", "node[0]|per_node[0].node", AT(cache.node), true },
	{ "kmem_cache", "per_node[0].barn", AT(cache.barn), false },
};

static const struct field_spec cpu_fields[] = {
	{ "kmem_cache_cpu", "freelist", AT(cpu.freelist), true },
	{ "kmem_cache_cpu", "tid", AT(cpu.tid), false },
	{ "kmem_cache_cpu", "slab|page", AT(cpu.slab), true },
	{ "kmem_cache_cpu", "partial", AT(cpu.partial), false },
};

static const struct field_spec sheaf_fields[] = {
	{ "slub_percpu_sheaves", "main", AT(sheaves.main), true },
	{ "slub_percpu_sheaves", "spare", AT(sheaves.spare), true },
	{ "slub_percpu_sheaves", "rcu_free", AT(sheaves.rcu_free), false },
	{ "slab_sheaf", "barn_list", AT(sheaf.barn_list), true },
	{ "slab_sheaf", "capacity", AT(sheaf.capacity), false },
	{ "slab_sheaf", "cache", AT(sheaf.cache), true },
	{ "slab_sheaf", "size", AT(sheaf.size), true },
	{ "slab_sheaf", "node", AT(sheaf.node), false },
	{ "node_barn", "sheaves_full", AT(barn.full), true },
	{ "node_barn", "sheaves_empty", AT(barn.empty), true },
	{ "node_barn", "nr_full", AT(barn.nr_full), true },
	{ "node_barn", "nr_empty", AT(barn.nr_empty), true },
};

static const struct field_spec node_fields[] = {
	{ "kmem_cache_node", "nr_partial", AT(node.nr_partial), true },
	{ "kmem_cache_node", "partial", AT(node.partial), true },
	{ "kmem_cache_node", "nr_slabs.counter", AT(node.nr_slabs), false },
	{ "kmem_cache_node", "total_objects.counter", AT(node.total_objects), false },
	{ "kmem_cache_node", "full", AT(node.full), false },
	{ "kmem_cache_node", "barn", AT(node.barn), false },
};

static const struct field_spec slab_fields[] = {
	{ "slab", "flags|__page_flags", AT(slab.flags), true },
	{ "slab", "slab_list", AT(slab.list), true },
	{ "slab", "next", AT(slab.next), false },
	{ "slab", "slab_cache", AT(slab.cache), true },
	{ "slab", "freelist", AT(slab.freelist), true },
	{ "slab", "inuse", AT(slab.inuse), true },
	{ "slab", "objects", AT(slab.objects), true },
	{ "slab", "frozen", AT(slab.frozen), false },
	{ "slab", "obj_exts|memcg_data", AT(slab.ext), false },
};

static const struct field_spec slab_page_fields[] = {
	{ "page", "flags", AT(slab.flags), true },
	{ "page", "slab_list|lru", AT(slab.list), true },
	{ "page", "next", AT(slab.next), false },
	{ "page", "slab_cache", AT(slab.cache), true },
	{ "page", "freelist", AT(slab.freelist), true },
	{ "page", "inuse", AT(slab.inuse), true },
	{ "page", "objects", AT(slab.objects), true },
	{ "page", "frozen", AT(slab.frozen), false },
	{ "page", "obj_cgroups|memcg_data", AT(slab.ext), false },
};

static const struct field_spec page_fields[] = {
	{ "page", "flags", AT(page.flags), true },
	{ "page", "page_type", AT(page.page_type), false },
	{ "page", "compound_head|compound_info", AT(page.compound), true },
};

static const struct field_spec track_fields[] = {
	{ "track", "addr", AT(track.addr), true },
	{ "track", "addrs", AT(track.addrs), false },
	{ "track", "handle", AT(track.handle), false },
	{ "track", "cpu", AT(track.cpu), false },
	{ "track", "pid", AT(track.pid), false },
	{ "track", "when", AT(track.when), false },
};

/* include/linux/slab.h and mm/slub.c before the bits became an enum (cc61eb851461, 6.9). */
static const struct slab_flag macro_flags[] = {
	{ "CONSISTENCY_CHECKS", 0x100 }, { "RED_ZONE", 0x400 },          { "POISON", 0x800 },
	{ "KMALLOC", 0x1000 },           { "HWCACHE_ALIGN", 0x2000 },    { "CACHE_DMA", 0x4000 },
	{ "CACHE_DMA32", 0x8000 },       { "STORE_USER", 0x10000 },      { "RECLAIM_ACCOUNT", 0x20000 },
	{ "PANIC", 0x40000 },            { "TYPESAFE_BY_RCU", 0x80000 }, { "MEM_SPREAD", 0x100000 },
	{ "TRACE", 0x200000 },           { "DEBUG_OBJECTS", 0x400000 },  { "NOLEAKTRACE", 0x800000 },
	{ "NO_MERGE", 0x1000000 },       { "FAILSLAB", 0x2000000 },      { "ACCOUNT", 0x4000000 },
	{ "KASAN", 0x8000000 },          { "NO_USER_FLAGS", 0x10000000 }, { "SKIP_KFENCE", 0x20000000 },
	{ "CMPXCHG_DOUBLE", 0x40000000 }, { "OBJECT_POISON", 0x80000000 },
};

static bool has_type(struct kernel *kernel, const char *name)
{
	return kernel_sizeof(kernel->types, name) != 0;
}

/* What a table means when its type is absent altogether: nothing. */
static int load_optional(struct kernel *kernel, const char *type, const struct field_spec *specs,
			 size_t count, struct slab_layout *layout, struct error *err)
{
	return has_type(kernel, type) ? fields_load(kernel->types, specs, count, layout, err) : 0;
}

static void load_flags(struct kernel *kernel, struct slab_layout *layout)
{
	const struct btf *btf = kernel_types_btf(kernel->types);
	const struct btf_type *type = NULL;
	uint32_t id;

	if (!kernel_type_find(kernel->types, "_slab_flag_bits", &id))
		type = btf__type_by_id(btf, id);
	if (!type || !btf_is_enum(type)) {
		memcpy(layout->flags, macro_flags, sizeof(macro_flags));
		layout->flag_count = COUNT(macro_flags);
		return;
	}
	for (unsigned i = 0; i < btf_vlen(type) && layout->flag_count < COUNT(layout->flags); i++) {
		const struct btf_enum *bit = &btf_enum(type)[i];
		const char *name = btf__name_by_offset(btf, bit->name_off);
		struct slab_flag *flag = &layout->flags[layout->flag_count];

		if (!name || strncmp(name, "_SLAB_", 6) || !strcmp(name, "_SLAB_FLAGS_LAST_BIT") ||
		    bit->val < 0 || bit->val > 63)
			continue;
		snprintf(flag->name, sizeof(flag->name), "%s", name + 6);
		flag->mask = UINT64_C(1) << bit->val;
		layout->flag_count++;
	}
}

static uint64_t flag_mask(const struct slab_layout *layout, const char *name)
{
	for (size_t i = 0; i < layout->flag_count; i++)
		if (!strcmp(layout->flags[i].name, name))
			return layout->flags[i].mask;
	return 0;
}

static void name_flags(struct slab_layout *layout)
{
	layout->flag_red_zone = flag_mask(layout, "RED_ZONE");
	layout->flag_poison = flag_mask(layout, "POISON");
	layout->flag_object_poison = flag_mask(layout, "OBJECT_POISON");
	layout->flag_store_user = flag_mask(layout, "STORE_USER");
	layout->flag_trace = flag_mask(layout, "TRACE");
	layout->flag_consistency = flag_mask(layout, "CONSISTENCY_CHECKS");
	layout->flag_typesafe_by_rcu = flag_mask(layout, "TYPESAFE_BY_RCU");
	layout->flag_kmalloc = flag_mask(layout, "KMALLOC");
}

/*
 * PG_slab was a bit number of page flags; then a bit of page_type that is clear in slabs, above a base that
 * is set (46df8e73a4a3 "mm: free up PG_slab", 6.10); then PGTY_slab became a number in the top byte.
 */
static int load_page_test(struct kernel *kernel, struct slab_layout *layout, struct error *err)
{
	int64_t value, base = 0xf0000000;

	if (!kernel_enumerator(kernel->types, "PGTY_slab", &value) && value > 0 && value <= 0xff) {
		layout->page_test = SLAB_PAGE_BY_TYPE;
		layout->page_test_mask = 0xff000000;
		layout->page_test_value = (uint64_t)value << 24;
		return 0;
	}
	if (kernel_enumerator(kernel->types, "PG_slab", &value) || value < 0 || value > UINT32_MAX)
		return error_set(err, -ENOENT, "the kernel's types don't tell how pages of slabs are marked");
	if (value < 64) {
		layout->page_test = SLAB_PAGE_BY_FLAG;
		layout->page_test_mask = layout->page_test_value = UINT64_C(1) << value;
		return 0;
	}
	(void)kernel_enumerator(kernel->types, "PAGE_TYPE_BASE", &base);
	layout->page_test = SLAB_PAGE_BY_CLEAR_BIT;
	layout->page_test_mask = ((uint64_t)base | (uint64_t)value) & UINT32_MAX;
	layout->page_test_value = (uint64_t)base & UINT32_MAX;
	return 0;
}

/* The order of a compound page lies in its second struct page, of which struct folio is the later name. */
static void load_page_order(struct kernel *kernel, struct slab_layout *layout)
{
	static const struct {
		const char *type, *path;
	} places[] = { { "page", "compound_order" }, { "folio", "_folio_order" }, { "folio", "_flags_1" } };
	struct kernel_member member;
	uint32_t id;
	int64_t bit;

	if (!kernel_enumerator(kernel->types, "PG_head", &bit) && bit >= 0 && bit < 64)
		layout->page.head_mask = UINT64_C(1) << bit;
	for (size_t i = 0; i < COUNT(places); i++) {
		if (kernel_type_find(kernel->types, places[i].type, &id) ||
		    kernel_member_find(kernel->types, id, places[i].path, &member, NULL))
			continue;
		layout->page.order_offset = member.bit_offset / 8 + (i == 0 ? layout->page.size : 0);
		layout->page.order_mask = 0xff;
		return;
	}
}

/* NODES_SHIFT, out of what zonelists have room for: each zone of each node, and an end. */
static void load_node_bits(struct kernel *kernel, struct slab_layout *layout)
{
	size_t list = kernel_sizeof(kernel->types, "zonelist"), each = kernel_sizeof(kernel->types, "zoneref");
	int64_t zones = 0;

	if (!each || kernel_enumerator(kernel->types, "__MAX_NR_ZONES", &zones) || zones <= 0)
		return;
	for (uint64_t nodes = (list / each - 1) / (uint64_t)zones; nodes >> layout->page.node_bits > 1;)
		if (++layout->page.node_bits == 16)
			return;
}

static int load_sheaf_objects(struct kernel *kernel, struct slab_layout *layout, struct error *err)
{
	struct kernel_member member;
	uint32_t id;
	int status = kernel_type_find(kernel->types, "slab_sheaf", &id);

	if (status)
		return 0;
	status = kernel_member_find(kernel->types, id, "objects", &member, err);
	if (!status)
		layout->sheaf.objects = member.bit_offset / 8;
	return status;
}

static int load_tables(struct kernel *kernel, struct slab_layout *layout, struct error *err)
{
	struct kernel_types *types = kernel->types;
	int status = fields_load(types, cache_fields, COUNT(cache_fields), layout, err);

	if (!status)
		status = fields_load(types, node_fields, COUNT(node_fields), layout, err);
	if (!status)
		status = fields_load(types, page_fields, COUNT(page_fields), layout, err);
	if (!status)
		status = load_optional(kernel, "kmem_cache_cpu", cpu_fields, COUNT(cpu_fields), layout, err);
	if (!status)
		status = load_optional(kernel, "slub_percpu_sheaves", sheaf_fields, COUNT(sheaf_fields),
				       layout, err);
	if (!status)
		status = load_optional(kernel, "track", track_fields, COUNT(track_fields), layout, err);
	if (!status && has_type(kernel, "slab"))
		status = fields_load(types, slab_fields, COUNT(slab_fields), layout, err);
	else if (!status)
		status = fields_load(types, slab_page_fields, COUNT(slab_page_fields), layout, err);
	return status;
}

/* The array of node pointers is as long as there are nodes, whatever its declaration says. */
static int load_node_array(struct kernel *kernel, struct slab_layout *layout, struct error *err)
{
	struct kernel_member second;
	uint32_t id;
	int status = kernel_type_find(kernel->types, "kmem_cache", &id);

	if (status)
		return error_set(err, status, "the kernel has no struct kmem_cache");
	if (kernel_member_find(kernel->types, id, "node[1]", &second, NULL) &&
	    kernel_member_find(kernel->types, id, "per_node[1].node", &second, NULL))
		layout->cache.node_stride = sizeof(uint64_t);
	else
		layout->cache.node_stride = second.bit_offset / 8 - layout->cache.node.offset;
	if (layout->cache.node_stride < sizeof(uint64_t) || layout->cache.node_stride > 64)
		return error_set(err, -EBADMSG, "kmem_cache: nodes are %zu bytes apart",
				 layout->cache.node_stride);
	layout->cache.size = layout->cache.node.offset + sizeof(uint64_t) +
			     (kernel->node_count ? kernel->node_count - 1 : 0) * layout->cache.node_stride;
	return 0;
}

int slab_layout_load(struct kernel *kernel, struct slab_layout *ret_layout, struct error *err)
{
	struct slab_layout layout = { 0 };
	int status;

	if (!kernel->types)
		return error_set(err, -ENOENT, "slab caches: the kernel's types are not known");
	status = load_tables(kernel, &layout, err);
	if (status)
		return error_context(err, "slab caches");
	layout.cpu.size = kernel_sizeof(kernel->types, "kmem_cache_cpu");
	layout.sheaves.size = kernel_sizeof(kernel->types, "slub_percpu_sheaves");
	layout.barn.size = kernel_sizeof(kernel->types, "node_barn");
	layout.node.size = kernel_sizeof(kernel->types, "kmem_cache_node");
	layout.page.size = kernel_sizeof(kernel->types, "page");
	layout.track.size = kernel_sizeof(kernel->types, "track");
	layout.is_hardened = field_exists(&layout.cache.random);
	status = load_node_array(kernel, &layout, err);
	if (!status)
		status = load_page_test(kernel, &layout, err);
	if (!status)
		status = load_sheaf_objects(kernel, &layout, err);
	if (status)
		return status;
	load_page_order(kernel, &layout);
	load_node_bits(kernel, &layout);
	load_flags(kernel, &layout);
	name_flags(&layout);
	*ret_layout = layout;
	return 0;
}

uint64_t slab_layout_head(const struct slab_layout *layout, uint64_t page, const void *bytes)
{
	return page_head(page, field_get(&layout->page.compound, bytes, layout->page.size));
}

bool slab_layout_is_slab(const struct slab_layout *layout, const void *page)
{
	const struct field *field =
		layout->page_test == SLAB_PAGE_BY_FLAG ? &layout->page.flags : &layout->page.page_type;
	uint64_t value = field_get(field, page, layout->page.size);

	if (layout->page_test == SLAB_PAGE_BY_CACHE)
		return field_get(&layout->slab.cache, page, layout->page.size) != 0;
	/* Tail pages of slabs kept the mark of no kernel: flag and type are the head's alone. */
	return (value & layout->page_test_mask) == layout->page_test_value;
}
