// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * One instruction's effect on what is known. Whatever isn't a plain copy makes what it writes unknown; what
 * may have been made from what (value.may) is kept all the same, for it tells who may know an address.
 */
#include "argument_state.h"

#include <string.h>

#define BIT(n) ((uint16_t)(1u << (n)))
/* What a callee doesn't keep. */
#define CALLER_SAVED (BIT(INSN_RAX) | BIT(INSN_RCX) | BIT(INSN_RDX) | BIT(INSN_RSI) | BIT(INSN_RDI) | 0x0f00)
/* Seventh and further arguments lie above rsp at a call: as many as any function of interest has. */
#define STACK_ARGUMENTS_BYTES 32
/* No instruction that is let through writes more. */
#define STORE_BYTES_MAX 64

const uint8_t argument_registers[ARGUMENTS_MAX] = {
	INSN_RDI, INSN_RSI, INSN_RDX, INSN_RCX, INSN_R8, INSN_R9
};

/* A place in memory: a slot of the frame, or elsewhere at an address made from @may. */
struct spot {
	bool is_slot;
	uint8_t base, may;
	int32_t offset;
};

void argument_state_begin(struct argument_state *state)
{
	memset(state, 0, sizeof(*state));
	state->is_reached = true;
	for (uint8_t i = 0; i < INSN_REGISTER_COUNT; i++)
		state->registers[i] = (struct value){ .kind = VALUE_ENTRY, .number = i };
	for (uint8_t i = 0; i < ARGUMENTS_MAX; i++)
		state->registers[argument_registers[i]].may = (uint8_t)(1u << i);
	state->registers[INSN_RSP] =
		(struct value){ .kind = VALUE_FRAME, .number = FRAME_ENTRY, .may = MAY_BE_FRAME };
}

bool argument_state_has_left(const struct argument_state *state)
{
	const struct value *rsp = &state->registers[INSN_RSP];

	return rsp->kind == VALUE_FRAME && rsp->number == FRAME_ENTRY && rsp->offset == 0;
}

static uint8_t register_may(const struct argument_state *state, uint8_t number)
{
	return number < INSN_REGISTER_COUNT ? state->registers[number].may : 0;
}

struct stack_slot *argument_state_slot(struct argument_state *state, uint8_t base, int32_t offset)
{
	for (size_t i = 0; i < state->slot_count; i++)
		if (state->slots[i].base == base && state->slots[i].offset == offset)
			return &state->slots[i];
	return NULL;
}

void argument_state_drop(struct argument_state *state, size_t slot)
{
	state->slots[slot] = state->slots[--state->slot_count];
}

/* The frame's contents may be anything now. Whoever can write there can read there too. */
static void forget_frame(struct argument_state *state)
{
	for (size_t i = 0; i < state->slot_count; i++)
		state->written |= state->slots[i].value.may & (uint8_t)~MAY_BE_FRAME;
	state->slot_count = 0;
}

/* Below rsp lies what an interrupt may overwrite. */
static void drop_dead_slots(struct argument_state *state)
{
	const struct value *rsp = &state->registers[INSN_RSP];

	for (size_t i = state->slot_count; i-- > 0;)
		if (rsp->kind != VALUE_FRAME ||
		    (state->slots[i].base == rsp->number && state->slots[i].offset < rsp->offset) ||
		    (state->slots[i].base == FRAME_ALIGNED && rsp->number == FRAME_ENTRY))
			argument_state_drop(state, i);
}

static struct spot spot_at(const struct argument_state *state, uint8_t base, uint8_t index,
			   int32_t displacement)
{
	const struct value *value = base < INSN_REGISTER_COUNT ? &state->registers[base] : &value_nothing;
	int64_t offset = (int64_t)value->offset + displacement;

	if (value->kind == VALUE_FRAME && index == INSN_NO_REGISTER && offset == (int32_t)offset)
		return (struct spot){ .is_slot = true, .base = value->number, .offset = (int32_t)offset };
	return (struct spot){ .may = value->may | register_may(state, index) };
}

static struct spot spot_of(const struct argument_state *state, const struct insn_x86 *insn)
{
	if (insn->is_elsewhere)
		return (struct spot){ 0 };
	return spot_at(state, insn->base, insn->index, insn->displacement);
}

/* Slots that a store of @size bytes at @spot touches. What they were made from may still be there in part. */
static void overwrite(struct argument_state *state, const struct spot *spot, int32_t size)
{
	int64_t end = (int64_t)spot->offset + size;
	bool is_astray = state->is_aligned &&
			 (spot->base == FRAME_ALIGNED ? end > 0 : spot->offset < state->aligned_from);

	for (size_t i = state->slot_count; i-- > 0;) {
		struct stack_slot *slot = &state->slots[i];

		if (slot->base != spot->base
			    ? !is_astray
			    : slot->offset >= end || (int64_t)slot->offset + 8 <= spot->offset)
			continue;
		slot->value = value_unknown(slot->value.may);
		if (!slot->value.may ||
		    (slot->base == spot->base && slot->offset == spot->offset && size == 8))
			argument_state_drop(state, i);
	}
}

static void store(struct argument_state *state, const struct spot *spot, uint8_t size,
		  const struct value *value)
{
	if (!spot->is_slot) {
		state->written |= (spot->may | value->may) & (uint8_t)~MAY_BE_FRAME;
		if (value->may & MAY_BE_FRAME)
			state->has_escaped = true;
		if (spot->may & MAY_BE_FRAME || state->has_escaped)
			forget_frame(state);
		return;
	}
	overwrite(state, spot, size ? size : STORE_BYTES_MAX);
	if (state->has_escaped)
		state->written |= value->may & (uint8_t)~MAY_BE_FRAME;
	if (size != 8 ? !value->may : value->kind == VALUE_UNKNOWN && !value->may)
		return;
	if (size != 8 || state->slot_count == SLOTS_MAX) {
		/* It is somewhere in the frame now, where it isn't followed. */
		state->written |= value->may & (uint8_t)~MAY_BE_FRAME;
		state->has_escaped |= (value->may & MAY_BE_FRAME) != 0;
		return;
	}
	state->slots[state->slot_count++] = (struct stack_slot){ spot->base, spot->offset, *value };
}

/* Whether the eight bytes at @spot are in part those of a slot. */
static bool is_near_slot(const struct argument_state *state, const struct spot *spot)
{
	for (size_t i = 0; i < state->slot_count; i++) {
		int64_t distance = (int64_t)state->slots[i].offset - spot->offset;

		if (state->slots[i].base != spot->base ? state->is_aligned : distance > -8 && distance < 8)
			return true;
	}
	return false;
}

static struct value load(struct argument_state *state, const struct spot *spot, uint8_t size)
{
	const struct stack_slot *slot;
	uint8_t may = 0;

	/* Less than a pointer is none. */
	if ((size > 0 && size < 8) || (!spot->is_slot && !(spot->may & MAY_BE_FRAME)))
		return value_nothing;
	slot = spot->is_slot && size == 8 ? argument_state_slot(state, spot->base, spot->offset) : NULL;
	if (slot)
		return slot->value;
	for (size_t i = 0; i < state->slot_count; i++)
		may |= state->slots[i].value.may;
	return spot->is_slot && size == 8 && !is_near_slot(state, spot) ? value_nothing : value_unknown(may);
}

static void push(struct argument_state *state, const struct value *value)
{
	struct value *rsp = &state->registers[INSN_RSP];
	struct value pushed = *value;
	struct spot spot;

	rsp->offset -= 8;
	spot = spot_at(state, INSN_RSP, INSN_NO_REGISTER, 0);
	if (!spot.is_slot)
		spot.may |= MAY_BE_FRAME;
	store(state, &spot, 8, &pushed);
}

static struct value pop(struct argument_state *state)
{
	struct spot spot = spot_at(state, INSN_RSP, INSN_NO_REGISTER, 0);
	struct value value = load(state, &spot, 8);

	state->registers[INSN_RSP].offset += 8;
	return value;
}

/* What a callee may see of the frame through registers and the arguments on the stack. */
static uint8_t given_on_stack(const struct argument_state *state)
{
	const struct value *rsp = &state->registers[INSN_RSP];
	uint8_t may = 0;

	for (size_t i = 0; i < state->slot_count; i++)
		if (rsp->kind != VALUE_FRAME || rsp->number != state->slots[i].base ||
		    state->slots[i].offset < rsp->offset + STACK_ARGUMENTS_BYTES)
			may |= state->slots[i].value.may;
	return may;
}

/*
 * Addresses in the frame that lie in the frame. One above the return address leads to the caller's, not to
 * ours.
 */
static uint8_t frame_may(const struct argument_state *state)
{
	uint8_t may = 0;

	for (size_t i = 0; i < state->slot_count; i++) {
		const struct value *value = &state->slots[i].value;

		if (value->kind != VALUE_FRAME || value->number != FRAME_ENTRY || value->offset < 8)
			may |= value->may;
	}
	return may;
}

/* Arguments are handed over, to a callee or, by a jump out of the function, to whoever goes on in its place.
 */
static uint8_t hand_over(struct argument_state *state, uint8_t spared)
{
	uint8_t given = given_on_stack(state), all = given;

	/* A pointer into the frame, read there, may be written through. */
	if (frame_may(state) & MAY_BE_FRAME)
		spared = 0;
	for (size_t i = 0; i < ARGUMENTS_MAX; i++) {
		uint8_t may = state->registers[argument_registers[i]].may;

		all |= may;
		if (!(spared >> i & 1))
			given |= may;
	}
	state->written |= given & (uint8_t)~MAY_BE_FRAME;
	if (given & MAY_BE_FRAME)
		state->has_escaped = true;
	return all;
}

static void call(struct argument_state *state, const struct code_insn *insn, argument_spares_fn spares,
		 void *context)
{
	uint8_t given = 0, may;

	for (size_t i = 0; i < ARGUMENTS_MAX; i++)
		given |= state->registers[argument_registers[i]].may;
	/* Only then it matters what the callee does. */
	may = hand_over(state,
			spares && insn->outside && given & MAY_BE_FRAME ? spares(context, insn->outside) : 0);
	if (state->has_escaped)
		forget_frame(state);
	for (uint8_t i = 0; i < INSN_REGISTER_COUNT; i++)
		if (CALLER_SAVED & BIT(i))
			state->registers[i] = value_unknown(i == INSN_RAX ? may : 0);
}

/* Without effect on registers and frame, though insn_x86.h, which thinks of user space, says "everything". */
static bool is_quiet(const struct insn_x86 *insn)
{
	if (insn->map == INSN_MAP_ONE_BYTE)
		return insn->opcode == 0xfa || insn->opcode == 0xfb; /* cli, sti */
	if (insn->map != INSN_MAP_0F)
		return false;
	switch (insn->opcode) {
	case 0x01: /* clac, stac */
		return insn->modrm == 0xca || insn->modrm == 0xcb;
	case 0xae: /* lfence, mfence, sfence */
		return insn->modrm >= 0xe8;
	case 0x0b:
	case 0xb9: /* the traps of WARN() */
		return true;
	default:
		return false;
	}
}

static bool is_string_store(const struct insn_x86 *insn)
{
	return insn->map == INSN_MAP_ONE_BYTE &&
	       (insn->opcode == 0xa4 || insn->opcode == 0xa5 || insn->opcode == 0xaa || insn->opcode == 0xab);
}

/* What the instruction puts into memory: registers' values as they are only if it is a plain mov. */
static struct value stored_value(const struct argument_state *state, const struct insn_x86 *insn)
{
	bool is_mov = insn->map == INSN_MAP_ONE_BYTE && (insn->opcode == 0x89 || insn->opcode == 0x88);

	if (is_mov && insn->operand_size == 8)
		return state->registers[insn->reg];
	if (insn->map == INSN_MAP_ONE_BYTE && (insn->opcode == 0xc6 || insn->opcode == 0xc7))
		return value_nothing;
	if (insn->operand_size > 0 && insn->operand_size < 8)
		return value_nothing;
	return value_unknown(register_may(state, insn->reg));
}

static void step_stores(struct argument_state *state, const struct insn_x86 *insn)
{
	struct value value = stored_value(state, insn);
	struct spot spot;

	/* Nobody says what it does. */
	if (insn->writes == 0xffff) {
		state->has_escaped = true;
		state->written = MAY_BE_ANY & (uint8_t)~MAY_BE_FRAME;
		forget_frame(state);
	} else if (insn->has_memory) {
		spot = spot_of(state, insn);
		/* cmpxchg16b stores these two. */
		if (insn->operand_size == 0)
			value.may |= register_may(state, INSN_RBX) | register_may(state, INSN_RCX);
		store(state, &spot, insn->operand_size, &value);
	} else if (is_string_store(insn)) {
		spot = (struct spot){ .may = register_may(state, INSN_RDI) };
		store(state, &spot, 0, &value_nothing);
	}
}

static void step_stack(struct argument_state *state, const struct insn_x86 *insn)
{
	struct value value = value_nothing;
	struct spot spot;

	if (insn->sp_change < 0) {
		if (insn->reg != INSN_NO_REGISTER && !insn->has_memory && insn->map == INSN_MAP_ONE_BYTE &&
		    insn->opcode < 0x58) {
			value = state->registers[insn->reg];
		} else if (insn->has_memory) {
			spot = spot_of(state, insn);
			value = load(state, &spot, 8);
		}
		push(state, &value);
		return;
	}
	value = pop(state);
	if (insn->has_memory) {
		spot = spot_of(state, insn);
		store(state, &spot, 8, &value);
	} else if (insn->map == INSN_MAP_ONE_BYTE && insn->opcode >= 0x58 && insn->opcode <= 0x5f) {
		state->registers[insn->reg] = value;
	}
}

/* push and pop, not sub and add. */
static bool is_stack_insn(const struct insn_x86 *insn)
{
	bool is_pop_memory = insn->map == INSN_MAP_ONE_BYTE && insn->opcode == 0x8f;

	return (insn->writes & BIT(INSN_RSP)) && insn->sp_is_known &&
	       (insn->sp_change == 8 || insn->sp_change == -8) &&
	       (is_pop_memory || !insn->has_memory || insn->opcode == 0xff) && insn->opcode != 0x81 &&
	       insn->opcode != 0x83 && insn->opcode != 0x8d && insn->flow == INSN_FLOW_NEXT;
}

static bool is_one_byte(const struct insn_x86 *insn, uint8_t opcode)
{
	return insn->map == INSN_MAP_ONE_BYTE && insn->opcode == opcode;
}

/* Copies and addresses: one register gets a value that is known by its origin. False: it is something else.
 */
static bool step_copy(struct argument_state *state, const struct insn_x86 *insn)
{
	struct value *reg = insn->reg < INSN_REGISTER_COUNT ? &state->registers[insn->reg] : NULL;
	struct spot spot;

	if (insn->copy_to != INSN_NO_REGISTER) {
		state->registers[insn->copy_to] = state->registers[insn->copy_from];
		return true;
	}
	if (is_one_byte(insn, 0x8b) && insn->has_memory) {
		spot = spot_of(state, insn);
		*reg = load(state, &spot, insn->operand_size);
		return true;
	}
	if (is_one_byte(insn, 0x8d) && insn->operand_size == 8 && !insn->is_elsewhere) {
		const struct value *base = insn->base < INSN_REGISTER_COUNT ? &state->registers[insn->base]
									    : &value_nothing;
		bool is_copy = base->kind == VALUE_ENTRY && insn->index == INSN_NO_REGISTER &&
			       !insn->displacement;

		spot = spot_of(state, insn);
		if (spot.is_slot)
			*reg = (struct value){ VALUE_FRAME, spot.base, base->may, spot.offset };
		else
			*reg = is_copy ? *base : value_unknown(spot.may);
		return true;
	}
	/* xor %eax,%eax; mov $1,%eax */
	if (((is_one_byte(insn, 0x31) || is_one_byte(insn, 0x33)) && insn->rm == insn->reg &&
	     insn->operand_size >= 4) ||
	    (insn->map == INSN_MAP_ONE_BYTE && insn->opcode >= 0xb8 && insn->opcode <= 0xbf)) {
		*reg = value_nothing;
		return true;
	}
	return false;
}

/* and $-16,%rsp; leave. */
static bool step_frame(struct argument_state *state, const struct insn_x86 *insn)
{
	struct value *rsp = &state->registers[INSN_RSP];

	if ((is_one_byte(insn, 0x81) || is_one_byte(insn, 0x83)) && insn->rm == INSN_RSP &&
	    (insn->modrm >> 3 & 7) == 4 && insn->operand_size == 8 && rsp->kind == VALUE_FRAME &&
	    !state->is_aligned) {
		state->is_aligned = true;
		state->aligned_from = rsp->offset;
		*rsp = (struct value){ VALUE_FRAME, FRAME_ALIGNED, MAY_BE_FRAME, 0 };
		return true;
	}
	if (is_one_byte(insn, 0xc9)) {
		*rsp = state->registers[INSN_RBP];
		state->registers[INSN_RBP] = pop(state);
		return true;
	}
	return false;
}

static void step_writes(struct argument_state *state, const struct insn_x86 *insn)
{
	uint8_t may = register_may(state, insn->reg) | register_may(state, insn->rm);
	struct value rsp = state->registers[INSN_RSP];

	if (insn->loads && insn->has_memory) {
		struct spot spot = spot_of(state, insn);

		may |= load(state, &spot, 0).may;
	}
	for (uint8_t i = 0; i < INSN_REGISTER_COUNT; i++)
		if (insn->writes & BIT(i))
			may |= state->registers[i].may;
	/* The upper half becomes zero. */
	if (insn->operand_size == 4)
		may = 0;
	if (insn->writes == 0xffff)
		may = MAY_BE_ANY;
	for (uint8_t i = 0; i < INSN_REGISTER_COUNT; i++)
		if (insn->writes & BIT(i))
			state->registers[i] = value_unknown(may);
	if (insn->writes & BIT(INSN_RSP) && insn->sp_is_known && rsp.kind == VALUE_FRAME) {
		rsp.offset += insn->sp_change;
		state->registers[INSN_RSP] = rsp;
	}
}

void argument_state_step(struct argument_state *state, const struct code_insn *insn, bool is_entry,
			 argument_spares_fn spares, void *context)
{
	const struct insn_x86 *x86 = &insn->x86;

	if (x86->flow == INSN_FLOW_CALL) {
		if (!is_entry)
			call(state, insn, spares, context);
	} else if (x86->flow == INSN_FLOW_JUMP) {
		/* Where no jump target is known it leaves. */
		if (insn->target == CODE_NONE)
			hand_over(state, 0);
	} else if (!is_quiet(x86)) {
		if (insn->outside)
			hand_over(state, 0);
		if (is_stack_insn(x86)) {
			step_stack(state, x86);
		} else if (!step_frame(state, x86)) {
			if (x86->stores)
				step_stores(state, x86);
			if (!step_copy(state, x86))
				step_writes(state, x86);
		}
	}
	drop_dead_slots(state);
}
