/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The hash of a name, for tables of symbols and types. Not for protection: names of a hostile kernel can collide. */
#ifndef DILL_NAME_HASH_H
#define DILL_NAME_HASH_H

#include <stddef.h>
#include <stdint.h>

/* FNV-1a, 32 bits (http://www.isthe.com/chongo/tech/comp/fnv/). */
static inline uint32_t name_hash(const char *name, size_t length)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < length; i++)
		hash = (hash ^ (uint8_t)name[i]) * 16777619u;
	return hash;
}

#endif
