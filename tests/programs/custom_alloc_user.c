// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* static: no */
/* ldflags: -ldl */
/*
 * Leaks and frees through libcustom_alloc.so, which stands beside this program and is loaded before the start
 * mark. The truth is about the xx_ functions: this program makes no malloc after the mark.
 */
#include "truth.h"

#include <dlfcn.h>

TRUTH_SITE(leak_by_malloc);
TRUTH_SITE(leak_by_calloc);
TRUTH_SITE(leak_by_realloc);
TRUTH_SITE(use_and_free);

static void *(*xx_malloc)(size_t);
static void (*xx_free)(void *);
static void *(*xx_calloc)(size_t, size_t);
static void *(*xx_realloc)(void *, size_t);

SITE static void leak_by_malloc(size_t size)
{
	KEEP(xx_malloc(size));
	truth_alloc(&site_leak_by_malloc, size);
}

SITE static void leak_by_calloc(size_t members)
{
	KEEP(xx_calloc(members, 24));
	truth_alloc(&site_leak_by_calloc, members * 24);
}

/* The second realloc finds room in the block, the third has to move it; one that is too large fails. */
SITE static void leak_by_realloc(void)
{
	void *block = NULL;

	for (size_t size = 50; size <= 200; size = size == 50 ? 60 : size + 140) {
		void *at = xx_realloc(block, size);

		truth_require(at);
		if (block)
			truth_free(&site_leak_by_realloc, size == 60 ? 50 : 60);
		truth_alloc(&site_leak_by_realloc, size);
		block = at;
	}
	truth_require(!xx_realloc(block, SIZE_MAX / 2));
}

SITE static void use_and_free(void)
{
	void *block = xx_malloc(1500);

	truth_require(block);
	memset(block, 1, 1500);
	truth_alloc(&site_use_and_free, 1500);
	xx_free(block);
	truth_free(&site_use_and_free, 1500);
}

static void allocator_load(void)
{
	char path[1024];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	void *library;
	char *slash;

	truth_require(length > 0);
	path[length] = '\0';
	slash = strrchr(path, '/');
	snprintf(slash, sizeof(path) - (size_t)(slash - path), "/libcustom_alloc.so");
	library = dlopen(path, RTLD_NOW);
	truth_require(library);
	xx_malloc = (void *(*)(size_t))dlsym(library, "xx_malloc");
	xx_free = (void (*)(void *))dlsym(library, "xx_free");
	xx_calloc = (void *(*)(size_t, size_t))dlsym(library, "xx_calloc");
	xx_realloc = (void *(*)(void *, size_t))dlsym(library, "xx_realloc");
	truth_require(xx_malloc && xx_free && xx_calloc && xx_realloc);
}

int main(int argc, char **argv)
{
	truth_init(argc, argv);
	allocator_load();
	truth_ready();
	for (size_t i = 0; i < 60; i++)
		leak_by_malloc(i * 13);
	for (size_t i = 1; i <= 20; i++)
		leak_by_calloc(i);
	for (int i = 0; i < 10; i++)
		leak_by_realloc();
	for (int i = 0; i < 300; i++)
		use_and_free();
	truth_end("");
	return 0;
}
