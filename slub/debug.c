// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// Checks of objects that are handed out and taken back, and what they say.
#include "debug.h"

#include <stdlib.h>
#include <string.h>

#include "report.h"
#include "tracks.h"

// include/linux/poison.h
#define RED_INACTIVE 0xbb
#define RED_ACTIVE 0xcc
#define POISON_FREE 0x6b
#define POISON_END 0xa5
#define PADDING 0x5a
#define DUMP_BYTES 64
#define DUMP_LINE 16

_Static_assert(sizeof(struct slub_track) == 0x20, "slub_rules.track_size");

// Behind the right red zone and, where it stands outside, the free pointer.
static size_t info_offset(const struct kmem_cache *cache)
{
	return cache->offset >= cache->geometry.inuse ? cache->offset + sizeof(void *) : cache->geometry.inuse;
}

static struct slub_track *track_of(const struct kmem_cache *cache, const void *object, int which)
{
	return (struct slub_track *)((char *)object + info_offset(cache)) + which;
}

// The size that kmalloc was asked for, where it is kept.
static uint64_t *asked_size(const struct kmem_cache *cache, const void *object)
{
	bool is_kept = cache->is_kmalloc && cache->flags & SLUB_STORE_USER;

	return is_kept ? (uint64_t *)track_of(cache, object, 2) : NULL;
}

size_t slub_debug_size(const struct kmem_cache *cache, const void *object)
{
	const uint64_t *asked = asked_size(cache, object);

	return asked && *asked <= cache->geometry.object_size ? *asked : cache->geometry.object_size;
}

static bool is_poisoned(const struct kmem_cache *cache)
{
	return cache->flags & SLUB_POISON && !(cache->flags & SLUB_TYPESAFE_BY_RCU) && !cache->ctor;
}

static void dump(const char *what, const char *bytes, size_t count)
{
	struct slub_line line = {};

	for (size_t at = 0; at < count; at++) {
		if (at % DUMP_LINE == 0) {
			slub_put(&line, "  ");
			slub_put(&line, what);
			slub_put(&line, " ");
			slub_put_hex(&line, (uintptr_t)bytes + at);
			slub_put(&line, ":");
		}
		slub_put(&line, " ");
		slub_put_byte(&line, (uint8_t)bytes[at]);
		if (at % DUMP_LINE == DUMP_LINE - 1 || at == count - 1)
			slub_say(&line);
	}
}

// print_trailer(): who had the object, and its bytes.
static void tell_object(struct kmem_cache *cache, void *object)
{
	size_t size = cache->geometry.object_size, tail = cache->geometry.inuse - size;

	if (cache->flags & SLUB_STORE_USER) {
		slub_track_print("allocated", track_of(cache, object, 0));
		slub_track_print("freed", track_of(cache, object, 1));
	}
	if (cache->red_left_pad)
		dump("left red zone ", (char *)object - cache->red_left_pad,
		     cache->red_left_pad < DUMP_BYTES ? cache->red_left_pad : DUMP_BYTES);
	dump("object        ", object, size < DUMP_BYTES ? size : DUMP_BYTES);
	if (cache->flags & SLUB_RED_ZONE && tail)
		dump("right red zone", (char *)object + size, tail < DUMP_BYTES ? tail : DUMP_BYTES);
}

// check_bytes_and_report(): all bytes are `wanted`, or a report, and they are.
static bool has_bytes(struct kmem_cache *cache, void *object, const char *what, char *bytes, size_t count, uint8_t wanted)
{
	struct slub_line line = {};

	for (size_t at = 0; at < count; at++) {
		if ((uint8_t)bytes[at] == wanted)
			continue;
		slub_report_begin(cache, what, bytes + at);
		slub_put(&line, "  the first byte is 0x");
		slub_put_byte(&line, (uint8_t)bytes[at]);
		slub_put(&line, ", not 0x");
		slub_put_byte(&line, wanted);
		slub_put(&line, "; object ");
		slub_put_hex(&line, (uintptr_t)object);
		slub_put(&line, ", byte ");
		if (bytes + at < (char *)object)
			slub_put(&line, "-");
		slub_put_number(&line, (uint64_t)llabs(bytes + at - (char *)object));
		slub_put(&line, " of ");
		slub_put_number(&line, cache->geometry.object_size);
		slub_say(&line);
		tell_object(cache, object);
		slub_report_end();
		memset(bytes + at, wanted, count - at);
		return false;
	}
	return true;
}

static void paint(const struct kmem_cache *cache, void *object, uint8_t red)
{
	size_t used = slub_debug_size(cache, object);

	if (cache->flags & SLUB_RED_ZONE) {
		memset((char *)object - cache->red_left_pad, red, cache->red_left_pad);
		memset((char *)object + used, red, cache->geometry.inuse - used);
	}
	if (is_poisoned(cache) && red == RED_INACTIVE) {
		memset(object, POISON_FREE, used - 1);
		((uint8_t *)object)[used - 1] = POISON_END;
	}
}

static bool are_red(struct kmem_cache *cache, void *object, uint8_t red)
{
	size_t used = slub_debug_size(cache, object);
	bool is_left_red, is_right_red;

	if (!(cache->flags & SLUB_RED_ZONE))
		return true;
	// Each tells its own damage.
	is_left_red = has_bytes(cache, object, "left red zone overwritten", (char *)object - cache->red_left_pad,
				cache->red_left_pad, red);
	is_right_red = has_bytes(cache, object, "right red zone overwritten", (char *)object + used,
				 cache->geometry.inuse - used, red);
	return is_left_red && is_right_red;
}

static bool is_padding_whole(struct kmem_cache *cache, void *object)
{
	size_t end = info_offset(cache);

	if (cache->flags & SLUB_STORE_USER)
		end += 2 * sizeof(struct slub_track) + (asked_size(cache, object) ? sizeof(uint64_t) : 0);
	return !(cache->flags & SLUB_POISON) ||
	       has_bytes(cache, object, "object padding overwritten", (char *)object + end,
			 cache->size - cache->red_left_pad - end, PADDING);
}

static void set_asked(const struct kmem_cache *cache, void *object, size_t size)
{
	uint64_t *asked = asked_size(cache, object);

	if (asked)
		*asked = size;
}

void slub_debug_init(struct kmem_cache *cache, void *object)
{
	memset((char *)object - cache->red_left_pad, PADDING, cache->size);
	if (cache->flags & SLUB_STORE_USER)
		memset(track_of(cache, object, 0), 0, 2 * sizeof(struct slub_track));
	set_asked(cache, object, cache->geometry.object_size);
	paint(cache, object, RED_INACTIVE);
}

bool slub_debug_alloc(struct kmem_cache *cache, struct slab *slab, void *object)
{
	size_t used = slub_debug_size(cache, object);
	bool is_whole = are_red(cache, object, RED_INACTIVE);

	(void)slab;
	if (is_poisoned(cache)) {
		is_whole &= has_bytes(cache, object, "poison overwritten", object, used - 1, POISON_FREE);
		is_whole &= has_bytes(cache, object, "poison overwritten", (char *)object + used - 1, 1, POISON_END);
	}
	is_whole &= is_padding_whole(cache, object);
	if (!is_whole)
		return false;
	set_asked(cache, object, cache->geometry.object_size);
	paint(cache, object, RED_ACTIVE);
	if (cache->flags & SLUB_STORE_USER)
		slub_track_set(track_of(cache, object, 0));
	return true;
}

// on_freelist(): bounded by the slab's objects.
static bool is_on_freelist(const struct kmem_cache *cache, const struct slab *slab, const void *object)
{
	void *free = slab->freelist;

	for (unsigned i = 0; i < slab->objects && free; i++) {
		void **slot;

		if (free == object)
			return true;
		slot = freelist_slot(cache, free);
		free = freelist_pointer(cache, *slot, slot);
		if ((size_t)((char *)free - slab->base) >= (size_t)SLUB_PAGE_SIZE << slab->order)
			return false;
	}
	return false;
}

bool slub_debug_free(struct kmem_cache *cache, struct slab *slab, void *object)
{
	bool is_whole;

	if (is_on_freelist(cache, slab, object)) {
		slub_report_begin(cache, "double free", object);
		tell_object(cache, object);
		slub_report_end();
		return false;
	}
	is_whole = are_red(cache, object, RED_ACTIVE);
	is_whole &= is_padding_whole(cache, object);
	if (!is_whole)
		return false;
	if (cache->flags & SLUB_STORE_USER)
		slub_track_set(track_of(cache, object, 1));
	paint(cache, object, RED_INACTIVE);
	return true;
}

void slub_debug_set_size(struct kmem_cache *cache, void *object, size_t size)
{
	if (!asked_size(cache, object) || !size)
		return;
	set_asked(cache, object, size);
	if (cache->flags & SLUB_RED_ZONE)
		memset((char *)object + size, RED_ACTIVE, cache->geometry.inuse - size);
}

static bool names_cache(const char *pattern, size_t length, const char *name)
{
	if (length && pattern[length - 1] == '*')
		return !strncmp(pattern, name, length - 1);
	return strlen(name) == length && !strncmp(pattern, name, length);
}

// One block, "FLAGS" or "FLAGS,name,…" up to `end`: its flags when it is for this cache, with `ret_is_for`.
static uint32_t block_flags(const char *block, const char *end, const char *name, bool *ret_is_for)
{
	uint32_t flags = 0;
	bool has_names = false;

	for (; block < end && *block != ','; block++) {
		flags |= *block == 'F' || *block == 'f' ? SLUB_CONSISTENCY_CHECKS :
			 *block == 'Z' || *block == 'z' ? SLUB_RED_ZONE :
			 *block == 'P' || *block == 'p' ? SLUB_POISON :
			 *block == 'U' || *block == 'u' ? SLUB_STORE_USER : 0;
	}
	*ret_is_for = false;
	while (block < end) {
		size_t length = strcspn(++block, ",;");

		has_names = true;
		*ret_is_for |= names_cache(block, length, name);
		block += length;
	}
	*ret_is_for |= !has_names;
	return flags;
}

uint32_t slub_debug_flags(const char *name)
{
	const char *setting = secure_getenv("SLUB_DEBUG");
	uint32_t flags = 0;

	while (setting && *setting) {
		const char *end = setting + strcspn(setting, ";");
		bool is_for;
		uint32_t found = block_flags(setting, end, name, &is_for);

		if (is_for)
			flags = found;
		setting = *end ? end + 1 : end;
	}
	return flags;
}
