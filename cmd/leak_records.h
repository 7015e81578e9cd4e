/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The records of memleak: what a live run hands on and a recording holds. A report is REPORT, its SITEs and
 * BLOCKs in any
 * order, END. Encoder and decoder of each stand side by side in leak_records.c.
 */
#ifndef DILL_LEAK_RECORDS_H
#define DILL_LEAK_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "memleak.h"
#include "recording.h"
#include "symbolizer.h"

enum leak_record {
	LEAK_RECORD_REPORT = 1,
	LEAK_RECORD_SITE,
	LEAK_RECORD_BLOCK,
	LEAK_RECORD_END,
	LEAK_RECORD_EVENT,
};

enum leak_reason { LEAK_AT_INTERVAL, LEAK_AT_END, LEAK_AT_EXIT, LEAK_AT_EXEC };

/* One process image at one moment. Strings are borrowed from the record. */
struct leak_report_head {
	uint64_t time_ns; /* wall clock */
	uint64_t pid;
	const char *comm;
	uint64_t reason;  /* enum leak_reason */
	uint64_t interval_ns; /* since the last report of this image, 0: the first */
	uint64_t older_than_ns;
	uint64_t sample_bytes;
	uint64_t seen, freed, dropped, held;             /* seen = freed + held + dropped */
	uint64_t seen_bytes, freed_bytes, dropped_bytes, held_bytes;
};

/* What one stack holds. */
struct leak_site {
	uint64_t stack_key;
	uint64_t count, bytes;   /* held, and old enough */
	uint64_t dropped, dropped_bytes;
	int64_t growth_bytes;    /* since the last report */
	uint64_t has_growth;     /* there was one */
	uint64_t is_growing;     /* grew in every interval so far, two at least */
	uint64_t estimate_count, estimate_bytes, estimate_error_bytes; /* one standard deviation */
	uint64_t stack_flags;    /* enum stack_flags */
	struct source_frame *frames; /* `addresses` tells inlined frames from others: 0 */
	uint64_t *addresses;
	size_t frame_count;
};

struct leak_block {
	uint64_t stack_key, address, size, age_ns;
};

struct leak_report_end {
	uint64_t memory_used, memory_budget;
	uint64_t recursion_misses;
	struct counters counters;
};

struct leak_event {
	uint64_t time_ns, pid, tid, kind /* enum memleak_event_type */, address, size;
	struct leak_site stack;
};

void leak_encode_head(struct payload *payload, const struct leak_report_head *head);
void leak_encode_site(struct payload *payload, const struct leak_site *site);
void leak_encode_block(struct payload *payload, const struct leak_block *block);
void leak_encode_end(struct payload *payload, const struct leak_report_end *end);
void leak_encode_event(struct payload *payload, const struct leak_event *event);

/* Each returns -EBADMSG for an impossible record. Sites own copies of their strings: leak_site_deinit(). */
int leak_decode_head(struct payload_reader *reader, struct leak_report_head *ret_head);
int leak_decode_site(struct payload_reader *reader, struct leak_site *ret_site);
int leak_decode_block(struct payload_reader *reader, struct leak_block *ret_block);
int leak_decode_end(struct payload_reader *reader, struct leak_report_end *ret_end);
int leak_decode_event(struct payload_reader *reader, struct leak_event *ret_event);
void leak_site_deinit(struct leak_site *site);

#endif
