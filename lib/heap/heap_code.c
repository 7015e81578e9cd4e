// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Kernel functions' code as it runs, out of the kernel's memory. */
#include "heap_functions.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"
#include "kernel_symbols.h"

#define NAME_BYTES 256

void heap_code_deinit(struct heap_code *code)
{
	code_flow_destroy(code->flow);
	for (size_t i = 0; i < code->piece_count; i++)
		free((void *)code->pieces[i].bytes);
	memset(code, 0, sizeof(*code));
}

static int add_piece(struct kernel *kernel, struct heap_code *code, uint64_t start, uint64_t end)
{
	CLEANUP(free) uint8_t *bytes = NULL;
	size_t size = end - start;

	if (end <= start || size > CODE_BYTES_MAX || code->piece_count == CODE_PIECES_MAX)
		return -E2BIG;
	bytes = malloc(size);
	if (!bytes)
		return -ENOMEM;
	if (kernel_read(kernel, start, bytes, size))
		return -EFAULT;
	code->pieces[code->piece_count++] = (struct code_piece){ start, TAKE_PTR(bytes), size };
	return 0;
}

/* kfree.cold is a part of kfree. */
static bool is_part_of(const char *symbol, const char *name)
{
	size_t length = strlen(name);

	return !strncmp(symbol, name, length) && symbol[length] == '.' && strstr(symbol + length, ".cold");
}

/* A part of the function that it jumps to and that isn't there yet. -ENOENT: none. */
static int find_part(struct kernel *kernel, const char *name, const struct heap_code *code,
		     uint64_t *ret_start, uint64_t *ret_end)
{
	for (size_t i = 0; i < code->flow->count; i++) {
		const struct code_insn *insn = &code->flow->insns[i];
		char symbol[NAME_BYTES];

		if (insn->outside && code_insn_is_jump(insn) &&
		    !kernel_symbols_at(kernel->symbols, insn->outside, symbol, sizeof(symbol), ret_start,
				       ret_end) &&
		    is_part_of(symbol, name))
			return 0;
	}
	return -ENOENT;
}

int heap_code_read(const struct heap_callees *callees, const char *name, uint64_t start, uint64_t end,
		   struct heap_code *ret_code)
{
	struct kernel *kernel = callees->kernel;
	struct heap_code code = { 0 };
	int status = add_piece(kernel, &code, start, end);

	while (!status) {
		code_flow_destroy(code.flow);
		code.flow = NULL;
		status = code_flow_create(code.pieces, code.piece_count, &callees->ends, &code.flow);
		if (status)
			break;
		status = find_part(kernel, name, &code, &start, &end);
		if (!status)
			status = add_piece(kernel, &code, start, end);
	}
	if (status != -ENOENT) {
		heap_code_deinit(&code);
		return status;
	}
	*ret_code = code;
	return 0;
}

static uint8_t find_spared(const struct heap_callees *callees, uint64_t target)
{
	struct argument_flow *arguments;
	struct heap_code code;
	char name[NAME_BYTES];
	uint64_t start, end;
	uint8_t written = UINT8_MAX;

	if (kernel_symbols_at(callees->kernel->symbols, target, name, sizeof(name), &start, &end) ||
	    start != target || heap_code_read(callees, name, start, end, &code))
		return 0;
	if (!argument_flow_create(code.flow, NULL, NULL, &arguments)) {
		written = argument_flow_written(arguments);
		argument_flow_destroy(arguments);
	}
	heap_code_deinit(&code);
	return (uint8_t)~written;
}

uint8_t heap_code_spares(void *context, uint64_t target)
{
	struct heap_callees *callees = context;
	size_t i = 0;

	while (i < callees->count && callees->known[i].target != target)
		i++;
	if (i == callees->count) {
		if (i == HEAP_CALLEES_MAX)
			return 0;
		callees->known[i].target = target;
		callees->known[i].spared = find_spared(callees, target);
		callees->count++;
	}
	return callees->known[i].spared;
}
