// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The calls of slub-walk: at once, or as threads that are stopped and go on later. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "slub_walk.h"

static int make_room(struct walk *walk, uint32_t more, struct error *err)
{
	uint32_t wanted = walk->count + more + 1;
	void *objects, *caches;

	if (more > SLUB_SCRIPT_MOST_OBJECTS || wanted > SLUB_SCRIPT_MOST_OBJECTS + 1)
		return error_set(err, -EINVAL, "more than %u objects", SLUB_SCRIPT_MOST_OBJECTS);
	if (wanted <= walk->room)
		return 0;
	objects = realloc(walk->objects, 2 * (size_t)wanted * sizeof(*walk->objects));
	if (objects)
		walk->objects = objects;
	caches = objects ? realloc(walk->caches, 2 * (size_t)wanted * sizeof(*walk->caches)) : NULL;
	if (!caches)
		return error_set(err, -ENOMEM, "out of memory");
	walk->caches = caches;
	walk->room = 2 * wanted;
	return 0;
}

static int find_cache(struct walk *walk, const char *name, struct kmem_cache **ret_cache, struct error *err)
{
	*ret_cache = slub_model_cache(walk->model, name);
	return *ret_cache ? 0 : error_set(err, -EINVAL, "no cache is called '%s'", name);
}

static void carry_out(void *context)
{
	struct walk_call *call = context;

	if (call->step.order == SLUB_ORDER_ALLOC)
		call->object = slub_kmem_cache_alloc(call->step.cache);
	else if (call->step.order == SLUB_ORDER_FREE)
		slub_kmem_cache_free(call->step.cache, call->object);
	else
		slub_kmem_cache_shrink(call->step.cache);
}

static int finish(struct walk *walk, struct walk_call *call, struct error *err)
{
	call->step.stopped_at = SLUB_POINT_NONE;
	if (call->step.order == SLUB_ORDER_ALLOC) {
		if (!call->object)
			return error_set(err, -ENOMEM, "the model's memory is used up");
		walk->count++;
		walk->objects[walk->count] = call->object;
		walk->caches[walk->count] = call->step.cache;
		call->step.first = call->step.last = walk->count;
		call->step.object = call->object;
	}
	slub_walk_add_step(walk, &call->step);
	return 0;
}

char slub_walk_stopped(const struct walk *walk)
{
	for (unsigned i = 0; i < walk->begun; i++) {
		if (walk->threads[i].thread)
			return (char)('A' + i);
	}
	return 0;
}

static int run_thread(struct walk *walk, struct walk_call *call, const struct slub_statement *statement, struct error *err)
{
	enum slub_point at = slub_model_thread_run(call->thread, statement->stop, statement->stop_count);

	slub_model_enter(walk->model, walk->cpu);
	if (at != SLUB_POINT_NONE) {
		call->step.stopped_at = at;
		call->step.thread = (char)('A' + (call - walk->threads));
		slub_walk_add_step(walk, &call->step);
		return 0;
	}
	slub_model_thread_destroy(call->thread);
	call->thread = NULL;
	return finish(walk, call, err);
}

/*
 * A call that may be stopped is a thread. So is every call while another one is stopped: it may have to wait for it. One
 * that was neither stopped nor had to wait gives its letter back.
 */
static int make_call(struct walk *walk, struct walk_call call, const struct slub_statement *statement, struct error *err)
{
	struct walk_call *thread;
	int status;

	call.step.cpu = walk->cpu;
	if (!statement->stop && !slub_walk_stopped(walk)) {
		carry_out(&call);
		return finish(walk, &call, err);
	}
	if (!slub_walk_stopped(walk))
		walk->begun = 0;
	if (walk->begun == WALK_THREADS)
		return error_set(err, -EINVAL, "a script may stop %d calls", WALK_THREADS);
	thread = &walk->threads[walk->begun++];
	*thread = call;
	thread->thread = slub_model_thread_create(walk->model, walk->cpu, carry_out, thread);
	if (!thread->thread)
		return error_set(err, -ENOMEM, "out of memory");
	status = run_thread(walk, thread, statement, err);
	if (!thread->thread)
		walk->begun--;
	return status;
}

static int do_go(struct walk *walk, const struct slub_statement *statement, struct error *err)
{
	struct walk_call *call = &walk->threads[statement->thread - 'A'];

	if (!call->thread)
		return error_set(err, -EINVAL, "no thread %c is stopped", statement->thread);
	if (statement->go_cpu >= (int)walk->setting.cpus)
		return error_set(err, -EINVAL, "there are CPUs 0 to %u", walk->setting.cpus - 1);
	if (statement->go_cpu >= 0) {
		call->step.cpu = (unsigned)statement->go_cpu;
		slub_model_thread_move(call->thread, call->step.cpu);
	}
	return run_thread(walk, call, statement, err);
}

static int do_alloc(struct walk *walk, const struct slub_statement *statement, struct error *err)
{
	struct walk_call call = { .step.order = SLUB_ORDER_ALLOC };
	int status = find_cache(walk, statement->cache, &call.step.cache, err);

	// Stopped calls will need room, too.
	if (!status)
		status = make_room(walk, statement->count + WALK_THREADS, err);
	for (uint32_t i = 0; !status && i < statement->count; i++)
		status = make_call(walk, call, statement, err);
	return status;
}

/* An object that was in use when the state was taken. */
static int free_loaded(struct walk *walk, const struct slub_statement *statement, struct error *err)
{
	struct walk_call call = { .step.order = SLUB_ORDER_FREE };

	call.object = slub_model_object(walk->model, statement->address, &call.step.cache);
	if (!call.object)
		return error_set(err, -EINVAL, "no object lies at %#lx", (unsigned long)statement->address);
	if (slub_model_is_free(walk->model, call.step.cache, call.object))
		return error_set(err, -EINVAL, "%#lx is free already", (unsigned long)statement->address);
	for (uint32_t number = 1; number <= walk->count; number++) {
		if (walk->objects[number] == call.object)
			return error_set(err, -EINVAL, "%#lx is #%u", (unsigned long)statement->address, number);
	}
	call.step.object = call.object;
	return make_call(walk, call, statement, err);
}

static int do_free(struct walk *walk, const struct slub_statement *statement, struct error *err)
{
	int status = 0;

	if (statement->address)
		return free_loaded(walk, statement, err);
	for (uint32_t number = statement->first; !status && number <= statement->last; number++) {
		struct walk_call call = { .step = { .order = SLUB_ORDER_FREE, .first = number, .last = number } };

		call.object = number <= walk->count ? walk->objects[number] : NULL;
		if (!call.object)
			return error_set(err, -EINVAL, "#%u %s", number,
					 number <= walk->count ? "is free already" : "was never allocated");
		call.step.object = call.object;
		call.step.cache = walk->caches[number];
		walk->objects[number] = NULL;
		status = make_call(walk, call, statement, err);
	}
	return status;
}

static int do_shrink(struct walk *walk, const struct slub_statement *statement, struct error *err)
{
	struct walk_call call = { .step.order = SLUB_ORDER_SHRINK };
	int status = find_cache(walk, statement->cache, &call.step.cache, err);

	if (!status)
		status = make_call(walk, call, statement, err);
	if (status || statement->stop || slub_walk_stopped(walk))
		return status;
	slub_walk_show_steps(walk);
	return slub_walk_show(walk->view, walk->model, &walk->setting, call.step.cache);
}

static int do_cache(const struct slub_statement *statement, struct error *err)
{
	return slub_kmem_cache_create(statement->cache, statement->size, statement->align, SLUB_NO_MERGE, NULL) ? 0 :
		       error_set(err, -EINVAL, "no cache can have objects of that size and alignment");
}

/* Of a cache without a call to it. */
static int do_show_or_set(struct walk *walk, const struct slub_statement *statement, struct error *err)
{
	struct kmem_cache *cache;
	int status = find_cache(walk, statement->cache, &cache, err);

	if (status)
		return status;
	slub_walk_show_steps(walk);
	if (statement->order == SLUB_ORDER_SHOW)
		return slub_walk_show(walk->view, walk->model, &walk->setting, cache);
	if (statement->is_cpu_partial)
		slub_model_set_cpu_partial(cache, statement->value);
	else
		slub_model_set_min_partial(cache, statement->value);
	return 0;
}

int slub_walk_carry_out(struct walk *walk, const struct slub_statement *statement, struct error *err)
{
	if (statement->cpu >= (int)walk->setting.cpus)
		return error_set(err, -EINVAL, "there are CPUs 0 to %u", walk->setting.cpus - 1);
	if (statement->cpu >= 0) {
		walk->cpu = (unsigned)statement->cpu;
		slub_model_enter(walk->model, walk->cpu);
	}
	switch (statement->order) {
	case SLUB_ORDER_NONE:
		return 0;
	case SLUB_ORDER_ALLOC:
		return do_alloc(walk, statement, err);
	case SLUB_ORDER_FREE:
		return do_free(walk, statement, err);
	case SLUB_ORDER_CACHE:
		return do_cache(statement, err);
	case SLUB_ORDER_SHRINK:
		return do_shrink(walk, statement, err);
	case SLUB_ORDER_SHOW:
	case SLUB_ORDER_SET:
		return do_show_or_set(walk, statement, err);
	case SLUB_ORDER_GO:
		return do_go(walk, statement, err);
	}
	return 0;
}

void slub_walk_end(struct walk *walk)
{
	for (unsigned i = 0; i < walk->begun; i++)
		slub_model_thread_destroy(walk->threads[i].thread);
	slub_model_destroy(walk->model);
	free(walk->objects);
	free(walk->caches);
}
