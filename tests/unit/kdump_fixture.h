/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Small kdump-compressed dumps that tests write themselves: 64 pages from 0 on, each compressed in one of the ways
 * that there are. Include after dump_fixture.h.
 */
#ifndef DILL_TESTS_KDUMP_FIXTURE_H
#define DILL_TESTS_KDUMP_FIXTURE_H

#include <endian.h>
#include <zlib.h>

#define KDUMP_PAGES 64
#define KDUMP_PAGE 4096

/* Page 7 was excluded. The others by number: */
enum kdump_page { PAGE_PLAIN, PAGE_ZLIB, PAGE_SNAPPY, PAGE_ZSTD, PAGE_LZO, PAGE_KINDS };

static inline bool kdump_page_is_there(unsigned int page)
{
	return page != 7;
}

/* zlib and plain pages are words like all of dump_fixture.h's; the others are filled with one byte. */
static inline void kdump_page_contents(unsigned int page, uint8_t *bytes)
{
	if (page % PAGE_KINDS > PAGE_ZLIB) {
		memset(bytes, (int)(page + 1), KDUMP_PAGE);
		return;
	}
	for (uint64_t at = 0; at < KDUMP_PAGE; at += 8)
		memcpy(bytes + at, &(uint64_t){ WORD_MARK + page * KDUMP_PAGE + at }, 8);
}

/* 4096 times one byte in the words of each format, written by hand: dill needs none of their compressors. */
static inline size_t repeat_snappy(uint8_t byte, uint8_t *out)
{
	uint8_t *at = out;

	*at++ = 0x80, *at++ = 0x20; /* 4096 */
	*at++ = 0, *at++ = byte;    /* a literal of 1 */
	for (int left = 4095; left; left -= left < 64 ? left : 64) {
		*at++ = (uint8_t)(((left < 64 ? left : 64) - 1) << 2 | 2); /* copy, from 1 before */
		*at++ = 1, *at++ = 0;
	}
	return (size_t)(at - out);
}

static inline size_t repeat_zstd(uint8_t byte, uint8_t *out)
{
	/* Magic; single segment with a 2-byte size (minus 256); the last block, of kind RLE, 4096 bytes. */
	const uint8_t frame[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x60, 0x00, 0x0f, 0x03, 0x80, 0x00, byte };

	memcpy(out, frame, sizeof(frame));
	return sizeof(frame);
}

static inline size_t repeat_lzo(uint8_t byte, uint8_t *out)
{
	uint8_t *at = out;

	*at++ = 17 + 5; /* five literals */
	memset(at, byte, 5);
	at += 5;
	*at++ = 0x20; /* a match of 2 + 31 + 15 * 255 + 233 = 4091, from 1 before */
	memset(at, 0, 15);
	at += 15;
	*at++ = 233, *at++ = 0, *at++ = 0;
	*at++ = 0x11, *at++ = 0, *at++ = 0; /* the end */
	return (size_t)(at - out);
}

static inline size_t kdump_compress(unsigned int page, uint8_t *out, uint32_t *ret_flags)
{
	uint8_t contents[KDUMP_PAGE];
	uLongf size = 2 * KDUMP_PAGE;

	kdump_page_contents(page, contents);
	switch (page % PAGE_KINDS) {
	case PAGE_ZLIB:
		*ret_flags = 1;
		assert_int_equal(compress2(out, &size, contents, KDUMP_PAGE, 6), Z_OK);
		assert_true(size < KDUMP_PAGE);
		return size;
	case PAGE_LZO:
		*ret_flags = 2;
		return repeat_lzo(contents[0], out);
	case PAGE_SNAPPY:
		*ret_flags = 4;
		return repeat_snappy(contents[0], out);
	case PAGE_ZSTD:
		*ret_flags = 32;
		return repeat_zstd(contents[0], out);
	default:
		*ret_flags = 0;
		memcpy(out, contents, KDUMP_PAGE);
		return KDUMP_PAGE;
	}
}

static inline void put32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, 4);
}

static inline void put64(uint8_t *at, uint64_t value)
{
	memcpy(at, &value, 8);
}

/*
 * Block 0: struct disk_dump_header; 1: struct kdump_sub_header, notes behind it; 2, 3: the two bitmaps; from 4 on
 * page descriptors (u64 offset; u32 size, flags; u64 page flags), then pages.
 */
static inline struct image image_kdump(const struct note_spec *notes, size_t note_count)
{
	struct image image = { 0 }, note_image = image_notes(notes, note_count);
	uint8_t head[4 * KDUMP_PAGE] = { 0 }, descriptors[KDUMP_PAGES * 24] = { 0 }, *sub = head + KDUMP_PAGE;
	size_t pages_at = sizeof(head) + sizeof(descriptors), next = 0;

	memcpy(head, "KDUMP   ", 8);
	put32(head + 8, 6);
	strcpy((char *)head + 12, "Linux");
	strcpy((char *)head + 12 + 2 * 65, "6.1.0");
	strcpy((char *)head + 12 + 4 * 65, "x86_64");
	put32(head + 424, 1);           /* status */
	put32(head + 428, KDUMP_PAGE);  /* block_size */
	put32(head + 432, 1);           /* sub_hdr_size */
	put32(head + 436, 2);           /* bitmap_blocks */
	put32(head + 440, KDUMP_PAGES); /* max_mapnr */
	put32(head + 460, 1);           /* nr_cpus */
	put64(sub + 48, KDUMP_PAGE + 512);
	put64(sub + 56, note_image.size);
	put64(sub + 96, KDUMP_PAGES); /* max_mapnr_64 */
	assert_true(note_image.size < KDUMP_PAGE - 512);
	if (note_image.size)
		memcpy(sub + 512, note_image.bytes, note_image.size);
	image_append(&image, head, sizeof(head));
	image_append(&image, descriptors, sizeof(descriptors));
	for (unsigned int page = 0; page < KDUMP_PAGES; page++) {
		uint8_t bytes[2 * KDUMP_PAGE];
		uint32_t flags;
		size_t size;

		image.bytes[2 * KDUMP_PAGE + page / 8] |= (uint8_t)(1 << page % 8);
		if (!kdump_page_is_there(page))
			continue;
		image.bytes[3 * KDUMP_PAGE + page / 8] |= (uint8_t)(1 << page % 8);
		size = kdump_compress(page, bytes, &flags);
		put64(image.bytes + sizeof(head) + 24 * next, pages_at);
		put32(image.bytes + sizeof(head) + 24 * next + 8, (uint32_t)size);
		put32(image.bytes + sizeof(head) + 24 * next + 12, flags);
		next++;
		image_append(&image, bytes, size);
		pages_at += size;
	}
	free(note_image.bytes);
	return image;
}

/* The same as a stream of pieces of @piece bytes, every second one first. */
static inline struct image image_flattened(const struct image *image, size_t piece)
{
	struct image flat = { 0 };
	uint8_t header[4096] = "makedumpfile";

	header[23] = header[31] = 1; /* type, version: big endian */
	image_append(&flat, header, sizeof(header));
	for (size_t turn = 0; turn < 2; turn++) {
		for (size_t at = (1 - turn) * piece; at < image->size; at += 2 * piece) {
			uint64_t size = image->size - at < piece ? image->size - at : piece;

			image_append(&flat, &(uint64_t){ htobe64(at) }, 8);
			image_append(&flat, &(uint64_t){ htobe64(size) }, 8);
			image_append(&flat, image->bytes + at, size);
		}
	}
	image_append(&flat, &(uint64_t){ UINT64_MAX }, 8);
	image_append(&flat, &(uint64_t){ UINT64_MAX }, 8);
	return flat;
}

#endif
