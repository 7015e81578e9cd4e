// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Walks a task's table of file descriptors: the bitmap of open ones first, then their files. */
#include "task_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"

/* The largest fs.nr_open that a kernel accepts (sysctl_nr_open_max, fs/file.c), of 8-byte slots in 2 GiB. */
#define FDS_MAX (1u << 28)
#define BITS 64
#define WORDS 512

#define AT(member) offsetof(struct task_files_layout, member)

static const struct field_spec specs[] = {
	{ "files_struct", "fdt", AT(files_fdt), true },
	{ "fdtable", "max_fds", AT(max_fds), true },
	{ "fdtable", "fd", AT(fd), true },
	{ "fdtable", "open_fds", AT(open_fds), true },
	{ "fdtable", "close_on_exec", AT(close_on_exec), false },
};

int task_files_layout_load(struct kernel *kernel, struct task_files_layout *ret_layout, struct error *err)
{
	struct task_files_layout layout = { 0 };
	int status = fields_load(kernel->types, specs, sizeof(specs) / sizeof(*specs), &layout, err);

	if (!status)
		status = path_layout_load(kernel, &layout.path, err);
	if (!status)
		*ret_layout = layout;
	return status;
}

/* What a reader of the whole table carries along. */
struct table {
	struct kernel *kernel;
	const struct task_files_layout *layout;
	uint64_t slots, open, closes;
	uint64_t count;
};

static int find_table(struct kernel *kernel, const struct task_files_layout *layout, uint64_t files,
		      struct table *ret_table, struct error *err)
{
	struct table table = { .kernel = kernel, .layout = layout };
	uint64_t fdt;
	int status = field_read(kernel, &layout->files_fdt, files, &fdt);

	if (!status)
		status = field_read(kernel, &layout->max_fds, fdt, &table.count);
	if (!status)
		status = field_read(kernel, &layout->fd, fdt, &table.slots);
	if (!status)
		status = field_read(kernel, &layout->open_fds, fdt, &table.open);
	if (status)
		return error_set(err, status, "the table of files at 0x%llx can't be read",
				 (unsigned long long)files);
	if (table.count > FDS_MAX)
		return error_set(err, -EBADMSG, "the table of files at 0x%llx claims %llu entries",
				 (unsigned long long)files, (unsigned long long)table.count);
	field_read(kernel, &layout->close_on_exec, fdt, &table.closes);
	*ret_table = table;
	return 0;
}

static int add_file(const struct table *table, uint32_t fd, uint64_t address, bool closes_on_exec,
		    struct task_files *files)
{
	struct task_file *grown, entry = { .fd = fd, .closes_on_exec = closes_on_exec };
	int status = kernel_file_read(table->kernel, &table->layout->path, address, &entry.file);

	if (status) {
		files->unreadable++;
		return status == -ENOMEM ? status : 0;
	}
	if (!(files->count & (files->count - 1))) {
		grown = reallocarray(files->list, files->count ? 2 * files->count : 1, sizeof(*grown));
		if (!grown) {
			kernel_file_deinit(&entry.file);
			return -ENOMEM;
		}
		files->list = grown;
	}
	files->list[files->count++] = entry;
	return 0;
}

/* Bring what add_file() reads of 64 files into the cache: files, then dentries and inodes. */
static void prefetch_files(const struct table *table, const uint64_t *addresses)
{
	const struct path_layout *layout = &table->layout->path;
	struct memory_range ranges[2 * BITS];
	size_t count = 0, more = 0;

	for (size_t i = 0; i < BITS; i++)
		if (addresses[i])
			ranges[count++] = (struct memory_range){ addresses[i], layout->file.read_size };
	kernel_prefetch(table->kernel, ranges, count);
	for (size_t i = 0; i < BITS; i++) {
		uint64_t dentry, inode;

		if (!addresses[i] || field_read(table->kernel, &layout->file.dentry, addresses[i], &dentry) ||
		    field_read(table->kernel, &layout->file.inode, addresses[i], &inode))
			continue;
		ranges[more++] = (struct memory_range){ dentry, layout->dentry.read_size };
		ranges[more++] = (struct memory_range){ inode, layout->inode.ino.offset + sizeof(uint64_t) };
	}
	kernel_prefetch(table->kernel, ranges, more);
}

/* The 64 descriptors from @first on, of which @open says which are in use. */
static int read_group(const struct table *table, uint32_t first, uint64_t open, struct task_files *files)
{
	uint64_t slots[BITS] = { 0 }, closes = 0;
	size_t count = table->count - first < BITS ? table->count - first : BITS;
	int status = 0;

	if (kernel_read(table->kernel, table->slots + 8ull * first, slots, 8 * count)) {
		files->unreadable += __builtin_popcountll(open);
		return 0;
	}
	if (table->closes)
		kernel_read_u64(table->kernel, table->closes + first / 8, &closes);
	for (size_t i = 0; i < BITS; i++)
		if (!(open >> i & 1))
			slots[i] = 0; /* taken, but nothing is installed yet */
	prefetch_files(table, slots);
	for (size_t i = 0; i < count && !status; i++)
		if (slots[i])
			status = add_file(table, first + i, slots[i], closes >> i & 1, files);
	return status;
}

/* The bitmap of those in use, a page at a time: of an empty table of any size little is read one by one. */
static int read_groups(const struct table *table, struct task_files *files, struct error *err)
{
	uint64_t words[WORDS];
	int status = 0;

	for (uint64_t first = 0; first < table->count && !status; first += WORDS * BITS) {
		uint64_t left = (table->count - first + BITS - 1) / BITS;
		size_t count = left < WORDS ? left : WORDS;

		status = kernel_read(table->kernel, table->open + first / 8, words, count * sizeof(*words));
		if (status)
			return error_set(err, status, "the bitmap of open files at 0x%llx can't be read",
					 (unsigned long long)table->open);
		for (size_t i = 0; i < count && !status; i++)
			if (words[i])
				status = read_group(table, first + i * BITS, words[i], files);
	}
	return status ? error_set(err, status, "out of memory") : 0;
}

int task_files_read(struct kernel *kernel, const struct task_files_layout *layout, const struct task *task,
		    struct task_files *ret_files, struct error *err)
{
	struct task_files files = { 0 };
	struct table table = { 0 };
	int status = task->files ? find_table(kernel, layout, task->files, &table, err) : 0;

	if (!status)
		status = read_groups(&table, &files, err);
	if (status) {
		task_files_deinit(&files);
		return status;
	}
	*ret_files = files;
	return 0;
}

void task_files_deinit(struct task_files *files)
{
	for (size_t i = 0; i < files->count; i++)
		kernel_file_deinit(&files->list[i].file);
	free(files->list);
	memset(files, 0, sizeof(*files));
}
