// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Searches of the red-black trees of vmap_areas. Depths are bounded: a balanced tree of 2^32 areas has 64 levels. */
#include "vmalloc.h"

#include <errno.h>
#include <stddef.h>

#include "kernel.h"
#include "kernel_types.h"

#define MAX_DEPTH 64
#define MAX_NODES 4096 /* vmap_nodes are at most nr_cpu_ids, and some 128 */

struct vmalloc_layout {
	struct field area_start, area_end, area_node, area_vm;
	struct field vm_size, vm_flags, vm_caller, vm_physical, vm_page_count;
	struct field left, right;
	struct field busy_root; /* in struct vmap_node */
};

#define FIELD(type, path, member, required) { type, path, offsetof(struct vmalloc_layout, member), required }

static const struct field_spec specs[] = {
	FIELD("vmap_area", "va_start", area_start, true),
	FIELD("vmap_area", "va_end", area_end, true),
	FIELD("vmap_area", "rb_node", area_node, true),
	FIELD("vmap_area", "vm", area_vm, true),
	FIELD("vm_struct", "size", vm_size, true),
	FIELD("vm_struct", "flags", vm_flags, true),
	FIELD("vm_struct", "caller", vm_caller, true),
	FIELD("vm_struct", "phys_addr", vm_physical, false),
	FIELD("vm_struct", "nr_pages", vm_page_count, false),
	FIELD("rb_node", "rb_left", left, true),
	FIELD("rb_node", "rb_right", right, true),
	FIELD("vmap_node", "busy.root", busy_root, false),
};

static uint64_t get(struct kernel *kernel, const struct field *field, uint64_t address)
{
	uint64_t value;

	return field_read(kernel, field, address, &value) ? 0 : value;
}

static int search_tree(struct kernel *kernel, const struct vmalloc_layout *layout, uint64_t node, uint64_t address,
		       struct vmalloc_area *ret_area)
{
	for (int depth = 0; node && depth < MAX_DEPTH; depth++) {
		uint64_t area = node - layout->area_node.offset;
		struct vmalloc_area found = { .start = get(kernel, &layout->area_start, area),
					      .end = get(kernel, &layout->area_end, area) };

		if (address < found.start || address >= found.end) {
			node = get(kernel, address < found.start ? &layout->left : &layout->right, node);
			continue;
		}
		found.vm_struct = get(kernel, &layout->area_vm, area);
		if (found.vm_struct) {
			found.size = get(kernel, &layout->vm_size, found.vm_struct);
			found.flags = get(kernel, &layout->vm_flags, found.vm_struct);
			found.caller = get(kernel, &layout->vm_caller, found.vm_struct);
			found.physical = get(kernel, &layout->vm_physical, found.vm_struct);
			found.page_count = get(kernel, &layout->vm_page_count, found.vm_struct);
		}
		*ret_area = found;
		return 0;
	}
	return -ENOENT;
}

int vmalloc_find(struct kernel *kernel, uint64_t address, struct vmalloc_area *ret_area, struct error *err)
{
	struct vmalloc_layout layout = { 0 };
	uint64_t root, nodes, count, node;
	size_t stride;
	int status = fields_load(kernel->types, specs, sizeof(specs) / sizeof(*specs), &layout, err);

	if (status)
		return status;
	if (!kernel_symbol(kernel, "vmap_area_root", &root)) {
		if (kernel_read_u64(kernel, root, &node) || search_tree(kernel, &layout, node, address, ret_area))
			return error_set(err, -ENOENT, "no vmalloc area covers %#lx", (long)address);
		return 0;
	}
	stride = kernel_sizeof(kernel->types, "vmap_node");
	if (!field_exists(&layout.busy_root) || !stride || kernel_read_variable(kernel, "vmap_nodes", 8, &nodes) ||
	    kernel_read_variable(kernel, "nr_vmap_nodes", 4, &count))
		return error_set(err, -ENOENT, "neither vmap_area_root nor vmap_nodes is among the kernel's symbols");
	for (uint64_t i = 0; i < count && i < MAX_NODES; i++)
		if (!kernel_read_u64(kernel, nodes + i * stride + layout.busy_root.offset, &node) &&
		    !search_tree(kernel, &layout, node, address, ret_area))
			return 0;
	return error_set(err, -ENOENT, "no vmalloc area covers %#lx", (long)address);
}
