/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * One mapped file as the symbolizer sees it: shared by the processes that map it, read when first asked, and
 * each answer remembered.
 */
#ifndef DILL_SYMBOL_MODULE_H
#define DILL_SYMBOL_MODULE_H

#include <stdbool.h>
#include <stdint.h>

#include "symbolizer.h"

struct debug_search;
struct elf_object;
struct mapping;
struct string_pool;
struct symbol_module;

/* What all modules of a symbolizer have in common; outlives them. */
struct symbol_sources {
	bool wants_lines, wants_inlines;
	const struct debug_search *search;
	struct string_pool *strings;
};

/* @object is referenced; NULL for what isn't a file that could be opened. -ENOMEM is the only failure. */
int symbol_module_create(const struct symbol_sources *sources, const struct mapping *mapping,
			 struct elf_object *object, struct symbol_module **ret_module);
struct symbol_module *symbol_module_ref(struct symbol_module *module);
void symbol_module_unref(struct symbol_module *module);
/* Whether there is more than one reference. */
bool symbol_module_is_shared(const struct symbol_module *module);

/* NULL when the file could not be opened. Borrowed. */
struct elf_object *symbol_module_object(const struct symbol_module *module);
/* Whether the mapping is of this very file, unchanged since it was opened. */
bool symbol_module_is_of(const struct symbol_module *module, const struct mapping *mapping);

/* As symbolizer_resolve(), with an address of the file. */
int symbol_module_resolve(struct symbol_module *module, uint64_t vaddr, bool is_return_address,
			  struct source_frames *ret_frames);

#endif
