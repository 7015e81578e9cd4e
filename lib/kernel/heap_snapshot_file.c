// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * A snapshot's file. Behind the magic and version, compressed, numbers little-endian, texts as u16 size and
 * bytes:
 *
 *     identity  release, build_id, banner: texts; base, page_offset_base, vmemmap_base: u64; boot_id:
 *               16 bytes; saved_ns: u64; is_damaged: u8
 *     caches    u32 count, then each: address u64; name text; flags u64; size, object_size, red_left_pad
 *               u32; objects u16; order u8; mark u64; the members of struct slab_totals u64, its booleans u8
 *     slabs     each: 1 u8; cache u32; start u64; objects u16; order u8; place u8; states, two in a byte
 *     end       0 u8
 *
 * A file is believed in nothing: what it says is checked before it is used as an index or a size.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "cleanup.h"
#include "heap_snapshot.h"

#define MAGIC "DILLSNAP"
#define VERSION 1
#define LEVEL 6
#define PIECE 65536
#define CACHES_MAX 65536
#define ORDER_MAX 24

static const size_t total_members[] = {
	offsetof(struct slab_totals, slabs),	      offsetof(struct slab_totals, num_objs),
	offsetof(struct slab_totals, active_objs),    offsetof(struct slab_totals, allocated),
	offsetof(struct slab_totals, free_slab),      offsetof(struct slab_totals, free_cpu_partial),
	offsetof(struct slab_totals, free_cpu),	      offsetof(struct slab_totals, free_sheaf),
	offsetof(struct slab_totals, free_barn),      offsetof(struct slab_totals, pending),
	offsetof(struct slab_totals, slabs_cpu),      offsetof(struct slab_totals, slabs_cpu_partial),
	offsetof(struct slab_totals, slabs_node_partial), offsetof(struct slab_totals, slabs_full),
	offsetof(struct slab_totals, bytes),	      offsetof(struct slab_totals, waste),
};
#define TOTALS (sizeof(total_members) / sizeof(total_members[0]))

static uint64_t *total_at(struct slab_totals *totals, size_t i)
{
	return (uint64_t *)((char *)totals + total_members[i]);
}

/* Writing ------------------------------------------------------------------------------------------------ */

/* Failure sticks. */
struct writer {
	FILE *file;
	ZSTD_CCtx *zstd;
	uint8_t in[PIECE], out[PIECE];
	size_t size;
	int status;
};

static void compress(struct writer *writer, ZSTD_EndDirective how)
{
	ZSTD_inBuffer in = { writer->in, writer->size, 0 };
	size_t left;

	writer->size = 0;
	do {
		ZSTD_outBuffer out = { writer->out, sizeof(writer->out), 0 };

		if (writer->status)
			return;
		left = ZSTD_compressStream2(writer->zstd, &out, &in, how);
		if (ZSTD_isError(left))
			writer->status = -ENOMEM;
		else if (fwrite(writer->out, 1, out.pos, writer->file) != out.pos)
			writer->status = errno ? -errno : -EIO;
	} while (how == ZSTD_e_end ? left != 0 : in.pos < in.size);
}

static void put_bytes(struct writer *writer, const void *bytes, size_t size)
{
	while (size) {
		size_t part = sizeof(writer->in) - writer->size;

		part = part < size ? part : size;
		memcpy(writer->in + writer->size, bytes, part);
		writer->size += part;
		bytes = (const char *)bytes + part;
		size -= part;
		if (writer->size == sizeof(writer->in))
			compress(writer, ZSTD_e_continue);
	}
}

static void put(struct writer *writer, uint64_t value, size_t size)
{
	value = htole64(value);
	put_bytes(writer, &value, size);
}

static void put_text(struct writer *writer, const char *text)
{
	put(writer, strlen(text), 2);
	put_bytes(writer, text, strlen(text));
}

static void put_identity(struct writer *writer, const struct heap_snapshot *snapshot)
{
	const struct snapshot_identity *identity = &snapshot->identity;

	put_text(writer, identity->release);
	put_text(writer, identity->build_id);
	put_text(writer, identity->banner);
	put(writer, identity->base, 8);
	put(writer, identity->page_offset_base, 8);
	put(writer, identity->vmemmap_base, 8);
	put_bytes(writer, identity->boot_id, sizeof(identity->boot_id));
	put(writer, identity->saved_ns, 8);
	put(writer, snapshot->is_damaged, 1);
}

static void put_cache(struct writer *writer, const struct snapshot_cache *cache)
{
	struct slab_totals totals = cache->totals;

	put(writer, cache->address, 8);
	put_text(writer, cache->name);
	put(writer, cache->flags, 8);
	put(writer, cache->size, 4);
	put(writer, cache->object_size, 4);
	put(writer, cache->red_left_pad, 4);
	put(writer, cache->objects, 2);
	put(writer, cache->order, 1);
	put(writer, cache->mark, 8);
	for (size_t i = 0; i < TOTALS; i++)
		put(writer, *total_at(&totals, i), 8);
	put(writer, totals.has_books, 1);
	put(writer, totals.is_damaged, 1);
}

static void put_all(struct writer *writer, const struct heap_snapshot *snapshot)
{
	put_identity(writer, snapshot);
	put(writer, snapshot->cache_count, 4);
	for (size_t i = 0; i < snapshot->cache_count; i++)
		put_cache(writer, &snapshot->caches[i]);
	for (size_t i = 0; i < snapshot->slab_count; i++) {
		const struct snapshot_slab *slab = &snapshot->slabs[i];

		put(writer, 1, 1);
		put(writer, slab->cache, 4);
		put(writer, slab->start, 8);
		put(writer, slab->objects, 2);
		put(writer, slab->order, 1);
		put(writer, slab->place, 1);
		put_bytes(writer, snapshot->states + slab->states_at / 2, (slab->objects + 1u) / 2);
	}
	put(writer, 0, 1);
}

int heap_snapshot_write(const struct heap_snapshot *snapshot, FILE *file, struct error *err)
{
	CLEANUP(free) struct writer *writer = calloc(1, sizeof(*writer));
	uint32_t version = htole32(VERSION);
	int status;

	if (!writer)
		return error_set(err, -ENOMEM, "out of memory");
	writer->file = file;
	writer->zstd = ZSTD_createCCtx();
	if (!writer->zstd)
		return error_set(err, -ENOMEM, "out of memory");
	ZSTD_CCtx_setParameter(writer->zstd, ZSTD_c_compressionLevel, LEVEL);
	ZSTD_CCtx_setParameter(writer->zstd, ZSTD_c_checksumFlag, 1);
	errno = 0;
	if (fwrite(MAGIC, strlen(MAGIC), 1, file) != 1 || fwrite(&version, sizeof(version), 1, file) != 1)
		writer->status = errno ? -errno : -EIO;
	put_all(writer, snapshot);
	compress(writer, ZSTD_e_end);
	status = writer->status;
	ZSTD_freeCCtx(writer->zstd);
	return status ? error_set(err, status, "%s", strerror(-status)) : 0;
}

/* Reading ------------------------------------------------------------------------------------------------ */

/* Failure sticks, and yields zeros. */
struct reader {
	FILE *file;
	ZSTD_DCtx *zstd;
	uint8_t in[PIECE], out[PIECE];
	ZSTD_inBuffer compressed;
	size_t at, size;
	uint64_t total;
	bool is_over; /* the frame is complete, its checksum right */
	int status;
};

/* More of the decompressed text. */
static void fill(struct reader *reader)
{
	ZSTD_outBuffer out = { reader->out, sizeof(reader->out), 0 };

	while (!reader->status && out.pos == 0) {
		size_t left;

		if (reader->is_over) {
			reader->status = -EBADMSG;
			return;
		}
		if (reader->compressed.pos == reader->compressed.size) {
			reader->compressed = (ZSTD_inBuffer){ reader->in, 0, 0 };
			reader->compressed.size = fread(reader->in, 1, sizeof(reader->in), reader->file);
			if (reader->compressed.size == 0) {
				reader->status = -EBADMSG;
				return;
			}
		}
		left = ZSTD_decompressStream(reader->zstd, &out, &reader->compressed);
		if (ZSTD_isError(left))
			reader->status = -EBADMSG;
		reader->is_over = left == 0;
	}
	reader->at = 0;
	reader->size = out.pos;
	reader->total += out.pos;
	if (reader->total > SNAPSHOT_BYTES_MAX)
		reader->status = -ENOMEM;
}

static void get_bytes(struct reader *reader, void *bytes, size_t size)
{
	while (size) {
		size_t part;

		if (reader->at == reader->size)
			fill(reader);
		if (reader->status) {
			memset(bytes, 0, size);
			return;
		}
		part = reader->size - reader->at < size ? reader->size - reader->at : size;
		memcpy(bytes, reader->out + reader->at, part);
		reader->at += part;
		bytes = (char *)bytes + part;
		size -= part;
	}
}

static uint64_t get(struct reader *reader, size_t size)
{
	uint64_t value = 0;

	get_bytes(reader, &value, size);
	return le64toh(value);
}

static void get_text(struct reader *reader, char *text, size_t capacity)
{
	size_t size = get(reader, 2);

	if (size >= capacity) {
		reader->status = reader->status ? reader->status : -EBADMSG;
		size = 0;
	}
	get_bytes(reader, text, size);
	text[size] = '\0';
	if (strlen(text) != size && !reader->status)
		reader->status = -EBADMSG;
}

static bool get_flag(struct reader *reader)
{
	return get(reader, 1) != 0;
}

static void get_identity(struct reader *reader, struct heap_snapshot *snapshot)
{
	struct snapshot_identity *identity = &snapshot->identity;

	get_text(reader, identity->release, sizeof(identity->release));
	get_text(reader, identity->build_id, sizeof(identity->build_id));
	get_text(reader, identity->banner, sizeof(identity->banner));
	identity->base = get(reader, 8);
	identity->page_offset_base = get(reader, 8);
	identity->vmemmap_base = get(reader, 8);
	get_bytes(reader, identity->boot_id, sizeof(identity->boot_id));
	identity->saved_ns = get(reader, 8);
	snapshot->is_damaged = get_flag(reader);
}

static void get_cache(struct reader *reader, struct snapshot_cache *cache)
{
	cache->address = get(reader, 8);
	get_text(reader, cache->name, sizeof(cache->name));
	cache->flags = get(reader, 8);
	cache->size = (uint32_t)get(reader, 4);
	cache->object_size = (uint32_t)get(reader, 4);
	cache->red_left_pad = (uint32_t)get(reader, 4);
	cache->objects = (uint16_t)get(reader, 2);
	cache->order = (uint8_t)get(reader, 1);
	cache->mark = get(reader, 8);
	for (size_t i = 0; i < TOTALS; i++)
		*total_at(&cache->totals, i) = get(reader, 8);
	cache->totals.has_books = get_flag(reader);
	cache->totals.is_damaged = get_flag(reader);
}

static void get_caches(struct reader *reader, struct heap_snapshot *snapshot)
{
	size_t count = get(reader, 4);

	if (!reader->status && count > CACHES_MAX)
		reader->status = -EBADMSG;
	if (reader->status)
		return;
	snapshot->caches = calloc(count + 1, sizeof(*snapshot->caches));
	if (!snapshot->caches) {
		reader->status = -ENOMEM;
		return;
	}
	snapshot->cache_count = count;
	for (size_t i = 0; i < count && !reader->status; i++)
		get_cache(reader, &snapshot->caches[i]);
}

/* Slabs stand by cache and address: without that differences couldn't be found in one pass. */
static bool is_next(const struct heap_snapshot *snapshot, const struct snapshot_slab *slab)
{
	const struct snapshot_slab *last = snapshot->slab_count ? &snapshot->slabs[snapshot->slab_count - 1] :
								  NULL;

	return slab->cache < snapshot->cache_count && slab->objects <= SLAB_OBJECTS_MAX &&
	       slab->order <= ORDER_MAX &&
	       (!last || slab->cache > last->cache ||
		(slab->cache == last->cache && slab->start > last->start));
}

static void get_slab(struct reader *reader, struct heap_snapshot *snapshot)
{
	uint8_t packed[SLAB_OBJECTS_MAX / 2 + 1], states[SLAB_OBJECTS_MAX + 1];
	struct snapshot_slab slab = { 0 };

	slab.cache = (uint32_t)get(reader, 4);
	slab.start = get(reader, 8);
	slab.objects = (uint16_t)get(reader, 2);
	slab.order = (uint8_t)get(reader, 1);
	slab.place = (uint8_t)get(reader, 1);
	if (!reader->status && !is_next(snapshot, &slab))
		reader->status = -EBADMSG;
	if (reader->status)
		return;
	get_bytes(reader, packed, (slab.objects + 1u) / 2);
	for (uint32_t i = 0; i < slab.objects; i++) {
		states[i] = packed[i / 2] >> i % 2 * 4 & 15;
		if (states[i] >= SLAB_OBJECT_STATES)
			reader->status = reader->status ? reader->status : -EBADMSG;
	}
	if (!reader->status)
		reader->status = heap_snapshot_add_slab(snapshot, &slab, states);
}

/* Nothing may follow, in the frame or in the file; only now its checksum was looked at. */
static void expect_end(struct reader *reader)
{
	if (reader->status)
		return;
	while (!reader->is_over && !reader->status) {
		reader->at = reader->size = 0;
		fill(reader);
		if (!reader->status && reader->size)
			reader->status = -EBADMSG;
	}
	if (reader->at < reader->size || reader->compressed.pos < reader->compressed.size ||
	    fgetc(reader->file) != EOF)
		reader->status = -EBADMSG;
}

static int read_all(struct reader *reader, struct heap_snapshot *snapshot)
{
	get_identity(reader, snapshot);
	get_caches(reader, snapshot);
	while (get_flag(reader) && !reader->status)
		get_slab(reader, snapshot);
	expect_end(reader);
	return reader->status;
}

static int check_head(FILE *file, struct error *err)
{
	char magic[sizeof(MAGIC) - 1];
	uint32_t version;

	if (fread(magic, sizeof(magic), 1, file) != 1 || memcmp(magic, MAGIC, sizeof(magic)) ||
	    fread(&version, sizeof(version), 1, file) != 1)
		return error_set(err, -EBADMSG, "this is no snapshot of dill ksnap");
	if (le32toh(version) != VERSION)
		return error_set(err, -EBADMSG, "the snapshot is of version %u; this dill reads version %d",
				 le32toh(version), VERSION);
	return 0;
}

int heap_snapshot_read(FILE *file, struct heap_snapshot *ret_snapshot, struct error *err)
{
	CLEANUP(free) struct reader *reader = calloc(1, sizeof(*reader));
	struct heap_snapshot snapshot = { 0 };
	int status = check_head(file, err);

	if (status)
		return status;
	if (!reader)
		return error_set(err, -ENOMEM, "out of memory");
	reader->file = file;
	reader->zstd = ZSTD_createDCtx();
	if (!reader->zstd)
		return error_set(err, -ENOMEM, "out of memory");
	status = read_all(reader, &snapshot);
	ZSTD_freeDCtx(reader->zstd);
	if (status) {
		heap_snapshot_deinit(&snapshot);
		return error_set(err, status, status == -ENOMEM ? "the snapshot is too large" :
								  "the snapshot is cut or damaged");
	}
	heap_snapshot_finish(&snapshot);
	*ret_snapshot = snapshot;
	return 0;
}
