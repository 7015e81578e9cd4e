/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Feeds the BPF stack walker (bpf/stack_walk.bpf.h): layouts of address spaces, and an unwind table for
 * each object
 * that they map, shared between processes. Which bytes the tables take is counted against a budget; objects
 * beyond it are
 * walked by frame pointers.
 */
#ifndef DILL_STACK_TABLES_H
#define DILL_STACK_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"

struct stack_tables;

struct stack_tables_maps {
	int layouts_fd;
	int unwind_tables_fd;
	uint64_t *epoch; /* walk_epoch in the program's memory: raised when a layout changes */
};

struct stack_tables_totals {
	unsigned int objects;          /* with a table */
	unsigned int objects_without;  /* no .eh_frame, unreadable, or over the budget: frame pointers */
	uint64_t rows, bytes;
};

int stack_tables_create(const struct stack_tables_maps *maps, uint64_t budget_bytes, struct stack_tables **ret_tables);
void stack_tables_destroy(struct stack_tables *tables);

/* Read the mappings of @pid and give them to the walker as those of @space. -ESRCH: the process is gone. */
int stack_tables_update(struct stack_tables *tables, pid_t pid, uint32_t space, struct error *err);
/* The address space is no more. */
void stack_tables_forget(struct stack_tables *tables, uint32_t space);

void stack_tables_totals(const struct stack_tables *tables, struct stack_tables_totals *ret_totals);

#endif
