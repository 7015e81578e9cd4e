// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Headers and the flattened form are read in this process, with each field checked. libkdumpfile is never called
 * outside of the child that dump_reader.h starts.
 */
#include "kdump_file.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifdef HAVE_LIBKDUMPFILE
#include <libkdumpfile/kdumpfile.h>
#endif

#include "cleanup.h"
#include "file_read.h"

#define FLAT_SIGNATURE "makedumpfile\0\0\0"    /* 16 bytes with the literal's own NUL */
#define FLAT_HEADER_BYTES 4096                 /* MAX_SIZE_MDF_HEADER */
#define IN_MEMORY_AT_MOST (64U << 20)
#define FILE_BYTES_AT_MOST (1ULL << 46)        /* of the rearranged file, which is sparse */
#define NOTE_BYTES_AT_MOST (64U << 20)
#define COPY_BYTES (1U << 20)

/* x86-64's struct disk_dump_header and, at the next block, struct kdump_sub_header. */
enum {
	HEADER_VERSION = 8,
	HEADER_BLOCK_SIZE = 428,
	HEADER_BYTES = 464,
	SUB_OFFSET_VMCOREINFO = 32, /* size behind it; both since version 3 */
	SUB_OFFSET_NOTE = 48,       /* … version 4 */
	SUB_BYTES = 64,
};

bool kdump_file_is_kdump(const char *head)
{
	return memcmp(head, "KDUMP   ", 8) == 0 || memcmp(head, "DISKDUMP", 8) == 0;
}

bool kdump_file_is_flattened(const char *head)
{
	return memcmp(head, FLAT_SIGNATURE, 16) == 0;
}

/* The flattened form ------------------------------------------------------------------------------------------*/

struct flat_record {
	uint64_t offset, size; /* big endian in the file; offset −1 ends it */
};

/* Records follow each other from FLAT_HEADER_BYTES on; @at is moved to the record's bytes. */
static bool flat_next(int fd, uint64_t *at, struct flat_record *record)
{
	uint64_t words[2];

	if (file_read_at(fd, *at, words, sizeof(words)) != sizeof(words))
		return false;
	*record = (struct flat_record){ be64toh(words[0]), be64toh(words[1]) };
	*at += sizeof(words);
	return record->offset < FILE_BYTES_AT_MOST && record->size && record->size < FILE_BYTES_AT_MOST;
}

/* How many bytes the records hold. No more of them than the file has room for: each moves on by 16 bytes. */
static uint64_t flat_bytes(int fd)
{
	uint64_t at = FLAT_HEADER_BYTES, total = 0;
	struct flat_record record;

	for (; flat_next(fd, &at, &record); at += record.size)
		total += record.size;
	return total;
}

static int create_nameless(uint64_t bytes, struct error *err)
{
	const char *directory = getenv("TMPDIR");
	int fd;

	if (bytes <= IN_MEMORY_AT_MOST)
		fd = memfd_create("dump", MFD_CLOEXEC);
	else
		fd = open(directory ? directory : "/var/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	return fd >= 0 ? fd :
			 error_set(err, -errno, "no place to rearrange a flattened dump: %s", strerror(errno));
}

static int copy_record(int from, uint64_t at, int to, const struct flat_record *record, char *buffer,
		       struct error *err)
{
	for (uint64_t done = 0; done < record->size;) {
		size_t wanted = record->size - done < COPY_BYTES ? record->size - done : COPY_BYTES;
		size_t got = file_read_at(from, at + done, buffer, wanted);
		ssize_t put = got ? pwrite(to, buffer, got, (off_t)(record->offset + done)) : 0;

		if (put < 0)
			return error_set(err, -errno, "no place to rearrange a flattened dump: %s (set TMPDIR, or "
					 "use makedumpfile -R)", strerror(errno));
		if (!put)
			break;
		done += (uint64_t)put;
	}
	return 0;
}

int kdump_file_unflatten(int fd, int *ret_fd, struct error *err)
{
	CLEANUP(free) char *buffer = malloc(COPY_BYTES);
	uint64_t total = flat_bytes(fd), at = FLAT_HEADER_BYTES;
	CLEANUP(close) int copy = -1;
	struct flat_record record;
	int status = 0;

	if (!buffer)
		return error_set(err, -ENOMEM, "no memory to rearrange a flattened dump");
	if (!total)
		return error_set(err, -EBADMSG, "is a flattened dump with nothing in it");
	copy = create_nameless(total, err);
	if (copy < 0)
		return copy;
	for (; !status && flat_next(fd, &at, &record); at += record.size)
		status = copy_record(fd, at, copy, &record, buffer, err);
	if (!status)
		*ret_fd = TAKE_FD(copy);
	return status;
}

/* Notes -------------------------------------------------------------------------------------------------------*/

/* The piece of the file that the two words at @field of the sub-header name; cut to what is there. */
static int read_piece(int fd, const uint8_t *sub_header, size_t field, char **ret_bytes, size_t *ret_size)
{
	uint64_t offset, size;
	char *bytes;

	memcpy(&offset, sub_header + field, 8);
	memcpy(&size, sub_header + field + 8, 8);
	if (size > NOTE_BYTES_AT_MOST)
		size = 0;
	bytes = calloc(1, size + 1);
	if (!bytes)
		return -ENOMEM;
	*ret_bytes = bytes;
	*ret_size = file_read_at(fd, offset, bytes, size);
	return 0;
}

int kdump_file_notes(int fd, struct core_notes *ret_notes)
{
	CLEANUP(free) char *bytes = NULL, *text = NULL;
	uint8_t header[HEADER_BYTES], sub_header[SUB_BYTES];
	struct core_notes notes = { 0 };
	int32_t version, block_size;
	int status = 0;
	size_t size;

	*ret_notes = notes;
	if (file_read_at(fd, 0, header, sizeof(header)) != sizeof(header))
		return 0;
	memcpy(&version, header + HEADER_VERSION, 4);
	memcpy(&block_size, header + HEADER_BLOCK_SIZE, 4);
	if (block_size <= 0 || file_read_at(fd, (uint64_t)block_size, sub_header, SUB_BYTES) != SUB_BYTES)
		return 0;
	if (version >= 4) {
		status = read_piece(fd, sub_header, SUB_OFFSET_NOTE, &bytes, &size);
		if (!status)
			status = core_notes_parse(bytes, size, &notes);
	}
	if (!status && version >= 3 && !notes.vmcoreinfo) {
		status = read_piece(fd, sub_header, SUB_OFFSET_VMCOREINFO, &text, &size);
		if (!status && size)
			notes.vmcoreinfo = TAKE_PTR(text);
	}
	if (status)
		core_notes_deinit(&notes);
	else
		*ret_notes = notes;
	return status;
}

/* libkdumpfile: in the sandboxed child only -------------------------------------------------------------------*/

#ifdef HAVE_LIBKDUMPFILE
static int decoder_open(int fd, void **ret_dump, struct error *err)
{
	kdump_ctx_t *dump = kdump_new();
	const char *machine;

	if (!dump)
		return error_set(err, -ENOMEM, "no memory to decode a dump");
	if (kdump_open_fd(dump, fd) != KDUMP_OK)
		return error_set(err, -EBADMSG, "is damaged: %s", kdump_get_err(dump));
	if (kdump_get_string_attr(dump, KDUMP_ATTR_ARCH_NAME, &machine) == KDUMP_OK &&
	    strcmp(machine, KDUMP_ARCH_X86_64) != 0)
		return error_set(err, -EOPNOTSUPP, "is a dump of %s: dill reads dumps of x86-64", machine);
	*ret_dump = dump;
	return 0;
}

/* Machine addresses are what the dump is indexed by: asking for the kernel's would start a translation. */
static int decoder_read(void *dump, uint64_t address, void *buffer, size_t size)
{
	size_t got = size;

	return kdump_read(dump, KDUMP_MACHPHYSADDR, address, buffer, &got) == KDUMP_OK && got == size ? 0 : -EFAULT;
}

/* Should there be more ranges than fit, the last goes on to the end: what isn't there then fails to be read. */
static size_t decoder_ranges(void *dump, struct memory_range *ranges, size_t limit)
{
	kdump_attr_t map = { .type = KDUMP_BITMAP };
	kdump_num_t page_size = 4096;
	kdump_addr_t start = 0, end;
	size_t count = 0;

	kdump_get_number_attr(dump, KDUMP_ATTR_PAGE_SIZE, &page_size);
	if (kdump_get_typed_attr(dump, KDUMP_ATTR_FILE_PAGEMAP, &map) != KDUMP_OK)
		return 0;
	while (kdump_bmp_find_set(map.val.bitmap, &start) == KDUMP_OK) {
		end = start;
		if (kdump_bmp_find_clear(map.val.bitmap, &end) != KDUMP_OK || end <= start)
			break;
		if (count == limit)
			ranges[count - 1].size = end * page_size - ranges[count - 1].start;
		else
			ranges[count++] = (struct memory_range){ start * page_size, (end - start) * page_size };
		start = end;
	}
	return count;
}

static const struct dump_decoder kdumpfile = { decoder_open, decoder_read, decoder_ranges };

const struct dump_decoder *kdump_file_decoder(void)
{
	return &kdumpfile;
}
#else
const struct dump_decoder *kdump_file_decoder(void)
{
	return NULL;
}
#endif
