/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What a task is doing in the kernel: the functions on its kernel stack. Of a task that runs this takes its
 * CPU's registers, which a memory source of a stopped machine may have.
 */
#ifndef DILL_TASK_STACK_H
#define DILL_TASK_STACK_H

#include "task.h"

struct stack_unwinder;

/* How frames were found, best first. */
enum stack_method {
	STACK_ORC, /* the kernel's unwind tables */
	STACK_FRAME_POINTERS,
	STACK_SCAN,      /* all that looks like a return address: not all of it need be one */
	STACK_USER_MODE, /* it runs in user mode: there is nothing on it */
	STACK_RUNNING,   /* it runs, and where is not known */
	STACK_NONE,      /* it has no stack any more */
};

#define STACK_SYMBOL_BYTES 128
#define STACK_MODULE_BYTES 64

struct stack_frame {
	uint64_t address;                /* where it will go on */
	uint64_t offset;                 /* from the symbol */
	char symbol[STACK_SYMBOL_BYTES]; /* "": not known */
	char module[STACK_MODULE_BYTES]; /* "": the image itself */
};

struct task_stack {
	enum stack_method method;
	struct stack_frame *frames; /* innermost first. Owned */
	size_t count;
	bool is_truncated; /* the way down was lost before the end */
};

/* Finds out how this kernel's stacks can be walked. -ENOENT: its text isn't known; -ENOMEM. */
int stack_unwinder_open(struct kernel *kernel, struct stack_unwinder **ret_unwinder, struct error *err);
void stack_unwinder_close(struct stack_unwinder *unwinder);
/* -EFAULT, -EBADMSG: the saved stack pointer leads nowhere. -ENOMEM. Free by task_stack_deinit(). */
int task_stack_read(struct stack_unwinder *unwinder, const struct task *task, struct task_stack *ret_stack,
		    struct error *err);
void task_stack_deinit(struct task_stack *stack);
/* "ORC", "frame pointers", "scan for return addresses", … */
const char *stack_method_name(enum stack_method method);

#endif
