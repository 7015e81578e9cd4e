/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Functions of our own that exist to be probed: for finding out what uprobes can do here and what they cost,
 * without touching another program.
 */
#ifndef DILL_UPROBE_TARGET_H
#define DILL_UPROBE_TARGET_H

#include <stdint.h>

struct error;

/* Each does nothing. The kernel emulates the first instruction of one, and single-steps that of the other. */
void uprobe_target_emulated(void);
void uprobe_target_single_stepped(void);
/* Starts like uprobe_target_emulated(). */
void uprobe_target_returning(void);

struct uprobe_target_file {
	int fd; /* the ELF file that holds the functions: this executable or a shared object; close it */
	uint64_t emulated_offset;
	uint64_t single_stepped_offset;
	uint64_t returning_offset;
};

int uprobe_target_open(struct uprobe_target_file *ret_file, struct error *err);

#endif
