/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The functions of one compilation unit by address, and what was inlined into them. Part of dwarf_lines.c. */
#ifndef DILL_DWARF_FUNCTIONS_H
#define DILL_DWARF_FUNCTIONS_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A zeroed one is unread. */
struct dwarf_functions {
	struct dwarf_function_range *list; /* sorted by low */
	size_t count, capacity;
	bool is_read;
};

/*
 * Find the functions below @unit. @budget counts down address ranges over all units of a file: hostile units
 * can share one long list of them, which would make the work quadratic. -ENOMEM is the only failure.
 */
int dwarf_functions_read(struct dwarf_functions *functions, Dwarf_Die *unit, uint64_t *budget);
void dwarf_functions_deinit(struct dwarf_functions *functions);

/*
 * The function that covers @vaddr as chain[0], then the calls inlined there, outermost first. Returns how
 * many, at most @limit.
 */
size_t dwarf_functions_chain(const struct dwarf_functions *functions, Dwarf *dwarf, uint64_t vaddr,
			     Dwarf_Die *chain, size_t limit);

#endif
