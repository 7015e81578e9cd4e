/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Who allocated and who freed an object last. Stacks are kept once each, by number, as lib/stackdepot.c does.
 */
#ifndef SLUB_TRACKS_H
#define SLUB_TRACKS_H

#include <stdint.h>

/* 32 bytes; all zero: nobody yet. */
struct slub_track {
	uint32_t stack; /* 1 + index in slub_stacks, 0 for none */
	uint32_t cpu, pid, unused;
	uint64_t when_ns; /* CLOCK_MONOTONIC */
	uint64_t sequence;
};

/* Stacks, SLUB_STACKS of them; NULL until one is kept. Only what is used costs memory. */
#define SLUB_STACKS 65536
#define SLUB_STACK_DEPTH 16
struct slub_stack {
	uint64_t hash; /* 0: not in use */
	uint32_t count;
	void *frames[SLUB_STACK_DEPTH];
};
extern struct slub_stack *slub_stacks __attribute__((visibility("hidden")));

/* Make stacks possible; before, tracks have none. Under no lock: it may allocate. */
void slub_tracks_prepare(void);

/* Fill in for the calling thread. */
void slub_track_set(struct slub_track *track);

/* Lines on standard error: "WHAT by thread PID on CPU n, AGE ms ago", then the stack, a frame each. */
void slub_track_print(const char *what, const struct slub_track *track);

#endif
