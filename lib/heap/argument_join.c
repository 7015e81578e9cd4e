// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* What is known where two ways through a function meet: what both say. */
#include "argument_state.h"

static bool join_value(struct value *value, const struct value *other)
{
	struct value joined = *value;

	if (joined.kind != VALUE_UNKNOWN && !value_is_same(value, other))
		joined = value_unknown(value->may);
	joined.may |= other->may;
	if (value_is_same(&joined, value) && joined.may == value->may)
		return false;
	*value = joined;
	return true;
}

static bool join_slots(struct argument_state *state, const struct argument_state *other)
{
	struct argument_state copy = *other; /* argument_state_slot() takes what can be written */
	bool has_changed = false;

	for (size_t i = state->slot_count; i-- > 0;) {
		const struct stack_slot *match =
			argument_state_slot(&copy, state->slots[i].base, state->slots[i].offset);

		has_changed |= join_value(&state->slots[i].value, match ? &match->value : &value_nothing);
		if (state->slots[i].value.kind == VALUE_UNKNOWN && !state->slots[i].value.may)
			argument_state_drop(state, i);
	}
	for (size_t i = 0; i < other->slot_count; i++) {
		const struct stack_slot *slot = &other->slots[i];

		if (!slot->value.may || argument_state_slot(state, slot->base, slot->offset))
			continue;
		has_changed = true;
		if (state->slot_count < SLOTS_MAX) {
			state->slots[state->slot_count++] =
				(struct stack_slot){ slot->base, slot->offset,
						     value_unknown(slot->value.may) };
		} else if (~state->written & slot->value.may & (uint8_t)~MAY_BE_FRAME ||
			   !state->has_escaped) {
			state->written |= slot->value.may & (uint8_t)~MAY_BE_FRAME;
			state->has_escaped = true;
		} else {
			has_changed = false;
		}
	}
	return has_changed;
}

/* Aligned from another depth, FRAME_ALIGNED is another place. */
static bool join_alignment(struct argument_state *state, const struct argument_state *other)
{
	if (!other->is_aligned || (state->is_aligned && state->aligned_from == other->aligned_from))
		return false;
	for (size_t i = 0; i < INSN_REGISTER_COUNT; i++)
		if (state->registers[i].kind == VALUE_FRAME && state->registers[i].number == FRAME_ALIGNED)
			state->registers[i] = value_unknown(state->registers[i].may);
	for (size_t i = 0; i < state->slot_count; i++)
		if (state->slots[i].base == FRAME_ALIGNED)
			state->slots[i].value = value_unknown(state->slots[i].value.may);
	if (!state->is_aligned || state->aligned_from < other->aligned_from)
		state->aligned_from = other->aligned_from;
	state->is_aligned = true;
	return true;
}

bool argument_state_join(struct argument_state *state, const struct argument_state *other)
{
	bool has_changed = false;

	if (!state->is_reached) {
		*state = *other;
		return true;
	}
	for (size_t i = 0; i < INSN_REGISTER_COUNT; i++)
		has_changed |= join_value(&state->registers[i], &other->registers[i]);
	has_changed |= join_slots(state, other);
	if (other->has_escaped && !state->has_escaped)
		has_changed = state->has_escaped = true;
	if (other->written & ~state->written) {
		state->written |= other->written;
		has_changed = true;
	}
	return join_alignment(state, other) || has_changed;
}
