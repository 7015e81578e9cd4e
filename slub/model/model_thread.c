// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// Threads of execution, as contexts of their own (swapcontext(3)) within one thread of the system.
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "model_private.h"

#define STACK_BYTES (128u << 10)

struct slub_model_thread {
	struct slub_model *model;
	struct slub_model_thread *next; // among idle ones
	ucontext_t context, resumer;
	void *stack;
	void (*work)(void *);
	void *work_context;
	unsigned cpu;
	int paused; // while it is stopped
	enum slub_point until, at;
	unsigned left; // points until it stops
	bool is_done;
};

static void begin(unsigned high, unsigned low)
{
	struct slub_model_thread *thread = (struct slub_model_thread *)((uintptr_t)high << 32 | low);

	thread->work(thread->work_context);
	thread->is_done = true;
	thread->at = SLUB_POINT_NONE;
	swapcontext(&thread->context, &thread->resumer);
}

static bool prepare(struct slub_model_thread *thread)
{
	if (getcontext(&thread->context))
		return false;
	thread->context.uc_stack.ss_sp = thread->stack;
	thread->context.uc_stack.ss_size = STACK_BYTES;
	makecontext(&thread->context, (void (*)(void))begin, 2, (unsigned)((uintptr_t)thread >> 32), (unsigned)(uintptr_t)thread);
	return true;
}

static struct slub_model_thread *idle_or_new(struct slub_model *model)
{
	struct slub_model_thread *thread = model->idle;
	void *stack;

	if (thread) {
		model->idle = thread->next;
		return thread;
	}
	thread = calloc(1, sizeof(*thread));
	stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (thread && stack != MAP_FAILED) {
		thread->stack = stack;
		return thread;
	}
	free(thread);
	if (stack != MAP_FAILED)
		munmap(stack, STACK_BYTES);
	return NULL;
}

struct slub_model_thread *slub_model_thread_create(struct slub_model *model, unsigned cpu, void (*work)(void *),
						   void *context)
{
	struct slub_model_thread *thread = idle_or_new(model);

	if (!thread)
		return NULL;
	*thread = (struct slub_model_thread){
		.model = model, .stack = thread->stack, .work = work, .work_context = context, .cpu = cpu,
	};
	if (prepare(thread))
		return thread;
	slub_model_thread_destroy(thread);
	return NULL;
}

static void stop(struct slub_model_thread *thread, enum slub_point point)
{
	struct slub_model *model = thread->model;

	thread->at = point;
	thread->paused = model->paused;
	swapcontext(&thread->context, &thread->resumer);
}

enum slub_point slub_model_thread_run(struct slub_model_thread *thread, enum slub_point point, unsigned n)
{
	struct slub_model *model = thread->model;
	int paused = model->paused;

	if (thread->is_done)
		return SLUB_POINT_NONE;
	slub_model_enter(model, thread->cpu);
	thread->until = point;
	thread->left = n;
	model->thread = thread;
	model->paused = thread->paused;
	swapcontext(&thread->resumer, &thread->context);
	model->thread = NULL;
	model->paused = paused;
	return thread->at;
}

void slub_model_thread_move(struct slub_model_thread *thread, unsigned cpu)
{
	thread->cpu = cpu;
}

void slub_model_thread_destroy(struct slub_model_thread *thread)
{
	if (!thread)
		return;
	thread->next = thread->model->idle;
	thread->model->idle = thread;
}

void slub_model_threads_end(struct slub_model *model)
{
	while (model->idle) {
		struct slub_model_thread *thread = model->idle;

		model->idle = thread->next;
		munmap(thread->stack, STACK_BYTES);
		free(thread);
	}
}

void slub_point(enum slub_point point)
{
	struct slub_model_thread *thread = slub_model_current->thread;

	if (!thread || slub_model_locks || !thread->left || (thread->until != point && thread->until != SLUB_POINTS))
		return;
	if (!--thread->left)
		stop(thread, point);
}

void slub_model_wait(void)
{
	// Without a thread there is nobody who could do what is waited for.
	if (!slub_model_current->thread)
		abort();
	stop(slub_model_current->thread, SLUB_POINT_WAIT);
}
