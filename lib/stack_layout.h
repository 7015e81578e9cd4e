/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What user space tells the BPF stack walker about a process, and what the walker hands back.
 * Shared between user space and BPF: fixed-size types only.
 */
#ifndef DILL_STACK_LAYOUT_H
#define DILL_STACK_LAYOUT_H

#define WALK_MAX_FRAMES 127  /* kernel.perf_event_max_stack's default, which every peer shares */
#define LAYOUT_MAX_MAPPINGS 512
#define UNWIND_NO_TABLE 0xffffffffU

/*
 * Keys of stacks are hashes with the top bit set. Keys without it stand for what has no stack: the address
 * space and why, so that
 * its bytes are counted all the same.
 */
#define STACK_KEY_IS_HASH (1ULL << 63)
#define STACK_KEY_NONE 0ULL
enum stack_absence {
	STACK_TABLE_FULL = 1,
	STACK_NOT_READ = 2,
};
#define STACK_KEY_ABSENT(space, absence) ((unsigned long long)(space) << 8 | (absence))

/* An executable mapping. Address less `bias` is what unwind_row.pc counts from. */
struct layout_mapping {
	unsigned long long start, end;
	unsigned long long bias;
	unsigned int table; /* index into the array of unwind tables, or UNWIND_NO_TABLE: frame pointers */
	unsigned int rows;  /* rows in that table */
};

/* The executable mappings of one address space, sorted by start. */
struct layout {
	unsigned int count;
	unsigned int reserved;
	struct layout_mapping mappings[LAYOUT_MAX_MAPPINGS];
};

enum stack_flags {
	STACK_IS_COMPLETE = 1,    /* reached the outermost frame */
	STACK_USED_FP = 2,        /* at least one step by frame pointer: no unwind rule covered the pc */
	STACK_HIT_DEPTH = 4,      /* cut at the depth limit */
	STACK_UNKNOWN_CODE = 8,   /* stopped at an address in no known executable mapping */
	STACK_UNREADABLE = 16,    /* stopped at stack memory that could not be read */
	STACK_NO_RULE = 32,       /* stopped where neither rule nor frame pointer led on */
	STACK_CROSSED_SIGNAL = 64,
};

/* One distinct stack: return addresses, innermost first. */
struct stack_trace {
	unsigned int space; /* address space: see memleak.h */
	unsigned short count;
	unsigned short flags; /* enum stack_flags */
	unsigned long long addresses[WALK_MAX_FRAMES];
};

#endif
