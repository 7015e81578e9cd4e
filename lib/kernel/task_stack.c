// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Walks kernel stacks as arch/x86/kernel/unwind_orc.c does, and with less where there are no tables. A task
 * that doesn't run left this at its saved stack pointer (struct inactive_task_frame, __switch_to_asm):
 *
 *     sp → r15 r14 r13 r12 bx bp return-address
 */
#include "task_stack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"
#include "orc_table.h"

/* 16 KiB of stack, IRQ and exception stacks below it, at 16 bytes a frame at least. */
#define FRAMES_MAX 2048
#define WORD sizeof(uint64_t)
#define CS_RPL 3

struct stack_layout {
	struct field frame_bp, frame_ret;
	size_t frame_size;
	struct field ip, cs, sp, bp, ax, di, dx, r10, r13;
	size_t regs_size;
};

struct stack_unwinder {
	struct kernel *kernel;
	struct orc_tables *tables;
	struct stack_layout layout;
};

#define AT(member) offsetof(struct stack_layout, member)

static const struct field_spec specs[] = {
	{ "inactive_task_frame", "bp", AT(frame_bp), false },
	{ "inactive_task_frame", "ret_addr", AT(frame_ret), false },
	{ "pt_regs", "ip", AT(ip), false },
	{ "pt_regs", "cs", AT(cs), false },
	{ "pt_regs", "sp", AT(sp), false },
	{ "pt_regs", "bp", AT(bp), false },
	{ "pt_regs", "ax", AT(ax), false },
	{ "pt_regs", "di", AT(di), false },
	{ "pt_regs", "dx", AT(dx), false },
	{ "pt_regs", "r10", AT(r10), false },
	{ "pt_regs", "r13", AT(r13), false },
};

int stack_unwinder_open(struct kernel *kernel, struct stack_unwinder **ret_unwinder, struct error *err)
{
	struct stack_unwinder *unwinder = calloc(1, sizeof(*unwinder));
	int status;

	if (!unwinder)
		return error_set(err, -ENOMEM, "out of memory");
	unwinder->kernel = kernel;
	status = fields_load(kernel->types, specs, sizeof(specs) / sizeof(*specs), &unwinder->layout, err);
	unwinder->layout.frame_size = kernel_sizeof(kernel->types, "inactive_task_frame");
	unwinder->layout.regs_size = kernel_sizeof(kernel->types, "pt_regs");
	if (!status) {
		status = orc_tables_open(kernel, &unwinder->tables);
		if (status)
			error_set(err, status, "stacks: where the kernel's code lies is not known");
	}
	if (status) {
		stack_unwinder_close(unwinder);
		return status;
	}
	*ret_unwinder = unwinder;
	return 0;
}

void stack_unwinder_close(struct stack_unwinder *unwinder)
{
	if (unwinder)
		orc_tables_close(unwinder->tables);
	free(unwinder);
}

/* Where a walk is. @regs is the address of the struct pt_regs that this frame was interrupted with, or 0. */
struct place {
	uint64_t ip, sp, bp, regs;
	bool is_exact; /* ip is where it was interrupted, not behind a call */
};

static int add_frame(const struct stack_unwinder *unwinder, const struct place *place,
		     struct task_stack *stack)
{
	struct stack_frame *frame, *grown;
	uint64_t ask = place->ip - !place->is_exact;

	if (!(stack->count & (stack->count - 1))) {
		grown = reallocarray(stack->frames, stack->count ? 2 * stack->count : 1, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		stack->frames = grown;
	}
	frame = &stack->frames[stack->count++];
	memset(frame, 0, sizeof(*frame));
	frame->address = place->ip;
	/* A call may be a function's last instruction: ask for it, not for what comes behind. */
	if (kernel_symbol_at(unwinder->kernel, ask, frame->symbol, sizeof(frame->symbol), &frame->offset))
		frame->symbol[0] = '\0';
	else
		frame->offset += place->ip - ask;
	orc_is_text(unwinder->tables, ask, frame->module, sizeof(frame->module));
	return 0;
}

static bool is_text(const struct stack_unwinder *unwinder, uint64_t address)
{
	char name[STACK_MODULE_BYTES];

	return orc_is_text(unwinder->tables, address, name, sizeof(name));
}

static int read_register(const struct stack_unwinder *unwinder, uint64_t regs, const struct field *field,
			 uint64_t *ret_value)
{
	return regs ? field_read(unwinder->kernel, field, regs, ret_value) : -ENOENT;
}

/* The caller's stack pointer at the moment of the call (its CFA), or where registers were saved. */
static int find_frame_address(const struct stack_unwinder *unwinder, const struct orc_row *row,
			      const struct place *place, uint64_t *ret_sp)
{
	const struct stack_layout *layout = &unwinder->layout;
	uint64_t offset = (uint64_t)(int64_t)row->sp_offset, sp;
	int status = 0;

	switch (row->sp_register) {
	case ORC_SP:
		sp = place->sp + offset;
		break;
	case ORC_BP:
		sp = place->bp + offset;
		break;
	case ORC_SP_INDIRECT:
		status = kernel_read_u64(unwinder->kernel, place->sp, &sp);
		sp = status ? 0 : sp + offset;
		break;
	case ORC_BP_INDIRECT:
		status = kernel_read_u64(unwinder->kernel, place->bp + offset, &sp);
		break;
	case ORC_AX:
		status = read_register(unwinder, place->regs, &layout->ax, &sp);
		break;
	case ORC_DX:
		status = read_register(unwinder, place->regs, &layout->dx, &sp);
		break;
	case ORC_DI:
		status = read_register(unwinder, place->regs, &layout->di, &sp);
		break;
	case ORC_R10:
		status = read_register(unwinder, place->regs, &layout->r10, &sp);
		break;
	case ORC_R13:
		status = read_register(unwinder, place->regs, &layout->r13, &sp);
		break;
	default:
		return -EBADMSG;
	}
	if (!status)
		*ret_sp = sp;
	return status;
}

static int find_bp(const struct stack_unwinder *unwinder, const struct orc_row *row,
		   const struct place *place, uint64_t sp, uint64_t *ret_bp)
{
	uint64_t offset = (uint64_t)(int64_t)row->bp_offset, bp;

	switch (row->bp_register) {
	case ORC_PREV_SP:
		return kernel_read_u64(unwinder->kernel, sp + offset, ret_bp);
	case ORC_BP:
		return kernel_read_u64(unwinder->kernel, place->bp + offset, ret_bp);
	default:
		*ret_bp = read_register(unwinder, place->regs, &unwinder->layout.bp, &bp) ? place->bp : bp;
		return 0;
	}
}

/* Step over registers that an interrupt or a system call saved. */
static int step_over_registers(const struct stack_unwinder *unwinder, const struct orc_row *row, uint64_t sp,
			       struct place *next, bool *ret_is_end)
{
	const struct stack_layout *layout = &unwinder->layout;
	/* The CPU pushes the end of struct pt_regs. */
	uint64_t regs = row->kind == ORC_REGS ? sp : sp - layout->ip.offset, cs;
	int status = field_read(unwinder->kernel, &layout->ip, regs, &next->ip);

	if (!status)
		status = field_read(unwinder->kernel, &layout->cs, regs, &cs);
	if (!status)
		status = field_read(unwinder->kernel, &layout->sp, regs, &next->sp);
	if (status)
		return status;
	next->regs = row->kind == ORC_REGS ? regs : 0;
	*ret_is_end = cs & CS_RPL;
	return 0;
}

/* From one frame to its caller. @ret_is_end: there is none. */
static int step(const struct stack_unwinder *unwinder, struct place *place, bool *ret_is_end)
{
	struct place next = { 0 };
	struct orc_row row;
	uint64_t sp;
	int status = orc_find(unwinder->tables, place->ip - !place->is_exact, &row);

	*ret_is_end = false;
	if (status)
		return status;
	if (row.kind == ORC_END_OF_STACK) {
		*ret_is_end = true;
		return 0;
	}
	if (row.kind == ORC_NO_ROW)
		return -EBADMSG;
	status = find_frame_address(unwinder, &row, place, &sp);
	if (status)
		return status;
	if (row.kind == ORC_CALL) {
		next.sp = sp;
		status = kernel_read_u64(unwinder->kernel, sp - WORD, &next.ip);
	} else {
		status = step_over_registers(unwinder, &row, sp, &next, ret_is_end);
	}
	if (!status && !*ret_is_end)
		status = find_bp(unwinder, &row, place, sp, &next.bp);
	next.is_exact = row.is_signal;
	if (!status && !*ret_is_end && next.sp == place->sp && next.ip == place->ip)
		status = -EBADMSG;
	if (!status)
		*place = next;
	return status;
}

static int walk_by_orc(const struct stack_unwinder *unwinder, struct place place, struct task_stack *stack)
{
	bool is_end = false;
	int status = 0;

	while (!status && !is_end && stack->count < FRAMES_MAX) {
		if (!is_text(unwinder, place.ip)) {
			stack->is_truncated = true;
			return 0;
		}
		status = add_frame(unwinder, &place, stack);
		if (!status && step(unwinder, &place, &is_end)) {
			stack->is_truncated = true;
			return 0;
		}
	}
	stack->is_truncated = !is_end;
	return status;
}

/* Each word on a stack lies above the one before: a chain of frame pointers ascends. */
static int walk_by_frame_pointers(const struct stack_unwinder *unwinder, const struct task *task,
				  struct place place, struct task_stack *stack)
{
	int status = add_frame(unwinder, &place, stack);

	while (!status && stack->count < FRAMES_MAX) {
		uint64_t saved[2]; /* bp, return address */

		if (place.bp - task->stack > task->stack_size - sizeof(saved) || place.bp % WORD ||
		    place.bp < place.sp || kernel_read(unwinder->kernel, place.bp, saved, sizeof(saved)) ||
		    !is_text(unwinder, saved[1]))
			break;
		place.sp = place.bp + sizeof(saved);
		place.bp = saved[0];
		place.ip = saved[1];
		place.is_exact = false;
		status = add_frame(unwinder, &place, stack);
	}
	return status;
}

/* True when a call instruction ends at @address: e8 and a distance, or ff /2 in one of its lengths. */
static bool follows_call(const struct stack_unwinder *unwinder, uint64_t address)
{
	uint8_t code[7];

	if (kernel_read(unwinder->kernel, address - sizeof(code), code, sizeof(code)))
		return true; /* can't tell */
	if (code[2] == 0xe8)
		return true;
	for (size_t length = 2; length <= sizeof(code); length++) {
		const uint8_t *at = code + sizeof(code) - length;

		if (at[0] == 0xff && (at[1] >> 3 & 7) == 2)
			return true;
	}
	return false;
}

static int scan_stack(const struct stack_unwinder *unwinder, const struct task *task, struct place place,
		      struct task_stack *stack)
{
	uint64_t end = task->stack + task->stack_size;
	int status = is_text(unwinder, place.ip) ? add_frame(unwinder, &place, stack) : 0;

	for (uint64_t at = place.sp; at + WORD <= end && !status && stack->count < FRAMES_MAX; at += WORD) {
		struct place found = { .sp = at };

		if (!kernel_read_u64(unwinder->kernel, at, &found.ip) && is_text(unwinder, found.ip) &&
		    follows_call(unwinder, found.ip))
			status = add_frame(unwinder, &found, stack);
	}
	return status;
}

static void drop_frames(struct task_stack *stack)
{
	free(stack->frames);
	memset(stack, 0, sizeof(*stack));
}

/* The best that leads somewhere: more than the frame that was known before. */
static int walk(const struct stack_unwinder *unwinder, const struct task *task, const struct place *place,
		struct task_stack *stack)
{
	int status;

	stack->method = STACK_ORC;
	status = walk_by_orc(unwinder, *place, stack);
	if (status || stack->count > 1 || (stack->count && !stack->is_truncated))
		return status;
	drop_frames(stack);
	stack->method = STACK_FRAME_POINTERS;
	status = walk_by_frame_pointers(unwinder, task, *place, stack);
	if (status || stack->count > 2)
		return status;
	drop_frames(stack);
	stack->method = STACK_SCAN;
	return scan_stack(unwinder, task, *place, stack);
}

static int place_of_sleeper(const struct stack_unwinder *unwinder, const struct task *task,
			    struct place *ret_place)
{
	const struct stack_layout *layout = &unwinder->layout;
	struct place place = { .sp = task->sp + layout->frame_size };
	int status;

	if (task->sp - task->stack > task->stack_size - layout->frame_size || task->sp % WORD)
		return -EBADMSG;
	status = field_read(unwinder->kernel, &layout->frame_ret, task->sp, &place.ip);
	if (!status)
		status = field_read(unwinder->kernel, &layout->frame_bp, task->sp, &place.bp);
	/* Nothing called a new task: it begins where it is sent to. */
	if (!status) {
		char symbol[32];
		uint64_t offset;

		place.is_exact =
			!kernel_symbol_at(unwinder->kernel, place.ip, symbol, sizeof(symbol), &offset) &&
			!offset;
		*ret_place = place;
	}
	return status;
}

/* Registers of the CPU that runs @task: the CPU is known by where its per-CPU data lies. */
static const struct cpu_registers *find_registers(const struct kernel *kernel, const struct task *task)
{
	uint64_t base = task->cpu < kernel->cpu_count ? kernel->percpu_offsets[task->cpu] : 0;

	for (size_t i = 0; i < kernel->source->cpu_count && base; i++)
		if (kernel->source->cpus[i].gs_base == base || kernel->source->cpus[i].kernel_gs_base == base)
			return &kernel->source->cpus[i];
	return NULL;
}

int task_stack_read(struct stack_unwinder *unwinder, const struct task *task, struct task_stack *ret_stack,
		    struct error *err)
{
	struct task_stack stack = { .method = STACK_NONE };
	struct place place = { 0 };
	int status = 0;

	if (task->stack && task->is_on_cpu) {
		const struct cpu_registers *registers = find_registers(unwinder->kernel, task);

		stack.method = !registers             ? STACK_RUNNING
			       : registers->rip >> 63 ? STACK_ORC
						      : STACK_USER_MODE;
		if (registers)
			place = (struct place){ registers->rip, registers->rsp, registers->rbp, 0, true };
	} else if (task->stack) {
		stack.method = STACK_ORC;
		status = place_of_sleeper(unwinder, task, &place);
		if (status)
			return error_set(err, status,
					 "the saved stack pointer 0x%llx of task %d leads nowhere",
					 (unsigned long long)task->sp, task->pid);
	}
	if (stack.method == STACK_ORC)
		status = walk(unwinder, task, &place, &stack);
	if (status) {
		task_stack_deinit(&stack);
		return error_set(err, status, "out of memory");
	}
	*ret_stack = stack;
	return 0;
}

void task_stack_deinit(struct task_stack *stack)
{
	drop_frames(stack);
}

const char *stack_method_name(enum stack_method method)
{
	static const char *const names[] = {
		"ORC",           "frame pointers",     "scan for return addresses", "none: in user mode",
		"none: it runs", "none: it has ended",
	};

	return names[method];
}
