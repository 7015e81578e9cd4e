/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A child process that decodes a dump and serves reads of it, so that a decoder that crashes, loops or is taken
 * over by a hostile file costs the dump and nothing else. What it decodes with is given by a struct dump_decoder.
 */
#ifndef DILL_DUMP_READER_H
#define DILL_DUMP_READER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "error.h"
#include "memory_source.h"

/* All of it runs in the sandboxed child (dump_sandbox.h). */
struct dump_decoder {
	/* Read the headers of the file @fd. */
	int (*open)(int fd, void **ret_dump, struct error *err);
	/* Physical memory; 0, or negative when not all of it is there. */
	int (*read)(void *dump, uint64_t address, void *buffer, size_t size);
	/* What memory is in the dump: at most @limit ranges, sorted and disjoint. Returns how many. */
	size_t (*ranges)(void *dump, struct memory_range *ranges, size_t limit);
};

struct dump_limits {
	unsigned int open_ms, read_ms; /* for opening, and for each batch of reads */
	uint64_t memory_bytes;
};

extern const struct dump_limits dump_default_limits;

struct dump_reader;

/*
 * Fork the child and have it open @fd, which stays the caller's. What @decoder->open said is said on; -EIO when the
 * child died or took too long; -EOPNOTSUPP when it can't be sandboxed here.
 */
int dump_reader_start(const struct dump_decoder *decoder, int fd, const struct dump_limits *limits,
		      struct dump_reader **ret_reader, struct error *err);

/* As memory_source_ops.read. -EIO, from then on for good: the child is gone, and @err says why. */
int dump_reader_read(struct dump_reader *reader, struct memory_read *reads, size_t count, struct error *err);

/* Sorted, disjoint; the reader's. What the child said that wasn't is left out. */
const struct memory_range *dump_reader_ranges(const struct dump_reader *reader, size_t *ret_count);
/* For tests. */
pid_t dump_reader_pid(const struct dump_reader *reader);
/* Ends the child. NULL is fine. */
void dump_reader_stop(struct dump_reader *reader);

#endif
