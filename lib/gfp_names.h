/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Names of allocation flags (gfp_t), as this kernel has them: bits moved and came (include/linux/gfp_types.h). Taken from
 * the enum of bits in BTF (772dd0342727, 6.9), else from the table in the format of tracepoint kmem:mm_page_alloc.
 */
#ifndef DILL_GFP_NAMES_H
#define DILL_GFP_NAMES_H

#include <stddef.h>
#include <stdint.h>

struct btf;
struct error;
struct gfp_names;
struct kernel_targets;

/* A kernel that tells no names is no failure: then flags are numbers. -ENOMEM. */
int gfp_names_open(struct kernel_targets *targets, struct gfp_names **ret_names, struct error *err);
/*
 * The same from one source alone: the kernel's types, or the text of a tracepoint's format file. -ENOENT: it has no names.
 * -ENOMEM.
 */
int gfp_names_from_types(const struct btf *btf, struct gfp_names **ret_names);
int gfp_names_from_format(const char *format, struct gfp_names **ret_names);
void gfp_names_close(struct gfp_names *names);

/*
 * "GFP_KERNEL|__GFP_NOWARN", as the kernel's own %pGg writes it: the greatest combination that has a name first, then
 * what is left by single bits, bits without a name as one hex number at the end. "0" for none. Always ends within @size.
 */
void gfp_names_text(const struct gfp_names *names, uint64_t flags, char *text, size_t size);

#endif
