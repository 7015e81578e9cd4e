// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The list of modules, walked once for each question: there are few. */
#include "kernel_module.h"

#include <errno.h>
#include <stdbool.h>
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

/* One part, if it is there. */
static int visit_part(struct kernel *kernel, uint64_t object, const struct field *base, const struct field *size,
		      const char *name, struct kernel_module *module, kernel_module_visit visit, void *context)
{
	module->part = name;
	if (field_read(kernel, base, object, &module->start) || field_read(kernel, size, object, &module->size) ||
	    !module->size)
		return 0;
	return visit(context, module);
}

static int visit_parts(struct kernel *kernel, const struct module_layout *layout, struct kernel_module *module,
		       kernel_module_visit visit, void *context)
{
	size_t stride = kernel_sizeof(kernel->types, "module_memory");
	int status = 0;

	if (field_exists(&layout->mem) && stride) {
		for (size_t i = 0; i < layout->mem.size / stride && !status; i++) {
			bool is_known = i < sizeof(memory_parts) / sizeof(*memory_parts);

			status = visit_part(kernel, module->address + layout->mem.offset + i * stride,
					    &layout->memory_base, &layout->memory_size,
					    is_known ? memory_parts[i] : "memory", module, visit, context);
		}
		return status;
	}
	status = visit_part(kernel, module->address, &layout->core_base, &layout->core_size, "core", module, visit,
			    context);
	return status ? status :
			visit_part(kernel, module->address, &layout->init_base, &layout->init_size, "init", module,
				   visit, context);
}

int kernel_modules_each(struct kernel *kernel, kernel_module_visit visit, void *context, struct error *err)
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
	while (!status && list_walk_next(&walk, &node)) {
		struct kernel_module module = { .address = node - layout.list.offset };

		kernel_read_string(kernel, module.address + layout.name.offset, module.name,
				   sizeof(module.name));
		status = visit_parts(kernel, &layout, &module, visit, context);
	}
	return status;
}

struct search {
	uint64_t address;
	struct kernel_module *module;
};

static int is_there(void *context, const struct kernel_module *module)
{
	struct search *search = context;

	if (search->address < module->start || search->address - module->start >= module->size)
		return 0;
	*search->module = *module;
	return 1;
}

int kernel_module_at(struct kernel *kernel, uint64_t address, struct kernel_module *ret_module,
		     struct error *err)
{
	struct search search = { address, ret_module };
	int status = kernel_modules_each(kernel, is_there, &search, err);

	if (!status)
		return error_set(err, -ENOENT, "no module covers %#lx", (long)address);
	return status < 0 ? status : 0;
}
