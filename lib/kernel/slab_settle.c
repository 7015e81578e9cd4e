// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Loading contents of caches that change while they are read. What a race leaves behind looks like damage: a list
 * followed into a slab that was given back meanwhile, a freelist whose objects were handed out. Such a cache is
 * read again, with the others left out, which takes a small part of the time; damage is what is met there again,
 * the same in each detail. So is a cache whose sums can't be: a slab that went from a CPU to a node in between is
 * counted twice. Memory that stands still is read once.
 */
#include "slab_settle.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cleanup.h"
#include "kernel.h"
#include "slab_load.h"
#include "slab_totals.h"

#define READINGS_MAX 12
/*
 * A kernel changes its lists with interrupts off. In a process a thread may be off its CPU with a slab in its hands, that
 * is on no list: what seems settled is looked at so many times more, with longer and longer pauses, and must be there
 * each time.
 */
#define PROCESS_PAUSES 4
#define PROCESS_PAUSE_NS 12500000L

static bool is_same(const struct slab_finding *a, const struct slab_finding *b)
{
	return a->kind == b->kind && a->cache == b->cache && a->slab == b->slab && a->object == b->object &&
	       a->value == b->value && a->expected == b->expected && a->owner == b->owner;
}

static bool is_among(const struct slab_finding *finding, const struct slab_finding *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_same(finding, &list[i]))
			return true;
	return false;
}

static bool adds_up(struct slab_heap *heap, uint32_t cache)
{
	struct slab_totals totals;

	return !heap->contents[cache] || slab_totals_count(heap, cache, &totals, NULL) || !totals.is_damaged;
}

/* Caches to be read again, each once: those of findings [from, …), and of @candidates those that don't add up. */
static size_t collect_suspects(struct slab_heap *heap, size_t from, const uint32_t *candidates, size_t count,
			       uint32_t *suspects)
{
	CLEANUP(free) bool *is_suspect = calloc(heap->cache_count + 1, sizeof(*is_suspect));
	size_t found = 0;

	for (size_t i = from; is_suspect && i < heap->finding_count; i++)
		if (heap->findings[i].cache < heap->cache_count)
			is_suspect[heap->findings[i].cache] = true;
	for (size_t i = 0; is_suspect && i < count; i++)
		if (candidates[i] < heap->cache_count && !adds_up(heap, candidates[i]))
			is_suspect[candidates[i]] = true;
	for (uint32_t i = 0; is_suspect && i < heap->cache_count; i++)
		if (is_suspect[i])
			suspects[found++] = i;
	return found;
}

/* Findings that two readings in a row have in common are settled; the caches of the others go on moving. */
static void keep_settled(struct slab_heap *heap, size_t from, const struct slab_finding *before, size_t before_count)
{
	size_t kept = from;

	for (size_t i = from; i < heap->finding_count; i++) {
		const struct slab_finding finding = heap->findings[i];

		if (is_among(&finding, before, before_count))
			heap->findings[kept++] = finding;
		else
			heap->findings_unsettled++;
	}
	heap->finding_count = kept;
}

/* Every finding of this reading was there in the one before: reading on would tell nothing new. */
static bool has_settled(const struct slab_heap *heap, size_t from, const struct slab_finding *before,
			size_t before_count)
{
	for (size_t i = from; i < heap->finding_count; i++)
		if (!is_among(&heap->findings[i], before, before_count))
			return false;
	return true;
}

/* Move the findings from @from on out of the heap. */
static int take_findings(struct slab_heap *heap, size_t from, struct slab_finding **before, size_t *before_count)
{
	size_t count = heap->finding_count - from;
	struct slab_finding *copy = malloc((count + 1) * sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	memcpy(copy, heap->findings + from, count * sizeof(*copy));
	free(*before);
	*before = copy;
	*before_count = count;
	heap->finding_count = from;
	return 0;
}

/* What was found from @from on moves to @before, and the caches are read once more. */
static int read_again(struct slab_heap *heap, size_t from, struct slab_suspects *suspects, struct slab_finding **before,
		      slab_reread reread, void *context, struct error *err)
{
	int status = take_findings(heap, from, before, &suspects->before_count);

	suspects->before = *before;
	for (size_t i = 0; i < suspects->count; i++) {
		slab_contents_destroy(heap->contents[suspects->caches[i]]);
		heap->contents[suspects->caches[i]] = NULL;
	}
	kernel_forget(heap->kernel);
	return status ? status : reread(heap, suspects, context, err);
}

/* Findings in a process that were settled and are not there after a pause were a thread's work. */
static int wait_for_threads(struct slab_heap *heap, size_t from, uint32_t *caches, slab_reread reread, void *context,
			    struct error *err)
{
	CLEANUP(free) struct slab_finding *before = NULL;
	uint64_t unsettled = heap->findings_unsettled;
	int status = 0;

	for (size_t pause = 0; pause < PROCESS_PAUSES && heap->finding_count > from && !status; pause++) {
		struct slab_suspects suspects = { caches, collect_suspects(heap, from, caches, 0, caches), NULL, 0 };

		nanosleep(&(struct timespec){ .tv_nsec = PROCESS_PAUSE_NS << pause }, NULL);
		status = read_again(heap, from, &suspects, &before, reread, context, err);
		if (status)
			break;
		keep_settled(heap, from, before, suspects.before_count);
		unsettled += suspects.before_count - (heap->finding_count - from);
		heap->findings_unsettled = unsettled;
	}
	return status;
}

int slab_settle(struct slab_heap *heap, size_t from, uint32_t *caches, size_t count, slab_reread reread, void *context,
		struct error *err)
{
	CLEANUP(free) struct slab_finding *before = NULL;
	struct slab_suspects suspects = { caches, count, NULL, 0 };
	int status = 0;

	for (size_t reading = 1; !status && reading < READINGS_MAX; reading++) {
		bool has_findings = heap->finding_count > from;

		suspects.count = collect_suspects(heap, from, caches, suspects.count, caches);
		if (has_findings ? has_settled(heap, from, before, suspects.before_count) : !suspects.count)
			break;
		status = read_again(heap, from, &suspects, &before, reread, context, err);
	}
	if (status)
		return status;
	keep_settled(heap, from, before, suspects.before_count);
	return heap->kernel->process ? wait_for_threads(heap, from, caches, reread, context, err) : 0;
}

static int load_again(struct slab_heap *heap, const struct slab_suspects *suspects, void *context,
		      struct error *err)
{
	(void)context;
	return slab_load_once(heap, suspects->caches, suspects->count, err);
}

int slab_heap_load(struct slab_heap *heap, const uint32_t *caches, size_t count, struct error *err)
{
	CLEANUP(free) uint32_t *loaded = calloc(heap->cache_count + 1, sizeof(*loaded));
	size_t from = heap->finding_count, loaded_count = 0;
	int status = -ENOMEM;

	/* What was loaded before has been settled then. */
	for (size_t i = 0; loaded && i < (caches ? count : heap->cache_count); i++) {
		uint32_t cache = caches ? caches[i] : (uint32_t)i;

		if (cache < heap->cache_count && !heap->contents[cache] && loaded_count < heap->cache_count)
			loaded[loaded_count++] = cache;
	}
	if (loaded)
		status = slab_load_once(heap, caches, count, err);
	if (!status && heap->kernel->source->is_live)
		status = slab_settle(heap, from, loaded, loaded_count, load_again, NULL, err);
	return status == -ENOMEM ? error_set(err, status, "no memory for the caches' contents") : status;
}
