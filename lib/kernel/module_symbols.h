/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Symbols of loaded modules, out of the tables that each module keeps for kallsyms (struct mod_kallsyms,
 * kernel/module/kallsyms.c).
 */
#ifndef DILL_MODULE_SYMBOLS_H
#define DILL_MODULE_SYMBOLS_H

struct kernel;
struct symbol_table;

/*
 * Add them to @table; what can't be read is left out. -ENOMEM. -ENOENT: modules or their tables can't be
 * found.
 */
int module_symbols_copy(struct kernel *kernel, struct symbol_table *table);

#endif
