/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Modules and areas of vmalloc space in memory that a test builds, as kernels have had them: a module's parts
 * in mem[] or in core_layout and init_layout; one tree of areas, or a tree for each vmap_node.
 */
#ifndef DILL_TESTS_PLACES_IMAGE_H
#define DILL_TESTS_PLACES_IMAGE_H

#include <assert.h>
#include <bpf/btf.h>

#include "kernel_memory.h"
#include "kernel_types.h"

#define PLACES_PAGES 64
#define AREA(i) \
	(MEMORY_VIRTUAL + 4 * PAGE + 128 * (uint64_t)(i)) /* struct vmap_area, and vm_struct at + 64 */
#define AREA_NODE(i) (AREA(i) + V_NODE)
#define TREE_ROOT (MEMORY_VIRTUAL + 0x100)
#define TREE_NODES (MEMORY_VIRTUAL + 0x200) /* the array; a pointer to it and their number before it */
#define MODULES_HEAD (MEMORY_VIRTUAL + PAGE)
#define MODULE(i) (MEMORY_VIRTUAL + 2 * PAGE + 512 * (uint64_t)(i))
#define VMALLOC_START 0xffffc90000000000ULL
#define MODULE_START 0xffffffffc0000000ULL

enum {
	V_START = 0, /* struct vmap_area */
	V_END = 8,
	V_NODE = 16,
	V_VM = 48,
	R_RIGHT = 8, /* struct rb_node */
	R_LEFT = 16,
	S_SIZE = 16, /* struct vm_struct, 64 behind its area */
	S_FLAGS = 24,
	S_PAGES = 32,
	S_PHYSICAL = 40,
	S_CALLER = 48,
	TREE_STRIDE = 32, /* struct vmap_node */
	TREE_BUSY = 8,
	M_LIST = 8, /* struct module */
	M_NAME = 24,
	M_PARTS = 96,
	M_PART_BYTES = 24,
	M_PART_SIZE = 8,
	M_PART_COUNT = 7,
};

struct places_image {
	struct memory *memory;
	struct kernel *kernel;
	bool is_new; /* mem[] (6.4), vmap_nodes (6.9) */
};

static inline void places_put(struct places_image *image, uint64_t address, uint64_t value)
{
	memory_put_virtual(image->memory, address, value);
}

static inline void places_field(struct btf *btf, const char *name, int type, unsigned bytes)
{
	assert(!btf__add_field(btf, name, type, bytes * 8, 0));
}

static inline void places_area_types(struct btf *btf, int u32, int u64, bool is_new)
{
	int node = btf__add_struct(btf, "rb_node", 24), tree;

	places_field(btf, "rb_right", u64, R_RIGHT);
	places_field(btf, "rb_left", u64, R_LEFT);
	btf__add_struct(btf, "vmap_area", 64);
	places_field(btf, "va_start", u64, V_START);
	places_field(btf, "va_end", u64, V_END);
	places_field(btf, "rb_node", node, V_NODE);
	places_field(btf, "vm", u64, V_VM);
	btf__add_struct(btf, "vm_struct", 56);
	places_field(btf, "size", u64, S_SIZE);
	places_field(btf, "flags", u64, S_FLAGS);
	places_field(btf, "nr_pages", u32, S_PAGES);
	places_field(btf, "phys_addr", u64, S_PHYSICAL);
	places_field(btf, "caller", u64, S_CALLER);
	if (!is_new)
		return;
	tree = btf__add_struct(btf, "rb_list", 24);
	places_field(btf, "root", u64, 0);
	btf__add_struct(btf, "vmap_node", TREE_STRIDE);
	places_field(btf, "busy", tree, TREE_BUSY);
}

static inline void places_module_types(struct btf *btf, int u32, int u64, bool is_new)
{
	int list = btf__add_struct(btf, "list_head", 16), name, part, parts;

	places_field(btf, "next", u64, 0);
	places_field(btf, "prev", u64, 8);
	name = btf__add_array(btf, u32, btf__add_int(btf, "char", 1, BTF_INT_SIGNED), 56);
	part = btf__add_struct(btf, is_new ? "module_memory" : "module_layout", M_PART_BYTES);
	places_field(btf, "base", u64, 0);
	places_field(btf, "size", u32, M_PART_SIZE);
	parts = is_new ? btf__add_array(btf, u32, part, M_PART_COUNT) : part;
	btf__add_struct(btf, "module", M_PARTS + M_PART_COUNT * M_PART_BYTES);
	places_field(btf, "list", list, M_LIST);
	places_field(btf, "name", name, M_NAME);
	places_field(btf, is_new ? "mem" : "core_layout", parts, M_PARTS);
	if (!is_new)
		places_field(btf, "init_layout", part, M_PARTS + M_PART_BYTES);
}

static inline struct kernel_types *places_types(bool is_new)
{
	struct btf *btf = btf__new_empty();
	struct kernel_types *types = NULL;
	int u32 = btf__add_int(btf, "unsigned int", 4, 0), u64 = btf__add_int(btf, "unsigned long", 8, 0);
	const void *bytes;
	uint32_t size;

	btf__add_struct(btf, "page", 64);
	places_field(btf, "flags", u64, 0);
	places_area_types(btf, u32, u64, is_new);
	places_module_types(btf, u32, u64, is_new);
	bytes = btf__raw_data(btf, &size);
	assert(!kernel_types_open(bytes, size, "test", &types, NULL));
	btf__free(btf);
	return types;
}

static inline void places_symbol(struct places_image *image, const char *name, uint64_t address)
{
	assert(!kernel_symbols_add(image->kernel->symbols, name, address));
}

/* No module, no area. */
static inline struct places_image *places_create(bool is_new)
{
	struct places_image *image = calloc(1, sizeof(*image));

	image->is_new = is_new;
	image->memory = memory_create(0, PLACES_PAGES * PAGE);
	image->kernel = memory_kernel(image->memory, 0, 0);
	image->kernel->types = places_types(is_new);
	places_symbol(image, "modules", MODULES_HEAD);
	places_put(image, MODULES_HEAD, MODULES_HEAD);
	places_put(image, MODULES_HEAD + 8, MODULES_HEAD);
	if (is_new) {
		places_symbol(image, "vmap_nodes", TREE_NODES - 16);
		places_symbol(image, "nr_vmap_nodes", TREE_NODES - 8);
		places_put(image, TREE_NODES - 16, TREE_NODES);
		places_put(image, TREE_NODES - 8, 4);
	} else {
		places_symbol(image, "vmap_area_root", TREE_ROOT);
	}
	return image;
}

static inline void places_destroy(struct places_image *image)
{
	kernel_close(image->kernel);
	free(image);
}

/* Area @i, without children; a vm_struct of it whose numbers follow from @i. */
static inline void places_add_area(struct places_image *image, unsigned i, uint64_t start, uint64_t end)
{
	places_put(image, AREA(i) + V_START, start);
	places_put(image, AREA(i) + V_END, end);
	places_put(image, AREA(i) + V_VM, AREA(i) + 64);
	places_put(image, AREA(i) + 64 + S_SIZE, end - start);
	places_put(image, AREA(i) + 64 + S_FLAGS, 0x22);
	places_put(image, AREA(i) + 64 + S_PAGES, i + 1);
	places_put(image, AREA(i) + 64 + S_PHYSICAL, 0x1000 * i);
	places_put(image, AREA(i) + 64 + S_CALLER, 0xffffffff81000000 + i);
}

/* Where tree @number has its root; a kernel with one tree has it all there. */
static inline uint64_t places_root(const struct places_image *image, unsigned number)
{
	return image->is_new ? TREE_NODES + number * TREE_STRIDE + TREE_BUSY : TREE_ROOT;
}

/* At the end of the list of modules. */
static inline void places_add_module(struct places_image *image, unsigned i, const char *name)
{
	const uint8_t *bytes = image->memory->bytes[SPACE_VIRTUAL];
	uint64_t node = MODULE(i) + M_LIST, last;

	memcpy(&last, bytes + (MODULES_HEAD + 8 - MEMORY_VIRTUAL), 8);
	strcpy((char *)image->memory->bytes[SPACE_VIRTUAL] + (MODULE(i) + M_NAME - MEMORY_VIRTUAL), name);
	places_put(image, node, MODULES_HEAD);
	places_put(image, node + 8, last);
	places_put(image, last, node);
	places_put(image, MODULES_HEAD + 8, node);
}

static inline void places_add_part(struct places_image *image, unsigned module, unsigned part, uint64_t start,
				   uint32_t size)
{
	places_put(image, MODULE(module) + M_PARTS + part * M_PART_BYTES, start);
	places_put(image, MODULE(module) + M_PARTS + part * M_PART_BYTES + M_PART_SIZE, size);
}

#endif
