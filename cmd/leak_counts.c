// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Reads what memleak's programs have counted, while they go on counting. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "bpf_syscall.h"
#include "cleanup.h"
#include "leak_source_private.h"
#include "memleak.skel.h"

#define BATCH 1024

/* All keys of the site map; a walk key by key ends though the map changes, since its length is bounded. */
static int read_keys(int map_fd, uint32_t limit, uint64_t **ret_keys, size_t *ret_count)
{
	CLEANUP(free) uint64_t *keys = calloc(limit, sizeof(*keys));
	uint64_t previous, *from = NULL;
	size_t count = 0;

	if (!keys)
		return -ENOMEM;
	while (count < limit && !bpf_map_get_next_key(map_fd, from, &keys[count])) {
		previous = keys[count++];
		from = &previous;
	}
	*ret_keys = TAKE_PTR(keys);
	*ret_count = count;
	return 0;
}

static bool read_site(struct leak_source *source, uint64_t key, struct site_counts *per_cpu, struct site_counts *ret_sum)
{
	const uint64_t *words = (const uint64_t *)per_cpu;
	size_t fields = sizeof(struct site_counts) / sizeof(uint64_t);
	uint64_t *sum = (uint64_t *)ret_sum;

	if (bpf_map_lookup_elem(bpf_map__fd(source->bpf->maps.sites), &key, per_cpu))
		return false;
	memset(ret_sum, 0, sizeof(*ret_sum));
	for (int cpu = 0; cpu < source->cpu_count; cpu++)
		for (size_t i = 0; i < fields; i++)
			sum[i] += words[cpu * fields + i];
	return true;
}

/*
 * Counters only grow, and a block is seen before it is freed. So what went is read first and what came
 * second: then
 * no free is counted whose allocation is not.
 */
static bool read_site_in_order(struct leak_source *source, uint64_t key, struct site_counts *per_cpu,
			       struct site_counts *ret_counts)
{
	struct site_counts gone, come;

	if (!read_site(source, key, per_cpu, &gone) || !read_site(source, key, per_cpu, &come))
		return false;
	*ret_counts = gone;
	ret_counts->seen = come.seen;
	ret_counts->seen_bytes = come.seen_bytes;
	ret_counts->estimate_seen = come.estimate_seen;
	ret_counts->estimate_seen_bytes = come.estimate_seen_bytes;
	ret_counts->estimate_seen_variance = come.estimate_seen_variance;
	return true;
}

static uint32_t space_of(struct leak_source *source, uint64_t key)
{
	struct stack_trace trace;

	if (!(key & STACK_KEY_IS_HASH))
		return key >> 8;
	return leak_source_read_stack(source, key, &trace) ? 0 : trace.space;
}

int leak_source_read_stack(struct leak_source *source, uint64_t stack_key, struct stack_trace *ret_trace)
{
	return bpf_map_lookup_elem(bpf_map__fd(source->bpf->maps.stacks), &stack_key, ret_trace) ? -errno : 0;
}

static void add_counts(struct site_counts *to, const struct site_counts *from)
{
	for (size_t i = 0; i < sizeof(*to) / sizeof(uint64_t); i++)
		((uint64_t *)to)[i] += ((const uint64_t *)from)[i];
}

/* twalk_r() hands its visitor one pointer. */
struct mapped_walk {
	uint32_t space;
	struct leak_counts *list;
	size_t count, capacity;
};

static void visit_mapped(const void *node, VISIT visit, void *context)
{
	const struct mapped_site *site = *(const struct mapped_site *const *)node;
	struct mapped_walk *walk = context;

	if ((visit != postorder && visit != leaf) || site->space != walk->space)
		return;
	for (size_t i = 0; i < walk->count; i++) {
		if (walk->list[i].stack_key == site->stack_key) {
			add_counts(&walk->list[i].counts, &site->counts);
			return;
		}
	}
	if (walk->count < walk->capacity)
		walk->list[walk->count++] = (struct leak_counts){ site->stack_key, site->space, site->counts };
}

static void count_mapped(const void *node, VISIT visit, void *context)
{
	(void)node;
	if (visit == postorder || visit == leaf)
		++*(size_t *)context;
}

int leak_source_read_counts(struct leak_source *source, uint32_t space, struct leak_counts **ret_counts,
			    size_t *ret_count, struct error *err)
{
	struct bpf_map *map = source->bpf->maps.sites;
	CLEANUP(free) struct site_counts *per_cpu = calloc(source->cpu_count, sizeof(*per_cpu));
	CLEANUP(free) uint64_t *keys = NULL;
	struct mapped_walk walk = { .space = space };
	size_t key_count = 0, mapped = 0;

	if (!per_cpu || read_keys(bpf_map__fd(map), bpf_map__max_entries(map), &keys, &key_count))
		return error_set(err, -ENOMEM, "out of memory for %u stacks", bpf_map__max_entries(map));
	twalk_r(source->mapped_sites, count_mapped, &mapped);
	walk.capacity = key_count + mapped;
	walk.list = calloc(walk.capacity + 1, sizeof(*walk.list));
	if (!walk.list)
		return error_set(err, -ENOMEM, "out of memory for %zu stacks", walk.capacity);
	for (size_t i = 0; i < key_count; i++) {
		struct leak_counts *entry = &walk.list[walk.count];

		if (space_of(source, keys[i]) != space)
			continue;
		*entry = (struct leak_counts){ .stack_key = keys[i], .space = space };
		walk.count += read_site_in_order(source, keys[i], per_cpu, &entry->counts);
	}
	twalk_r(source->mapped_sites, visit_mapped, &walk);
	*ret_counts = walk.list;
	*ret_count = walk.count;
	return 0;
}

struct block_visit {
	void (*visit)(uint64_t address, uint64_t size, uint64_t stack_key, uint64_t time_ns, void *context);
	void *context;
};

static void visit_range(const struct mapped_block *block, uint64_t start, uint64_t bytes, void *context)
{
	struct block_visit *visit = context;

	visit->visit(start, bytes, block->stack_key, block->time_ns, visit->context);
}

int leak_source_each_block(struct leak_source *source, uint32_t space,
			   void (*visit)(uint64_t address, uint64_t size, uint64_t stack_key, uint64_t time_ns, void *context),
			   void *context, struct error *err)
{
	struct bpf_map *map = source->bpf->maps.allocations;
	CLEANUP(free) struct allocation_key *keys = calloc(BATCH, sizeof(*keys));
	CLEANUP(free) struct allocation *values = calloc(BATCH, sizeof(*values));
	struct block_visit mapped = { visit, context };
	uint32_t cursor = 0, next = 0, count;
	uint64_t done = 0;
	int status;

	if (!keys || !values)
		return error_set(err, -ENOMEM, "out of memory");
	for (bool is_first = true; done <= bpf_map__max_entries(map); is_first = false) {
		count = BATCH;
		status = bpf_map_lookup_batch(bpf_map__fd(map), is_first ? NULL : &cursor, &next, keys, values, &count, NULL);
		if (status && errno != ENOENT)
			return error_set(err, -errno, "cannot read the held blocks: %s", strerror(errno));
		for (uint32_t i = 0; i < count; i++)
			if (keys[i].space == space)
				visit(keys[i].address, values[i].size, values[i].stack_key, values[i].time_ns, context);
		done += count;
		if (status)
			break;
		cursor = next;
	}
	for (size_t i = 0; i < source->process_count; i++)
		if (source->processes[i]->space == space && source->processes[i]->ranges)
			mapped_ranges_each(source->processes[i]->ranges, visit_range, &mapped);
	return 0;
}

void leak_source_read_counters(struct leak_source *source, struct counters *ret_counters)
{
	CLEANUP(free) struct counters *per_cpu = calloc(source->cpu_count, sizeof(*per_cpu));
	uint32_t zero = 0;

	memset(ret_counters, 0, sizeof(*ret_counters));
	if (!per_cpu || bpf_map_lookup_elem(bpf_map__fd(source->bpf->maps.counters), &zero, per_cpu))
		return;
	for (int cpu = 0; cpu < source->cpu_count; cpu++)
		for (int i = 0; i < COUNTER_COUNT; i++)
			ret_counters->value[i] += per_cpu[cpu].value[i];
}

uint64_t leak_source_missed_runs(struct leak_source *source)
{
	struct bpf_program *program;
	struct bpf_program_stats stats;
	uint64_t missed = 0;

	bpf_object__for_each_program(program, source->bpf->obj) {
		/*
		 * Exits are told by pidfds as well, and forks matter to --follow alone. Both happen to all
		 * processes.
		 */
		if (program == source->bpf->progs.process_exits ||
		    (program == source->bpf->progs.process_forks && !source->run->settings->follows_children))
			continue;
		if (!bpf_syscall_program_stats(bpf_program__fd(program), &stats))
			missed += stats.recursion_misses;
	}
	return missed;
}

void leak_source_memory(struct leak_source *source, uint64_t *ret_used, uint64_t *ret_budget)
{
	struct stack_tables_totals tables;
	struct bpf_map *map;
	uint64_t bytes;

	stack_tables_totals(source->tables, &tables);
	*ret_used = tables.bytes;
	*ret_budget = source->budget;
	bpf_object__for_each_map(map, source->bpf->obj)
		if (!bpf_syscall_map_memory(bpf_map__fd(map), &bytes))
			*ret_used += bytes;
}

void leak_source_tables(struct leak_source *source, struct stack_tables_totals *ret_totals)
{
	stack_tables_totals(source->tables, ret_totals);
}
