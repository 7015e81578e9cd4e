// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Where the direct map begins. Pages of this process are filled with random bytes; /proc/self/pagemap tells
 * their page frames; the base at which all of them are found in kernel memory is the one. The base is a
 * multiple of 1 GiB (PUD_SIZE: arch/x86/mm/kaslr.c), so an address within the map leaves few to try.
 */
#include "live_facts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "cleanup.h"

#define GIB (1ull << 30)
#define PAGE 4096
#define WITNESSES 4
#define TRIES 8            /* pages can be migrated while they are looked for */
#define CANDIDATES_MAX 65536 /* 64 TiB, what 4-level paging can map directly */

/* Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_PRESENT (1ull << 63)
#define PAGEMAP_FRAME ((1ull << 55) - 1)

struct witness {
	unsigned char *page;
	uint64_t frame;
};

static int find_frames(int pagemap_fd, struct witness *witnesses, struct error *err)
{
	for (size_t i = 0; i < WITNESSES; i++) {
		off_t at = (uintptr_t)witnesses[i].page / PAGE * sizeof(uint64_t);
		uint64_t entry;

		if (pread(pagemap_fd, &entry, sizeof(entry), at) != sizeof(entry))
			return error_set(err, -EIO, "/proc/self/pagemap cannot be read");
		if (!(entry & PAGEMAP_PRESENT))
			return error_set(err, -EAGAIN, "a page of this process is not in memory");
		witnesses[i].frame = entry & PAGEMAP_FRAME;
		if (!witnesses[i].frame)
			return error_set(err, -EPERM, "/proc/self/pagemap hides page frames: needs CAP_SYS_ADMIN");
	}
	return 0;
}

/* What is found at @witness's frame is its page's content, for one base of a direct map. */
static int is_at(struct memory_source *source, const struct witness *witness, uint64_t base, bool *ret_is_there)
{
	unsigned char found[PAGE];
	int status = memory_source_read(source, SPACE_VIRTUAL, base + witness->frame * PAGE, found, PAGE, NULL);

	*ret_is_there = !status && !memcmp(found, witness->page, PAGE);
	return status == -EFAULT ? 0 : status;
}

static int try_bases(struct memory_source *source, uint64_t object, const struct witness *witnesses,
		     uint64_t *ret_base, struct error *err)
{
	uint64_t base = object & -GIB;

	for (size_t i = 0; i < CANDIDATES_MAX && (int64_t)base < 0; i++, base -= GIB) {
		bool is_there = true;

		for (size_t j = 0; is_there && j < WITNESSES; j++) {
			int status = is_at(source, &witnesses[j], base, &is_there);

			if (status)
				return error_set(err, status, "kernel memory cannot be read");
		}
		if (is_there) {
			*ret_base = base;
			return 0;
		}
	}
	return error_set(err, -ENOENT, "the direct map was not found");
}

int live_direct_map(struct memory_source *source, uint64_t object, uint64_t *ret_base, struct error *err)
{
	CLEANUP(close) int pagemap_fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	struct witness witnesses[WITNESSES];
	unsigned char *pages;
	int status = 0;

	if (pagemap_fd < 0)
		return error_set(err, -errno, "/proc/self/pagemap: %s", strerror(errno));
	pages = mmap(NULL, WITNESSES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1,
		     0);
	if (pages == MAP_FAILED)
		return error_set(err, -ENOMEM, "out of memory");
	for (size_t i = 0; i < WITNESSES; i++) {
		witnesses[i].page = pages + i * PAGE;
		/* Up to 256 bytes come without interruption: getrandom(2). Unique is enough, early at boot, too. */
		for (size_t at = 0; at < PAGE; at += 256)
			if (getrandom(witnesses[i].page + at, 256, GRND_INSECURE) != 256)
				status = -errno;
	}
	if (status)
		error_set(err, status, "no random bytes: %s", strerror(-status));
	for (size_t i = 0; i < TRIES && (i ? status == -ENOENT || status == -EAGAIN : !status); i++) {
		status = find_frames(pagemap_fd, witnesses, err);
		if (!status)
			status = try_bases(source, object, witnesses, ret_base, err);
	}
	munmap(pages, WITNESSES * PAGE);
	return status;
}
