// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// CPU slabs: ___slab_alloc(), __slab_free(), put_cpu_partial() of mm/slub.c, 6.8 to 6.17.
//
// A CPU's freelist and slab change by one commit, its partial list by another; whoever takes that list takes all of it,
// so that nobody follows a chain that changes. What a commit could not place goes to the node.
#include "cpu_slab.h"

#include "machine.h"
#include "percpu.h"
#include "point.h"
#include "report.h"
#include "slab.h"
#include "slab_update.h"
#include "why.h"

enum { SLAB_WORDS = 1, PARTIAL_WORDS = 2 }; // places, see struct slub_cpu_slab

static void *freelist_of(const struct slub_percpu_view *view)
{
	return view->sheaves.main;
}

static struct slab *slab_of(const struct slub_percpu_view *view)
{
	return (struct slab *)view->sheaves.spare;
}

static bool commit(struct kmem_cache *cache, struct slub_percpu_view *view, void *first, void *second)
{
	bool is_done = slub_percpu_commit(cache, view, (struct slub_percpu_sheaves){ first, second });

	slub_percpu_end(view);
	return is_done;
}

static bool begin(struct kmem_cache *cache, unsigned place, struct slub_percpu_view *view)
{
	slub_percpu_begin_at(cache, place, view);
	if (view->cpu >= 0)
		return true;
	slub_percpu_end(view);
	return false;
}

// What a CPU's partial list is measured by: slabs; before 5.16 their free objects, as they were when they came in. The
// first slab has the sum.
static unsigned measure(const struct slab *slab)
{
	return slub.rules.cpu_partial_counts_objects ? slab_free_objects(slab) : 1;
}

void slub_cpu_partial_add(struct slab **list, struct slab *slab)
{
	slab->next = *list;
	slab->slabs = (uint16_t)((*list ? (*list)->slabs : 0) + measure(slab));
	*list = slab;
}

static bool is_at_limit(const struct kmem_cache *cache, const struct slab *list)
{
	return slub.rules.cpu_partial_counts_objects ? list->slabs > cache->geometry.cpu_partial :
						       list->slabs >= cache->geometry.cpu_partial_slabs;
}

// Put a slab in front of the CPU's partial list; a list at its limit goes to the node first, if that is wanted
// (put_cpu_partial()).
static void put_cpu_partial(struct kmem_cache *cache, struct slab *slab, bool is_limited)
{
	struct slub_percpu_view view;

	for (;;) {
		struct slab *list, *drained = NULL;

		if (!begin(cache, PARTIAL_WORDS, &view)) {
			slab->next = NULL;
			slub_slabs_put_partial(cache, slab);
			return;
		}
		list = (struct slab *)freelist_of(&view);
		// The first slab's count is only a hint, as the list may be another CPU's by now; the commit decides.
		if (list && is_limited && is_at_limit(cache, list)) {
			drained = list;
			list = NULL;
		}
		slub_cpu_partial_add(&list, slab);
		if (commit(cache, &view, list, NULL)) {
			if (drained)
				slub_why(SLUB_WHY_CPU_PARTIAL_DRAINED, drained);
			slub_slabs_put_partial(cache, drained);
			return;
		}
	}
}

// The CPU's partial list, all of it, NULL when there is none.
static struct slab *take_cpu_partial(struct kmem_cache *cache)
{
	struct slub_percpu_view view;

	while (begin(cache, PARTIAL_WORDS, &view)) {
		struct slab *list = (struct slab *)freelist_of(&view);

		if (!list) {
			slub_percpu_end(&view);
			return NULL;
		}
		if (commit(cache, &view, NULL, NULL))
			return list;
	}
	return NULL;
}

// Put what is left of a list that was taken back. Another thread may have begun a new one meanwhile.
static void return_cpu_partial(struct kmem_cache *cache, struct slab *list)
{
	struct slub_percpu_view view;

	if (!list)
		return;
	if (!begin(cache, PARTIAL_WORDS, &view)) {
		slub_slabs_put_partial(cache, list);
		return;
	}
	if (freelist_of(&view)) {
		slub_percpu_end(&view);
		slub_slabs_put_partial(cache, list);
	} else if (!commit(cache, &view, list, NULL)) {
		slub_slabs_put_partial(cache, list);
	}
}

// get_partial_node(): one slab for the CPU, and more for its partial list until that has more than half of its limit.
static struct slab *take_from_node(struct kmem_cache *cache)
{
	bool counts_objects = slub.rules.cpu_partial_counts_objects, is_new;
	unsigned limit = counts_objects ? cache->geometry.cpu_partial : cache->geometry.cpu_partial_slabs, had;
	struct slab *slab = slub_slab_take(cache, slub_node(), &is_new);

	if (!slab || is_new || !limit)
		return slab;
	had = counts_objects ? measure(slab) : 0;
	while (had <= limit / 2) {
		struct slab *more = slub_slab_take_partial(cache, slab->node);

		if (!more)
			break;
		slub_why(SLUB_WHY_CPU_PARTIAL_FILLED, more);
		had += measure(more);
		put_cpu_partial(cache, more, false);
	}
	return slab;
}

static struct slab *next_slab(struct kmem_cache *cache)
{
	struct slab *list = take_cpu_partial(cache);

	if (!list)
		return take_from_node(cache);
	slub_why(SLUB_WHY_CPU_PARTIAL, list);
	return_cpu_partial(cache, list->next);
	return list;
}

// The CPU has neither objects nor a slab: it gets one.
static bool install(struct kmem_cache *cache, struct slub_percpu_view *view)
{
	struct slab *slab;
	void *freelist;

	slub_percpu_end(view);
	slab = next_slab(cache);
	if (!slab)
		return false;
	freelist = slub_slab_freeze(cache, slab);
	slub_point(SLUB_POINT_FREEZE);
	if (begin(cache, SLAB_WORDS, view)) {
		if (!freelist_of(view) && !slab_of(view)) {
			if (commit(cache, view, freelist, slab))
				return true;
		} else {
			slub_percpu_end(view);
		}
	}
	slub_slab_thaw(cache, slab, freelist);
	return true;
}

// The CPU's freelist is empty: what others freed to its slab, or the slab is let go.
static void renew(struct kmem_cache *cache, struct slub_percpu_view *view)
{
	struct slab *slab = slab_of(view);
	void *freelist;

	// The slab is this CPU's until a commit says otherwise: first it is taken, then looked into.
	if (!commit(cache, view, NULL, NULL))
		return;
	freelist = slub_slab_collect(cache, slab);
	if (!freelist)
		return;
	if (begin(cache, SLAB_WORDS, view)) {
		if (!freelist_of(view) && !slab_of(view)) {
			if (commit(cache, view, freelist, slab)) {
				slub_why(SLUB_WHY_CPU_SLAB, slab);
				return;
			}
		} else {
			slub_percpu_end(view);
		}
	}
	slub_slab_thaw(cache, slab, freelist);
}

// Threads without rseq work on their stripe's words under its lock.
static void *pop_stripe(struct kmem_cache *cache, struct slub_percpu_view *view)
{
	void *object = freelist_of(view), **slot = freelist_slot(cache, object);

	*(void **)view->area = freelist_pointer(cache, *slot, slot);
	slub_percpu_end(view);
	return object;
}

// While the cache stands still: an object of a slab that is given up again at once.
static void *alloc_of_no_cpu(struct kmem_cache *cache)
{
	bool is_new;
	struct slab *slab = slub_slab_take(cache, slub_node(), &is_new);
	void *object, **slot;

	if (!slab)
		return NULL;
	object = slub_slab_freeze(cache, slab);
	slot = freelist_slot(cache, object);
	slub_slab_thaw(cache, slab, freelist_pointer(cache, *slot, slot));
	return object;
}

void *slub_cpu_slab_alloc(struct kmem_cache *cache)
{
	struct slub_percpu_view view;
	void *object;

	for (;;) {
		object = slub_cpu_freelist_pop(cache);
		if (object) {
			slub_why(SLUB_WHY_CPU_FREELIST, NULL);
			return object;
		}
		if (!begin(cache, SLAB_WORDS, &view))
			return alloc_of_no_cpu(cache);
		if (freelist_of(&view)) {
			if (view.stripe)
				return pop_stripe(cache, &view);
			slub_percpu_end(&view);
		} else if (slab_of(&view)) {
			renew(cache, &view);
		} else if (!install(cache, &view)) {
			return NULL;
		}
	}
}

static enum slub_pushed push_stripe(struct kmem_cache *cache, struct slab *slab, void *object)
{
	enum slub_pushed pushed = SLUB_NOT_PUSHED;
	struct slub_percpu_view view;

	if (!begin(cache, SLAB_WORDS, &view))
		return SLUB_NOT_PUSHED;
	if (view.stripe && slab_of(&view) == slab) {
		void **slot = freelist_slot(cache, object);

		pushed = object == freelist_of(&view) ? SLUB_PUSHED_TWICE : SLUB_PUSHED;
		if (pushed == SLUB_PUSHED) {
			*slot = freelist_pointer(cache, freelist_of(&view), slot);
			*(void **)view.area = object;
		}
	}
	slub_percpu_end(&view);
	return pushed;
}

void slub_cpu_slab_free(struct kmem_cache *cache, void *object)
{
	struct slab *slab = slab_of_address(object);
	enum slub_pushed pushed = SLUB_NOT_PUSHED;

	if (slab && slab->slab_cache == cache) {
		pushed = slub_cpu_freelist_push(cache, slab, object);
		if (pushed == SLUB_NOT_PUSHED)
			pushed = push_stripe(cache, slab, object);
	}
	if (pushed == SLUB_PUSHED) {
		slub_why(SLUB_WHY_TO_CPU_FREELIST, slab);
	} else if (pushed == SLUB_PUSHED_TWICE) {
		slub_report(cache, "double free", object);
	} else if (slub_slab_free_remote(cache, object)) {
		slub_why(SLUB_WHY_TO_CPU_PARTIAL, slab);
		put_cpu_partial(cache, slab, true);
	}
}

static void flush_cpu(struct kmem_cache *cache, const struct slub_cpu_slab *had)
{
	if (had->slab)
		slub_slab_thaw(cache, had->slab, had->freelist);
	slub_slabs_put_partial(cache, had->partial);
}

void slub_cpu_slab_flush(struct kmem_cache *cache)
{
	slub_percpu_drain_cpu_slabs(cache, flush_cpu);
}

// Objects may be taken and written to meanwhile: what their slots have then is no object of the slab, or ends the walk
// in a bounded time. Slabs' memory stays readable whatever becomes of them.
SLUB_UNSYNCHRONISED size_t slub_freelist_length(const struct kmem_cache *cache, const struct slab *slab, void *object)
{
	size_t count = 0, objects;
	char *first;

	if (!slab)
		return 0;
	objects = slab->objects;
	first = slab->base + cache->red_left_pad;
	while (object && count < objects) {
		size_t offset = (size_t)((char *)object - first);
		void **slot = freelist_slot(cache, object);

		if (offset / cache->size >= objects || offset % cache->size)
			break;
		object = freelist_pointer(cache, *slot, slot);
		count++;
	}
	return count;
}

// A slab that left the list meanwhile may lead to another list's head.
SLUB_UNSYNCHRONISED static bool is_slab_of(const struct kmem_cache *cache, const struct slab *slab)
{
	size_t offset = (size_t)((const char *)slab - (const char *)slub.pages.slabs);

	return offset / sizeof(*slab) < slub.pages.slabs_used && offset % sizeof(*slab) == 0 && slab->slab_cache == cache;
}

SLUB_UNSYNCHRONISED static size_t free_seen_in(const volatile struct slab *slab)
{
	const struct freelist_counters seen = { .counters = slab->counters };

	return (size_t)(seen.objects - seen.inuse);
}

SLUB_UNSYNCHRONISED void slub_cpu_slab_add_counts(const struct kmem_cache *cache, const struct slub_cpu_slab *part,
						  struct slub_cpu_slab_counts *counts)
{
	const volatile struct slub_cpu_slab *seen = part;
	const struct slab *slab = seen->slab;
	unsigned left = UINT16_MAX;

	counts->on_cpus += slub_freelist_length(cache, slab, seen->freelist);
	counts->in_slabs += slab ? free_seen_in(slab) : 0;
	for (slab = seen->partial; slab && is_slab_of(cache, slab) && left; slab = slab->next, left--)
		counts->in_slabs += free_seen_in(slab);
}
