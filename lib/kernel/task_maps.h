/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The memory mappings of a task, in the order and with the words of /proc/PID/maps. */
#ifndef DILL_TASK_MAPS_H
#define DILL_TASK_MAPS_H

#include "kernel_path.h"
#include "task.h"

struct task_maps_layout {
	struct path_layout path;
	struct {
		/* One of two: a list (before 6.1, 763ecb035029), or a maple tree. */
		struct field mmap, maple_root;
		struct field map_count, start_brk, brk, start_stack;
	} mm;
	struct {
		struct field start, end, next, flags, pgoff, file, ops, private_data, anon_name;
		size_t read_size;
	} vma;
	struct field ops_name;     /* vm_operations_struct */
	struct field special_name; /* vm_special_mapping */
	uint32_t anon_name_text;   /* offset of anon_vma_name.name[]; 0: no such names */
	struct {
		struct field range_pivots, range_slots, arange_pivots, arange_slots;
		size_t node_size;
	} maple;
};

struct task_mapping {
	uint64_t vma; /* address of the vm_area_struct */
	uint64_t start, end;
	uint64_t flags;      /* VM_* */
	uint64_t offset;     /* into the file, bytes */
	char permissions[5]; /* "rw-p" */
	uint64_t file;       /* struct file; 0: none */
	uint32_t dev;        /* major << 20 | minor */
	uint64_t ino;
	char *name; /* path, [heap], [stack], [anon:…]; NULL: none. Owned */
};

struct task_maps {
	struct task_mapping *list; /* by address. Owned */
	size_t count;
	size_t expected;    /* as mm counts them */
	size_t unreadable;  /* mappings or inner nodes */
	bool is_disordered; /* they overlap or run backwards: the walk ended there */
};

int task_maps_layout_load(struct kernel *kernel, struct task_maps_layout *ret_layout, struct error *err);
/*
 * The mappings of @task; none for one without memory. What can't be read is counted. The vsyscall page comes
 * last where the kernel shows one (its gate_vma and vsyscall_mode must be known). Free by task_maps_deinit().
 */
int task_maps_read(struct kernel *kernel, const struct task_maps_layout *layout, const struct task *task,
		   struct task_maps *ret_maps, struct error *err);
void task_maps_deinit(struct task_maps *maps);

/* Internal to task_maps*.c: addresses of all vm_area_structs, in order. */
struct vma_list {
	uint64_t *list; /* owned */
	size_t count;
	size_t unreadable;
	bool is_disordered;
};
int vmas_of_list(struct kernel *kernel, const struct task_maps_layout *layout, uint64_t mm, size_t limit,
		 struct vma_list *vmas);
int vmas_of_maple_tree(struct kernel *kernel, const struct task_maps_layout *layout, uint64_t mm,
		       size_t limit, struct vma_list *vmas);

#endif
