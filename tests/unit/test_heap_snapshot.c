// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Snapshots made by hand: what is written is read again, damage is refused, differences are exactly those
 * made. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "heap_diff.h"
#include "heap_snapshot.h"

#define A SLAB_OBJECT_ALLOCATED
#define F SLAB_OBJECT_FREE
#define U SLAB_OBJECT_UNKNOWN
#define SHEAF SLAB_OBJECT_SHEAF_MAIN

static void add_slab(struct heap_snapshot *snapshot, uint32_t cache, uint64_t start, const uint8_t *states,
		     uint16_t objects)
{
	const struct snapshot_slab slab = { .start = start, .cache = cache, .objects = objects };

	assert_int_equal(heap_snapshot_add_slab(snapshot, &slab, states), 0);
	for (uint16_t i = 0; i < objects; i++)
		snapshot->caches[cache].totals.allocated += states[i] == A;
	snapshot->caches[cache].totals.num_objs += objects;
	snapshot->caches[cache].totals.slabs++;
	snapshot->caches[cache].totals.bytes += 4096;
}

static void begin(struct heap_snapshot *snapshot, size_t caches)
{
	*snapshot = (struct heap_snapshot){ .cache_count = caches };
	snapshot->caches = calloc(caches + 1, sizeof(*snapshot->caches));
	assert_non_null(snapshot->caches);
	strcpy(snapshot->identity.release, "6.1.0-test");
	strcpy(snapshot->identity.banner, "Linux version 6.1.0-test #1");
	strcpy(snapshot->identity.build_id, "0102030405");
	snapshot->identity.base = 0xffffffff9d800000;
	snapshot->identity.saved_ns = 1234567890123456789;
	for (size_t i = 0; i < caches; i++) {
		snapshot->caches[i].address = 0xff110000 + 0x100 * i;
		snprintf(snapshot->caches[i].name, sizeof(snapshot->caches[i].name), "cache-%zu", i);
		snapshot->caches[i].size = 64 + (uint32_t)i;
		snapshot->caches[i].red_left_pad = (uint32_t)i;
	}
}

static void make_before(struct heap_snapshot *snapshot)
{
	begin(snapshot, 3);
	add_slab(snapshot, 0, 0x1000, (const uint8_t[]){ A, F, A, SHEAF, A }, 5);
	add_slab(snapshot, 0, 0x2000, (const uint8_t[]){ A, A }, 2);
	add_slab(snapshot, 1, 0x5000, (const uint8_t[]){ A, A, F }, 3);
	add_slab(snapshot, 2, 0x9000, (const uint8_t[]){ A, F, U }, 3);
	heap_snapshot_finish(snapshot);
}

/* cache-1 gone, cache-0 changed, cache-2 the same but for what can't be told, and a new one. */
static void make_after(struct heap_snapshot *snapshot)
{
	begin(snapshot, 3);
	strcpy(snapshot->caches[0].name, "brand-new");
	snapshot->caches[0].address = 0xff220000;
	snapshot->caches[1] = (struct snapshot_cache){ .address = 0xff110000, .name = "cache-0", .size = 64 };
	snapshot->caches[2].address = 0xff110200;
	add_slab(snapshot, 0, 0x5000, (const uint8_t[]){ F, A }, 2);
	add_slab(snapshot, 1, 0x1000, (const uint8_t[]){ A, A, F, A, SHEAF }, 5);
	add_slab(snapshot, 1, 0x3000, (const uint8_t[]){ A, F }, 2);
	add_slab(snapshot, 2, 0x9000, (const uint8_t[]){ A, U, A }, 3);
	heap_snapshot_finish(snapshot);
}

static size_t to_bytes(const struct heap_snapshot *snapshot, char **ret_bytes)
{
	size_t size;
	FILE *file = open_memstream(ret_bytes, &size);

	assert_non_null(file);
	assert_int_equal(heap_snapshot_write(snapshot, file, NULL), 0);
	assert_int_equal(fclose(file), 0);
	return size;
}

static int from_bytes(const char *bytes, size_t size, struct heap_snapshot *ret_snapshot, struct error *err)
{
	FILE *file = fmemopen((void *)(uintptr_t)bytes, size, "rb");
	int status;

	assert_non_null(file);
	status = heap_snapshot_read(file, ret_snapshot, err);
	fclose(file);
	return status;
}

static void what_is_written_is_read_again(void **state)
{
	struct heap_snapshot before, again;
	char *bytes;
	size_t size;

	(void)state;
	make_before(&before);
	before.caches[1].totals.waste = 77;
	before.caches[1].totals.has_books = true;
	before.caches[1].mark = 0x1234;
	size = to_bytes(&before, &bytes);
	assert_int_equal(from_bytes(bytes, size, &again, NULL), 0);
	assert_memory_equal(&again.identity, &before.identity, sizeof(again.identity));
	assert_int_equal(again.cache_count, 3);
	assert_memory_equal(again.caches, before.caches, 4 * sizeof(*again.caches));
	assert_int_equal(again.slab_count, 4);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(again.slabs[i].start, before.slabs[i].start);
		assert_int_equal(again.slabs[i].objects, before.slabs[i].objects);
		for (uint32_t j = 0; j < again.slabs[i].objects; j++)
			assert_int_equal(snapshot_state(&again, again.slabs[i].states_at + j),
					 snapshot_state(&before, before.slabs[i].states_at + j));
	}
	heap_snapshot_deinit(&again);
	heap_snapshot_deinit(&before);
	free(bytes);
}

static void every_cut_and_every_flipped_byte_is_refused(void **state)
{
	struct heap_snapshot before, again;
	char *bytes;
	size_t size;

	(void)state;
	make_before(&before);
	size = to_bytes(&before, &bytes);
	for (size_t cut = 1; cut < size; cut++) {
		struct error err = { 0 };

		assert_int_equal(from_bytes(bytes, cut, &again, &err), -EBADMSG);
		assert_true(err.text[0]);
	}
	for (size_t i = 0; i < size; i++) {
		bytes[i] ^= 0x11;
		assert_int_equal(from_bytes(bytes, size, &again, NULL), -EBADMSG);
		bytes[i] ^= 0x11;
	}
	bytes = realloc(bytes, size + 1);
	assert_non_null(bytes);
	bytes[size] = 0;
	assert_int_equal(from_bytes(bytes, size + 1, &again, NULL), -EBADMSG);
	heap_snapshot_deinit(&before);
	free(bytes);
}

/* Well-formed files that say impossible things. */
static void impossible_snapshots_are_refused(void **state)
{
	struct heap_snapshot before, again;
	char *bytes;

	(void)state;
	for (int i = 0; i < 5; i++) {
		size_t size;

		make_before(&before);
		if (i == 0)
			before.slabs[1].start = 0x1000; /* twice */
		else if (i == 1)
			before.slabs[3].cache = 3; /* no such cache */
		else if (i == 2)
			before.slabs[1].cache = 2; /* out of order */
		else if (i == 3)
			before.states[before.slabs[2].states_at / 2] = 0xff; /* no state */
		else
			before.slabs[0].order = 60;
		size = to_bytes(&before, &bytes);
		assert_int_equal(from_bytes(bytes, size, &again, NULL), -EBADMSG);
		heap_snapshot_deinit(&before);
		free(bytes);
	}
}

static void other_kernels_and_boots_are_told_apart(void **state)
{
	struct heap_snapshot before, after;
	struct error err;

	(void)state;
	for (int i = 0; i < 8; i++) {
		make_before(&before);
		make_after(&after);
		strcpy(before.caches[2].name, "task_struct");
		strcpy(after.caches[2].name, "task_struct");
		if (i == 1)
			strcpy(after.identity.build_id, "other");
		else if (i == 2)
			strcpy(after.identity.banner, "other");
		else if (i == 3)
			after.identity.base += 0x200000;
		else if (i == 4)
			after.caches[2].address += 0x100;
		else if (i == 5)
			after.caches[2].mark = 5;
		else if (i == 6)
			after.identity.boot_id[3] = before.identity.boot_id[2] = 1;
		else if (i == 7) /* what one of the two doesn't know tells nothing */
			after.identity = (struct snapshot_identity){ .boot_id = { 1 } };
		err = (struct error){ 0 };
		assert_int_equal(heap_snapshot_compare(&before, &after, &err),
				 i == 0 || i == 7 ? 0 : -EBADMSG);
		if (i == 1)
			assert_non_null(strstr(err.text, "different kernels"));
		if (i == 3)
			assert_non_null(strstr(err.text, "different boots"));
		heap_snapshot_deinit(&before);
		heap_snapshot_deinit(&after);
	}
}

static void note(char *text, const char *format, ...)
{
	size_t length = strlen(text);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text + length, 2000 - length, format, arguments);
	va_end(arguments);
}

static int note_cache(const struct heap_cache_change *change, void *context)
{
	note(context, "%s %c%c %+ld %+ld %+ld %+ld new %lu freed %lu slabs +%lu -%lu unknown %lu\n",
	     change->after ? change->after->name : change->before->name, change->before ? 'b' : '-',
	     change->after ? 'a' : '-', change->allocated, change->num_objs, change->slabs, change->bytes,
	     change->newly_allocated, change->newly_freed, change->slabs_new, change->slabs_gone,
	     change->unknown);
	return 0;
}

static int note_slab(const struct heap_slab_change *change, void *context)
{
	note(context, "%lx %c%c +%lu -%lu\n", change->after ? change->after->start : change->before->start,
	     change->before ? 'b' : '-', change->after ? 'a' : '-', change->newly_allocated,
	     change->newly_freed);
	return 0;
}

static int note_object(const struct heap_slab_change *change, uint64_t address, uint32_t index,
		       bool is_allocated, enum slab_object_state object_state, void *context)
{
	(void)change;
	note(context, "%c%lx.%u=%s ", is_allocated ? '+' : '-', address, index,
	     slab_object_state_names[object_state]);
	return 0;
}

static void differences_are_those_that_were_made(void **state)
{
	const struct heap_diff_callbacks caches = { .cache = note_cache }, slabs = { .slab = note_slab },
					 objects = { .object = note_object };
	struct heap_snapshot before, after;
	char text[2000] = "";

	(void)state;
	make_before(&before);
	make_after(&after);
	assert_int_equal(heap_diff(&before, &after, &caches, text), 0);
	assert_string_equal(text, "brand-new -a +1 +2 +1 +4096 new 1 freed 0 slabs +1 -0 unknown 0\n"
				  "cache-0 ba -1 +0 +0 +0 new 3 freed 4 slabs +1 -1 unknown 0\n"
				  "cache-2 ba +0 +0 +0 +0 new 0 freed 0 slabs +0 -0 unknown 2\n"
				  "cache-1 b- -2 -3 -1 -4096 new 0 freed 2 slabs +0 -1 unknown 0\n");
	text[0] = '\0';
	assert_int_equal(heap_diff(&before, &after, &slabs, text), 0);
	assert_string_equal(text,
			    "5000 -a +1 -0\n1000 ba +2 -2\n2000 b- +0 -2\n3000 -a +1 -0\n5000 b- +0 -2\n");
	text[0] = '\0';
	assert_int_equal(heap_diff(&before, &after, &objects, text), 0);
	/* cache-1's objects are 65 bytes, behind a red zone of one. */
	assert_string_equal(text, "+5040.1=allocated "
				  "+1040.1=allocated -1080.2=free +10c0.3=allocated -1100.4=sheaf_main "
				  "-2000.0=free -2040.1=free +3000.0=allocated "
				  "-5001.0=free -5042.1=free ");
	heap_snapshot_deinit(&before);
	heap_snapshot_deinit(&after);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(every_cut_and_every_flipped_byte_is_refused),
		cmocka_unit_test(impossible_snapshots_are_refused),
		cmocka_unit_test(other_kernels_and_boots_are_told_apart),
		cmocka_unit_test(differences_are_those_that_were_made),
	};

	/* How tests/data/heap_snapshot was made: two files to be named. */
	if (argc == 3) {
		struct heap_snapshot snapshot;

		for (int i = 1; i <= 2; i++) {
			FILE *file = fopen(argv[i], "wb");

			(i == 1 ? make_before : make_after)(&snapshot);
			if (!file || heap_snapshot_write(&snapshot, file, NULL) || fclose(file))
				return 1;
			heap_snapshot_deinit(&snapshot);
		}
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
