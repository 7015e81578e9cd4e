/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Loaded modules (kernel/module/), found by address. */
#ifndef DILL_KERNEL_MODULE_H
#define DILL_KERNEL_MODULE_H

#include <stdint.h>

#include "error.h"

struct kernel;

struct kernel_module {
	uint64_t address; /* struct module */
	char name[64];
	uint64_t start, size; /* of the part that covers the address */
	const char *part;     /* "text", "data", "rodata", …; before 6.4 (ac3b43283923) "core" and "init" */
};

/*
 * Each part of each module that isn't empty, until @visit returns something else than 0, which is then
 * returned. -ENOENT: the list can't be found.
 */
typedef int (*kernel_module_visit)(void *context, const struct kernel_module *module);
int kernel_modules_each(struct kernel *kernel, kernel_module_visit visit, void *context, struct error *err);

/* The module one of whose parts covers @address. -ENOENT: none, or the list can't be found. */
int kernel_module_at(struct kernel *kernel, uint64_t address, struct kernel_module *ret_module, struct error *err);

#endif
