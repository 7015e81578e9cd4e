/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What is known of a function's registers and stack frame at one of its instructions, and how an instruction
 * changes it. Not for use outside argument_*.c.
 */
#ifndef DILL_ARGUMENT_STATE_H
#define DILL_ARGUMENT_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "argument_places.h"

enum value_kind {
	VALUE_UNKNOWN,
	VALUE_ENTRY, /* what register @number had at the first instruction */
	VALUE_FRAME, /* an address: @offset from frame base @number */
};

/*
 * Frame bases. An `and` aligns rsp to what cmpxchg16b needs; how far that moves it isn't known, but it moves
 * down: the frame goes on below, with a base of its own.
 */
enum {
	FRAME_ENTRY,   /* rsp at the first instruction */
	FRAME_ALIGNED, /* rsp right behind the `and` */
};

/* What a value may have been made from: bit i: argument i. */
#define MAY_BE_FRAME 0x40 /* an address in the frame */
#define MAY_BE_ANY 0x7f

struct value {
	uint8_t kind, number;
	uint8_t may; /* sums of what all ways say, while kind is what all agree on */
	int32_t offset;
};

static const struct value value_nothing;

static inline struct value value_unknown(uint8_t may)
{
	return (struct value){ .kind = VALUE_UNKNOWN, .may = may };
}

static inline bool value_is_same(const struct value *a, const struct value *b)
{
	return a->kind == b->kind && a->number == b->number && a->offset == b->offset;
}

/* Eight bytes of the frame. */
struct stack_slot {
	uint8_t base;
	int32_t offset;
	struct value value;
};

/* What isn't in @slots is unknown and made from nothing. */
enum { SLOTS_MAX = 32 };

struct argument_state {
	struct value registers[INSN_REGISTER_COUNT];
	struct stack_slot slots[SLOTS_MAX];
	uint8_t slot_count;
	bool is_reached;
	bool has_escaped;     /* somebody else has an address in the frame */
	uint8_t written;      /* arguments through which something may be written, or that are kept */
	int32_t aligned_from; /* rsp before the `and`, from FRAME_ENTRY */
	bool is_aligned;
};

void argument_state_begin(struct argument_state *state);
/* Run @insn. @is_entry: a call in it is the function tracer's, which keeps all registers. */
void argument_state_step(struct argument_state *state, const struct code_insn *insn, bool is_entry,
			 argument_spares_fn spares, void *context);
/* @state at a place where @other may come along as well. True: it changed. */
bool argument_state_join(struct argument_state *state, const struct argument_state *other);

/* The slot at that place, or NULL. */
struct stack_slot *argument_state_slot(struct argument_state *state, uint8_t base, int32_t offset);
/* Another one takes its index. */
void argument_state_drop(struct argument_state *state, size_t slot);

/* rsp is what it was at the first instruction. */
bool argument_state_has_left(const struct argument_state *state);

#endif
