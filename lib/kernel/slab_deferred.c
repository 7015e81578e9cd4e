// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Objects that were freed where their slab couldn't be locked, and wait on a CPU for its irq_work
 * (af92793e52c3 "slab: Introduce kmalloc_nolock() and kfree_nolock()", 6.18). One list a CPU for all caches,
 * linked through the word of the free pointer, which isn't encoded there.
 */
#include <errno.h>
#include <stdlib.h>

#include "cleanup.h"
#include "kernel.h"
#include "slab_load.h"

/* An irq_work empties the lists at once: more is damage. */
#define DEFERRED_MAX 65536

/* A CPU's list: the context of its chain. */
struct deferred_list {
	struct slab_load *load;
	uint32_t cpu;
};

static int keep(struct slab_contents *contents, uint64_t object, uint32_t cpu)
{
	struct slab_deferred *larger =
		realloc(contents->deferred, (contents->deferred_count + 1) * sizeof(*larger));

	if (!larger)
		return -ENOMEM;
	contents->deferred = larger;
	larger[contents->deferred_count++] = (struct slab_deferred){ object, cpu };
	return 0;
}

static int visit_object(struct slab_chain *chain, uint64_t link, const void *bytes)
{
	const struct deferred_list *list = chain->context;
	struct slab_load *load = list->load;
	struct slab slab;

	(void)bytes;
	if (slab_locate(load->heap, link, &slab, NULL) || slab.cache == SLAB_NO_CACHE)
		return 0;
	for (size_t i = 0; i < load->count; i++)
		if (load->caches[i].index == slab.cache)
			return keep(load->caches[i].contents, link - load->caches[i].cache->offset,
				    list->cpu);
	return 0;
}

static int find_lists(struct kernel *kernel, uint64_t *ret_pointer, uint64_t *ret_offset)
{
	static const struct {
		const char *symbol, *type;
	} places[] = { { "defer_free_objects", "defer_free" },
		       { "deferred_percpu_work", "deferred_percpu_work" } };

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct kernel_member member;
		uint32_t id;

		if (kernel_symbol(kernel, places[i].symbol, ret_pointer) ||
		    kernel_type_find(kernel->types, places[i].type, &id) ||
		    kernel_member_find(kernel->types, id, "objects.first", &member, NULL))
			continue;
		*ret_offset = member.bit_offset / 8;
		return 0;
	}
	return -ENOENT;
}

int slab_load_deferred(struct slab_load *load, struct error *err)
{
	struct kernel *kernel = load->heap->kernel;
	CLEANUP(free) struct deferred_list *lists = NULL;
	CLEANUP(free) struct slab_chain *chains = NULL;
	uint64_t pointer, offset, address, first;
	size_t count = 0;

	if (kernel->process || find_lists(kernel, &pointer, &offset))
		return 0;
	lists = calloc(kernel->cpu_count + 1, sizeof(*lists));
	chains = calloc(kernel->cpu_count + 1, sizeof(*chains));
	if (!lists || !chains)
		return -ENOMEM;
	for (size_t cpu = 0; cpu < kernel->cpu_count; cpu++) {
		if (kernel_percpu(kernel, pointer, cpu, &address) ||
		    kernel_read_u64(kernel, address + offset, &first) || !first)
			continue;
		lists[count] = (struct deferred_list){ load, (uint32_t)cpu };
		chains[count] = (struct slab_chain){ .next = first,
						     .record_size = sizeof(uint64_t),
						     .limit = DEFERRED_MAX,
						     .visit = visit_object,
						     .context = &lists[count] };
		count++;
	}
	return count ? slab_chains_follow(kernel, chains, count, err) : 0;
}
