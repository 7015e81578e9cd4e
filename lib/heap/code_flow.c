// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Walks a function's code from its first instruction, both ways at each branch, over calls. */
#include "code_flow.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

struct walk {
	const struct code_piece *pieces;
	size_t count;
	const struct code_ends *ends;
	size_t offsets[CODE_PIECES_MAX]; /* where each piece begins when all are put in a row */
	size_t size;
	bool *is_reached;  /* by offset in that row */
	uint32_t *pending; /* offsets; each is entered once */
	size_t pending_count, reached_count;
};

DEFINE_CLEANUP(flow, struct code_flow *, code_flow_destroy(v));

void code_flow_destroy(struct code_flow *flow)
{
	if (flow)
		free(flow->insns);
	free(flow);
}

static bool offset_of(const struct walk *walk, uint64_t ip, size_t *ret_offset)
{
	for (size_t i = 0; i < walk->count; i++) {
		if (ip - walk->pieces[i].start < walk->pieces[i].size) {
			*ret_offset = walk->offsets[i] + (ip - walk->pieces[i].start);
			return true;
		}
	}
	return false;
}

static const struct code_piece *piece_of(const struct walk *walk, size_t offset, size_t *ret_at)
{
	size_t i = walk->count - 1;

	while (walk->offsets[i] > offset)
		i--;
	*ret_at = offset - walk->offsets[i];
	return &walk->pieces[i];
}

static void reach(struct walk *walk, uint64_t ip)
{
	size_t offset;

	if (!offset_of(walk, ip, &offset) || walk->is_reached[offset])
		return;
	walk->is_reached[offset] = true;
	walk->reached_count++;
	walk->pending[walk->pending_count++] = (uint32_t)offset;
}

/* ud1 and ud2: WARN() and BUG() look the same; only the second one doesn't come back. */
static bool is_trap(const struct insn_x86 *insn)
{
	return insn->map == INSN_MAP_0F && (insn->opcode == 0x0b || insn->opcode == 0xb9);
}

static int compare_addresses(const void *a, const void *b)
{
	uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

	return one < other ? -1 : one > other;
}

static bool is_end(const struct walk *walk, uint64_t address)
{
	const struct code_ends *ends = walk->ends;

	return ends->count &&
	       bsearch(&address, ends->addresses, ends->count, sizeof(address), compare_addresses);
}

static bool goes_on(const struct walk *walk, const struct code_insn *insn)
{
	if (is_trap(&insn->x86))
		return !is_end(walk, insn->ip);
	if (insn->x86.flow == INSN_FLOW_CALL)
		return !insn->x86.has_target || !is_end(walk, insn->ip + (uint64_t)insn->x86.target);
	return insn->x86.flow == INSN_FLOW_NEXT || insn->x86.flow == INSN_FLOW_BRANCH;
}

static int decode(const struct walk *walk, size_t offset, struct code_insn *ret_insn)
{
	size_t at;
	const struct code_piece *piece = piece_of(walk, offset, &at);

	memset(ret_insn, 0, sizeof(*ret_insn));
	ret_insn->ip = piece->start + at;
	ret_insn->next = ret_insn->target = CODE_NONE;
	return insn_x86_decode(piece->bytes + at, piece->size - at, &ret_insn->x86) ? -EBADMSG : 0;
}

static int walk_all(struct walk *walk)
{
	reach(walk, walk->pieces[0].start);
	while (walk->pending_count) {
		struct code_insn insn;
		int status = decode(walk, walk->pending[--walk->pending_count], &insn);

		if (status)
			return status;
		if (goes_on(walk, &insn))
			reach(walk, insn.ip + insn.x86.length);
		if (insn.x86.has_target && insn.x86.flow != INSN_FLOW_CALL)
			reach(walk, insn.ip + (uint64_t)insn.x86.target);
	}
	return 0;
}

static uint32_t index_of(const struct walk *walk, const uint32_t *indexes, uint64_t ip)
{
	size_t offset;

	return offset_of(walk, ip, &offset) && walk->is_reached[offset] ? indexes[offset] : CODE_NONE;
}

static void link_insn(const struct walk *walk, const uint32_t *indexes, struct code_insn *insn)
{
	uint64_t target = insn->ip + (uint64_t)insn->x86.target;
	size_t offset;

	if (goes_on(walk, insn))
		insn->next = index_of(walk, indexes, insn->ip + insn->x86.length);
	if (!insn->x86.has_target)
		return;
	if (insn->x86.flow != INSN_FLOW_CALL)
		insn->target = index_of(walk, indexes, target);
	if (!offset_of(walk, target, &offset))
		insn->outside = target;
}

static int collect(const struct walk *walk, struct code_flow *flow)
{
	CLEANUP(free) uint32_t *indexes = calloc(walk->size, sizeof(*indexes));
	int status = 0;

	flow->insns = calloc(walk->reached_count, sizeof(*flow->insns));
	if (!indexes || !flow->insns)
		return -ENOMEM;
	for (size_t offset = 0; !status && offset < walk->size; offset++) {
		if (!walk->is_reached[offset])
			continue;
		indexes[offset] = (uint32_t)flow->count;
		status = decode(walk, offset, &flow->insns[flow->count++]);
	}
	for (size_t i = 0; i < flow->count; i++)
		link_insn(walk, indexes, &flow->insns[i]);
	flow->first = indexes[0];
	return status;
}

int code_flow_create(const struct code_piece *pieces, size_t count, const struct code_ends *ends,
		     struct code_flow **ret_flow)
{
	CLEANUP(flow) struct code_flow *flow = calloc(1, sizeof(*flow));
	struct walk walk = { .pieces = pieces, .count = count, .ends = ends };
	CLEANUP(free) bool *is_reached = NULL;
	CLEANUP(free) uint32_t *pending = NULL;
	int status;

	if (!count || count > CODE_PIECES_MAX)
		return -E2BIG;
	for (size_t i = 0; i < count; i++) {
		walk.offsets[i] = walk.size;
		if (!pieces[i].size || pieces[i].size > CODE_BYTES_MAX - walk.size)
			return -E2BIG;
		walk.size += pieces[i].size;
	}
	is_reached = calloc(walk.size, sizeof(*is_reached));
	pending = calloc(walk.size, sizeof(*pending));
	if (!flow || !is_reached || !pending)
		return -ENOMEM;
	walk.is_reached = is_reached;
	walk.pending = pending;
	status = walk_all(&walk);
	if (!status)
		status = collect(&walk, flow);
	if (!status)
		*ret_flow = TAKE_PTR(flow);
	return status;
}

/* Spread what holds at @pending's instructions to those behind them; what stops it is said by @is_marked. */
static void spread(const struct code_flow *flow, const bool *is_marked, const bool *never_jumps,
		   bool *is_reached, uint32_t *pending, size_t pending_count)
{
	while (pending_count) {
		uint32_t at = pending[--pending_count];
		bool is_jumping = !never_jumps || !never_jumps[at];
		const uint32_t ways[] = { flow->insns[at].next,
					  is_jumping ? flow->insns[at].target : CODE_NONE };

		if (is_marked && is_marked[at])
			continue;
		for (size_t i = 0; i < 2; i++) {
			if (ways[i] == CODE_NONE || is_reached[ways[i]])
				continue;
			is_reached[ways[i]] = true;
			pending[pending_count++] = ways[i];
		}
	}
}

int code_flow_around(const struct code_flow *flow, const bool *is_marked, const bool *never_jumps,
		     bool *ret_is_reached)
{
	CLEANUP(free) uint32_t *pending = calloc(flow->count, sizeof(*pending));

	if (!pending)
		return -ENOMEM;
	memset(ret_is_reached, 0, flow->count * sizeof(*ret_is_reached));
	ret_is_reached[flow->first] = true;
	pending[0] = flow->first;
	spread(flow, is_marked, never_jumps, ret_is_reached, pending, 1);
	return 0;
}

static bool is_exit(const struct code_insn *insn)
{
	return insn->x86.flow == INSN_FLOW_RETURN || (code_insn_is_jump(insn) && insn->target == CODE_NONE);
}

int code_flow_bypass(const struct code_flow *flow, const bool *is_marked, const bool *never_jumps,
		     bool *ret_is_on_bypass)
{
	CLEANUP(free) bool *is_around = calloc(flow->count, sizeof(*is_around));
	bool has_changed = true;

	if (!is_around || code_flow_around(flow, is_marked, never_jumps, is_around))
		return -ENOMEM;
	memset(ret_is_on_bypass, 0, flow->count * sizeof(*ret_is_on_bypass));
	/* Code goes downwards mostly: few rounds. Each but the last one finds at least one more. */
	while (has_changed) {
		has_changed = false;
		for (size_t i = flow->count; i-- > 0;) {
			const struct code_insn *insn = &flow->insns[i];
			bool is_jumping = insn->target != CODE_NONE && (!never_jumps || !never_jumps[i]);

			if (ret_is_on_bypass[i] || !is_around[i] || is_marked[i])
				continue;
			if (!is_exit(insn) && !(insn->next != CODE_NONE && ret_is_on_bypass[insn->next]) &&
			    !(is_jumping && ret_is_on_bypass[insn->target]))
				continue;
			has_changed = ret_is_on_bypass[i] = true;
		}
	}
	return 0;
}

int code_flow_order(const struct code_flow *flow, const bool *is_marked, enum code_order *ret_order)
{
	CLEANUP(free) uint32_t *pending = calloc(2 * flow->count + 1, sizeof(*pending));
	CLEANUP(free) bool *may_be_first = calloc(flow->count, sizeof(bool));
	CLEANUP(free) bool *may_be_later = calloc(flow->count, sizeof(bool));
	size_t pending_count = 0;
	int status;

	if (!pending || !may_be_first || !may_be_later)
		return -ENOMEM;
	status = code_flow_around(flow, is_marked, NULL, may_be_first);
	if (status)
		return status;
	for (size_t i = 0; i < flow->count; i++) {
		const uint32_t ways[] = { flow->insns[i].next, flow->insns[i].target };

		for (size_t j = 0; is_marked[i] && j < 2; j++) {
			if (ways[j] == CODE_NONE || may_be_later[ways[j]])
				continue;
			may_be_later[ways[j]] = true;
			pending[pending_count++] = ways[j];
		}
	}
	spread(flow, NULL, NULL, may_be_later, pending, pending_count);
	for (size_t i = 0; i < flow->count; i++)
		ret_order[i] = !may_be_later[i] ? CODE_FIRST : may_be_first[i] ? CODE_EITHER : CODE_LATER;
	return 0;
}
