// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* A hash set of strings. */
#include "string_pool.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a with a final mix, so that the low bits depend on every byte. */
static size_t hash_of(const char *text, size_t size)
{
	uint64_t hash = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3ULL;
	return (size_t)(hash ^ hash >> 32);
}

static size_t find_slot(const char *const *slots, size_t slot_count, const char *text, size_t size)
{
	size_t slot = hash_of(text, size) & (slot_count - 1);

	while (slots[slot] && (strncmp(slots[slot], text, size) || slots[slot][size]))
		slot = (slot + 1) & (slot_count - 1);
	return slot;
}

static int grow(struct string_pool *pool)
{
	size_t wanted = pool->slot_count ? pool->slot_count * 2 : 64;
	const char **slots = calloc(wanted, sizeof(*slots));

	if (!slots)
		return -1;
	for (size_t i = 0; i < pool->slot_count; i++) {
		const char *text = pool->slots[i];

		if (text)
			slots[find_slot(slots, wanted, text, strlen(text))] = text;
	}
	free(pool->slots);
	pool->slots = slots;
	pool->slot_count = wanted;
	return 0;
}

const char *string_pool_intern_bytes(struct string_pool *pool, const char *text, size_t size)
{
	size_t slot;

	size = strnlen(text, size);
	if (pool->count * 2 >= pool->slot_count && grow(pool))
		return NULL;
	slot = find_slot(pool->slots, pool->slot_count, text, size);
	if (!pool->slots[slot]) {
		pool->slots[slot] = strndup(text, size);
		if (pool->slots[slot])
			pool->count++;
	}
	return pool->slots[slot];
}

const char *string_pool_intern(struct string_pool *pool, const char *text)
{
	return string_pool_intern_bytes(pool, text, strlen(text));
}

void string_pool_deinit(struct string_pool *pool)
{
	for (size_t i = 0; i < pool->slot_count; i++)
		free((char *)pool->slots[i]);
	free(pool->slots);
	*pool = (struct string_pool){0};
}
