// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Runs argument_state.h over all ways through a function until nothing changes any more. States only ever
 * lose knowledge, so that it ends.
 */
#include "argument_places.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "argument_state.h"
#include "cleanup.h"

struct argument_flow {
	const struct code_flow *flow;
	argument_spares_fn spares;
	void *context;
	struct argument_state *states; /* before each instruction */
};

DEFINE_CLEANUP(arguments, struct argument_flow *, argument_flow_destroy(v));

/* Instructions whose state changed and hasn't been carried on: a ring, each at most once in it. */
struct queue {
	uint32_t *items;
	bool *is_queued;
	size_t first, count, room;
};

void argument_flow_destroy(struct argument_flow *arguments)
{
	if (arguments)
		free(arguments->states);
	free(arguments);
}

static void enqueue(struct queue *queue, uint32_t item)
{
	if (queue->is_queued[item])
		return;
	queue->is_queued[item] = true;
	queue->items[(queue->first + queue->count++) % queue->room] = item;
}

static uint32_t dequeue(struct queue *queue)
{
	uint32_t item = queue->items[queue->first];

	queue->first = (queue->first + 1) % queue->room;
	queue->count--;
	queue->is_queued[item] = false;
	return item;
}

/*
 * A call at the function's first instruction, or behind endbr64, is the kernel's function tracer or a BPF
 * program's trampoline. They keep all registers.
 */
static bool is_entry(const struct code_flow *flow, uint32_t index)
{
	const struct code_insn *first = &flow->insns[flow->first];

	return index == flow->first ||
	       (index == first->next && first->x86.map == INSN_MAP_0F && first->x86.opcode == 0x1e);
}

static void step(const struct argument_flow *arguments, uint32_t index, struct argument_state *state)
{
	argument_state_step(state, &arguments->flow->insns[index], is_entry(arguments->flow, index),
			    arguments->spares, arguments->context);
}

/* Jumps to where the code isn't known, though this function's frame is still there. */
static bool is_leaving_early(const struct code_insn *insn, const struct argument_state *state)
{
	return code_insn_is_jump(insn) && insn->target == CODE_NONE && !argument_state_has_left(state);
}

static int run(struct argument_flow *arguments, struct queue *queue)
{
	const struct code_flow *flow = arguments->flow;

	argument_state_begin(&arguments->states[flow->first]);
	enqueue(queue, flow->first);
	while (queue->count) {
		uint32_t index = dequeue(queue);
		const struct code_insn *insn = &flow->insns[index];
		const uint32_t ways[] = { insn->next, insn->target };
		struct argument_state state = arguments->states[index];

		if (is_leaving_early(insn, &state))
			return -EBADMSG;
		step(arguments, index, &state);
		for (size_t i = 0; i < 2; i++)
			if (ways[i] != CODE_NONE && argument_state_join(&arguments->states[ways[i]], &state))
				enqueue(queue, ways[i]);
	}
	return 0;
}

int argument_flow_create(const struct code_flow *flow, argument_spares_fn spares, void *context,
			 struct argument_flow **ret_arguments)
{
	CLEANUP(arguments) struct argument_flow *arguments = calloc(1, sizeof(*arguments));
	CLEANUP(free) uint32_t *items = calloc(flow->count, sizeof(*items));
	CLEANUP(free) bool *is_queued = calloc(flow->count, sizeof(*is_queued));
	struct queue queue = { .items = items, .is_queued = is_queued, .room = flow->count };
	int status;

	if (arguments)
		arguments->states = calloc(flow->count, sizeof(*arguments->states));
	if (!arguments || !arguments->states || !items || !is_queued)
		return -ENOMEM;
	arguments->flow = flow;
	arguments->spares = spares;
	arguments->context = context;
	status = run(arguments, &queue);
	if (!status)
		*ret_arguments = TAKE_PTR(arguments);
	return status;
}

/* A slot of the aligned part of the frame, as seen from a register that is known to lie there. */
static struct value_place place_of_aligned(const struct argument_state *state, const struct stack_slot *slot)
{
	static const uint8_t numbers[] = { INSN_RBP, INSN_RSP };

	for (size_t i = 0; i < sizeof(numbers); i++) {
		const struct value *value = &state->registers[numbers[i]];

		if (value->kind == VALUE_FRAME && value->number == slot->base)
			return (struct value_place){ .kind = PLACE_MEMORY,
						     .number = numbers[i],
						     .offset = (int64_t)slot->offset - value->offset };
	}
	return (struct value_place){ .kind = PLACE_UNKNOWN };
}

static struct value_place place_of(const struct argument_state *state, uint8_t entry)
{
	struct value_place place = { .kind = PLACE_UNKNOWN };

	for (uint8_t i = 0; i < INSN_REGISTER_COUNT; i++)
		if (state->registers[i].kind == VALUE_ENTRY && state->registers[i].number == entry)
			return (struct value_place){ .kind = PLACE_REGISTER, .number = i };
	for (size_t i = 0; i < state->slot_count && place.kind == PLACE_UNKNOWN; i++) {
		const struct stack_slot *slot = &state->slots[i];

		if (slot->value.kind != VALUE_ENTRY || slot->value.number != entry)
			continue;
		if (slot->base == FRAME_ENTRY)
			place = (struct value_place){ .kind = PLACE_STACK, .offset = slot->offset };
		else
			place = place_of_aligned(state, slot);
	}
	return place;
}

/* What compilers do to functions with an aligned frame: the address of the first one is kept in the second.
 */
static struct stored_frame find_stored_frame(const struct argument_state *state)
{
	for (size_t i = 0; i < state->slot_count; i++) {
		const struct stack_slot *slot = &state->slots[i];
		struct value_place place;

		if (slot->value.kind != VALUE_FRAME || slot->value.number != FRAME_ENTRY)
			continue;
		place = place_of_aligned(state, slot);
		if (place.kind == PLACE_MEMORY)
			return (struct stored_frame){ place.number, place.offset,
						      -(int64_t)slot->value.offset };
	}
	return (struct stored_frame){ .number = INSN_NO_REGISTER };
}

static void tell(const struct argument_state *state, struct argument_places *ret_places)
{
	memset(ret_places, 0, sizeof(*ret_places));
	ret_places->stored_frame.number = INSN_NO_REGISTER;
	if (!state->is_reached)
		return;
	for (uint8_t i = 0; i < INSN_REGISTER_COUNT; i++) {
		ret_places->entries[i] = place_of(state, i);
		if (state->registers[i].kind == VALUE_FRAME && state->registers[i].number == FRAME_ENTRY)
			ret_places->frames[i] =
				(struct frame_place){ true, -(int64_t)state->registers[i].offset };
	}
	ret_places->stored_frame = find_stored_frame(state);
}

void argument_places_before(const struct argument_flow *arguments, size_t index,
			    struct argument_places *ret_places)
{
	tell(&arguments->states[index], ret_places);
}

void argument_places_behind(const struct argument_flow *arguments, size_t index,
			    struct argument_places *ret_places)
{
	struct argument_state state = arguments->states[index];

	if (state.is_reached)
		step(arguments, (uint32_t)index, &state);
	tell(&state, ret_places);
}

uint8_t argument_flow_written(const struct argument_flow *arguments)
{
	uint8_t written = 0;

	for (size_t i = 0; i < arguments->flow->count; i++) {
		struct argument_state state = arguments->states[i];

		if (!state.is_reached)
			continue;
		step(arguments, (uint32_t)i, &state);
		written |= state.written;
	}
	return written;
}
