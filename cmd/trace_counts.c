// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Counts out of per-CPU maps: trace_counts.h. */
#include "trace_counts.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "trace.h"

/* Entries stand in @list; @index finds them by key: open addressing, twice as many places as the map has. */
struct trace_counts {
	int map_fd, cpus;
	size_t key_size, words, max_entries;
	uint32_t maxima;
	struct trace_count *list;
	char *keys;
	size_t count;
	uint32_t *index; /* 1 + place in list; 0: free */
	size_t places;
	uint64_t *each; /* one value, of all CPUs */
	bool *is_gone;  /* forgotten since the last look */
	size_t gone_count;
};

void trace_counts_destroy(struct trace_counts *counts)
{
	if (!counts)
		return;
	free(counts->list);
	free(counts->keys);
	free(counts->index);
	free(counts->each);
	free(counts->is_gone);
	free(counts);
}

int trace_counts_create(struct trace *trace, const char *name, uint32_t maxima, struct trace_counts **ret_counts,
			struct error *err)
{
	CLEANUP(trace_counts) struct trace_counts *counts = calloc(1, sizeof(*counts));
	const struct bpf_map *map = trace_map(trace, name);

	if (!map || bpf_map__value_size(map) > TRACE_COUNT_WORDS * sizeof(uint64_t) || bpf_map__value_size(map) % sizeof(uint64_t))
		return error_set(err, -EINVAL, "this is a defect of dill: no counts in %s", name);
	if (!counts)
		return error_set(err, -ENOMEM, "out of memory");
	counts->map_fd = bpf_map__fd(map);
	counts->cpus = libbpf_num_possible_cpus();
	counts->key_size = bpf_map__key_size(map);
	counts->words = bpf_map__value_size(map) / sizeof(uint64_t);
	counts->max_entries = bpf_map__max_entries(map);
	counts->maxima = maxima;
	for (counts->places = 1; counts->places < 2 * counts->max_entries;)
		counts->places *= 2;
	if (counts->cpus < 1)
		return error_set(err, -EIO, "the number of CPUs is not known");
	counts->list = calloc(counts->max_entries, sizeof(*counts->list));
	counts->keys = calloc(counts->max_entries, counts->key_size);
	counts->index = calloc(counts->places, sizeof(*counts->index));
	counts->each = calloc((size_t)counts->cpus * counts->words, sizeof(*counts->each));
	counts->is_gone = calloc(counts->max_entries, sizeof(*counts->is_gone));
	if (!counts->list || !counts->keys || !counts->index || !counts->each || !counts->is_gone)
		return error_set(err, -ENOMEM, "out of memory");
	*ret_counts = TAKE_PTR(counts);
	return 0;
}

static size_t first_place(const struct trace_counts *counts, const void *key)
{
	const unsigned char *bytes = key;
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */

	for (size_t i = 0; i < counts->key_size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	return (hash ^ hash >> 32) & (counts->places - 1);
}

/* The place of @key in the index, or the free one where it belongs. */
static size_t find_place(const struct trace_counts *counts, const void *key)
{
	size_t place = first_place(counts, key);

	while (counts->index[place] &&
	       memcmp(counts->keys + (counts->index[place] - 1) * counts->key_size, key, counts->key_size) != 0)
		place = (place + 1) & (counts->places - 1);
	return place;
}

/* Close the list up where entries were forgotten, and make the index anew. */
static void close_up(struct trace_counts *counts)
{
	size_t kept = 0;

	if (!counts->gone_count)
		return;
	memset(counts->index, 0, counts->places * sizeof(*counts->index));
	for (size_t i = 0; i < counts->count; i++) {
		if (counts->is_gone[i])
			continue;
		counts->list[kept] = counts->list[i];
		memmove(counts->keys + kept * counts->key_size, counts->keys + i * counts->key_size, counts->key_size);
		counts->list[kept].key = counts->keys + kept * counts->key_size;
		counts->index[find_place(counts, counts->list[kept].key)] = kept + 1;
		kept++;
	}
	memset(counts->is_gone, 0, counts->max_entries * sizeof(*counts->is_gone));
	counts->count = kept;
	counts->gone_count = 0;
}

static void take_value(struct trace_counts *counts, struct trace_count *count)
{
	for (size_t word = 0; word < counts->words; word++) {
		bool is_maximum = counts->maxima & 1U << word;
		uint64_t total = 0;

		for (int cpu = 0; cpu < counts->cpus; cpu++) {
			uint64_t one = counts->each[(size_t)cpu * counts->words + word];

			total = !is_maximum ? total + one : one > total ? one : total;
		}
		count->since[word] = is_maximum ? total : total - count->total[word];
		count->total[word] = total;
	}
}

int trace_counts_look(struct trace_counts *counts, struct trace_count **ret_list, size_t *ret_count, struct error *err)
{
	CLEANUP(free) char *key = calloc(2, counts->key_size);
	char *next = key ? key + counts->key_size : NULL;
	const void *previous = NULL;

	if (!key)
		return error_set(err, -ENOMEM, "out of memory");
	close_up(counts);
	for (size_t i = 0; i < counts->count; i++)
		memset(counts->list[i].since, 0, sizeof(counts->list[i].since));
	/* Nobody else takes keys out, so each comes once; new ones may or may not. */
	for (size_t i = 0; i < 2 * counts->max_entries && bpf_map_get_next_key(counts->map_fd, previous, next) == 0; i++) {
		size_t place = find_place(counts, next);

		memcpy(key, next, counts->key_size);
		previous = key;
		if (bpf_map_lookup_elem(counts->map_fd, key, counts->each))
			continue;
		if (!counts->index[place]) {
			if (counts->count == counts->max_entries)
				break;
			memcpy(counts->keys + counts->count * counts->key_size, key, counts->key_size);
			counts->list[counts->count] = (struct trace_count){ .key = counts->keys + counts->count * counts->key_size };
			counts->index[place] = ++counts->count;
		}
		take_value(counts, &counts->list[counts->index[place] - 1]);
	}
	*ret_list = counts->list;
	*ret_count = counts->count;
	return 0;
}

void trace_counts_forget(struct trace_counts *counts, const struct trace_count *count)
{
	size_t i = count - counts->list;

	if (i >= counts->count || counts->is_gone[i] || bpf_map_delete_elem(counts->map_fd, count->key))
		return;
	counts->is_gone[i] = true;
	counts->gone_count++;
}
