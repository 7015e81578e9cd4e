// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* What each mapping is, in the words of fs/proc/task_mmu.c. How they are found is in task_maps_walk.c. */
#include "task_maps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"

/* include/linux/mm.h: the same in every kernel. */
#define VM_READ 1
#define VM_WRITE 2
#define VM_EXEC 4
#define VM_MAYSHARE 0x80
#define PAGE_BYTES 4096
#define NAME_BYTES 256
/* More than vm.max_map_count allows by default: what an mm claims beyond that isn't believed. */
#define MAPPINGS_MAX (1u << 20)
/* arch/x86/entry/vsyscall/vsyscall_64.c */
#define VSYSCALL_NONE 2
#define BATCH 128

#define AT(member) offsetof(struct task_maps_layout, member)

static const struct field_spec specs[] = {
	{ "mm_struct", "mmap", AT(mm.mmap), false },
	{ "mm_struct", "mm_mt.ma_root", AT(mm.maple_root), false },
	{ "mm_struct", "map_count", AT(mm.map_count), false },
	{ "mm_struct", "start_brk", AT(mm.start_brk), false },
	{ "mm_struct", "brk", AT(mm.brk), false },
	{ "mm_struct", "start_stack", AT(mm.start_stack), false },
	{ "vm_area_struct", "vm_start", AT(vma.start), true },
	{ "vm_area_struct", "vm_end", AT(vma.end), true },
	{ "vm_area_struct", "vm_next", AT(vma.next), false },
	{ "vm_area_struct", "vm_flags", AT(vma.flags), true },
	{ "vm_area_struct", "vm_pgoff", AT(vma.pgoff), true },
	{ "vm_area_struct", "vm_file", AT(vma.file), true },
	{ "vm_area_struct", "vm_ops", AT(vma.ops), false },
	{ "vm_area_struct", "vm_private_data", AT(vma.private_data), false },
	{ "vm_area_struct", "anon_name", AT(vma.anon_name), false },
	{ "vm_operations_struct", "name", AT(ops_name), false },
	{ "vm_special_mapping", "name", AT(special_name), false },
	{ "maple_range_64", "pivot", AT(maple.range_pivots), false },
	{ "maple_range_64", "slot", AT(maple.range_slots), false },
	{ "maple_arange_64", "pivot", AT(maple.arange_pivots), false },
	{ "maple_arange_64", "slot", AT(maple.arange_slots), false },
};

static int check_layout(const struct task_maps_layout *layout, struct error *err)
{
	const struct field *const arrays[] = { &layout->maple.range_pivots, &layout->maple.range_slots,
					       &layout->maple.arange_pivots, &layout->maple.arange_slots };

	if (!field_exists(&layout->mm.maple_root))
		return field_exists(&layout->mm.mmap) && field_exists(&layout->vma.next)
			       ? 0
			       : error_set(err, -ENOENT, "struct mm_struct has neither mmap nor mm_mt");
	for (size_t i = 0; i < 4; i++)
		if (!field_exists(arrays[i]) ||
		    (size_t)arrays[i]->offset + arrays[i]->size > layout->maple.node_size)
			return error_set(err, -ENOENT, "the nodes of maple trees are not as known");
	return 0;
}

int task_maps_layout_load(struct kernel *kernel, struct task_maps_layout *ret_layout, struct error *err)
{
	struct task_maps_layout layout = { 0 };
	struct kernel_member member;
	uint32_t id;
	int status = fields_load(kernel->types, specs, sizeof(specs) / sizeof(*specs), &layout, err);

	if (!status)
		status = path_layout_load(kernel, &layout.path, err);
	if (status)
		return status;
	layout.maple.node_size = kernel_sizeof(kernel->types, "maple_node");
	if (layout.maple.node_size > PAGE_BYTES / 16)
		layout.maple.node_size = PAGE_BYTES / 16;
	layout.vma.read_size = kernel_sizeof(kernel->types, "vm_area_struct");
	/* name[] is flexible: of no size, so not a field. */
	if (!kernel_type_find(kernel->types, "anon_vma_name", &id) &&
	    !kernel_member_find(kernel->types, id, "name", &member, NULL))
		layout.anon_name_text = member.bit_offset / 8;
	status = check_layout(&layout, err);
	if (!status)
		*ret_layout = layout;
	return status;
}

/* What is the same for all mappings of one task. */
struct mm_bounds {
	uint64_t start_brk, brk, start_stack;
};

static struct mm_bounds read_bounds(struct kernel *kernel, const struct task_maps_layout *layout, uint64_t mm)
{
	struct mm_bounds bounds = { 0 };

	field_read(kernel, &layout->mm.start_brk, mm, &bounds.start_brk);
	field_read(kernel, &layout->mm.brk, mm, &bounds.brk);
	field_read(kernel, &layout->mm.start_stack, mm, &bounds.start_stack);
	return bounds;
}

/* A mapping whose operations have a name() is a special one: [vdso], [vvar], [uprobes]. */
static bool read_special_name(struct kernel *kernel, const struct task_maps_layout *layout,
			      const uint8_t *vma, char *name, size_t size)
{
	uint64_t ops = field_get(&layout->vma.ops, vma, layout->vma.read_size), function, text;
	uint64_t special = field_get(&layout->vma.private_data, vma, layout->vma.read_size);

	return ops && !field_read(kernel, &layout->ops_name, ops, &function) && function &&
	       !field_read(kernel, &layout->special_name, special, &text) &&
	       !kernel_read_string(kernel, text, name, size) && name[0] == '[';
}

static bool read_anon_name(struct kernel *kernel, const struct task_maps_layout *layout, const uint8_t *vma,
			   char *name, size_t size)
{
	uint64_t text = field_get(&layout->vma.anon_name, vma, layout->vma.read_size);

	return text && layout->anon_name_text &&
	       !kernel_read_string(kernel, text + layout->anon_name_text, name, size);
}

/* vma->anon_name shares its place with the file's interval tree in some kernels: only asked without a file.
 */
static int name_without_file(struct kernel *kernel, const struct task_maps_layout *layout, const uint8_t *vma,
			     const struct mm_bounds *bounds, struct task_mapping *mapping)
{
	char name[NAME_BYTES], text[NAME_BYTES + 16];

	if (read_special_name(kernel, layout, vma, name, sizeof(name)))
		snprintf(text, sizeof(text), "%s", name);
	else if (mapping->start < bounds->brk && mapping->end > bounds->start_brk)
		snprintf(text, sizeof(text), "[heap]");
	else if (mapping->start <= bounds->start_stack && mapping->end >= bounds->start_stack)
		snprintf(text, sizeof(text), "[stack]");
	else if (read_anon_name(kernel, layout, vma, name, sizeof(name)))
		snprintf(text, sizeof(text), "[anon:%s]", name);
	else
		return 0;
	mapping->name = strdup(text);
	return mapping->name ? 0 : -ENOMEM;
}

static int read_file(struct kernel *kernel, const struct task_maps_layout *layout,
		     struct task_mapping *mapping)
{
	struct kernel_file file;
	int status = kernel_file_read(kernel, &layout->path, mapping->file, &file);

	if (status)
		return status;
	mapping->dev = file.dev;
	mapping->ino = file.ino;
	mapping->name = TAKE_PTR(file.path);
	kernel_file_deinit(&file);
	return 0;
}

static void decode_permissions(struct task_mapping *mapping)
{
	mapping->permissions[0] = mapping->flags & VM_READ ? 'r' : '-';
	mapping->permissions[1] = mapping->flags & VM_WRITE ? 'w' : '-';
	mapping->permissions[2] = mapping->flags & VM_EXEC ? 'x' : '-';
	mapping->permissions[3] = mapping->flags & VM_MAYSHARE ? 's' : 'p';
	mapping->permissions[4] = '\0';
}

static int decode_mapping(struct kernel *kernel, const struct task_maps_layout *layout, uint64_t address,
			  const struct mm_bounds *bounds, struct task_mapping *ret_mapping)
{
	size_t size = layout->vma.read_size;
	CLEANUP(free) uint8_t *vma = malloc(size + 1);
	struct task_mapping mapping = { .vma = address };
	int status = vma ? kernel_read(kernel, address, vma, size) : -ENOMEM;

	if (status)
		return status;
	mapping.start = field_get(&layout->vma.start, vma, size);
	mapping.end = field_get(&layout->vma.end, vma, size);
	mapping.flags = field_get(&layout->vma.flags, vma, size);
	mapping.file = field_get(&layout->vma.file, vma, size);
	decode_permissions(&mapping);
	if (mapping.start >= mapping.end || (mapping.start | mapping.end) % PAGE_BYTES)
		return -EBADMSG;
	if (mapping.file) {
		mapping.offset = field_get(&layout->vma.pgoff, vma, size) * PAGE_BYTES;
		status = read_file(kernel, layout, &mapping);
	} else {
		status = name_without_file(kernel, layout, vma, bounds, &mapping);
	}
	if (status == -ENOMEM)
		return status;
	*ret_mapping = mapping; /* a file that can't be read leaves a mapping without name */
	return 0;
}

static void prefetch_mappings(struct kernel *kernel, const struct task_maps_layout *layout,
			      const uint64_t *list, size_t count)
{
	struct memory_range ranges[BATCH];

	count = count < BATCH ? count : BATCH;
	for (size_t i = 0; i < count; i++)
		ranges[i] = (struct memory_range){ list[i], layout->vma.read_size };
	kernel_prefetch(kernel, ranges, count);
}

static int decode_all(struct kernel *kernel, const struct task_maps_layout *layout, uint64_t mm,
		      const struct vma_list *vmas, struct task_maps *maps)
{
	struct mm_bounds bounds = read_bounds(kernel, layout, mm);

	maps->list = calloc(vmas->count + 2, sizeof(*maps->list)); /* and the vsyscall page */
	if (!maps->list)
		return -ENOMEM;
	for (size_t i = 0; i < vmas->count; i++) {
		struct task_mapping *mapping = &maps->list[maps->count];
		int status;

		if (i % BATCH == 0)
			prefetch_mappings(kernel, layout, vmas->list + i, vmas->count - i);
		status = decode_mapping(kernel, layout, vmas->list[i], &bounds, mapping);
		if (status == -ENOMEM)
			return status;
		if (status) {
			maps->unreadable++;
			continue;
		}
		if (maps->count && mapping->start < mapping[-1].end) {
			maps->is_disordered = true;
			free(TAKE_PTR(mapping->name));
			return 0;
		}
		maps->count++;
	}
	return 0;
}

/* The vsyscall page belongs to no mm, but /proc lists it after each one's mappings (get_gate_vma()). */
static int add_gate(struct kernel *kernel, const struct task_maps_layout *layout, struct task_maps *maps)
{
	struct mm_bounds none = { 0 };
	struct task_mapping mapping;
	uint64_t mode, gate;
	int status;

	if (kernel_read_variable(kernel, "vsyscall_mode", 4, &mode) || mode == VSYSCALL_NONE ||
	    kernel_symbol(kernel, "gate_vma", &gate))
		return 0;
	status = decode_mapping(kernel, layout, gate, &none, &mapping);
	if (status)
		return status == -ENOMEM ? status : 0;
	free(mapping.name);
	mapping.name = strdup("[vsyscall]");
	if (!mapping.name)
		return -ENOMEM;
	maps->list[maps->count++] = mapping;
	return 0;
}

int task_maps_read(struct kernel *kernel, const struct task_maps_layout *layout, const struct task *task,
		   struct task_maps *ret_maps, struct error *err)
{
	bool has_tree = field_exists(&layout->mm.maple_root);
	struct task_maps maps = { 0 };
	struct vma_list vmas = { 0 };
	uint64_t expected = 0;
	size_t limit;
	int status;

	if (!task->mm) {
		*ret_maps = maps;
		return 0;
	}
	field_read(kernel, &layout->mm.map_count, task->mm, &expected);
	maps.expected = expected;
	/* A mapping each, as many nodes, and what a running system adds meanwhile. */
	limit = expected < MAPPINGS_MAX ? 2 * expected + 1024 : MAPPINGS_MAX;
	status = (has_tree ? vmas_of_maple_tree : vmas_of_list)(kernel, layout, task->mm, limit, &vmas);
	maps.unreadable = vmas.unreadable;
	maps.is_disordered = vmas.is_disordered;
	if (!status)
		status = decode_all(kernel, layout, task->mm, &vmas, &maps);
	if (!status && maps.count)
		status = add_gate(kernel, layout, &maps);
	free(vmas.list);
	if (status) {
		task_maps_deinit(&maps);
		return error_set(err, status, "the mappings of the mm at 0x%llx: %s",
				 (unsigned long long)task->mm, strerror(-status));
	}
	*ret_maps = maps;
	return 0;
}

void task_maps_deinit(struct task_maps *maps)
{
	for (size_t i = 0; i < maps->count; i++)
		free(maps->list[i].name);
	free(maps->list);
	memset(maps, 0, sizeof(*maps));
}
