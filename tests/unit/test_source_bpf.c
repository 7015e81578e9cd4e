// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The running kernel's memory read by BPF, before witnesses that this process can see otherwise: its own pages
 * and name, the kernel's types as sysfs shows them. Skips where BPF is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cleanup.h"
#include "source_bpf.h"

#define PAGE 4096
#define NOT_MAPPED 0xfffffffffffff000 /* where error codes lie as pointers: include/linux/err.h */

static int open_source(void **state)
{
	struct memory_source *source = NULL;
	struct error err = { 0 };

	if (source_bpf_open(&source, &err) == 0)
		assert_non_null(source);
	else
		print_message("%s\n", err.text);
	*state = source;
	return 0;
}

static int close_source(void **state)
{
	memory_source_close(*state);
	return 0;
}

static struct memory_source *source_of(void **state)
{
	if (!*state)
		skip();
	return *state;
}

static int read_virtual(struct memory_source *source, uint64_t address, void *buffer, size_t size)
{
	return memory_source_read(source, SPACE_VIRTUAL, address, buffer, size, NULL);
}

/* The blob of /sys/kernel/btf/vmlinux, and where the kernel has it. Skips when kallsyms don't say. */
struct blob {
	unsigned char *bytes;
	size_t size;
	uint64_t address;
};

static struct blob find_blob(void)
{
	CLEANUP(close) int fd = open("/sys/kernel/btf/vmlinux", O_RDONLY);
	CLEANUP(fclose) FILE *symbols = fopen("/proc/kallsyms", "re");
	struct blob blob = { 0 };
	struct stat status;
	char line[512];

	if (fd < 0 || !symbols || fstat(fd, &status))
		skip();
	while (!blob.address && fgets(line, sizeof(line), symbols))
		if (strstr(line, " __start_BTF\n"))
			blob.address = strtoull(line, NULL, 16);
	if (!blob.address)
		skip();
	blob.size = status.st_size;
	blob.bytes = malloc(blob.size);
	assert_non_null(blob.bytes);
	for (size_t at = 0; at < blob.size;) {
		ssize_t length = pread(fd, blob.bytes + at, blob.size - at, at);

		assert_true(length > 0);
		at += length;
	}
	return blob;
}

static void types_are_read_as_sysfs_shows_them(void **state)
{
	struct memory_source *source = source_of(state);
	struct blob blob = find_blob();
	unsigned char *found = malloc(blob.size);

	assert_int_equal(read_virtual(source, blob.address, found, blob.size), 0);
	assert_memory_equal(found, blob.bytes, blob.size);
	free(found);
	free(blob.bytes);
}

/* Sizes from nothing to several batches, at any alignment, good and bad ones mixed. */
static void batch_of_any_size_gives_each_its_own_result(void **state)
{
	enum { COUNT = 3000 };
	struct memory_source *source = source_of(state);
	struct blob blob = find_blob();
	struct memory_read *reads = calloc(COUNT, sizeof(*reads));

	srand(1);
	for (size_t i = 0; i < COUNT; i++) {
		size_t size = i % 500 == 7 ? 2500000 : i % 3 ? (size_t)rand() % 64 : (size_t)rand() % 20000;

		reads[i] = (struct memory_read){ .size = size, .buffer = malloc(size + 1), .result = 1 };
		((unsigned char *)reads[i].buffer)[size] = 0xa5;
		reads[i].address = i % 5 == 4 ? NOT_MAPPED : blob.address + (size_t)rand() % (blob.size - size);
	}
	assert_int_equal(source->ops->read(source, SPACE_VIRTUAL, reads, COUNT, NULL), 0);
	for (size_t i = 0; i < COUNT; i++) {
		size_t at = reads[i].address - blob.address;

		assert_int_equal(reads[i].result, i % 5 == 4 && reads[i].size ? -EFAULT : 0);
		if (!reads[i].result && reads[i].size)
			assert_memory_equal(reads[i].buffer, blob.bytes + at, reads[i].size);
		assert_int_equal(((unsigned char *)reads[i].buffer)[reads[i].size], 0xa5);
		free(reads[i].buffer);
	}
	free(reads);
	free(blob.bytes);
}

static void task_that_asks_is_found_by_its_name(void **state)
{
	struct memory_source *source = source_of(state);
	char name[16] = "test<witness>\1\2";
	unsigned char task[2048];
	uint64_t address;

	assert_int_equal(prctl(PR_SET_NAME, name), 0);
	assert_int_equal(source_bpf_current_task(source, &address, NULL), 0);
	/* task_struct is larger, and where comm lies is not asked here. */
	for (size_t at = 0; at < 16384; at += sizeof(task) - sizeof(name)) {
		assert_int_equal(read_virtual(source, address + at, task, sizeof(task)), 0);
		if (memmem(task, sizeof(task), name, sizeof(name)))
			return;
	}
	fail_msg("no task_struct with this name at %#llx", (unsigned long long)address);
}

static void memory_that_is_not_there_is_a_fault(void **state)
{
	static const uint64_t addresses[] = { NOT_MAPPED, 0xffffffffffffffff, 0x8000000000000000,
					      0xfff0000000000000 };
	struct memory_source *source = source_of(state);
	char buffer[64];

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		assert_int_equal(read_virtual(source, addresses[i], buffer, sizeof(buffer)), -EFAULT);
	assert_int_equal(memory_source_read(source, SPACE_PHYSICAL, 1ull << 51, buffer, 64, NULL), -EFAULT);
	assert_int_equal(memory_source_read(source, SPACE_PHYSICAL, -8ull, buffer, 64, NULL), -EFAULT);
}

static void user_memory_is_refused(void **state)
{
	struct memory_source *source = source_of(state);
	char buffer[64] = "", mine[64] = "mine";

	assert_int_equal(read_virtual(source, (uintptr_t)mine, buffer, sizeof(buffer)), -EFAULT);
	assert_int_equal(read_virtual(source, 0, buffer, sizeof(buffer)), -EFAULT);
	assert_string_equal(buffer, "");
}

/* pagemap tells the frame of a page of ours: Documentation/admin-guide/mm/pagemap.rst. */
static void physical_memory_is_what_pagemap_says(void **state)
{
	struct memory_source *source = source_of(state);
	CLEANUP(close) int fd = open("/proc/self/pagemap", O_RDONLY);
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	char found[PAGE];
	uint64_t entry = 0;

	assert_ptr_not_equal(page, MAP_FAILED);
	snprintf(page, PAGE, "page of %d", getpid());
	memset(page + 100, 0x7e, PAGE - 100);
	if (pread(fd, &entry, sizeof(entry), (uintptr_t)page / PAGE * 8) != 8 || !(entry & ((1ull << 55) - 1)) ||
	    !source->has_space[SPACE_PHYSICAL])
		skip();
	entry = (entry & ((1ull << 55) - 1)) * PAGE;
	assert_int_equal(memory_source_read(source, SPACE_PHYSICAL, entry, found, PAGE, NULL), 0);
	assert_memory_equal(found, page, PAGE);
	munmap(page, PAGE);
}

static void ram_is_sorted_and_disjoint(void **state)
{
	struct memory_source *source = source_of(state);
	uint64_t end = 0;

	for (size_t i = 0; i < source->ram_count; i++) {
		assert_true(source->ram[i].start >= end && source->ram[i].size);
		end = source->ram[i].start + source->ram[i].size;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_are_read_as_sysfs_shows_them),
		cmocka_unit_test(batch_of_any_size_gives_each_its_own_result),
		cmocka_unit_test(task_that_asks_is_found_by_its_name),
		cmocka_unit_test(memory_that_is_not_there_is_a_fault),
		cmocka_unit_test(user_memory_is_refused),
		cmocka_unit_test(physical_memory_is_what_pagemap_says),
		cmocka_unit_test(ram_is_sorted_and_disjoint),
	};

	return cmocka_run_group_tests(tests, open_source, close_source);
}
