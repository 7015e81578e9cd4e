// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Loads libdebuginfod.so.1 and calls it. What is fetched is checked by the caller. */
#include "debuginfod.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"

/* The library's own types and functions (elfutils/debuginfod.h), which need not be installed. */
struct debuginfod {
	void *library;
	void *client;
	void (*end)(void *client);
	int (*find_debuginfo)(void *client, const unsigned char *build_id, int size, char **path);
};

int debuginfod_create(struct debuginfod **ret_debuginfod, struct error *err)
{
	CLEANUP(free) struct debuginfod *debuginfod = calloc(1, sizeof(*debuginfod));
	const char *urls = getenv("DEBUGINFOD_URLS");
	void *(*begin)(void);

	if (!debuginfod)
		return error_set(err, -ENOMEM, "debuginfod: out of memory");
	if (!urls || !*urls)
		return error_set(err, -ENOENT, "debuginfod: $DEBUGINFOD_URLS names no server");
	debuginfod->library = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL);
	if (!debuginfod->library)
		return error_set(err, -EOPNOTSUPP, "debuginfod: %s", dlerror());
	begin = (void *(*)(void))dlsym(debuginfod->library, "debuginfod_begin");
	debuginfod->end = (void (*)(void *))dlsym(debuginfod->library, "debuginfod_end");
	debuginfod->find_debuginfo = (int (*)(void *, const unsigned char *, int, char **))dlsym(
		debuginfod->library, "debuginfod_find_debuginfo");
	if (begin && debuginfod->end && debuginfod->find_debuginfo)
		debuginfod->client = begin();
	if (!debuginfod->client) {
		dlclose(debuginfod->library);
		return error_set(err, -EOPNOTSUPP, "debuginfod: libdebuginfod.so.1 can't be used");
	}
	*ret_debuginfod = TAKE_PTR(debuginfod);
	return 0;
}

void debuginfod_destroy(struct debuginfod *debuginfod)
{
	if (!debuginfod)
		return;
	debuginfod->end(debuginfod->client);
	dlclose(debuginfod->library);
	free(debuginfod);
}

int debuginfod_fetch(struct debuginfod *debuginfod, const uint8_t *build_id, size_t size, char **ret_path)
{
	CLEANUP(close) int fd = -1;
	char link[64], path[PATH_MAX];
	ssize_t length;

	if (size > INT_MAX)
		return -EINVAL;
	/* Without asking for the path: in a static program the library's malloc isn't ours to free from. */
	fd = debuginfod->find_debuginfo(debuginfod->client, build_id, (int)size, NULL);
	if (fd < 0)
		return fd;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof(path) - 1);
	if (length < 0)
		return -errno;
	path[length] = '\0';
	*ret_path = strdup(path);
	return *ret_path ? TAKE_FD(fd) : -ENOMEM;
}
