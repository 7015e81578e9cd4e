// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Lists followed side by side. Knows links and records, not what is in them. */
#include "slab_chain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"

/* Bytes read in one round at most: a machine with many CPUs has more lists than that, in several rounds. */
#define ROUND_BYTES (8u << 20)

/* A bad back link is no end, and gives way to what is one. */
static void note_damage(struct slab_chain *chain, enum list_damage damage, uint64_t node, uint64_t value)
{
	if (chain->damage && (chain->damage != LIST_BAD_BACK_LINK || damage == LIST_BAD_BACK_LINK))
		return;
	chain->damage = damage;
	chain->damaged_node = node;
	chain->damaged_value = value;
}

static bool is_at_end(const struct slab_chain *chain)
{
	return chain->next == chain->head || (chain->damage && chain->damage != LIST_BAD_BACK_LINK);
}

/* Brent: the tortoise is set to where we are at each power of two steps; meeting it again is a loop. */
static bool goes_round(struct slab_chain *chain)
{
	if (chain->next == chain->tortoise)
		return true;
	if (++chain->lap >= chain->power) {
		chain->power = chain->power ? chain->power * 2 : 1;
		chain->lap = 0;
		chain->tortoise = chain->next;
	}
	return false;
}

static int step(struct slab_chain *chain, const struct memory_read *read)
{
	uint64_t here = chain->next, links[2] = { 0 };
	int status;

	if (read->result) {
		note_damage(chain, LIST_UNREADABLE, chain->previous, here);
		return 0;
	}
	memcpy(links, (const char *)read->buffer + chain->link,
	       chain->head ? sizeof(links) : sizeof(links[0]));
	if (chain->head && links[1] != chain->previous)
		note_damage(chain, LIST_BAD_BACK_LINK, here, links[1]);
	status = chain->visit(chain, read->address, read->buffer);
	if (status)
		return status;
	if (chain->is_left) {
		chain->next = chain->head;
		return 0;
	}
	chain->count++;
	chain->previous = here;
	chain->next = links[0];
	if (chain->next == chain->head) {
		if (chain->head && chain->last != here)
			note_damage(chain, LIST_BAD_BACK_LINK, chain->head, chain->last);
	} else if (goes_round(chain)) {
		note_damage(chain, LIST_LOOP, here, links[0]);
	} else if (chain->count >= chain->limit) {
		note_damage(chain, LIST_TOO_LONG, here, links[0]);
	}
	return 0;
}

/* One round over chains[*at] and those behind it, as many as fit; *at moves on. */
static int round_of(struct kernel *kernel, struct slab_chain *chains, size_t count, size_t *at,
		    struct memory_read *reads, struct slab_chain **readers, size_t capacity, char *buffer)
{
	size_t used = 0, batch = 0;
	int status;

	for (; *at < count && batch < capacity; ++*at) {
		struct slab_chain *chain = &chains[*at];

		if (is_at_end(chain))
			continue;
		if (used + chain->record_size > ROUND_BYTES)
			break;
		reads[batch] = (struct memory_read){ .address = chain->next - (chain->head ? chain->link : 0),
						     .buffer = buffer + used,
						     .size = chain->record_size };
		readers[batch++] = chain;
		used += chain->record_size;
	}
	if (!batch)
		return 0;
	status = kernel_read_many(kernel, reads, batch);
	for (size_t i = 0; i < batch && !status; i++)
		status = step(readers[i], &reads[i]);
	return status ? status : 1;
}

int slab_chains_follow(struct kernel *kernel, struct slab_chain *chains, size_t count, struct error *err)
{
	CLEANUP(free) struct memory_read *reads = NULL;
	CLEANUP(free) struct slab_chain **readers = NULL;
	CLEANUP(free) char *buffer = NULL;
	size_t bytes = 0, capacity;
	int status;
	bool goes_on;

	for (size_t i = 0; i < count; i++) {
		chains[i].previous = chains[i].head;
		bytes += chains[i].record_size;
		if (chains[i].record_size > ROUND_BYTES)
			return error_set(err, -EINVAL, "a list's records are too large");
	}
	capacity = count < 65536 ? count : 65536;
	reads = calloc(capacity + 1, sizeof(*reads));
	readers = calloc(capacity + 1, sizeof(struct slab_chain *));
	buffer = malloc((bytes < ROUND_BYTES ? bytes : ROUND_BYTES) + 1);
	if (!reads || !readers || !buffer)
		return error_set(err, -ENOMEM, "no memory to follow %zu lists", count);
	do {
		goes_on = false;
		for (size_t at = 0; at < count;) {
			status = round_of(kernel, chains, count, &at, reads, readers, capacity, buffer);
			if (status < 0)
				return error_set(err, status, "%s", status == -ENOMEM ? "out of memory"
										      : kernel->reader.text);
			goes_on |= status > 0;
		}
	} while (goes_on);
	return 0;
}
