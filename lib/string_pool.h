/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Each distinct string once, at an address that stays until the pool goes. */
#ifndef DILL_STRING_POOL_H
#define DILL_STRING_POOL_H

#include <stddef.h>

/* A zeroed one is empty. */
struct string_pool {
	const char **slots; /* open addressing; a power of two, at most half full */
	size_t slot_count, count;
};

/* The pool's copy of @text, or NULL without memory. The same text gives the same pointer. */
const char *string_pool_intern(struct string_pool *pool, const char *text);
const char *string_pool_intern_bytes(struct string_pool *pool, const char *text, size_t size);
void string_pool_deinit(struct string_pool *pool);

#endif
