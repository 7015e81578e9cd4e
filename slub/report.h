/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Damage that was found, told on standard error without the C library's streams: reports come out of malloc() and of
 * damaged processes.
 */
#ifndef SLUB_REPORT_H
#define SLUB_REPORT_H

#include "layout.h"

/* "slub: CACHE: WHAT at ADDRESS"; then slub_end_of_report(). `cache` may be NULL. */
void slub_report(const struct kmem_cache *cache, const char *what, const void *address);

/* The first line alone, for reports that have more to say. */
void slub_report_begin(const struct kmem_cache *cache, const char *what, const void *address);

/* The process ends, unless SLUB_ON_ERROR=continue is in its environment. */
void slub_report_end(void);

/* A line in the making. What does not fit is cut; bytes that a terminal would act on are written as `.`. */
struct slub_line {
	char text[256];
	size_t length;
};

void slub_put(struct slub_line *line, const char *text);
void slub_put_hex(struct slub_line *line, uint64_t value);
void slub_put_number(struct slub_line *line, uint64_t value);
void slub_put_byte(struct slub_line *line, uint8_t byte);
void slub_say(struct slub_line *line);

#endif
