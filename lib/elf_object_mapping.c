// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* From a mapping of a process to the file behind it, with the check that it is that file. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "cleanup.h"
#include "elf_object.h"
#include "error.h"
#include "proc_maps.h"
#include "root_directory.h"

#define VDSO_LIMIT (1U << 20)
#define COMPARED_BYTES 4096U
#define PATCHED_BYTES 64 /* breakpoints and uprobes in one page that are let pass */

DEFINE_CLEANUP(root_directory, struct root_directory *, root_directory_unref(v));

static bool read_process(pid_t pid, uint64_t address, void *buffer, size_t size)
{
	struct iovec local = {buffer, size};
	struct iovec remote = {(void *)(uintptr_t)address, size};

	return process_vm_readv(pid, &local, 1, &remote, 1, 0) == (ssize_t)size;
}

/* How many bytes of a page in memory aren't the file's; negative when either can't be read. */
static int differing_bytes(pid_t pid, uint64_t address, int fd, uint64_t file_offset,
			   uint8_t in_memory[COMPARED_BYTES])
{
	uint8_t in_file[COMPARED_BYTES] = {0}; /* after the file's end its last page goes on with zeros */
	int differing = 0;

	if (file_offset > INT64_MAX || pread(fd, in_file, COMPARED_BYTES, (off_t)file_offset) <= 0 ||
	    !read_process(pid, address, in_memory, COMPARED_BYTES))
		return -1;
	for (size_t i = 0; i < COMPARED_BYTES; i++)
		differing += in_memory[i] != in_file[i];
	return differing;
}

/*
 * Is it the file by its bytes? Best told from the page with the ELF header and, as linkers place it, the
 * build-id; that page mostly lies where the mapping's own offset says. Otherwise from the mapping's first
 * page.
 */
static bool has_mapped_bytes(pid_t pid, const struct mapping *mapping, int fd)
{
	uint8_t page[COMPARED_BYTES];
	int differing;

	if (mapping->file_offset <= mapping->start) {
		differing = differing_bytes(pid, mapping->start - mapping->file_offset, fd, 0, page);
		if (differing >= 0 && !memcmp(page, ELFMAG, SELFMAG))
			return differing == 0;
	}
	differing = differing_bytes(pid, mapping->start, fd, mapping->file_offset, page);
	return differing >= 0 && differing <= PATCHED_BYTES;
}

static bool is_mapped_file(pid_t pid, const struct mapping *mapping, int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return false;
	if (st.st_ino == mapping->inode)
		return true;
	return !mapping->is_deleted && has_mapped_bytes(pid, mapping, fd);
}

/*
 * /proc/PID/map_files/… and /proc/PID/exe are links that lead to the file itself, whatever has become of its
 * name.
 */
static int open_link(const char *link)
{
	CLEANUP(close) int fd = open(link, O_PATH | O_CLOEXEC);

	return fd < 0 ? -errno : root_directory_reopen(fd);
}

/* Open what candidate number @candidate names; the contract in elf_object.h has the list. */
static int open_candidate(pid_t pid, const struct mapping *mapping, const struct root_directory *root,
			  int candidate)
{
	char link[96];

	switch (candidate) {
	case 0:
		snprintf(link, sizeof(link), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, (int)pid,
			 mapping->start, mapping->end);
		return open_link(link);
	case 1:
		return *mapping->path == '/' ? root_directory_open_file(root, mapping->path) : -ENOENT;
	case 2:
		snprintf(link, sizeof(link), "/proc/%d/exe", (int)pid);
		return open_link(link);
	}
	return -ENOENT;
}

static int open_file(pid_t pid, const struct mapping *mapping, struct elf_object **ret_object,
		     struct error *err)
{
	CLEANUP(root_directory) struct root_directory *root = NULL;
	int reason = -ENOENT;

	if (!mapping->inode)
		return error_set(err, -ENOENT, "%s: not a file", mapping->path);
	/* Without the root a process that is just exiting can still be had through map_files. */
	bool has_root = !root_directory_open(pid, &root);

	for (int candidate = 0; candidate < 3; candidate++) {
		CLEANUP(close) int fd = -1;

		if (candidate == 1 && !has_root)
			continue;
		fd = open_candidate(pid, mapping, root, candidate);
		if (fd == -EINVAL)
			return error_set(err, fd, "%s: not a regular file", mapping->path);
		if (fd < 0 && fd != -ENOENT)
			reason = fd;
		if (fd >= 0 && is_mapped_file(pid, mapping, fd))
			return elf_object_open_fd(TAKE_FD(fd), mapping->path, root, ret_object, err);
	}
	return error_set(err, reason, "%s of process %d: %s", mapping->path, (int)pid,
			 reason == -ENOENT ? "the mapped file can't be found any more" : strerror(-reason));
}

/* The vDSO is a whole ELF file in memory that no file system has. */
static int open_vdso(pid_t pid, const struct mapping *mapping, struct elf_object **ret_object,
		     struct error *err)
{
	CLEANUP(free) char *image = NULL;
	CLEANUP(close) int fd = -1;
	size_t size = mapping->end - mapping->start;

	if (size > VDSO_LIMIT)
		return error_set(err, -EBADMSG, "[vdso] of process %d: %zu bytes are too many", (int)pid,
				 size);
	image = malloc(size);
	if (!image)
		return error_set(err, -ENOMEM, "[vdso]: out of memory");
	if (!read_process(pid, mapping->start, image, size))
		return error_set(err, -errno, "[vdso] of process %d: %s", (int)pid, strerror(errno));
	fd = memfd_create("vdso", MFD_CLOEXEC);
	if (fd < 0 || write(fd, image, size) != (ssize_t)size)
		return error_set(err, -errno, "[vdso]: memfd: %s", strerror(errno));
	return elf_object_open_fd(TAKE_FD(fd), mapping->path, NULL, ret_object, err);
}

int elf_object_open_mapping(pid_t pid, const struct mapping *mapping, struct elf_object **ret_object,
			    struct error *err)
{
	if (!strcmp(mapping->path, "[vdso]"))
		return open_vdso(pid, mapping, ret_object, err);
	return open_file(pid, mapping, ret_object, err);
}
