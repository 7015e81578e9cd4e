// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// Sheaves: what a CPU does when its main sheaf is empty or full. In the kernel's order (__pcs_replace_empty_main(),
// __pcs_replace_full_main(), mm/slub.c): the spare, the barn, the slabs.
//
// A sheaf is in one place at a time: a CPU's main or spare, a barn, or a thread's hands. It changes places by one commit
// of the CPU's state or under the barn's lock, so a thread that is stopped between the two holds nothing but a sheaf.
#include "sheaf.h"

#include <string.h>

#include "cpu_slab.h"
#include "machine.h"
#include "percpu.h"
#include "point.h"
#include "slab.h"
#include "why.h"

static void **empty_top(struct slab_sheaf *sheaf)
{
	return sheaf->objects;
}

static void **full_top(const struct kmem_cache *cache, struct slab_sheaf *sheaf)
{
	return (void **)((char *)sheaf + cache->sheaf_mask + 1);
}

// Whether a barn is full is looked at without its lock.
static void set_count(unsigned *count, unsigned value)
{
	__atomic_store_n(count, value, __ATOMIC_RELAXED);
}

static bool is_full(const struct node_barn *barn)
{
	return __atomic_load_n(&barn->nr_full, __ATOMIC_RELAXED) >= SLUB_MAX_FULL_SHEAVES;
}

static struct slab_sheaf *take_sheaf(struct slab_sheaf **list, unsigned *count)
{
	struct slab_sheaf *sheaf = *list;

	if (sheaf) {
		*list = sheaf->next;
		set_count(count, *count - 1);
	}
	return sheaf;
}

static void put_sheaf(struct slab_sheaf **list, unsigned *count, struct slab_sheaf *sheaf)
{
	sheaf->next = *list;
	*list = sheaf;
	set_count(count, *count + 1);
}

// Sheaves are objects of kmalloc's caches, as the kernel's are: their bytes are a size class.
static struct slab_sheaf *new_sheaf(struct kmem_cache *cache)
{
	struct kmem_cache *sheaves = slub.sheaf_caches[slub_kmalloc_index(cache->sheaf_mask + 1)];
	void *object;

	slub_why_pause(true);
	if (!slub_slabs_take(sheaves, slub_node(), 1, &object))
		object = NULL;
	slub_why_pause(false);
	if (!object)
		return NULL;
	memset(object, 0, sizeof(struct slab_sheaf));
	return object;
}

static void free_sheaf(struct kmem_cache *cache, struct slab_sheaf *sheaf)
{
	void *object = sheaf;

	slub_why_pause(true);
	slub_slabs_give(slub.sheaf_caches[slub_kmalloc_index(cache->sheaf_mask + 1)], 1, &object);
	slub_why_pause(false);
}

static struct slab_sheaf *empty_sheaf(struct kmem_cache *cache, struct node_barn *barn, bool *ret_is_new)
{
	struct slab_sheaf *sheaf;

	slub_point(SLUB_POINT_BARN);
	slub_lock(&barn->lock);
	sheaf = take_sheaf(&barn->sheaves_empty, &barn->nr_empty);
	slub_unlock(&barn->lock);
	*ret_is_new = !sheaf;
	return sheaf ? sheaf : new_sheaf(cache);
}

static void keep_empty(struct kmem_cache *cache, struct node_barn *barn, struct slab_sheaf *sheaf)
{
	slub_point(SLUB_POINT_BARN);
	slub_lock(&barn->lock);
	if (barn->nr_empty < SLUB_MAX_EMPTY_SHEAVES) {
		put_sheaf(&barn->sheaves_empty, &barn->nr_empty, sheaf);
		sheaf = NULL;
	}
	slub_unlock(&barn->lock);
	if (sheaf)
		free_sheaf(cache, sheaf);
}

// A full sheaf goes into the barn, or its objects to their slabs and the sheaf to the empty ones.
static void keep_full(struct kmem_cache *cache, struct node_barn *barn, struct slab_sheaf *sheaf)
{
	slub_point(SLUB_POINT_BARN);
	slub_lock(&barn->lock);
	if (barn->nr_full < SLUB_MAX_FULL_SHEAVES) {
		put_sheaf(&barn->sheaves_full, &barn->nr_full, sheaf);
		sheaf = NULL;
	}
	slub_unlock(&barn->lock);
	slub_why(sheaf ? SLUB_WHY_FLUSHED : SLUB_WHY_BARN_TOOK_FULL, NULL);
	if (sheaf) {
		slub_point(SLUB_POINT_FLUSH);
		slub_slabs_give(cache, cache->geometry.sheaf_capacity, sheaf->objects);
		keep_empty(cache, barn, sheaf);
	}
}

static void flush_sheaf(struct kmem_cache *cache, void **top)
{
	struct slab_sheaf *sheaf = sheaf_of_top(cache, top);

	slub_slabs_give(cache, sheaf_size(cache, top), sheaf->objects);
	free_sheaf(cache, sheaf);
}

// A sheaf in a thread's hands on its way to the CPU.
struct carried {
	void **top;        // NULL: none
	bool is_from_barn; // the barn gets the empty one for it
};

static void *alloc_from_slabs(struct kmem_cache *cache)
{
	void *object;

	slub_why(SLUB_WHY_SHEAFLESS, NULL);
	return slub_slabs_take(cache, slub_node(), 1, &object) ? object : NULL;
}

// A full sheaf of the barn, or one that is filled from the slabs: the CPU's empty spare, else the barn's, else a new one.
// No top when memory is out; false when the CPU's spare was changed by others. The view is ended.
static bool find_objects(struct kmem_cache *cache, struct slub_percpu_view *view, struct node_barn *barn,
			 struct carried *ret_found)
{
	void **main = view->sheaves.main, **spare = view->sheaves.spare;
	struct slab_sheaf *sheaf;
	bool is_new;
	size_t count;

	slub_point(SLUB_POINT_BARN);
	slub_lock(&barn->lock);
	sheaf = take_sheaf(&barn->sheaves_full, &barn->nr_full);
	slub_unlock(&barn->lock);
	if (!sheaf && spare && !slub_percpu_commit(cache, view, (struct slub_percpu_sheaves){ .main = main })) {
		slub_percpu_end(view);
		return false;
	}
	slub_percpu_end(view);
	slub_why(sheaf ? SLUB_WHY_BARN_FULL : SLUB_WHY_REFILL, NULL);
	if (sheaf) {
		*ret_found = (struct carried){ full_top(cache, sheaf), true };
		return true;
	}
	sheaf = spare ? sheaf_of_top(cache, spare) : empty_sheaf(cache, barn, &is_new);
	if (sheaf) {
		slub_point(SLUB_POINT_REFILL);
		count = slub_slabs_take(cache, slub_node(), cache->geometry.sheaf_refill, sheaf->objects);
		if (count)
			ret_found->top = sheaf->objects + count;
		else
			keep_empty(cache, barn, sheaf);
	}
	return true;
}

// The CPU's empty main gives its place to a sheaf, less its last object.
static bool replace_empty_main(struct kmem_cache *cache, struct slub_percpu_view *view, struct node_barn *barn,
			       const struct carried *found)
{
	void **old = view->sheaves.main, **spare = view->sheaves.spare;
	bool had_main = old != SLUB_BOOTSTRAP_TOP, becomes_spare = had_main && !spare && !found->is_from_barn;

	if (!slub_percpu_commit(cache, view, (struct slub_percpu_sheaves){ found->top - 1, becomes_spare ? old : spare }))
		return false;
	slub_percpu_end(view);
	if (had_main && !becomes_spare)
		keep_empty(cache, barn, sheaf_of_top(cache, old));
	return true;
}

// The CPU's main got objects while a sheaf was filled for it: that becomes the spare where there is none, or an empty one.
static bool keep_as_spare(struct kmem_cache *cache, struct slub_percpu_view *view, struct node_barn *barn, void **top)
{
	void **spare = view->sheaves.spare;

	if ((spare && !sheaf_is_empty(cache, spare)) || !slub_percpu_commit(cache, view, (struct slub_percpu_sheaves){ view->sheaves.main, top }))
		return false;
	slub_percpu_end(view);
	slub_why(SLUB_WHY_KEPT_AS_SPARE, NULL);
	if (spare)
		keep_empty(cache, barn, sheaf_of_top(cache, spare));
	return true;
}

// The CPU has main and spare by now: what the sheaf has goes to the barn, or where it came from.
static void give_up(struct kmem_cache *cache, struct node_barn *barn, void **top)
{
	slub_why(SLUB_WHY_NOT_NEEDED, NULL);
	if (sheaf_is_full(cache, top)) {
		keep_full(cache, barn, sheaf_of_top(cache, top));
		return;
	}
	if (sheaf_size(cache, top))
		slub_slabs_give(cache, sheaf_size(cache, top), sheaf_of_top(cache, top)->objects);
	keep_empty(cache, barn, sheaf_of_top(cache, top));
}

// The last object of the view's main, for a thread whose stripe is held; other threads take theirs by the fast path.
static void *pop_view(struct kmem_cache *cache, struct slub_percpu_view *view)
{
	void **top = view->sheaves.main, *object;

	if (!view->stripe) {
		slub_percpu_end(view);
		return slub_percpu_pop(cache);
	}
	object = top[-1];
	view->area->main = top - 1;
	slub_percpu_end(view);
	return object;
}

void *slub_alloc_slow(struct kmem_cache *cache)
{
	struct node_barn *barn = &cache->node[slub_node()].barn;
	struct carried found = {};
	void *object = NULL;

	if (cache->has_cpu_slabs)
		return slub_cpu_slab_alloc(cache);
	while (cache->has_sheaves && !object) {
		struct slub_percpu_view view;

		slub_percpu_begin(cache, &view);
		if (view.cpu < 0) {
			slub_percpu_end(&view);
			break;
		}
		if (!sheaf_is_empty(cache, view.sheaves.main)) {
			if (found.top && keep_as_spare(cache, &view, barn, found.top))
				found.top = NULL;
			else
				object = pop_view(cache, &view);
		} else if (view.sheaves.spare && !sheaf_is_empty(cache, view.sheaves.spare)) {
			slub_why(SLUB_WHY_SPARE, NULL);
			slub_percpu_commit(cache, &view, (struct slub_percpu_sheaves){ view.sheaves.spare,
										       view.sheaves.main });
			slub_percpu_end(&view);
		} else if (!found.top) {
			if (find_objects(cache, &view, barn, &found) && !found.top)
				break; // no sheaf, but slabs may have an object
			slub_point(SLUB_POINT_INSTALL);
		} else {
			object = found.top[-1];
			if (replace_empty_main(cache, &view, barn, &found))
				return object;
			object = NULL;
			slub_percpu_end(&view);
		}
	}
	if (found.top)
		give_up(cache, barn, found.top);
	return object ? object : alloc_from_slabs(cache);
}

static bool push_view(struct kmem_cache *cache, struct slub_percpu_view *view, void *object)
{
	if (!view->stripe) {
		slub_percpu_end(view);
		return slub_percpu_push(cache, object);
	}
	*view->sheaves.main = object;
	view->area->main = view->sheaves.main + 1;
	slub_percpu_end(view);
	return true;
}

// The barn has its ten: the CPU's spare gives its objects back to their slabs, and is the empty sheaf that is needed. NULL
// when others changed what the CPU has. The view is ended.
static struct slab_sheaf *flush_spare(struct kmem_cache *cache, struct slub_percpu_view *view)
{
	struct slab_sheaf *sheaf = sheaf_of_top(cache, view->sheaves.spare);
	bool is_mine = slub_percpu_commit(cache, view, (struct slub_percpu_sheaves){ .main = view->sheaves.main });

	slub_percpu_end(view);
	if (!is_mine)
		return NULL;
	slub_why(SLUB_WHY_FLUSHED, NULL);
	slub_point(SLUB_POINT_FLUSH);
	slub_slabs_give(cache, cache->geometry.sheaf_capacity, sheaf->objects);
	return sheaf;
}

// The CPU's full main gives its place to an empty sheaf, and is the spare now. Where there was a full spare, the barn gets
// that one for an empty sheaf of its own; for a new one it gets main (__pcs_replace_full_main()).
static bool replace_full_main(struct kmem_cache *cache, struct slub_percpu_view *view, struct node_barn *barn,
			      struct slab_sheaf *empty, bool is_new)
{
	void **main = view->sheaves.main, **spare = view->sheaves.spare;
	bool had_main = main != SLUB_BOOTSTRAP_TOP;
	void **next = spare && is_new ? spare : had_main ? main : NULL;

	if (!slub_percpu_commit(cache, view, (struct slub_percpu_sheaves){ empty_top(empty) + 1, next }))
		return false;
	slub_percpu_end(view);
	if (!spare)
		slub_why(had_main ? SLUB_WHY_TO_NEW_MAIN : SLUB_WHY_TO_FIRST_MAIN, NULL);
	else
		keep_full(cache, barn, sheaf_of_top(cache, is_new ? main : spare));
	return true;
}

void slub_free_slow(struct kmem_cache *cache, void *object)
{
	struct node_barn *barn = &cache->node[slub_node()].barn;
	bool is_done = false, is_new = false;
	struct slab_sheaf *empty = NULL;

	if (cache->has_cpu_slabs) {
		slub_cpu_slab_free(cache, object);
		return;
	}
	while (cache->has_sheaves && !is_done) {
		struct slub_percpu_view view;

		slub_percpu_begin(cache, &view);
		if (view.cpu < 0) {
			slub_percpu_end(&view);
			break;
		}
		if (!sheaf_is_full(cache, view.sheaves.main)) {
			is_done = push_view(cache, &view, object);
		} else if (view.sheaves.spare && !sheaf_is_full(cache, view.sheaves.spare)) {
			slub_why(SLUB_WHY_TO_SPARE, NULL);
			slub_percpu_commit(cache, &view, (struct slub_percpu_sheaves){ view.sheaves.spare,
										       view.sheaves.main });
			slub_percpu_end(&view);
		} else if (!empty && view.sheaves.spare && is_full(barn)) {
			empty = flush_spare(cache, &view);
			is_new = true;
		} else if (!empty) {
			slub_percpu_end(&view);
			empty = empty_sheaf(cache, barn, &is_new);
			if (!empty)
				break;
			slub_point(SLUB_POINT_INSTALL);
		} else {
			empty->objects[0] = object;
			if (replace_full_main(cache, &view, barn, empty, is_new))
				return;
			slub_percpu_end(&view);
		}
	}
	if (empty)
		keep_empty(cache, barn, empty);
	if (!is_done) {
		slub_why(SLUB_WHY_TO_SLAB, NULL);
		slub_slabs_give(cache, 1, &object);
	}
}

void slub_sheaves_flush(struct kmem_cache *cache)
{
	if (!cache->has_sheaves)
		return;
	slub_percpu_drain(cache, flush_sheaf);
	for (unsigned number = 0; number < slub.nodes; number++) {
		struct node_barn *barn = &cache->node[number].barn;
		struct slab_sheaf *sheaf;

		do {
			slub_lock(&barn->lock);
			sheaf = take_sheaf(&barn->sheaves_full, &barn->nr_full);
			slub_unlock(&barn->lock);
			if (sheaf)
				flush_sheaf(cache, full_top(cache, sheaf));
		} while (sheaf);
		do {
			slub_lock(&barn->lock);
			sheaf = take_sheaf(&barn->sheaves_empty, &barn->nr_empty);
			slub_unlock(&barn->lock);
			if (sheaf)
				free_sheaf(cache, sheaf);
		} while (sheaf);
	}
}

size_t slub_sheaves_count(struct kmem_cache *cache)
{
	size_t count = cache->has_sheaves ? slub_percpu_count(cache) : 0;

	for (unsigned number = 0; number < slub.nodes; number++) {
		struct node_barn *barn = &cache->node[number].barn;

		slub_lock(&barn->lock);
		count += barn->nr_full * cache->geometry.sheaf_capacity;
		slub_unlock(&barn->lock);
	}
	return count;
}
