/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What memleak's BPF programs and its user side share: map keys and values, and the events that go through
 * the ring.
 *
 * An address space is named by a number: the process's tgid in the low 22 bits (the kernel's limit for pids,
 * include/linux/threads.h) and the count of its execs above. So blocks of an image that exec replaced are
 * never taken for
 * blocks of the new one.
 */
#ifndef DILL_MEMLEAK_H
#define DILL_MEMLEAK_H

#define SPACE_TGID_BITS 22
#define SPACE_TGID(space) ((space) & ((1U << SPACE_TGID_BITS) - 1))

struct allocation_key {
	unsigned long long address;
	unsigned int space;
	unsigned int reserved;
};

struct allocation {
	unsigned long long size;
	unsigned long long stack_key;
	unsigned long long time_ns; /* CLOCK_MONOTONIC */
};

/*
 * Totals of one stack, per CPU; each only grows. held = seen - freed - dropped. Estimates are sums over sampled
 * allocations of what each stands for; *_count in 1/1024, *_variance in KiB².
 */
struct site_counts {
	unsigned long long seen, seen_bytes;
	unsigned long long freed, freed_bytes;
	unsigned long long dropped, dropped_bytes; /* seen, but not kept one by one: a free of it goes unnoticed */
	unsigned long long estimate_seen, estimate_seen_bytes, estimate_seen_variance;
	unsigned long long estimate_freed, estimate_freed_bytes, estimate_freed_variance;
};

enum memleak_counter {
	COUNTER_CALLS,             /* successful allocations, sampled or not */
	COUNTER_CALL_BYTES,
	COUNTER_FAILED,            /* allocations that returned NULL */
	COUNTER_NESTED,            /* calls inside another allocation call: counted with that one */
	COUNTER_UNMATCHED_FREES,   /* of blocks older than the attach, not sampled, filtered or dropped */
	COUNTER_REPLACED,          /* an address was handed out again whose free was not seen */
	COUNTER_STACKS_NEW,        /* walks that were done, not recalled */
	COUNTER_STACKS_INCOMPLETE, /* walks that stopped short */
	COUNTER_STACKS_UNSAVED,    /* stack table full */
	COUNTER_STACKS_UNREADABLE,
	COUNTER_THREADS_LOST,      /* calls of threads for which no state could be made */
	COUNTER_THREADS_LOST_BYTES,
	COUNTER_SITES_LOST,        /* allocations without a site: not even their stack is counted */
	COUNTER_SITES_LOST_BYTES,
	COUNTER_MAP_RETRIES,       /* a map was locked: done again */
	COUNTER_MAP_FAILURES,      /* and in vain: an allocation or free went uncounted */
	COUNTER_EVENTS_LOST,       /* ring full */
	COUNTER_COUNT,
};

struct counters {
	unsigned long long value[COUNTER_COUNT];
};

/* A process that is followed, by tgid. */
struct followed_process {
	unsigned int space;
	unsigned char follows_children;
	unsigned char stops_at_exec; /* SIGSTOP after exec and when the loader has mapped libraries; our own child only */
	unsigned short reserved;
};

enum memleak_event_type {
	EVENT_FORK = 1,   /* address: the child's tgid, size: its space */
	EVENT_EXEC,       /* address: the new space */
	EVENT_EXIT,
	EVENT_LOADED,     /* the dynamic loader has mapped or unmapped objects */
	EVENT_UNKNOWN_CODE, /* address: a pc in no known mapping */
	EVENT_MMAP,       /* address, size: the new mapping */
	EVENT_REMAP,      /* address, size: where mremap() put what this thread's last EVENT_UNMAP took */
	EVENT_UNMAP,      /* address, size: going away */
	EVENT_UNMAP_FAILED, /* the last EVENT_UNMAP of this thread did not happen */
	EVENT_ALLOC,      /* streaming */
	EVENT_FREE,
};

struct memleak_event {
	unsigned int type;
	unsigned int space;
	unsigned int tid;
	unsigned int reserved;
	unsigned long long time_ns;
	unsigned long long address, size, stack_key;
};

/* Weights of sampled allocations: g(x) = x / (1 - exp(-x)) at x = i/32 for size/mean = x, in 1/65536. */
#define SAMPLE_WEIGHT_STEPS 32
#define SAMPLE_WEIGHT_MAX 12 /* beyond, g(x) = x to 5 digits */
#define SAMPLE_WEIGHTS (SAMPLE_WEIGHT_MAX * SAMPLE_WEIGHT_STEPS + 1)
/* Quantiles of the exponential distribution: -ln((i + 0.5) / 1024) in 1/65536. */
#define SAMPLE_QUANTILES 1024

#endif
