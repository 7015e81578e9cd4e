/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Finding the separate debug file of an object (gdb manual, "Debugging Information in Separate Files").
 * What is inside is read by others.
 */
#ifndef DILL_DEBUG_FILE_H
#define DILL_DEBUG_FILE_H

#include <stddef.h>
#include <stdint.h>

struct debuginfod;
struct elf_object;

struct debug_search {
	const char *directory;	       /* NULL: /usr/lib/debug */
	struct debuginfod *debuginfod; /* NULL: nothing is fetched over the network */
};

/*
 * Tried in this order, each below the object's own root (its container) and then below ours:
 *   DIRECTORY/.build-id/xx/yyyy.debug, taken when it states the object's build-id;
 *   the name in .gnu_debuglink, next to the object, in .debug/ beside it, and in DIRECTORY/ + the object's
 *   directory, taken when its CRC-32 is the one in the link;
 * and at last debuginfod. @search may be NULL. -ENOENT when there is nothing, or nothing that fits.
 */
int debug_file_find(const struct elf_object *object, const struct debug_search *search,
		    struct elf_object **ret_debug);

/* The file with this build-id, or -ENOENT: also how a debug file's .gnu_debugaltlink (dwz) is found. */
int debug_file_find_by_build_id(const struct elf_object *object, const struct debug_search *search,
				const uint8_t *build_id, size_t size, struct elf_object **ret_debug);

#endif
