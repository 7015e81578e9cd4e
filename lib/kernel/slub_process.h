/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A process that uses libslub, as a target of kernel.h: reads are of its memory, CPUs and nodes are its allocator's, and
 * the slab model (slab_heap.h) shows its caches as it shows a kernel's. It has no symbols, types or page tables, so no
 * other model works on it.
 *
 * libslub has the kernel's structures by the kernel's names. Where they are the process says itself
 * (slub_inspection.h), and slub_heap.c fills in a struct slab_layout by that; what differs is in struct slub_layout.
 */
#ifndef DILL_SLUB_PROCESS_H
#define DILL_SLUB_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "kernel_types.h"

struct kernel;

/* Members that only libslub has, or has elsewhere. */
struct slub_layout {
	struct {
		struct field is_ready, cpus, nodes, caches, base, count, used, kind, slab_of, slabs, taken, dirty_free;
	} state; /* struct slub_state */
	struct {
		struct field all; /* the structure, without the nodes behind it */
		struct field percpu_home, sheaf_mask, flags, has_sheaves, has_cpu_slabs, is_kmalloc;
		struct field object_size, size, inuse, align, offset, red_left_pad, order, objects, min_order,
			min_objects, min_partial, cpu_partial, cpu_partial_slabs, sheaf_capacity, sheaf_refill;
		struct field random, ctor, refcount, name, next, node;
	} cache; /* struct kmem_cache */
	struct {
		struct field all, barn;
	} node; /* struct kmem_cache_node */
	struct {
		struct field all, stack, cpu, pid, when_ns;
	} track; /* struct slub_track */
	struct {
		struct field all, count, frames;
	} stack; /* struct slub_stack */
};

struct slub_inspection_member;
struct symbolizer;

struct slub_process {
	pid_t pid;
	char *file;     /* where its libslub is, raw bytes. Owned */
	size_t cpus;    /* kernel.cpu_count is twice that when threads without rseq used their stripes */
	uint64_t description; /* struct slub_inspection */
	uint64_t state;       /* struct slub_state */
	uint64_t bootstrap_top, stacks;
	uint64_t base;  /* the range of its pages; read once, for it never moves */
	uint64_t page_count, kind, slab_of, slabs;
	uint64_t percpu_bytes; /* from one CPU's part to the next one's */
	uint64_t page_none, page_run, stack_count;
	struct slub_inspection_member *members; /* owned */
	size_t member_count;
	struct slub_layout layout;
	struct symbolizer *symbolizer; /* owned; NULL until a name is asked for */
};

/* Sums over all that the process has of its allocator. Bytes. */
struct slub_facts {
	uint64_t reserved, used; /* of the range of addresses; of it, ever handed out */
	uint64_t taken, idle;    /* handed out now; free, but not given back to the system */
};

/*
 * @target is "PID", or "PID:FILE" with a path's last part to choose among copies of libslub. -EINVAL: it isn't that;
 * -ESRCH, -EPERM; -ENOENT: no libslub in use there, or more than one; -EOPNOTSUPP: it is of another format.
 */
int slub_process_open(const char *target, struct kernel **ret_kernel, struct error *err);
/* NULL is fine. kernel_close() calls it. */
void slub_process_destroy(struct slub_process *process);

/* -EFAULT. */
int slub_facts_read(struct kernel *kernel, struct slub_facts *ret_facts);

/* As kernel_symbol_at(), by the files that the process executes; without lines. */
int slub_symbol_at(struct kernel *kernel, uint64_t address, char *name, size_t size, uint64_t *ret_offset);

/* Members by name; one that this libslub doesn't have has size 0. -ENOENT names the first required one. */
int slub_fields_load(const struct slub_process *process, const struct field_spec *specs, size_t count, void *layout,
		     struct error *err);
/* The number of that name ("SLUB_PERCPU_SHIFT"). -ENOENT. */
int slub_number(const struct slub_process *process, const char *name, uint64_t *ret_value);

#endif
