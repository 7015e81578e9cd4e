/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The kallsyms tables as they lie in kernel memory: found, proven, and searched in place. Nothing is loaded
 * whole but the markers, the tokens, and, where the kernel keeps no order of names, a hash of all names.
 *
 *     names         per symbol: length, then that many token numbers; the first decoded character is a type.
 *                   A length with its top bit set has a second byte above the low seven bits (6.1, 73bbb94466fd)
 *     markers       u32: offset in names of each 256th symbol
 *     token_table   256 strings; token_index u16: where each begins
 *     offsets       u32 per symbol, sorted by address; what they mean is enum kallsyms_encoding
 *     seqs          3 bytes per symbol, big-endian: numbers of symbols in the order of their names (6.2, 60443c88f3a8)
 *
 * Source: scripts/kallsyms.c, kernel/kallsyms.c.
 */
#ifndef DILL_KALLSYMS_H
#define DILL_KALLSYMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct kernel;

enum kallsyms_encoding {
	KALLSYMS_ABSOLUTE_PERCPU, /* s32: from 0 up absolute, below 0 relative_base − 1 − value */
	KALLSYMS_BASE_RELATIVE,   /* relative_base + u32 (6.15, 01157ddc58dc: per-CPU symbols are ordinary) */
	KALLSYMS_PLACE_RELATIVE,  /* address of the entry + s32 (7.0) */
	KALLSYMS_ENCODINGS,
};

struct kallsyms {
	struct kernel *kernel; /* borrowed */
	uint64_t names, offsets, relative_base;
	uint64_t seqs; /* 0: this kernel keeps none */
	uint32_t count;
	enum kallsyms_encoding encoding;
	uint64_t text_end; /* where the kernel hides data symbols (no KALLSYMS_ALL): names end here; else 0 */
	uint32_t *markers;
	uint8_t *tokens; /* the table, and where each token begins */
	uint16_t token_start[256];
	uint8_t *block; /* the 256 names decoded last, still compressed */
	size_t block_size;
	uint32_t block_number; /* UINT32_MAX: none */
	uint32_t *by_hash;     /* of names, only without seqs; open addressing, symbol number + 1 */
	size_t slot_count;
};

#define KALLSYMS_NAME_SIZE 512 /* KSYM_NAME_LEN, and its NUL */

/* Where the tables lie; 0 where not known. What is missing is looked for around the rest. */
struct kallsyms_places {
	uint64_t num_syms, names, markers, token_table, token_index, offsets, relative_base;
	uint32_t count;
};

/* Find and prove the tables in @kernel's image. -ENOENT: none there. */
int kallsyms_open(struct kernel *kernel, struct kallsyms **ret_kallsyms, struct error *err);
void kallsyms_close(struct kallsyms *kallsyms);

/* Symbol @number's name without its type (in @name of KALLSYMS_NAME_SIZE), its type, its address. */
int kallsyms_name(struct kallsyms *kallsyms, uint32_t number, char *name, char *ret_type);
int kallsyms_address(struct kallsyms *kallsyms, uint32_t number, uint64_t *ret_address);

/*
 * All names, in the order of their numbers, until @visit returns something else than 0, which is then
 * returned. Those that can't be read are left out.
 */
typedef int (*kallsyms_visit)(void *context, uint32_t number, const char *name, char type);
int kallsyms_each(struct kallsyms *kallsyms, kallsyms_visit visit, void *context);

/* The first symbol called @name. -ENOENT. */
int kallsyms_find(struct kallsyms *kallsyms, const char *name, uint64_t *ret_address);
/* The nearest symbol at or below @address; as kernel_symbols_at(). */
int kallsyms_at(struct kallsyms *kallsyms, uint64_t address, char *name, size_t size, uint64_t *ret_start,
		uint64_t *ret_end);

/* kallsyms_find.c: the steps of kallsyms_open(). */
int kallsyms_locate(struct kernel *kernel, struct kallsyms_places *places, struct error *err);

#endif
