/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Walks a user stack at a function's entry without frame pointers. A walk takes one unwind rule per frame out of the
 * compact tables (lib/unwind_row.h) and costs about 0.1 us a frame; walk_memory.bpf.h remembers walks.
 *
 * Works from 5.10 on: bounded loops, no atomics with a result, no kernel function.
 */
#ifndef DILL_BPF_STACK_WALK_H
#define DILL_BPF_STACK_WALK_H

#include "kernel_types.h"
#include "stack_layout.h"
#include "unwind_row.h"

#define WALK_CACHE_SLOTS 128
#define WALK_MAX_SAVED 16   /* saved rbp's and other words beside return addresses */
#define WALK_COPY_BYTES 2048 /* of the stack's top, fetched in one go */
#define MAX_UNWIND_TABLES 4096
#define ROW_SEARCH_STEPS 24 /* 16 million rows */
#define MAPPING_SEARCH_STEPS 9

/* Scratch of one thread: programs on uprobes can be preempted, so per-CPU scratch would be shared. */
struct walk {
	struct stack_trace trace;
	u64 start_sp, start_bp;
	u64 pc, sp, bp;      /* of the frame that is being left */
	u64 hash;
	u64 pending_offset;  /* where bp came from, when from the stack: it becomes a slot if a rule uses bp */
	u64 pending_value;
	u32 has_pending;
	u32 uses_first_bp;
	u32 is_cacheable;
	u32 is_after_signal;
	u32 slots, span, position;
	u64 word;
	u16 slot_offset[WALK_CACHE_SLOTS];
	u64 saved_value[WALK_MAX_SAVED];
	u32 saved;           /* slots that are no return address: kept apart, since those values lie in the trace */
	u16 saved_offset[WALK_MAX_SAVED];
	u64 copy[WALK_COPY_BYTES / 8];
};

/* Layouts by address space. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, u32);
	__type(value, struct layout);
} layouts SEC(".maps");

struct unwind_table_inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_INNER_MAP);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(struct unwind_row));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_UNWIND_TABLES);
	__type(key, u32);
	__array(values, struct unwind_table_inner);
} unwind_tables SEC(".maps");

/* Distinct stacks by key. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, u64);
	__type(value, struct stack_trace);
} stacks SEC(".maps");

volatile const __u32 walk_max_frames = WALK_MAX_FRAMES;
volatile const __u8 walk_uses_tables = 1; /* 0: frame pointers alone, to compare */

#define RULE_NONE 0ULL
#define RULE_NO_CODE (~0ULL)

/* A rule in one register: offset of the CFA in the upper half, then rbp's offset, flags, kind. */
static __always_inline u64 rule_pack(const struct unwind_row *row)
{
	return (u64)(u32)row->cfa_offset << 32 | (u64)(u16)row->rbp_offset << 16 | (u64)row->flags << 8 | row->kind;
}

/*
 * Reads a loop's bound anew from memory in each round. Were it in a register, the verifier would tell apart the paths
 * that leave the loop at each value and look at everything behind it once for each.
 */
#define REREAD(field) (*(volatile __typeof__(field) *)&(field))

/* Where a thread's walk lies: defined by the program that includes this file. NULL: no such thread. */
static struct walk *walk_of_thread(u32 tid);

/*
 * The rule for @pc, or RULE_NONE, or RULE_NO_CODE when pc is in no executable mapping. A global function with
 * scalars only, so that the verifier looks at the two searches once.
 */
__noinline u64 unwind_rule(u32 tid, u64 pc)
{
	struct walk *walk = walk_of_thread(tid);
	struct layout *layout = walk ? bpf_map_lookup_elem(&layouts, &walk->trace.space) : NULL;
	const struct layout_mapping *mapping;
	const struct unwind_row *row;
	u32 next, count, target, i;
	void *table;

	if (!layout)
		return RULE_NO_CODE;
	count = layout->count;
	walk->position = 0;
	for (i = 0; i < MAPPING_SEARCH_STEPS; i++) {
		next = (REREAD(walk->position) + ((LAYOUT_MAX_MAPPINGS / 2) >> i)) & (LAYOUT_MAX_MAPPINGS - 1);
		if (next < count && layout->mappings[next].start <= pc)
			walk->position = next;
	}
	mapping = &layout->mappings[walk->position & (LAYOUT_MAX_MAPPINGS - 1)];
	if (pc < mapping->start || pc >= mapping->end)
		return RULE_NO_CODE;
	if (mapping->table == UNWIND_NO_TABLE || !walk_uses_tables)
		return RULE_NONE;
	table = bpf_map_lookup_elem(&unwind_tables, &mapping->table);
	if (!table)
		return RULE_NONE;
	target = pc - mapping->bias;
	count = mapping->rows;
	walk->position = 0;
	for (i = 0; i < ROW_SEARCH_STEPS; i++) {
		next = REREAD(walk->position) + ((1U << (ROW_SEARCH_STEPS - 1)) >> i);
		if (next >= count)
			continue;
		row = bpf_map_lookup_elem(table, &next);
		if (row && row->pc <= target)
			walk->position = next;
	}
	next = REREAD(walk->position);
	row = bpf_map_lookup_elem(table, &next);
	if (!row || row->pc > target)
		return RULE_NONE;
	return rule_pack(row);
}

static __always_inline u64 hash_add(u64 hash, u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
	return hash ^ hash >> 29;
}

/*
 * Note a word that the walk depended on. Words out of reach of the entry make the walk one to be done anew
 * each time.
 */
static __always_inline void walk_note_saved(struct walk *walk, u64 address, u64 value)
{
	u64 words = (address - walk->start_sp) >> 3;
	u32 i = walk->saved;

	if (i >= WALK_MAX_SAVED || words > 0xffff || (address & 7)) {
		walk->is_cacheable = 0;
		return;
	}
	walk->saved_offset[i] = words;
	walk->saved_value[i] = value;
	walk->saved = i + 1;
}

/* A rule is about to use bp: what bp was read from now counts. */
static __always_inline void walk_use_bp(struct walk *walk)
{
	if (walk->has_pending) {
		walk_note_saved(walk, walk->pending_offset, walk->pending_value);
		walk->has_pending = 0;
	} else {
		walk->uses_first_bp = 1;
	}
}

static __always_inline int walk_read(struct walk *walk, u64 address, u64 *ret_value)
{
	if (bpf_probe_read_user(ret_value, sizeof(*ret_value), (void *)address)) {
		walk->trace.flags |= STACK_UNREADABLE;
		return -1;
	}
	return 0;
}

/* The kernel's signal frame: struct ucontext at rsp, whose uc_mcontext.gregs begin at byte 40. */
static __always_inline int walk_signal_frame(struct walk *walk)
{
	u64 context = walk->sp, pc, sp, bp;

	if (walk_read(walk, context + 40 + 16 * 8, &pc) || walk_read(walk, context + 40 + 15 * 8, &sp) ||
	    walk_read(walk, context + 40 + 10 * 8, &bp))
		return -1;
	walk_note_saved(walk, context + 40 + 15 * 8, sp);
	walk->has_pending = 1;
	walk->pending_offset = context + 40 + 10 * 8;
	walk->pending_value = bp;
	walk->pc = pc;
	walk->sp = sp;
	walk->bp = bp;
	walk->is_after_signal = 1;
	walk->slot_offset[walk->trace.count & (WALK_CACHE_SLOTS - 1)] = (context + 40 + 16 * 8 - walk->start_sp) >> 3;
	walk->trace.flags |= STACK_CROSSED_SIGNAL;
	return 0;
}

/* No rule: believe bp when it looks like the frame chain, and give up otherwise. */
static __always_inline int walk_frame_pointer(struct walk *walk, u64 *ret_cfa)
{
	u64 bp = walk->bp;

	if (bp < walk->sp || bp - walk->sp > (8U << 20) || (bp & 7)) {
		walk->trace.flags |= STACK_NO_RULE;
		return -1;
	}
	walk_use_bp(walk);
	walk->trace.flags |= STACK_USED_FP;
	*ret_cfa = bp + 16;
	return 0;
}

/*
 * Leave one frame. walk->pc has been recorded already. Returns 0 to go on, 1 at the outermost frame, -1 to stop
 * short (trace.flags says why).
 */
static __always_inline int walk_step(struct walk *walk, u64 rule)
{
	u64 cfa = 0, pc = 0, saved, bp_address = 0;
	s32 offset = (s32)(rule >> 32);
	s32 rbp_offset = (s32)(short)(rule >> 16);
	u32 flags = (rule >> 8) & 0xff;
	u32 kind = rule & 0xff;

	if (rule == RULE_NO_CODE) {
		walk->trace.flags |= STACK_UNKNOWN_CODE;
		kind = CFA_NONE;
		rbp_offset = 0;
		flags = 0;
	}
	if (kind == CFA_END)
		return 1;
	if (kind == CFA_SIGNAL)
		return walk_signal_frame(walk);
	if (kind == CFA_NONE) {
		if (walk_frame_pointer(walk, &cfa))
			return -1;
		rbp_offset = -16;
		flags = 0;
	} else if (kind == CFA_RSP) {
		cfa = walk->sp + (s64)offset;
	} else if (kind == CFA_PLT) {
		cfa = walk->sp + 8 + ((walk->pc & 15) >= (u64)(s64)offset ? 8 : 0);
	} else if (kind == CFA_RSP_DEREF) {
		if (walk_read(walk, walk->sp + (s64)offset, &cfa))
			return -1;
		walk_note_saved(walk, walk->sp + (s64)offset, cfa);
	} else {
		walk_use_bp(walk);
		cfa = walk->bp + (s64)offset;
		if (kind == CFA_RBP_DEREF) {
			saved = cfa;
			if (walk_read(walk, saved, &cfa))
				return -1;
			walk_note_saved(walk, saved, cfa);
		}
	}
	if (cfa <= walk->sp || (cfa & 7)) {
		walk->trace.flags |= STACK_NO_RULE;
		return -1;
	}
	if (walk_read(walk, cfa - 8, &pc))
		return -1;
	if (flags & UNWIND_RBP_FROM_RBP)
		bp_address = walk->bp + (s64)rbp_offset;
	else if (rbp_offset)
		bp_address = cfa + (s64)rbp_offset;
	if (bp_address) {
		if (walk_read(walk, bp_address, &saved))
			return -1;
		if (flags & UNWIND_RBP_FROM_RBP)
			walk_use_bp(walk);
		walk->bp = saved;
		walk->has_pending = 1;
		walk->pending_offset = bp_address;
		walk->pending_value = saved;
	}
	if (cfa - 8 - walk->start_sp > 8ULL * 0xffff)
		walk->is_cacheable = 0;
	walk->slot_offset[walk->trace.count & (WALK_CACHE_SLOTS - 1)] = (cfa - 8 - walk->start_sp) >> 3;
	walk->pc = pc;
	walk->sp = cfa;
	walk->is_after_signal = 0;
	return 0;
}

/* Start with the return address at @sp in hand: frame 0 is the caller of the probed function. */
static __always_inline void walk_start(struct walk *walk, u32 space, u64 sp, u64 bp, u64 return_address)
{
	walk->trace.space = space;
	walk->trace.count = 0;
	walk->trace.flags = 0;
	walk->start_sp = sp;
	walk->start_bp = bp;
	walk->pc = return_address;
	walk->sp = sp + 8;
	walk->bp = bp;
	walk->hash = hash_add(0x6d656d6f7279ULL, space);
	walk->has_pending = 0;
	walk->uses_first_bp = 0;
	walk->is_cacheable = 1;
	walk->is_after_signal = 0;
	walk->saved = 0;
	walk->slot_offset[0] = 0;
}

/* Start with registers: frame 0 is where the thread is, at @pc, and nothing of it lies on the stack. */
static __always_inline void walk_start_at(struct walk *walk, u32 space, u64 pc, u64 sp, u64 bp)
{
	walk_start(walk, space, sp, bp, pc);
	walk->sp = sp;
	walk->is_after_signal = 1; /* @pc is no return address */
}

/*
 * Record one frame and leave it. Returns 0 to go on. A global function of a scalar: the verifier looks at it once, not
 * once a frame, for the price of a lookup.
 */
__noinline int walk_frame(u32 tid)
{
	struct walk *walk = walk_of_thread(tid);
	u32 frames;
	int status;
	u64 rule;

	if (!walk)
		return -1;
	frames = walk->trace.count;
	if (frames >= WALK_MAX_FRAMES || frames >= walk_max_frames) {
		walk->trace.flags |= STACK_HIT_DEPTH;
		return -1;
	}
	walk->trace.addresses[frames] = walk->pc;
	walk->trace.count = frames + 1;
	walk->hash = hash_add(walk->hash, walk->pc);
	/* A return address may be the first byte of the next function: the call lies before it. */
	rule = unwind_rule(tid, walk->is_after_signal ? walk->pc : walk->pc - 1);
	status = walk_step(walk, rule);
	/* Thread functions that were started by hand find a zero above them. */
	if (status > 0 || (!status && !walk->pc)) {
		walk->trace.flags |= STACK_IS_COMPLETE;
		return 1;
	}
	return status;
}

static __always_inline void walk_frames(u32 tid)
{
	u32 i;

	for (i = 0; i <= WALK_MAX_FRAMES; i++)
		if (walk_frame(tid))
			return;
}

/* Walk anew. The caller has to keep walk->trace under the key that comes back, and to remember the walk. */
static __always_inline u64 walk_anew(struct walk *walk, u32 space, u64 sp, u64 bp, u64 return_address)
{
	walk_start(walk, space, sp, bp, return_address);
	walk_frames((u32)bpf_get_current_pid_tgid());
	return walk->hash | STACK_KEY_IS_HASH;
}

#endif
