// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The search for separate debug files, and the checks that one belongs to its object. */
#include "debug_file.h"

#include <elfutils/libdwelf.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "cleanup.h"
#include "debuginfod.h"
#include "elf_object.h"
#include "root_directory.h"

#define DEFAULT_DIRECTORY "/usr/lib/debug"
#define CRC_LIMIT (4ULL << 30) /* a sparse file can claim any size, and all of it would be read */

DEFINE_CLEANUP(elf, Elf *, elf_end(v));
DEFINE_CLEANUP(elf_object, struct elf_object *, elf_object_unref(v));

struct debug_link {
	char name[NAME_MAX + 1];
	uint32_t crc;
};

static const char *directory_of(const struct debug_search *search)
{
	return search && search->directory ? search->directory : DEFAULT_DIRECTORY;
}

static bool has_build_id(const struct elf_object *object, const uint8_t *build_id, size_t size)
{
	size_t own_size;
	const uint8_t *own = elf_object_build_id(object, &own_size);

	return own && own_size == size && !memcmp(own, build_id, size);
}

static int open_below(struct root_directory *root, const char *path, struct elf_object **ret_object)
{
	int fd = root_directory_open_file(root, path);

	return fd < 0 ? fd : elf_object_open_fd(fd, path, root, ret_object, NULL);
}

static int find_below(struct root_directory *root, const char *path, const uint8_t *build_id, size_t size,
		      struct elf_object **ret_debug)
{
	CLEANUP(elf_object) struct elf_object *found = NULL;
	int r = open_below(root, path, &found);

	if (r)
		return r;
	if (!has_build_id(found, build_id, size))
		return -ENOENT;
	*ret_debug = TAKE_PTR(found);
	return 0;
}

static int fetch(const struct debug_search *search, const uint8_t *build_id, size_t size,
		 struct elf_object **ret_debug)
{
	CLEANUP(elf_object) struct elf_object *found = NULL;
	CLEANUP(free) char *path = NULL;
	int fd;

	if (!search || !search->debuginfod)
		return -ENOENT;
	fd = debuginfod_fetch(search->debuginfod, build_id, size, &path);
	if (fd < 0)
		return fd;
	if (elf_object_open_fd(fd, path, NULL, &found, NULL) || !has_build_id(found, build_id, size))
		return -ENOENT;
	*ret_debug = TAKE_PTR(found);
	return 0;
}

/* Looks everywhere but at debuginfod. */
static int find_installed(const struct elf_object *object, const struct debug_search *search,
			  const uint8_t *build_id, size_t size, struct elf_object **ret_debug)
{
	struct root_directory *root = elf_object_root(object);
	char path[PATH_MAX], digits[2 * 64 + 1];
	int length;

	if (size < 2 || size > 64)
		return -ENOENT;
	for (size_t i = 0; i < size; i++)
		snprintf(digits + 2 * i, 3, "%02x", build_id[i]);
	length = snprintf(path, sizeof(path), "%s/.build-id/%.2s/%s.debug", directory_of(search), digits,
			  digits + 2);
	if (length < 0 || (size_t)length >= sizeof(path))
		return -ENOENT;
	if (root && !find_below(root, path, build_id, size, ret_debug))
		return 0;
	return find_below(NULL, path, build_id, size, ret_debug) ? -ENOENT : 0;
}

int debug_file_find_by_build_id(const struct elf_object *object, const struct debug_search *search,
				const uint8_t *build_id, size_t size, struct elf_object **ret_debug)
{
	if (!find_installed(object, search, build_id, size, ret_debug))
		return 0;
	return fetch(search, build_id, size, ret_debug) ? -ENOENT : 0;
}

/* A link with a slash could lead anywhere: it is the name of a file, so such a one is no link. */
static bool read_link(const struct elf_object *object, struct debug_link *ret_link)
{
	CLEANUP(elf) Elf *elf = elf_object_begin_elf(object);
	GElf_Word crc;
	const char *name = elf ? dwelf_elf_gnu_debuglink(elf, &crc) : NULL;

	if (!name || !*name || strchr(name, '/') || strlen(name) >= sizeof(ret_link->name))
		return false;
	strcpy(ret_link->name, name);
	ret_link->crc = crc;
	return true;
}

static bool has_crc(const struct elf_object *object, uint32_t wanted)
{
	CLEANUP(free) unsigned char *buffer = malloc(1 << 16);
	uint64_t size = elf_object_file_size(object);
	uLong crc = crc32(0, NULL, 0);

	if (!buffer || size > CRC_LIMIT)
		return false;
	for (uint64_t at = 0; at < size;) {
		size_t n = size - at < (1 << 16) ? (size_t)(size - at) : 1 << 16;

		if (elf_object_read(object, at, buffer, n))
			return false;
		crc = crc32(crc, buffer, (uInt)n);
		at += n;
	}
	return (uint32_t)crc == wanted;
}

/* A debug file that states another build-id than the object is the wrong one, before any CRC is counted. */
static bool contradicts(const struct elf_object *object, const struct elf_object *debug)
{
	size_t size, debug_size;
	const uint8_t *own = elf_object_build_id(object, &size);

	return own && elf_object_build_id(debug, &debug_size) && !has_build_id(debug, own, size);
}

static int find_link_below(const struct elf_object *object, struct root_directory *root,
			   const char *directory, const struct debug_link *link,
			   struct elf_object **ret_debug)
{
	const char *path = elf_object_path(object);
	const char *slash = strrchr(path, '/');
	int base = slash ? (int)(slash - path) : 0;
	char candidate[PATH_MAX];

	if (*path != '/')
		return -ENOENT;
	for (int i = 0; i < 3; i++) {
		CLEANUP(elf_object) struct elf_object *found = NULL;
		int length = snprintf(candidate, sizeof(candidate), "%s%.*s%s/%s", i == 2 ? directory : "",
				      base, path, i == 1 ? "/.debug" : "", link->name);

		if (length < 0 || (size_t)length >= sizeof(candidate) || open_below(root, candidate, &found))
			continue;
		if (contradicts(object, found) || !has_crc(found, link->crc))
			continue;
		*ret_debug = TAKE_PTR(found);
		return 0;
	}
	return -ENOENT;
}

int debug_file_find(const struct elf_object *object, const struct debug_search *search,
		    struct elf_object **ret_debug)
{
	struct root_directory *root = elf_object_root(object);
	struct debug_link link;
	size_t size;
	const uint8_t *build_id = elf_object_build_id(object, &size);

	if (build_id && !find_installed(object, search, build_id, size, ret_debug))
		return 0;
	if (read_link(object, &link)) {
		if (root && !find_link_below(object, root, directory_of(search), &link, ret_debug))
			return 0;
		if (!find_link_below(object, NULL, directory_of(search), &link, ret_debug))
			return 0;
	}
	return build_id && !fetch(search, build_id, size, ret_debug) ? 0 : -ENOENT;
}
