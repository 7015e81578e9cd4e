// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* shared: yes */
/*
 * An allocator under names of its own: xx_malloc, xx_free, xx_calloc, xx_realloc in libcustom_alloc.so, for
 * `-O libcustom_alloc.so -S xx_`. It lives in one mapping, made at load time, and calls no other allocator:
 * lists of freed blocks by power of two, a header of 16 bytes with the class, one lock.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

enum { ARENA_SIZE = 256 << 20, HEADER = 16, CLASSES = 28 };

void *xx_malloc(size_t size);
void xx_free(void *at);
void *xx_calloc(size_t members, size_t size);
void *xx_realloc(void *at, size_t size);

struct header {
	size_t class; /* the block has 16 << class bytes */
	struct header *next_free;
};

static char *arena, *arena_top;
static struct header *freed[CLASSES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void arena_map(void)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
	void *at = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE, flags, -1, 0);

	if (at != MAP_FAILED)
		arena = arena_top = at;
}

static struct header *header_take(size_t class)
{
	struct header *header = freed[class];

	if (header) {
		freed[class] = header->next_free;
		return header;
	}
	if (!arena || (size_t)(arena + ARENA_SIZE - arena_top) < HEADER + ((size_t)16 << class))
		return NULL;
	header = (struct header *)arena_top;
	arena_top += HEADER + ((size_t)16 << class);
	header->class = class;
	return header;
}

void *xx_malloc(size_t size)
{
	struct header *header = NULL;
	size_t class = 0;

	while (class < CLASSES && (size_t)16 << class < size)
		class++;
	pthread_mutex_lock(&lock);
	if (class < CLASSES)
		header = header_take(class);
	pthread_mutex_unlock(&lock);
	if (!header) {
		errno = ENOMEM;
		return NULL;
	}
	return (char *)header + HEADER;
}

void xx_free(void *at)
{
	struct header *header;

	if (!at)
		return;
	header = (struct header *)((char *)at - HEADER);
	pthread_mutex_lock(&lock);
	header->next_free = freed[header->class];
	freed[header->class] = header;
	pthread_mutex_unlock(&lock);
}

void *xx_calloc(size_t members, size_t size)
{
	size_t bytes;
	void *at;

	if (__builtin_mul_overflow(members, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	at = xx_malloc(bytes);
	return at ? memset(at, 0, bytes) : NULL;
}

void *xx_realloc(void *at, size_t size)
{
	size_t room;
	void *to;

	if (!at)
		return xx_malloc(size);
	room = (size_t)16 << ((struct header *)((char *)at - HEADER))->class;
	if (size <= room)
		return at;
	to = xx_malloc(size);
	if (!to)
		return NULL;
	memcpy(to, at, room);
	xx_free(at);
	return to;
}
