// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Any bytes as a snapshot: as a file, and compressed behind a right head, so that what lies behind zstd is
 * reached. What is read must hang together, be written and read again, and differ from itself in nothing.
 * libFuzzer target; with -DFUZZ_REPLAY it runs the files named on its command line.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "fuzz.h"
#include "heap_diff.h"
#include "heap_snapshot.h"

static int no_change(const struct heap_cache_change *change, void *context)
{
	(void)context;
	/* Names and addresses may stand there twice: then the first is meant. */
	CHECK(change->before == change->after ?
		      !change->newly_allocated && !change->newly_freed && !change->slabs_new :
		      1);
	return 0;
}

static int visit_object(const struct heap_slab_change *change, uint64_t address, uint32_t index,
			bool is_allocated, enum slab_object_state state, void *context)
{
	(void)address;
	(void)is_allocated;
	(void)context;
	CHECK(index < SLAB_OBJECTS_MAX && state < SLAB_OBJECT_STATES && change->cache);
	return 0;
}

static void check_snapshot(const struct heap_snapshot *snapshot)
{
	const struct heap_diff_callbacks callbacks = { .cache = no_change, .object = visit_object };
	struct heap_snapshot again, empty = { .caches = calloc(1, sizeof(*empty.caches)) };
	char *bytes;
	size_t size;
	FILE *file = open_memstream(&bytes, &size);

	CHECK(file && empty.caches &&
	      snapshot->caches[snapshot->cache_count].first_slab == snapshot->slab_count);
	CHECK(heap_snapshot_write(snapshot, file, NULL) == 0 && fclose(file) == 0);
	file = fmemopen(bytes, size, "rb");
	CHECK(file && heap_snapshot_read(file, &again, NULL) == 0);
	fclose(file);
	CHECK(again.slab_count == snapshot->slab_count && again.state_count == snapshot->state_count);
	CHECK(heap_snapshot_compare(snapshot, &again, NULL) == 0);
	CHECK(heap_diff(snapshot, snapshot, &callbacks, NULL) == 0);
	CHECK(heap_diff(&empty, snapshot, &callbacks, NULL) == 0 &&
	      heap_diff(snapshot, &empty, &callbacks, NULL) == 0);
	heap_snapshot_deinit(&again);
	heap_snapshot_deinit(&empty);
	free(bytes);
}

static void check_file(const void *bytes, size_t size)
{
	struct heap_snapshot snapshot;
	FILE *file = size ? fmemopen((void *)(uintptr_t)bytes, size, "rb") : NULL;

	if (!file)
		return;
	if (heap_snapshot_read(file, &snapshot, NULL) == 0) {
		check_snapshot(&snapshot);
		heap_snapshot_deinit(&snapshot);
	}
	fclose(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t bound = ZSTD_compressBound(size);
	uint8_t *bytes = malloc(12 + bound);

	CHECK(bytes);
	check_file(data, size);
	memcpy(bytes, "DILLSNAP\1\0\0\0", 12);
	check_file(bytes, 12 + ZSTD_compress(bytes + 12, bound, data, size, 1));
	free(bytes);
	return 0;
}
