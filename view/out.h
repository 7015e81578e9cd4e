/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Bytes towards a FILE. The first write error is kept and ends all output, so that callers may write a whole
 * record and ask once. Chooses nothing about content. Bytes reach the FILE by out_hand_on(), at the end of a record,
 * since rows are made of many small pieces.
 */
#ifndef DILL_VIEW_OUT_H
#define DILL_VIEW_OUT_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "escape.h"

struct out {
	FILE *file;     /* borrowed */
	int error;      /* 0, or the negative errno of the first failure */
	uint64_t lines; /* newlines written */
	size_t kept;    /* bytes that the FILE does not have yet */
	char bytes[4096];
};

/* Bytes as they are: for text of our own, or already escaped. */
void out_bytes(struct out *out, const char *bytes, size_t length);
void out_string(struct out *out, const char *text);
void out_format(struct out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void out_fill(struct out *out, char byte, size_t count);

/* Bytes from outside. */
void out_escaped(struct out *out, enum escape_form form, const char *bytes, size_t length);

/* Remember @code (negative errno) unless an earlier failure is known. */
void out_fail(struct out *out, int code);

/* Give the FILE all that was written so far. */
void out_hand_on(struct out *out);

/* Hand everything to the kernel. Returns the first error so far, or 0. */
int out_flush(struct out *out);

/*
 * The same, and ask the file system for errors that it reports only at close(2), such as a quota over NFS.
 * The FILE stays open.
 */
int out_finish(struct out *out);

#endif
