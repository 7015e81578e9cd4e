// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Counts out of per-CPU maps: trace_counts.h. */
#include "trace_counts.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "trace.h"

#define LOOKS_BETWEEN_DRAINS 5 /* half a second */
#define ENTRIES_MAX (1U << 19) /* here, beside the map's */

struct entry {
	uint64_t drained[TRACE_COUNT_WORDS]; /* what was taken out of the map */
	bool is_in_map; /* when it was looked at last */
};

/* Entry i has list[i], entries[i] and keys + i * key_size. @index finds them by key: open addressing, half full at most. */
struct trace_counts {
	int map_fd, cpus;
	size_t key_size, words, max_keys;
	uint32_t maxima;
	struct trace_count *list;
	struct entry *entries;
	char *keys;
	size_t count, room;
	uint32_t *index; /* 1 + place in list; 0: free */
	size_t places;
	uint64_t looks;
	uint64_t *each;  /* one value, of all CPUs */
};

void trace_counts_destroy(struct trace_counts *counts)
{
	if (!counts)
		return;
	free(counts->list);
	free(counts->entries);
	free(counts->keys);
	free(counts->index);
	free(counts->each);
	free(counts);
}

int trace_counts_create(struct trace *trace, const char *name, uint32_t maxima, struct trace_counts **ret_counts,
			struct error *err)
{
	CLEANUP(trace_counts) struct trace_counts *counts = calloc(1, sizeof(*counts));
	const struct bpf_map *map = trace_map(trace, name);
	size_t size = map ? bpf_map__value_size(map) : 0;

	if (!size || size > TRACE_COUNT_WORDS * sizeof(uint64_t) || size % sizeof(uint64_t))
		return error_set(err, -EINVAL, "this is a defect of dill: no counts in %s", name);
	if (!counts)
		return error_set(err, -ENOMEM, "out of memory");
	counts->map_fd = bpf_map__fd(map);
	counts->cpus = libbpf_num_possible_cpus();
	counts->key_size = bpf_map__key_size(map);
	counts->words = size / sizeof(uint64_t);
	counts->max_keys = bpf_map__max_entries(map);
	counts->maxima = maxima;
	if (counts->cpus < 1)
		return error_set(err, -EIO, "the number of CPUs is not known");
	counts->each = calloc((size_t)counts->cpus * counts->words, sizeof(*counts->each));
	if (!counts->each)
		return error_set(err, -ENOMEM, "out of memory");
	*ret_counts = TAKE_PTR(counts);
	return 0;
}

static void *key_of(const struct trace_counts *counts, size_t i)
{
	return counts->keys + i * counts->key_size;
}

/* The place of @key in the index, or the free one where it belongs. */
static size_t find_place(const struct trace_counts *counts, const void *key)
{
	const unsigned char *bytes = key;
	uint64_t hash = 0xcbf29ce484222325; /* FNV-1a */
	size_t place;

	for (size_t i = 0; i < counts->key_size; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3;
	place = (hash ^ hash >> 32) & (counts->places - 1);
	while (counts->index[place] && memcmp(key_of(counts, counts->index[place] - 1), key, counts->key_size) != 0)
		place = (place + 1) & (counts->places - 1);
	return place;
}

static void make_index(struct trace_counts *counts)
{
	memset(counts->index, 0, counts->places * sizeof(*counts->index));
	for (size_t i = 0; i < counts->count; i++)
		counts->index[find_place(counts, key_of(counts, i))] = i + 1;
}

static int grow(struct trace_counts *counts)
{
	size_t room = counts->room ? 2 * counts->room : 1024;
	struct trace_count *list;
	struct entry *entries;
	uint32_t *index;
	char *keys;

	if (room > ENTRIES_MAX)
		return -ENOMEM;
	list = reallocarray(counts->list, room, sizeof(*list));
	if (list)
		counts->list = list;
	entries = reallocarray(counts->entries, room, sizeof(*entries));
	if (entries)
		counts->entries = entries;
	keys = reallocarray(counts->keys, room, counts->key_size);
	if (keys)
		counts->keys = keys;
	index = list && entries && keys ? reallocarray(counts->index, 2 * room, sizeof(*index)) : NULL;
	if (!index)
		return -ENOMEM;
	counts->index = index;
	counts->places = 2 * room;
	counts->room = room;
	make_index(counts);
	return 0;
}

/* The entry of @key, made if there is none. */
static int find_entry(struct trace_counts *counts, const void *key, size_t *ret_i)
{
	size_t place, i;

	if (counts->count == counts->room && grow(counts))
		return -ENOMEM;
	place = find_place(counts, key);
	if (!counts->index[place]) {
		i = counts->count++;
		memcpy(key_of(counts, i), key, counts->key_size);
		memset(&counts->list[i], 0, sizeof(counts->list[i]));
		memset(&counts->entries[i], 0, sizeof(counts->entries[i]));
		counts->index[place] = i + 1;
	}
	*ret_i = counts->index[place] - 1;
	return 0;
}

/* Adds what is in counts->each. */
static void add_value(const struct trace_counts *counts, uint64_t *sums)
{
	for (size_t word = 0; word < counts->words; word++) {
		for (int cpu = 0; cpu < counts->cpus; cpu++) {
			uint64_t one = counts->each[(size_t)cpu * counts->words + word];

			if (!(counts->maxima & 1U << word))
				sums[word] += one;
			else if (sums[word] < one)
				sums[word] = one;
		}
	}
}

/* What is gone and had nothing new at the last look will have nothing more. */
static void close_up(struct trace_counts *counts)
{
	size_t kept = 0;

	for (size_t i = 0; i < counts->count; i++) {
		bool has_more = memcmp(counts->list[i].total, counts->entries[i].drained, sizeof(counts->list[i].total)) != 0;

		if (!counts->entries[i].is_in_map && !has_more)
			continue;
		counts->list[kept] = counts->list[i];
		counts->entries[kept] = counts->entries[i];
		memmove(key_of(counts, kept), key_of(counts, i), counts->key_size);
		kept++;
	}
	if (kept == counts->count)
		return;
	counts->count = kept;
	make_index(counts);
}

static void take_growth(const struct trace_counts *counts, struct trace_count *count, const uint64_t *before)
{
	for (size_t word = 0; word < counts->words; word++)
		count->since[word] = counts->maxima & 1U << word ? count->total[word] : count->total[word] - before[word];
}

int trace_counts_look(struct trace_counts *counts, struct trace_count **ret_list, size_t *ret_count, struct error *err)
{
	CLEANUP(free) char *key = calloc(2, counts->key_size);
	char *next = key ? key + counts->key_size : NULL;
	const void *previous = NULL;

	if (!key)
		return error_set(err, -ENOMEM, "out of memory");
	close_up(counts);
	for (size_t i = 0; i < counts->count; i++) {
		uint64_t before[TRACE_COUNT_WORDS];

		memcpy(before, counts->list[i].total, sizeof(before));
		memcpy(counts->list[i].total, counts->entries[i].drained, sizeof(before));
		memcpy(counts->list[i].since, before, sizeof(before)); /* until the map was read */
		counts->entries[i].is_in_map = false;
	}
	/* Nobody else takes keys out, so each comes once; new ones may or may not. */
	for (size_t n = 0; n < 2 * counts->max_keys && bpf_map_get_next_key(counts->map_fd, previous, next) == 0; n++) {
		size_t i;

		memcpy(key, next, counts->key_size);
		previous = key;
		if (bpf_map_lookup_elem(counts->map_fd, key, counts->each))
			continue;
		if (find_entry(counts, key, &i))
			return error_set(err, -ENOMEM, "too many different ones to keep");
		if (!counts->entries[i].is_in_map)
			add_value(counts, counts->list[i].total);
		counts->entries[i].is_in_map = true;
	}
	for (size_t i = 0; i < counts->count; i++) {
		uint64_t before[TRACE_COUNT_WORDS];

		memcpy(before, counts->list[i].since, sizeof(before));
		take_growth(counts, &counts->list[i], before);
		counts->list[i].key = key_of(counts, i);
	}
	*ret_list = counts->list;
	*ret_count = counts->count;
	return 0;
}

struct ranked_count {
	const struct trace_count *count;
	size_t key_size;
	uint64_t rank[2];
};

static int by_rank(const void *a, const void *b)
{
	const struct ranked_count *left = a, *right = b;

	for (size_t i = 0; i < 2; i++)
		if (left->rank[i] != right->rank[i])
			return left->rank[i] < right->rank[i] ? 1 : -1;
	return memcmp(left->count->key, right->count->key, left->key_size);
}

int trace_counts_show(struct trace *trace, struct trace_counts *counts, const struct trace_ranking *ranking, uint64_t top,
		      uint64_t *ret_left_out, struct error *err)
{
	CLEANUP(free) struct ranked_count *ranked = NULL;
	struct trace_count *list;
	size_t count, used = 0, shown = 0;
	int status = trace_counts_look(counts, &list, &count, err);

	if (status)
		return status;
	ranked = calloc(count + 1, sizeof(*ranked));
	if (!ranked)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < count; i++) {
		ranked[used] = (struct ranked_count){ .count = &list[i], .key_size = counts->key_size };
		used += ranking->take(trace, &list[i], ranked[used].rank);
	}
	qsort(ranked, used, sizeof(*ranked), by_rank);
	for (; shown < used && !status && (!top || shown < top); shown++)
		status = ranking->show(trace, ranked[shown].count);
	*ret_left_out = used - shown;
	return status;
}

static bool is_gone(const char *key, size_t pid_at, size_t tid_at)
{
	uint32_t pid, tid;

	memcpy(&pid, key + pid_at, sizeof(pid));
	memcpy(&tid, key + tid_at, sizeof(tid));
	return tgkill((pid_t)pid, (pid_t)tid, 0) && errno == ESRCH;
}

int trace_counts_drain(struct trace_counts *counts, size_t pid_at, size_t tid_at)
{
	CLEANUP(free) char *key = NULL;
	char *next;
	bool has_next;

	if (++counts->looks % LOOKS_BETWEEN_DRAINS)
		return 0;
	key = calloc(2, counts->key_size);
	if (!key)
		return -ENOMEM;
	next = key + counts->key_size;
	has_next = bpf_map_get_next_key(counts->map_fd, NULL, next) == 0;
	for (size_t n = 0; has_next && n < 2 * counts->max_keys; n++) {
		size_t i;

		memcpy(key, next, counts->key_size);
		has_next = bpf_map_get_next_key(counts->map_fd, key, next) == 0; /* before it is taken out */
		if (!is_gone(key, pid_at, tid_at) || bpf_map_lookup_elem(counts->map_fd, key, counts->each))
			continue;
		if (find_entry(counts, key, &i))
			return -ENOMEM;
		if (bpf_map_delete_elem(counts->map_fd, key) == 0)
			add_value(counts, counts->entries[i].drained);
	}
	return 0;
}
