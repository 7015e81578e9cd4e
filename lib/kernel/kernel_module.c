// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The list of modules, walked once for each question: there are few. */
#include "kernel_module.h"

#include <errno.h>
#include <stddef.h>

#include "kernel.h"
#include "kernel_list.h"
#include "kernel_types.h"

#define MAX_MODULES 4096

struct module_layout {
	struct field list, name, mem, core_base, core_size, init_base, init_size;
	struct field memory_base, memory_size;
};

#define FIELD(type, path, member, required) { type, path, offsetof(struct module_layout, member), required }

static const struct field_spec specs[] = {
	FIELD("module", "list", list, true),
	FIELD("module", "name", name, true),
	FIELD("module", "mem", mem, false),
	FIELD("module_memory", "base", memory_base, false),
	FIELD("module_memory", "size", memory_size, false),
	FIELD("module", "core_layout.base", core_base, false),
	FIELD("module", "core_layout.size", core_size, false),
	FIELD("module", "init_layout.base", init_base, false),
	FIELD("module", "init_layout.size", init_size, false),
};

/* enum mod_mem_type */
static const char *const memory_parts[] = { "text", "data", "rodata", "ro_after_init", "init text", "init data",
					    "init rodata" };

static bool is_in(struct kernel *kernel, uint64_t object, const struct field *base, const struct field *size,
		  uint64_t address, struct kernel_module *module)
{
	return !field_read(kernel, base, object, &module->start) &&
	       !field_read(kernel, size, object, &module->size) && address >= module->start &&
	       address - module->start < module->size;
}

static bool covers(struct kernel *kernel, const struct module_layout *layout, uint64_t address,
		   struct kernel_module *module)
{
	size_t stride = kernel_sizeof(kernel->types, "module_memory");

	if (field_exists(&layout->mem) && stride) {
		for (size_t i = 0; i < layout->mem.size / stride; i++) {
			if (!is_in(kernel, module->address + layout->mem.offset + i * stride,
				   &layout->memory_base, &layout->memory_size, address, module))
				continue;
			module->part =
				i < sizeof(memory_parts) / sizeof(*memory_parts) ? memory_parts[i] : "memory";
			return true;
		}
		return false;
	}
	module->part = "core";
	if (is_in(kernel, module->address, &layout->core_base, &layout->core_size, address, module))
		return true;
	module->part = "init";
	return is_in(kernel, module->address, &layout->init_base, &layout->init_size, address, module);
}

int kernel_module_at(struct kernel *kernel, uint64_t address, struct kernel_module *ret_module,
		     struct error *err)
{
	struct module_layout layout = { 0 };
	struct list_walk walk;
	uint64_t head, node;
	int status = fields_load(kernel->types, specs, sizeof(specs) / sizeof(*specs), &layout, err);

	if (status)
		return status;
	if (kernel_symbol(kernel, "modules", &head))
		return error_set(err, -ENOENT, "the list of modules is not among the kernel's symbols");
	list_walk_begin(&walk, kernel, head, MAX_MODULES);
	while (list_walk_next(&walk, &node)) {
		struct kernel_module module = { .address = node - layout.list.offset };

		if (!covers(kernel, &layout, address, &module))
			continue;
		kernel_read_string(kernel, module.address + layout.name.offset, module.name,
				   sizeof(module.name));
		*ret_module = module;
		return 0;
	}
	return error_set(err, -ENOENT, "no module covers %#lx", (long)address);
}
