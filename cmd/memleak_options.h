/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The options of `dill memleak`. */
#ifndef DILL_MEMLEAK_OPTIONS_H
#define DILL_MEMLEAK_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

enum leak_order { LEAK_BY_BYTES, LEAK_BY_COUNT, LEAK_BY_GROWTH };

struct memleak_options {
	uint64_t older_than_ns;
	uint64_t min_size, max_size;
	uint64_t top;
	unsigned int order; /* enum leak_order */
	bool shows_allocations;
	uint64_t sample_bytes;
	uint64_t stack_depth;
	uint64_t max_memory; /* 0: the default for this machine */
	bool streams;
	const char *object, *prefix;
	uint64_t threshold; /* bytes held by one stack that make exit code 1; 0: none */
	bool uses_debuginfod;
	bool uses_frame_pointers;
	bool no_lines, no_mappings, no_operators;
};

#endif
