/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Remembers walks of user stacks. Programs allocate from the same few stacks again and again, so a walk is remembered by
 * (address space, return address, stack pointer) together with every stack word that it depended on: the return
 * addresses, and the saved rbp's that a rule used. When all these words still hold the same values the same walk would
 * give the same frames (the rules are a function of them), so comparing them replaces it: one copy of the stack's top and
 * some ten compares.
 *
 * The memory of walks is a direct-mapped array without locks, shared by all CPUs. Two CPUs may write one entry at once,
 * and a reader may see half of it. So each word is stored XORed with the key of the stack that it belongs to, the count
 * too: a reader decodes with the key that it read first, and words written for another stack decode to garbage that
 * doesn't compare equal. A torn entry is a miss, never a wrong stack.
 */
#ifndef DILL_BPF_WALK_MEMORY_H
#define DILL_BPF_WALK_MEMORY_H

#include "stack_walk.bpf.h"

#define WALK_CACHE_ENTRIES 4096 /* at most: a power of 2 */

struct walk_cache_entry {
	u64 stack_key;
	u64 check;      /* who this is about: XORed with stack_key */
	u64 count;      /* return addresses, + stack_key */
	u64 saved;      /* other words, + stack_key */
	u64 span;       /* bytes of stack that the return addresses span, + stack_key */
	u64 first_bp;   /* rbp at the start XOR stack_key; counts when flags is 1 */
	u64 flags;      /* 1: some rule used the rbp of the start; + stack_key */
	u64 value[WALK_CACHE_SLOTS];
	u16 offset[WALK_CACHE_SLOTS];
	u64 saved_value[WALK_MAX_SAVED];
	u16 saved_offset[WALK_MAX_SAVED];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, WALK_CACHE_ENTRIES);
	__type(key, u32);
	__type(value, struct walk_cache_entry);
} walk_cache SEC(".maps");

volatile const __u32 walk_cache_mask = WALK_CACHE_ENTRIES - 1;
volatile const __u8 walk_is_cached = 1;
__u64 walk_epoch; /* user space adds 1 when any layout changed: every remembered walk is void then */

static __always_inline u64 walk_identity(u32 space, u64 sp, u64 return_address)
{
	u64 hash = hash_add(0x77616c6bULL, walk_epoch); /* mixed before the next: epoch ^ space alone could repeat */

	return hash_add(hash_add(hash_add(hash, space), sp), return_address);
}

/* Write the finished walk down. Order does not matter: see the head of this file. */
static __always_inline void walk_remember(struct walk *walk, u64 identity, u64 key)
{
	u32 index = identity & walk_cache_mask, count = walk->trace.count, saved = walk->saved, i;
	struct walk_cache_entry *entry;
	u64 last = 0;

	if (!walk->is_cacheable || (walk->trace.flags & (STACK_HIT_DEPTH | STACK_UNREADABLE)))
		return;
	entry = bpf_map_lookup_elem(&walk_cache, &index);
	if (!entry)
		return;
	for (i = 0; i < WALK_MAX_FRAMES; i++) {
		if (i >= REREAD(walk->trace.count))
			break;
		entry->offset[i] = walk->slot_offset[i];
		entry->value[i] = walk->trace.addresses[i] ^ key;
		last = walk->slot_offset[i];
	}
	for (i = 0; i < WALK_MAX_SAVED; i++) {
		if (i >= REREAD(walk->saved))
			break;
		entry->saved_offset[i] = walk->saved_offset[i];
		entry->saved_value[i] = walk->saved_value[i] ^ key;
	}
	entry->first_bp = walk->start_bp ^ key;
	entry->flags = walk->uses_first_bp + key;
	entry->span = ((last + 1) << 3) + key;
	entry->count = count + key;
	entry->saved = saved + key;
	entry->check = identity ^ key;
	entry->stack_key = key;
}

/*
 * Does the stack word at @offset (8-byte words above @sp) still hold @value? The first walk->span words lie
 * in walk->copy.
 */
static __always_inline int walk_word_is(struct walk *walk, u64 sp, u32 offset, u64 value)
{
	if (offset >= REREAD(walk->span))
		return !bpf_probe_read_user(&walk->word, sizeof(u64), (void *)(sp + 8 * (u64)offset)) &&
		       REREAD(walk->word) == value;
	return REREAD(walk->copy[offset & (WALK_COPY_BYTES / 8 - 1)]) == value;
}

/*
 * Returns the key of the remembered stack when every word it depended on is unchanged, else 0. @first: the first of the
 * return addresses that lies on the stack: 1 where the walk started with registers (walk_start_at()).
 */
static __always_inline u64 walk_recall(struct walk *walk, u64 identity, u64 sp, u64 bp, u32 first)
{
	u32 index = identity & walk_cache_mask, i;
	struct walk_cache_entry *entry = bpf_map_lookup_elem(&walk_cache, &index);
	u64 key, count, saved, span, flags;

	if (!entry)
		return 0;
	key = entry->stack_key;
	if (!key || (entry->check ^ key) != identity)
		return 0;
	count = entry->count - key;
	saved = entry->saved - key;
	span = entry->span - key;
	flags = entry->flags - key;
	if (count > WALK_CACHE_SLOTS || saved > WALK_MAX_SAVED || flags > 1)
		return 0;
	if (flags && (entry->first_bp ^ key) != bp)
		return 0;
	if (span > WALK_COPY_BYTES)
		span = WALK_COPY_BYTES;
	if (bpf_probe_read_user(walk->copy, span, (void *)sp))
		return 0;
	walk->span = span >> 3;
	walk->slots = count;
	walk->saved = saved;
	for (i = 0; i < WALK_CACHE_SLOTS; i++) {
		if (i >= REREAD(walk->slots))
			break;
		if (i >= first && !walk_word_is(walk, sp, entry->offset[i], entry->value[i] ^ key))
			return 0;
	}
	for (i = 0; i < WALK_MAX_SAVED; i++) {
		if (i >= REREAD(walk->saved))
			break;
		if (!walk_word_is(walk, sp, entry->saved_offset[i], entry->saved_value[i] ^ key))
			return 0;
	}
	return key;
}

#endif
