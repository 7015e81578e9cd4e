/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Which heap events are wanted: by process, by cache, and how the two relate. Judges; shows nothing.
 */
#ifndef DILL_HEAP_FILTER_H
#define DILL_HEAP_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "heap_event.h"

enum { HEAP_FILTER_MAX = 64 }; /* names of each kind */

enum heap_filter_relation {
	HEAP_FILTER_AND, /* a named process and a named cache; a kind without names admits all */
	HEAP_FILTER_OR, /* a named process or a named cache; a kind without names admits none, unless both are
			   so */
};

/* A process: by pid (tgid or tid), else by comm, exactly, as the kernel cut it to 15 bytes. */
struct heap_filter_process {
	int32_t pid; /* 0: by name */
	char comm[HEAP_COMM_MAX + 1];
};

struct heap_filter {
	struct heap_filter_process processes[HEAP_FILTER_MAX];
	size_t process_count;
	char caches[HEAP_FILTER_MAX][HEAP_CACHE_MAX + 1];
	size_t cache_count;
	enum heap_filter_relation relation;
	uint64_t changes; /* counts changes: whoever deduced something from the filter looks here */
};

/* @word is a pid in decimal, else a name. 0 also if it is there already. -ENOSPC, -EINVAL (empty, too long).
 */
int heap_filter_add_process(struct heap_filter *filter, const char *word, struct error *err);
int heap_filter_add_cache(struct heap_filter *filter, const char *name, struct error *err);
/* -ENOENT: it isn't there. */
int heap_filter_remove_process(struct heap_filter *filter, const char *word, struct error *err);
int heap_filter_remove_cache(struct heap_filter *filter, const char *name, struct error *err);
void heap_filter_clear_processes(struct heap_filter *filter);
void heap_filter_clear(struct heap_filter *filter); /* the relation stays */
void heap_filter_relate(struct heap_filter *filter, enum heap_filter_relation relation);

/* Whether one of the filter's processes is this task: false when it names none. */
bool heap_filter_names_task(const struct heap_filter *filter, const char *comm, int32_t tgid, int32_t pid);
/* Whether some event of this task can be wanted: what is asked before anything is found out about the event.
 */
bool heap_filter_may_want_task(const struct heap_filter *filter, const char *comm, int32_t tgid, int32_t pid);
/* False when only tasks of named processes can matter: others then need not be looked at. */
bool heap_filter_wants_any_task(const struct heap_filter *filter);
bool heap_filter_wants(const struct heap_filter *filter, const struct heap_event *event);

#endif
