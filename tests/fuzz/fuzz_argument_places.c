// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Any bytes as a function in two pieces: following its ways ends, reads nothing outside, and what comes out
 * hangs together. libFuzzer target; with -DFUZZ_REPLAY it runs the files named on its command line.
 *
 * First byte: where the second piece begins, in 256ths of the rest. Second: which instructions are marked.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "argument_places.h"
#include "fuzz.h"

#define START 0xffffffff81000000
#define GAP 0x40

static uint8_t spares(void *context, uint64_t target)
{
	(void)context;
	return (uint8_t)target;
}

static void check_place(const struct value_place *place)
{
	CHECK(place->kind <= PLACE_CONSTANT);
	CHECK(place->number < INSN_REGISTER_COUNT);
	CHECK(place->kind != PLACE_STACK || place->offset == (int32_t)place->offset);
}

static void check_flow(const struct code_flow *flow, size_t size)
{
	CHECK(flow->count > 0 && flow->count <= size && flow->insns[flow->first].ip == START);
	for (size_t i = 0; i < flow->count; i++) {
		const struct code_insn *insn = &flow->insns[i];

		CHECK(i == 0 || insn->ip > flow->insns[i - 1].ip || insn->ip < START + GAP + size);
		CHECK(insn->next == CODE_NONE || insn->next < flow->count);
		CHECK(insn->target == CODE_NONE || insn->target < flow->count);
		CHECK(insn->next == CODE_NONE || flow->insns[insn->next].ip == insn->ip + insn->x86.length);
		CHECK(insn->target == CODE_NONE || insn->outside == 0);
	}
}

/* What is met first can be reached without another marked one, and what always is later can't. */
static void check_order(const struct code_flow *flow, uint8_t mask)
{
	bool *is_marked = calloc(flow->count, sizeof(*is_marked));
	bool *is_around = calloc(flow->count, sizeof(*is_around));
	bool *is_on_bypass = calloc(flow->count, sizeof(*is_on_bypass));
	enum code_order *order = calloc(flow->count, sizeof(*order));

	CHECK(is_marked && is_around && is_on_bypass && order);
	for (size_t i = 0; i < flow->count; i++)
		is_marked[i] = (flow->insns[i].x86.opcode & 7) == (mask & 7);
	CHECK(code_flow_order(flow, is_marked, order) == 0);
	CHECK(code_flow_around(flow, is_marked, NULL, is_around) == 0);
	CHECK(code_flow_bypass(flow, is_marked, NULL, is_on_bypass) == 0);
	for (size_t i = 0; i < flow->count; i++) {
		CHECK(is_around[i] == (order[i] != CODE_LATER));
		CHECK(!is_on_bypass[i] || (is_around[i] && !is_marked[i]));
	}
	free(is_marked);
	free(is_around);
	free(is_on_bypass);
	free(order);
}

static void check_arguments(const struct code_flow *flow)
{
	struct argument_flow *arguments;
	struct argument_places places;
	int status = argument_flow_create(flow, spares, NULL, &arguments);

	CHECK(status == 0 || status == -EBADMSG);
	if (status)
		return;
	for (size_t i = 0; i < flow->count; i++) {
		argument_places_before(arguments, i, &places);
		argument_places_behind(arguments, i, &places);
		for (size_t j = 0; j < INSN_REGISTER_COUNT; j++)
			check_place(&places.entries[j]);
		CHECK(places.stored_frame.number < INSN_REGISTER_COUNT ||
		      places.stored_frame.number == INSN_NO_REGISTER);
	}
	CHECK(!(argument_flow_written(arguments) & 0xc0));
	argument_flow_destroy(arguments);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct code_piece pieces[2] = { 0 };
	const struct code_ends ends = { 0 };
	struct code_flow *flow;
	uint8_t *bytes[2];
	size_t count = 1, split;

	/* Long inputs show nothing more. */
	if (size < 3 || size > 2048)
		return 0;
	split = (size - 2) * data[0] / 256;
	if (!split)
		split = size - 2;
	count += split < size - 2;
	pieces[0] = (struct code_piece){ START, NULL, split };
	pieces[1] = (struct code_piece){ START + split + GAP, NULL, size - 2 - split };
	for (size_t i = 0; i < count; i++) {
		bytes[i] = malloc(pieces[i].size);
		CHECK(bytes[i]);
		memcpy(bytes[i], data + 2 + (i ? split : 0), pieces[i].size);
		pieces[i].bytes = bytes[i];
	}
	if (!code_flow_create(pieces, count, &ends, &flow)) {
		check_flow(flow, size);
		check_order(flow, data[1]);
		check_arguments(flow);
		code_flow_destroy(flow);
	}
	for (size_t i = 0; i < count; i++)
		free(bytes[i]);
	return 0;
}
