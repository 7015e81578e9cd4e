// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The kernel's banner: by its symbol, from the running kernel, or by a search of the image. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"
#include "kernel_open.h"

#define CHUNK 65536 /* goes around the cache */
#define PAGE 4096
/* Images are some tens of MiB, with holes where initialisation was freed. */
#define SEARCH_SIZE (256ULL << 20)
#define HOLE_MAX (32ULL << 20)
#define START_SIZE (sizeof(KERNEL_BANNER_START) - 1)

/* Keeps @text if it is a banner, without its newline. Other texts begin alike: "Linux version %s". */
static bool take(struct kernel *kernel, const char *text, const char *origin)
{
	if (strncmp(text, KERNEL_BANNER_START, START_SIZE) || !isdigit((unsigned char)text[START_SIZE]) ||
	    !strchr(text, '#'))
		return false;
	snprintf(kernel->banner, sizeof(kernel->banner), "%.*s", (int)strcspn(text, "\n"), text);
	kernel->banner_origin = origin;
	return true;
}

static bool take_at(struct kernel *kernel, uint64_t address, const char *origin)
{
	char text[sizeof(kernel->banner)];

	return !kernel_read_string(kernel, address, text, sizeof(text)) && take(kernel, text, origin);
}

/* @bytes are what lies at @address. A banner that begins within a few bytes of the end is missed: see search(). */
static bool search_bytes(struct kernel *kernel, uint64_t address, const char *bytes, size_t size)
{
	const char *at = bytes;

	while ((at = memmem(at, bytes + size - at, KERNEL_BANNER_START, START_SIZE))) {
		if (take_at(kernel, address + (at - bytes), "found in the image"))
			return true;
		at++;
	}
	return false;
}

/* Chunks overlap; one that isn't all there is searched by its pages. */
static void search(struct kernel *kernel)
{
	CLEANUP(free) char *bytes = malloc(CHUNK);
	uint64_t base = kernel->layout.base.value, last = base;

	if (!bytes)
		return;
	for (uint64_t at = base; at - base < SEARCH_SIZE && at - last < HOLE_MAX; at += CHUNK - PAGE) {
		bool is_whole = !kernel_read(kernel, at, bytes, CHUNK);

		if (is_whole && search_bytes(kernel, at, bytes, CHUNK))
			return;
		for (size_t page = 0; page < CHUNK && !is_whole; page += PAGE) {
			if (kernel_read(kernel, at + page, bytes, PAGE))
				continue;
			last = at;
			if (search_bytes(kernel, at + page, bytes, PAGE))
				return;
		}
		if (is_whole)
			last = at;
	}
}

void kernel_find_banner(struct kernel *kernel)
{
	uint64_t address;

	if (kernel->banner[0] || (!kernel_symbol(kernel, "linux_banner", &address) &&
				  take_at(kernel, address, "symbol linux_banner")))
		return;
	if (kernel->source->is_this_machine) {
		CLEANUP(fclose) FILE *file = fopen("/proc/version", "re");
		char text[sizeof(kernel->banner)];

		if (file && fgets(text, sizeof(text), file) && take(kernel, text, "/proc/version"))
			return;
	}
	search(kernel);
}
