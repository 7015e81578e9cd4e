/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * How another process finds the allocator of this one, and understands what is in its memory.
 *
 * Every program and library with libslub in it has an ELF note, in a loaded segment, so that it is there in a
 * stripped and in a static program too, and can be read out of the process without its file:
 *
 *     note "libslub", type 1: int64_t, from the place of this number to the struct slub_inspection
 *
 * That struct names members of libslub's structures and tells where each is, so that a reader needs no header of the
 * same version: it looks for the members that it knows, and says so when one that it can't do without is missing.
 * A member that moves, comes or goes changes nothing here; one that means something else by the same name takes
 * another SLUB_INSPECTION_FORMAT.
 */
#ifndef SLUB_INSPECTION_H
#define SLUB_INSPECTION_H

#include <stdint.h>

#define SLUB_INSPECTION_NOTE_NAME "libslub"
#define SLUB_INSPECTION_NOTE_TYPE 1
#define SLUB_INSPECTION_MAGIC 0x70736e6962756c73 /* "slubinsp" */
#define SLUB_INSPECTION_FORMAT 1

/*
 * "kmem_cache.flags": where the member is and how large, in bytes. "kmem_cache": how large the structure is, at 0.
 * "=SLUB_PERCPU_SHIFT": a number, as offset; size 0. "=flags.RED_ZONE" is the bit of a flag of a cache.
 */
struct slub_inspection_member {
	char name[40]; /* NUL-terminated */
	uint32_t offset, size;
};

struct slub_inspection {
	uint64_t magic;
	uint32_t format;
	uint32_t member_size;   /* of one of members, so that these can grow */
	uint64_t member_count;
	uint64_t members;       /* address of the array */
	uint64_t state;         /* of the struct slub_state */
	uint64_t bootstrap_top; /* the top of a sheaf that stands for none */
	uint64_t stacks;        /* address of the pointer to the stacks of tracks */
};

#endif
