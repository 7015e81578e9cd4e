// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Windows into guest memory, by pmemsave. The least recently used one makes room. */
#include "qmp_window.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cleanup.h"
#include "file_read.h"
#include "qmp.h"

#define WINDOW_BYTES (1ULL << 20)
#define WINDOWS 32

struct window {
	uint64_t start, size; /* size 0: empty */
	uint64_t used;        /* when */
	char *bytes;
};

struct qmp_windows {
	struct qmp *qmp;
	const struct memory_range *ram;
	size_t ram_count;
	uint64_t clock;
	int memory_file;      /* −1: QEMU can't open it */
	struct window windows[WINDOWS];
};

int qmp_windows_create(struct qmp *qmp, const struct memory_range *ram, size_t ram_count,
		       struct qmp_windows **ret_windows)
{
	struct qmp_windows *windows = calloc(1, sizeof(*windows));

	if (!windows)
		return -ENOMEM;
	windows->qmp = qmp;
	windows->ram = ram;
	windows->ram_count = ram_count;
	windows->memory_file = memfd_create("dill", MFD_CLOEXEC);
	*ret_windows = windows;
	return 0;
}

void qmp_windows_destroy(struct qmp_windows *windows)
{
	if (!windows)
		return;
	for (size_t i = 0; i < WINDOWS; i++)
		free(windows->windows[i].bytes);
	if (windows->memory_file >= 0)
		close(windows->memory_file);
	free(windows);
}

void qmp_windows_forget(struct qmp_windows *windows)
{
	for (size_t i = 0; i < WINDOWS; i++)
		windows->windows[i].size = 0;
}

static int load(int fd, struct window *window, struct error *err)
{
	size_t got = file_read_at(fd, 0, window->bytes, window->size);

	if (got < window->size)
		return error_set(err, -EBADMSG, "QEMU saved %zu bytes instead of %llu", got,
				 (unsigned long long)window->size);
	return 0;
}

/* QEMU must be able to open a file that only its user may: it becomes QEMU's where that is somebody else. */
static int save_to_temporary(struct qmp_windows *windows, struct window *window, struct error *err)
{
	const char *directory = getenv("TMPDIR");
	char path[4096];
	CLEANUP(close) int fd = -1;
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t size = sizeof(peer);
	int status;

	if (snprintf(path, sizeof(path), "%s/dill-XXXXXX",
		     directory && directory[0] == '/' ? directory : "/tmp") >= (int)sizeof(path))
		return error_set(err, -EINVAL, "$TMPDIR is too long");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!getsockopt(qmp_fd(windows->qmp), SOL_SOCKET, SO_PEERCRED, &peer, &size) &&
	    peer.uid != geteuid() && fchown(fd, peer.uid, (gid_t)-1) < 0)
		status = 0; /* whether QEMU can write shows next */
	status = qmp_save_memory(windows->qmp, window->start, window->size, path, err);
	unlink(path);
	return status ? status : load(fd, window, err);
}

static int save(struct qmp_windows *windows, struct window *window, struct error *err)
{
	char path[64];

	if (windows->memory_file >= 0) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)getpid(), windows->memory_file);
		if (!qmp_save_memory(windows->qmp, window->start, window->size, path, NULL) &&
		    !load(windows->memory_file, window, NULL))
			return 0;
		close(windows->memory_file);
		windows->memory_file = -1;
	}
	return save_to_temporary(windows, window, err);
}

static const struct memory_range *range_of(const struct qmp_windows *windows, uint64_t address)
{
	for (size_t i = 0; i < windows->ram_count; i++)
		if (address - windows->ram[i].start < windows->ram[i].size)
			return &windows->ram[i];
	return NULL;
}

static struct window *find_window(struct qmp_windows *windows, uint64_t address)
{
	struct window *oldest = &windows->windows[0];

	for (size_t i = 0; i < WINDOWS; i++) {
		struct window *window = &windows->windows[i];

		if (address - window->start < window->size)
			return window;
		if (window->used < oldest->used)
			oldest = window;
	}
	oldest->size = 0;
	return oldest;
}

/* The window that holds @address, made if need be. -EFAULT: no RAM is there. */
static int get_window(struct qmp_windows *windows, uint64_t address, struct window **ret_window,
		      struct error *err)
{
	const struct memory_range *range = range_of(windows, address);
	struct window *window;
	uint64_t end;
	int status = 0;

	if (!range)
		return -EFAULT;
	window = find_window(windows, address);
	if (!window->size) {
		if (!window->bytes)
			window->bytes = malloc(WINDOW_BYTES);
		if (!window->bytes)
			return error_set(err, -ENOMEM, "out of memory");
		end = (address | (WINDOW_BYTES - 1)) + 1;
		end = end - range->start < range->size ? end : range->start + range->size;
		window->start = address & ~(WINDOW_BYTES - 1);
		window->start = window->start > range->start ? window->start : range->start;
		window->size = end - window->start;
		status = save(windows, window, err);
		if (status)
			window->size = 0;
	}
	window->used = ++windows->clock;
	*ret_window = window;
	return status;
}

int qmp_windows_read(struct qmp_windows *windows, struct memory_read *reads, size_t count, struct error *err)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t address = reads[i].address;
		char *to = reads[i].buffer;
		size_t left = reads[i].size;

		reads[i].result = 0;
		while (left && !reads[i].result) {
			struct window *window = NULL;
			int status = get_window(windows, address, &window, err);
			size_t part;

			if (status == -EFAULT) {
				reads[i].result = -EFAULT;
				break;
			}
			if (status)
				return status;
			part = window->start + window->size - address;
			part = part < left ? part : left;
			memcpy(to, window->bytes + (address - window->start), part);
			address += part;
			to += part;
			left -= part;
		}
	}
	return 0;
}
