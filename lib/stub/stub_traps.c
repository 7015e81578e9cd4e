// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* A list: there are some dozens of traps at most, and looking through them is nothing next to a round trip. */
#include "stub_traps.h"

#include <errno.h>
#include <stdlib.h>

#define MOST_TRAPS 16384

void stub_traps_deinit(struct stub_traps *traps)
{
	free(traps->entries);
	*traps = (struct stub_traps){ 0 };
}

static struct stub_traps_entry *find(const struct stub_traps *traps, const struct stub_trap *trap)
{
	for (size_t i = 0; i < traps->count; i++) {
		struct stub_traps_entry *entry = &traps->entries[i];

		if (entry->address == trap->address && entry->kind == trap->kind && entry->size == trap->size)
			return entry;
	}
	return NULL;
}

unsigned stub_traps_owners(const struct stub_traps *traps, const struct stub_trap *trap)
{
	const struct stub_traps_entry *entry = find(traps, trap);

	return entry ? entry->owners : 0;
}

static void count_ours(struct stub_traps *traps, enum stub_trap_kind kind, int change)
{
	traps->our_count += (size_t)change;
	if (kind == STUB_BREAK || kind == STUB_BREAK_HARDWARE)
		traps->our_break_count += (size_t)change;
}

int stub_traps_add(struct stub_traps *traps, const struct stub_trap *trap, enum stub_owner owner)
{
	struct stub_traps_entry *entry = find(traps, trap);

	if (!entry && traps->count == traps->capacity) {
		size_t capacity = traps->capacity ? 2 * traps->capacity : 32;
		struct stub_traps_entry *grown =
			capacity > MOST_TRAPS ? NULL :
						reallocarray(traps->entries, capacity, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		traps->entries = grown;
		traps->capacity = capacity;
	}
	if (!entry) {
		entry = &traps->entries[traps->count++];
		*entry = (struct stub_traps_entry){ .kind = trap->kind, .size = trap->size, .address = trap->address };
	}
	if (owner == STUB_OURS && !(entry->owners & STUB_OURS))
		count_ours(traps, trap->kind, 1);
	entry->owners |= owner;
	return 0;
}

void stub_traps_remove(struct stub_traps *traps, const struct stub_trap *trap, enum stub_owner owner)
{
	struct stub_traps_entry *entry = find(traps, trap);

	if (!entry || !(entry->owners & owner))
		return;
	if (owner == STUB_OURS)
		count_ours(traps, trap->kind, -1);
	entry->owners &= ~(unsigned)owner;
	if (!entry->owners)
		*entry = traps->entries[--traps->count];
}

unsigned stub_traps_at(const struct stub_traps *traps, uint64_t address)
{
	unsigned owners = 0;

	for (size_t i = 0; i < traps->count; i++) {
		const struct stub_traps_entry *entry = &traps->entries[i];

		if (entry->address == address && entry->kind <= STUB_BREAK_HARDWARE)
			owners |= entry->owners;
	}
	return owners;
}

/* Whether an access that met @kind may have met @other. */
static bool may_meet(enum stub_trap_kind kind, enum stub_trap_kind other)
{
	return other > STUB_BREAK_HARDWARE &&
	       (kind == other || kind == STUB_WATCH_ACCESS || other == STUB_WATCH_ACCESS);
}

unsigned stub_traps_met(const struct stub_traps *traps, enum stub_trap_kind kind, uint64_t address,
			struct stub_trap *ret_gdbs)
{
	const struct stub_traps_entry *gdbs = NULL;
	uint32_t size = 1;
	unsigned owners = 0;

	for (size_t i = 0; i < traps->count; i++)
		if (traps->entries[i].kind == kind && traps->entries[i].address == address &&
		    traps->entries[i].size > size)
			size = traps->entries[i].size;
	for (size_t i = 0; i < traps->count; i++) {
		const struct stub_traps_entry *entry = &traps->entries[i];
		bool is_named = entry->kind == kind && entry->address == address;

		if (!may_meet(kind, entry->kind) ||
		    (entry->address - address >= size && address - entry->address >= entry->size))
			continue;
		owners |= entry->owners;
		if (entry->owners & STUB_GDBS && (!gdbs || is_named))
			gdbs = entry;
	}
	if (gdbs)
		*ret_gdbs = (struct stub_trap){ .kind = gdbs->kind, .address = gdbs->address, .size = gdbs->size };
	return owners;
}
