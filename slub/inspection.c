// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// The allocator's state, and what tells another process about it (slub_inspection.h). Both are in one file, so that
// whoever links the one has the other.
#include "slub_inspection.h"

#include "layout.h"
#include "percpu.h"
#include "tracks.h"

#ifndef SLUB_MODEL
#define STRUCT(type) { #type, 0, sizeof(struct type) }
#define MEMBER(type, member) { #type "." #member, offsetof(struct type, member), sizeof(((struct type *)0)->member) }
#define NUMBER(number) { "=" #number, number, 0 }
#define FLAG(flag) { "=flags." #flag, SLUB_##flag, 0 }

struct slub_state slub;

static const struct slub_inspection_member members[] = {
	MEMBER(slub_state, is_ready), MEMBER(slub_state, cpus), MEMBER(slub_state, nodes), MEMBER(slub_state, caches),
	MEMBER(slub_state, default_flags), MEMBER(slub_state, pages.base), MEMBER(slub_state, pages.count),
	MEMBER(slub_state, pages.used), MEMBER(slub_state, pages.kind), MEMBER(slub_state, pages.slab_of),
	MEMBER(slub_state, pages.slabs), MEMBER(slub_state, pages.taken), MEMBER(slub_state, pages.dirty_free),

	STRUCT(kmem_cache), MEMBER(kmem_cache, percpu_home), MEMBER(kmem_cache, sheaf_mask), MEMBER(kmem_cache, flags),
	MEMBER(kmem_cache, has_sheaves), MEMBER(kmem_cache, has_cpu_slabs), MEMBER(kmem_cache, is_kmalloc),
	MEMBER(kmem_cache, geometry.object_size), MEMBER(kmem_cache, geometry.size), MEMBER(kmem_cache, geometry.inuse),
	MEMBER(kmem_cache, geometry.align), MEMBER(kmem_cache, geometry.offset), MEMBER(kmem_cache, geometry.red_left_pad),
	MEMBER(kmem_cache, geometry.order), MEMBER(kmem_cache, geometry.objects), MEMBER(kmem_cache, geometry.min_order),
	MEMBER(kmem_cache, geometry.min_objects), MEMBER(kmem_cache, geometry.min_partial),
	MEMBER(kmem_cache, geometry.cpu_partial), MEMBER(kmem_cache, geometry.cpu_partial_slabs),
	MEMBER(kmem_cache, geometry.sheaf_capacity), MEMBER(kmem_cache, geometry.sheaf_refill), MEMBER(kmem_cache, random), MEMBER(kmem_cache, ctor),
	MEMBER(kmem_cache, refcount), MEMBER(kmem_cache, name), MEMBER(kmem_cache, next),
	{ "kmem_cache.node", offsetof(struct kmem_cache, node), 0 },

	STRUCT(kmem_cache_node), MEMBER(kmem_cache_node, nr_partial), MEMBER(kmem_cache_node, partial),
	MEMBER(kmem_cache_node, nr_slabs), MEMBER(kmem_cache_node, total_objects), MEMBER(kmem_cache_node, barn),
	STRUCT(node_barn), MEMBER(node_barn, nr_full), MEMBER(node_barn, nr_empty), MEMBER(node_barn, sheaves_full),
	STRUCT(slab_sheaf), MEMBER(slab_sheaf, next),
	STRUCT(slub_percpu_sheaves), MEMBER(slub_percpu_sheaves, main), MEMBER(slub_percpu_sheaves, spare),
	STRUCT(slub_cpu_slab), MEMBER(slub_cpu_slab, freelist), MEMBER(slub_cpu_slab, slab),
	MEMBER(slub_cpu_slab, partial),
	STRUCT(slab), MEMBER(slab, slab_list), MEMBER(slab, next), MEMBER(slab, slab_cache), MEMBER(slab, freelist),
	MEMBER(slab, base), MEMBER(slab, inuse), MEMBER(slab, objects), MEMBER(slab, order), MEMBER(slab, frozen),
	MEMBER(slab, on_partial), MEMBER(slab, node),
	STRUCT(slub_track), MEMBER(slub_track, stack), MEMBER(slub_track, cpu), MEMBER(slub_track, pid),
	MEMBER(slub_track, when_ns),
	STRUCT(slub_stack), MEMBER(slub_stack, count), MEMBER(slub_stack, frames),

	NUMBER(SLUB_PERCPU_SHIFT), NUMBER(SLUB_PAGE_SHIFT), NUMBER(SLUB_PAGE_NONE), NUMBER(SLUB_PAGE_RUN),
	NUMBER(SLUB_STACKS),
	FLAG(CONSISTENCY_CHECKS), FLAG(RED_ZONE), FLAG(POISON), FLAG(STORE_USER), FLAG(HWCACHE_ALIGN),
	FLAG(TYPESAFE_BY_RCU), FLAG(NO_MERGE), FLAG(NO_SHEAVES), FLAG(NO_HARDENED), FLAG(NO_RANDOM), FLAG(CPU_SLABS),
};

extern const struct slub_inspection slub_inspection __attribute__((visibility("hidden")));

const struct slub_inspection slub_inspection __attribute__((used)) = {
	.magic = SLUB_INSPECTION_MAGIC,
	.format = SLUB_INSPECTION_FORMAT,
	.member_size = sizeof(struct slub_inspection_member),
	.member_count = sizeof(members) / sizeof(members[0]),
	.members = (uintptr_t)members,
	.state = (uintptr_t)&slub,
	.bootstrap_top = (uintptr_t)SLUB_BOOTSTRAP_TOP,
	.stacks = (uintptr_t)&slub_stacks,
};

// In a loaded segment of its own type, which linkers keep.
asm(".pushsection .note.libslub, \"a\", @note\n\t.balign 4\n\t"
    ".long 8, 8, 1\n\t.asciz \"libslub\"\n\t"
    ".quad slub_inspection - .\n\t.popsection");
#endif
