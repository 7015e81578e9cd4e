// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// What happens around a fork: all locks are taken before, and given free on both sides.
#include "fork.h"

#include <pthread.h>

#include "layout.h"
#include "percpu.h"

// A child has the parent's memory at a moment when nobody held a lock. Sheaves that other threads had in hands are lost.
//
// Who drains a cache holds its drain_lock and wants stripes; who has a stripe wants locks of barns and lists. So each kind
// is taken from all caches before the next kind.
static void before_fork(void)
{
	struct slub_state *state = &slub;

	// Whoever sets up holds it to the end.
	slub_lock(&state->lock);
	if (!state->is_ready)
		return;
	for (struct kmem_cache *cache = state->caches; cache; cache = cache->next)
		slub_lock(&cache->drain_lock);
	slub_percpu_before_fork(state);
	for (struct kmem_cache *cache = state->caches; cache; cache = cache->next) {
		for (unsigned number = 0; number < state->nodes; number++) {
			slub_lock(&cache->node[number].barn.lock);
			slub_lock(&cache->node[number].list_lock);
		}
	}
	slub_lock(&state->pages.lock);
}

static void let_go(struct slub_state *state)
{
	slub_unlock(&state->pages.lock);
	for (struct kmem_cache *cache = state->caches; cache; cache = cache->next) {
		for (unsigned number = 0; number < state->nodes; number++) {
			slub_unlock(&cache->node[number].list_lock);
			slub_unlock(&cache->node[number].barn.lock);
		}
	}
	slub_percpu_after_fork(state);
	for (struct kmem_cache *cache = state->caches; cache; cache = cache->next)
		slub_unlock(&cache->drain_lock);
}

static void after_fork(void)
{
	struct slub_state *state = &slub;

	if (state->is_ready)
		let_go(state);
	slub_unlock(&state->lock);
}

static void after_fork_in_child(void)
{
	if (slub.is_ready)
		slub_percpu_register();
	after_fork();
}

// Once: the list of handlers itself may want memory of malloc().
void slub_watch_forks(void)
{
	static bool is_watching;

	if (!__atomic_exchange_n(&is_watching, true, __ATOMIC_RELAXED))
		pthread_atfork(before_fork, after_fork, after_fork_in_child);
}

// Before there are threads, so that no fork is under way that has asked for handlers already. malloc() may be earlier.
static __attribute__((constructor)) void watch_from_the_start(void)
{
	slub_watch_forks();
}
