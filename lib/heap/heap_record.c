// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The ring. It grows by doubling while it is unwrapped, so growth keeps the order. */
#include "heap_record.h"

#include <stdlib.h>
#include <string.h>

enum { RECORD_FIRST = 256 };

static void grow(struct heap_record *record)
{
	size_t limit = record->limit ? record->limit : HEAP_RECORD_MAX;
	size_t wanted = record->capacity ? record->capacity * 2 : RECORD_FIRST;
	struct heap_event *grown;

	/* Once the oldest was dropped for want of memory the ring has wrapped, and stays as it is. */
	if (record->capacity >= limit || record->first)
		return;
	if (wanted > limit)
		wanted = limit;
	grown = reallocarray(record->events, wanted, sizeof(*grown));
	if (!grown)
		return;
	record->events = grown;
	record->capacity = wanted;
}

void heap_record_add(struct heap_record *record, const struct heap_event *event)
{
	if (record->count == record->capacity)
		grow(record);
	if (record->count == record->capacity) {
		record->dropped++;
		if (!record->capacity)
			return;
		record->first = (record->first + 1) % record->capacity;
		record->count--;
	}
	record->events[(record->first + record->count++) % record->capacity] = *event;
}

const struct heap_event *heap_record_at(const struct heap_record *record, size_t index)
{
	return &record->events[(record->first + index) % record->capacity];
}

void heap_record_clear(struct heap_record *record)
{
	free(record->events);
	*record = (struct heap_record){ .limit = record->limit };
}
