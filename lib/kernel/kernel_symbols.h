/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Names of addresses, from wherever they can be had: the kernel's own kallsyms tables in memory (searched, not
 * loaded), /proc/kallsyms or System.map as text, a vmlinux's symbol table, names that a memory source found.
 * kernel_symbol() and kernel_symbol_at() of kernel.h ask all of them.
 */
#ifndef DILL_KERNEL_SYMBOLS_H
#define DILL_KERNEL_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct kernel;
struct kernel_symbols;
struct symbol_table;

/* An empty set of names. -ENOMEM or 0. */
int kernel_symbols_create(struct kernel_symbols **ret_symbols);
void kernel_symbols_destroy(struct kernel_symbols *symbols);

/*
 * Find the kallsyms tables in @kernel's image (by VMCOREINFO where it has their addresses, else by a scan of
 * the image's read-only data), prove them by linux_banner, and use them. Layouts: kernel/kallsyms.c,
 * scripts/kallsyms.c; drift in the file. -ENOENT: none found.
 */
int kernel_symbols_add_kallsyms(struct kernel_symbols *symbols, struct kernel *kernel, struct error *err);
/*
 * /proc/kallsyms of this machine, for what the tables in memory don't have: modules, by address. Read when
 * needed.
 */
int kernel_symbols_add_running(struct kernel_symbols *symbols, struct error *err);
/* Lines "address type name [module]" as in /proc/kallsyms and System.map. @slide is added to each address. */
int kernel_symbols_add_text(struct kernel_symbols *symbols, const char *path, uint64_t slide,
			    struct error *err);
/* The symbol table of a vmlinux, moved by @slide. */
int kernel_symbols_add_elf(struct kernel_symbols *symbols, const char *path, uint64_t slide, struct error *err);
/* A single one. The name is copied. */
int kernel_symbols_add(struct kernel_symbols *symbols, const char *name, uint64_t address);

int kernel_symbols_find(struct kernel_symbols *symbols, const char *name, uint64_t *ret_address);
/*
 * The nearest symbol at or below @address, as kernel_symbol_at(). @ret_end (may be NULL) is the next symbol's
 * address. Where several have one address, the global one, else the first.
 */
int kernel_symbols_at(struct kernel_symbols *symbols, uint64_t address, char *name, size_t size,
		      uint64_t *ret_start, uint64_t *ret_end);
/* All of them added to @table, some of them perhaps more than once. -ENOMEM. */
int kernel_symbols_copy(struct kernel_symbols *symbols, struct symbol_table *table);
/* Names in use: "kallsyms in memory", "/proc/kallsyms", …; for kbase. NULL when there are none. */
const char *kernel_symbols_origin(const struct kernel_symbols *symbols);
/* How many names are known: all sources together. */
size_t kernel_symbols_count(const struct kernel_symbols *symbols);

#endif
