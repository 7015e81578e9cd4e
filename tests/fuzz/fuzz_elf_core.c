// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Fuzzes the opening of dumps, ELF cores above all: the input is the file. Whatever source comes out must hold
 * what lib/kernel/memory_source.h promises.
 *
 * Built with -DFUZZ_REPLAY it runs the files named on its command line once. The corpus, tests/data/elf_core, was
 * written by hand: cores as QEMU, kdump and /proc/kcore write them, of a few hundred bytes.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "error.h"
#include "fuzz.h"
#include "source_file.h"

/* Each end of the range, and across it. */
static void read_around(struct memory_source *source, enum address_space space, uint64_t start, uint64_t size)
{
	char bytes[64];
	struct memory_read reads[] = {
		{ start, bytes, 8, 1 },
		{ start + size - 8, bytes, 8, 1 },
		{ start - 4, bytes, 8, 1 },
		{ start + size - 4, bytes, 64, 1 },
		{ start + size / 2, bytes, 64, 1 },
		{ start, bytes, 0, 1 },
	};

	require(source->ops->read(source, space, reads, sizeof(reads) / sizeof(reads[0]), NULL) == 0,
		"a file is never gone");
	for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++)
		require(reads[i].result == 0 || reads[i].result == -14, "each read has its result");
}

static void check_source(struct memory_source *source, size_t size)
{
	uint64_t end = 0;

	require(source->has_space[SPACE_PHYSICAL] || source->has_space[SPACE_VIRTUAL], "something can be read");
	require(source->ram_count <= size && source->mapping_count <= size && source->cpu_count <= size,
		"facts are bounded by the file");
	for (size_t i = 0; i < source->ram_count && i < 100; i++) {
		const struct memory_range *range = &source->ram[i];

		require(range->size > 0 && range->size <= UINT64_MAX - range->start, "ranges are real");
		require(i == 0 || range->start > end, "ranges are sorted and disjoint");
		end = range->start + range->size;
		read_around(source, SPACE_PHYSICAL, range->start, range->size);
	}
	for (size_t i = 0; i < source->mapping_count && i < 100; i++) {
		const struct memory_mapping *mapping = &source->mappings[i];

		require(mapping->virtual_start >> 63, "mappings are the kernel's");
		read_around(source, SPACE_VIRTUAL, mapping->virtual_start, mapping->size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory_source *source = NULL;
	struct error err = { 0 };
	int fd = memfd_create("fuzz_elf_core", MFD_CLOEXEC);
	char path[64];
	int status;

	require(fd >= 0 && write(fd, data, size) == (ssize_t)size, "a file can be made");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	status = source_file_open(path, &source, &err);
	require(status <= 0 && status == err.code, "codes are negative and in the error");
	require(status == 0 || (err.text[0] && !source), "failure says why and gives nothing");
	if (status == 0) {
		check_source(source, size);
		memory_source_close(source);
	}
	close(fd);
	return 0;
}
