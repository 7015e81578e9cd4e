// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Cgroups by file handle: the id is the handle (kernfs, 40430452fd5d, 5.5), so nothing needs to be searched. */
#include "cgroup_names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "cleanup.h"
#include "partition_point.h"

#define CGROUP2_MAGIC 0x63677270
#define CGROUP1_MAGIC 0x0027e0eb
#define KERNFS_HANDLE 0xfe /* FILEID_KERNFS, include/linux/exportfs.h */
#define MOST_NAMES 65536
#define CONTAINER_DIGITS 64

struct name {
	uint64_t id;
	char *path;      /* NULL: not to be had */
	char *container; /* NULL: none */
};

struct cgroup_names {
	int mount_fd;
	const char *root; /* the mount's path */
	bool is_v1;
	struct name *names; /* sorted by id */
	size_t count, room;
};

int cgroup_names_create(struct cgroup_names **ret_names)
{
	static const struct {
		const char *path;
		long magic;
	} places[] = {
		{ "/sys/fs/cgroup/memory", CGROUP1_MAGIC },
		{ "/sys/fs/cgroup", CGROUP2_MAGIC },
		{ "/sys/fs/cgroup/unified", CGROUP2_MAGIC },
	};
	struct cgroup_names *names = calloc(1, sizeof(*names));

	if (!names)
		return -ENOMEM;
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		struct statfs info;

		if (statfs(places[i].path, &info) || info.f_type != places[i].magic)
			continue;
		names->mount_fd = open(places[i].path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		names->root = places[i].path;
		names->is_v1 = places[i].magic == CGROUP1_MAGIC;
		if (names->mount_fd < 0)
			break;
		*ret_names = names;
		return 0;
	}
	free(names);
	return -ENOENT;
}

bool cgroup_names_are_v1(const struct cgroup_names *names)
{
	return names->is_v1;
}

const char *cgroup_names_root(const struct cgroup_names *names)
{
	return names->root;
}

void cgroup_names_destroy(struct cgroup_names *names)
{
	if (!names)
		return;
	for (size_t i = 0; i < names->count; i++) {
		free(names->names[i].path);
		free(names->names[i].container);
	}
	free(names->names);
	close(names->mount_fd);
	free(names);
}

/* The last run of exactly 64 hex digits. */
static char *find_container(const char *path)
{
	const char *found = NULL;

	for (const char *at = path; *at;) {
		size_t digits = strspn(at, "0123456789abcdef");

		if (digits == CONTAINER_DIGITS)
			found = at;
		at += digits ? digits : 1;
	}
	return found ? strndup(found, CONTAINER_DIGITS) : NULL;
}

static char *find_path(const struct cgroup_names *names, uint64_t id)
{
	struct {
		struct file_handle handle;
		unsigned char id[sizeof(uint64_t)];
	} known = { .handle = { .handle_bytes = sizeof(uint64_t), .handle_type = KERNFS_HANDLE } };
	size_t root_length = strlen(names->root);
	char link[64], path[4096];
	ssize_t length;
	int fd;

	memcpy(known.handle.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(names->mount_fd, &known.handle, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path) - 1);
	close(fd);
	if (length < (ssize_t)root_length)
		return NULL;
	path[length] = '\0';
	return strdup(path[root_length] ? path + root_length : "/");
}

static size_t place_of(const struct cgroup_names *names, uint64_t id)
{
	return PARTITION_POINT(i, names->count, names->names[i].id < id);
}

const char *cgroup_name(struct cgroup_names *names, uint64_t id, const char **ret_container)
{
	size_t place = place_of(names, id);
	struct name *name;

	if (ret_container)
		*ret_container = NULL;
	if (place == names->count || names->names[place].id != id) {
		if (names->count >= MOST_NAMES)
			return NULL;
		if (names->count == names->room) {
			size_t room = names->room ? 2 * names->room : 64;
			struct name *grown = reallocarray(names->names, room, sizeof(*grown));

			if (!grown)
				return NULL;
			names->names = grown;
			names->room = room;
		}
		name = &names->names[place];
		memmove(name + 1, name, (names->count - place) * sizeof(*name));
		*name = (struct name){ .id = id, .path = find_path(names, id) };
		name->container = name->path ? find_container(name->path) : NULL;
		names->count++;
	}
	name = &names->names[place];
	if (ret_container)
		*ret_container = name->container;
	return name->path;
}
