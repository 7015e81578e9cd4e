// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Tells kinds of dumps apart; ELF and raw ones are read here, kdump-compressed ones in source_kdump.c. */
#include "source_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <linux/fs.h>

#include "cleanup.h"
#include "elf_core.h"
#include "file_extents.h"
#include "kdump_file.h"
#include "source_kdump.h"

#define PAGE_BYTES 4096ULL
#define RAW_BYTES_AT_LEAST (1ULL << 20)
#define HOLE_BYTES (64ULL << 20)         /* smaller holes are not worth a range */
#define HOLE_STEPS 100000
#define RAW_BYTES_AT_MOST (1ULL << 52) /* the most that x86-64 can address */

struct file_source {
	struct memory_source source;
	int fd;
	struct elf_core core;     /* raw RAM: one extent */
	struct memory_range *ram; /* owned; source.ram */
};

static int file_read(struct memory_source *source, enum address_space space, struct memory_read *reads,
		     size_t count, struct error *err)
{
	struct file_source *file = (struct file_source *)source;

	(void)err;
	file_extents_read(space == SPACE_VIRTUAL ? &file->core.virtual : &file->core.physical, file->fd, reads,
			  count);
	return 0;
}

static void file_close(struct memory_source *source)
{
	struct file_source *file = (struct file_source *)source;

	elf_core_deinit(&file->core);
	free(file->ram);
	if (file->fd >= 0)
		close(file->fd);
	free(file);
}

static const struct memory_source_ops elf_ops = { "elf", file_read, file_close };
static const struct memory_source_ops raw_ops = { "raw", file_read, file_close };

/* Takes over @core and, when it succeeds, @fd. */
static int create_source(const struct memory_source_ops *ops, int fd, struct elf_core core,
			 struct memory_source **ret_source, struct error *err)
{
	struct file_source *file = calloc(1, sizeof(*file));
	int status = file ? file_extents_ranges(&core.physical, &file->ram, &file->source.ram_count) : -ENOMEM;

	if (status) {
		elf_core_deinit(&core);
		free(file);
		return error_set(err, status, "no memory to read a dump");
	}
	file->core = core;
	file->fd = fd;
	file->source.ops = ops;
	file->source.has_space[SPACE_PHYSICAL] = core.physical.count != 0;
	file->source.has_space[SPACE_VIRTUAL] = core.has_virtual_only || !core.physical.count;
	file->source.ram = file->ram;
	file->source.mappings = core.mappings;
	file->source.mapping_count = core.mapping_count;
	file->source.vmcoreinfo = core.notes.vmcoreinfo;
	file->source.cpus = core.notes.cpus;
	file->source.cpu_count = core.notes.cpu_count;
	*ret_source = &file->source;
	return 0;
}

static int open_elf(int fd, struct memory_source **ret_source, struct error *err)
{
	struct elf_core core;
	int status = elf_core_read(fd, ELF_CORE_DUMP, &core, err);

	return status ? status : create_source(&elf_ops, fd, core, ret_source, err);
}

/* The child that reads it has a descriptor of its own. */
static int open_kdump(int fd, bool is_flattened, struct memory_source **ret_source, struct error *err)
{
	int status = source_kdump_open(fd, is_flattened, ret_source, err);

	if (!status)
		close(fd);
	return status;
}

static int file_size(int fd, uint64_t *ret_size, struct error *err)
{
	struct stat stat;

	if (fstat(fd, &stat))
		return error_set(err, -errno, "%s", strerror(errno));
	if (S_ISREG(stat.st_mode))
		*ret_size = (uint64_t)stat.st_size;
	else if (!S_ISBLK(stat.st_mode))
		return error_set(err, -EOPNOTSUPP, "is neither a file nor a block device");
	else if (ioctl(fd, BLKGETSIZE64, ret_size))
		return error_set(err, -errno, "%s", strerror(errno));
	return 0;
}

/*
 * Where a sparse file has holes, nobody has written to the memory. Large ones are left out, so that a search through
 * RAM need not read them; the last range ends with the file. At most HOLE_STEPS questions, then the rest is taken
 * whole.
 */
static size_t ranges_with_data(int fd, uint64_t size, struct memory_range *ranges, size_t limit)
{
	uint64_t position = 0, start = 0;
	size_t count = 0;

	for (int steps = 0; steps < HOLE_STEPS && count + 2 < limit; steps++) {
		off_t hole = lseek(fd, (off_t)position, SEEK_HOLE), data;

		if (hole < 0 || (uint64_t)hole >= size)
			break;
		data = lseek(fd, hole, SEEK_DATA);
		/* No more data, ENXIO: the hole reaches to the end. */
		position = data >= 0 && (uint64_t)data < size ? (uint64_t)data : size - PAGE_BYTES;
		if (position <= (uint64_t)hole)
			break;
		if (position - (uint64_t)hole >= HOLE_BYTES) {
			uint64_t end = ((uint64_t)hole + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_BYTES;

			if (end > start)
				ranges[count++] = (struct memory_range){ start, end - start };
			start = position / PAGE_BYTES * PAGE_BYTES;
		}
		if (position == size - PAGE_BYTES)
			break;
	}
	ranges[count++] = (struct memory_range){ start, size - start };
	return count;
}

/* Replaces the one range of all RAM. */
static void leave_out_holes(struct file_source *file, uint64_t size)
{
	size_t limit = size / HOLE_BYTES + 3;
	struct memory_range *ranges = limit <= HOLE_STEPS ? calloc(limit, sizeof(*ranges)) : NULL;

	if (!ranges)
		return;
	free(file->ram);
	file->ram = ranges;
	file->source.ram = ranges;
	file->source.ram_count = ranges_with_data(file->fd, size, ranges, limit);
}

static int open_raw(int fd, struct memory_source **ret_source, struct error *err)
{
	struct elf_core core = { 0 };
	uint64_t size = 0;
	int status = file_size(fd, &size, err);

	if (status)
		return status;
	if (size < RAW_BYTES_AT_LEAST || size > RAW_BYTES_AT_MOST || size % PAGE_BYTES)
		return error_set(err, -EBADMSG,
				 "is no dump: no ELF core, no kdump, and with %llu bytes not the RAM of a machine",
				 (unsigned long long)size);
	status = file_extents_add(&core.physical, (struct file_extent){ 0, size, 0 });
	if (status)
		return error_set(err, status, "no memory to read a dump");
	status = create_source(&raw_ops, fd, core, ret_source, err);
	if (!status)
		leave_out_holes((struct file_source *)*ret_source, size);
	return status;
}

/* Files that hold memory in a way that dill can't read, and what to do about it. */
static const struct {
	const char *magic;
	size_t size;
	const char *what;
} foreign[] = {
	{ "\x1f\x8b", 2, "is compressed (gzip): unpack it first" },
	{ "\xfd" "7zXZ", 5, "is compressed (xz): unpack it first" },
	{ "\x28\xb5\x2f\xfd", 4, "is compressed (zstd): unpack it first" },
	{ "BZh", 3, "is compressed (bzip2): unpack it first" },
	{ "QEVM", 4, "is a saved state of QEMU: load it and use dump-guest-memory" },
	{ "LibvirtQemudSave", 16, "is a saved state of libvirt: use virsh dump --memory-only" },
	{ "QFI\xfb", 4, "is a disk image (qcow2)" },
	{ "EMiL", 4, "is a LiME dump: make it with format=padded" },
};

static bool begins_with(const char *head, const char *magic, size_t size)
{
	return memcmp(head, magic, size) == 0;
}

/* Takes @fd over when it succeeds. */
static int open_by_kind(int fd, const char *head, struct memory_source **ret_source, struct error *err)
{
	if (begins_with(head, ELFMAG, SELFMAG))
		return open_elf(fd, ret_source, err);
	if (kdump_file_is_kdump(head) || kdump_file_is_flattened(head))
		return open_kdump(fd, kdump_file_is_flattened(head), ret_source, err);
	for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
		if (begins_with(head, foreign[i].magic, foreign[i].size))
			return error_set(err, -EOPNOTSUPP, "%s", foreign[i].what);
	return open_raw(fd, ret_source, err);
}

int source_file_open(const char *path, struct memory_source **ret_source, struct error *err)
{
	CLEANUP(close) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a FIFO must not block */
	char head[16] = "";
	struct stat stat;
	int status = 0;

	if (fd < 0)
		return error_set(err, errno == EACCES ? -EPERM : -errno, "%s: %s", path, strerror(errno));
	if (fstat(fd, &stat) == 0 && S_ISDIR(stat.st_mode))
		status = error_set(err, -EBADMSG, "is a directory");
	else if (pread(fd, head, sizeof(head), 0) < 0)
		status = error_set(err, -EIO, "%s", strerror(errno));
	if (!status)
		status = open_by_kind(fd, head, ret_source, err);
	if (status) {
		error_context(err, "%s", path);
		return status;
	}
	(void)TAKE_FD(fd);
	return 0;
}
