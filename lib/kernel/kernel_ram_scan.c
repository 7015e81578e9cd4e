// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Looks for a kernel in every page of physical memory, for sources that say nothing but bytes. Few bytes of
 * each page tell enough, so little is read: a mapped file is touched in one cache line a page.
 */
#include <stdlib.h>
#include <string.h>

#include "kernel.h"
#include "kernel_open.h"
#include "vmcoreinfo.h"

#define PAGE 4096ULL
#define BATCH 2048
#define PROBE_SIZE 16
/* Where the source doesn't say what RAM there is: look this far, and on as long as there is something. */
#define UNKNOWN_RAM (4ULL << 30)

struct probe {
	struct kernel *kernel;
	uint64_t page_offset; /* of the bytes to look at, in each page */
	/* Judge a page by its PROBE_SIZE bytes; true ends the scan. */
	bool (*judge)(struct kernel *kernel, uint64_t page, const uint8_t *bytes);
	struct memory_read reads[BATCH];
	uint8_t bytes[BATCH][PROBE_SIZE];
};

/* *@ret_present counts pages that could be read. */
static bool scan_batch(struct probe *probe, uint64_t start, size_t count, uint64_t *ret_present)
{
	struct kernel *kernel = probe->kernel;
	struct error error = { 0 };

	for (size_t i = 0; i < count; i++)
		probe->reads[i] = (struct memory_read){
			.address = start + i * PAGE + probe->page_offset,
			.buffer = probe->bytes[i],
			.size = PROBE_SIZE,
		};
	error.code = kernel->source->ops->read(kernel->source, SPACE_PHYSICAL, probe->reads, count, &error);
	if (error.code) {
		kernel->reader = error;
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		if (probe->reads[i].result)
			continue;
		++*ret_present;
		if (probe->judge(kernel, start + i * PAGE, probe->bytes[i]))
			return true;
	}
	return false;
}

static bool scan_range(struct probe *probe, uint64_t start, uint64_t size, uint64_t *ret_present)
{
	uint64_t page = (start + PAGE - 1) & ~(PAGE - 1);
	uint64_t end = (start + size) & ~(PAGE - 1);

	while (page < end && !probe->kernel->reader.code) {
		uint64_t pages = (end - page) / PAGE;
		size_t count = pages < BATCH ? pages : BATCH;

		if (scan_batch(probe, page, count, ret_present))
			return true;
		page += count * PAGE;
	}
	return false;
}

static bool scan(struct kernel *kernel, uint64_t page_offset,
		 bool (*judge)(struct kernel *kernel, uint64_t page, const uint8_t *bytes))
{
	const struct memory_source *source = kernel->source;
	struct probe *probe = malloc(sizeof(*probe));
	uint64_t present = 0;
	bool is_found = false;

	if (!probe)
		return false;
	probe->kernel = kernel;
	probe->page_offset = page_offset;
	probe->judge = judge;
	for (size_t i = 0; i < source->ram_count && !is_found; i++)
		is_found = scan_range(probe, source->ram[i].start, source->ram[i].size, &present);
	if (!source->ram_count) {
		uint64_t before = 1;

		for (uint64_t at = 0; present != before && !is_found && at < 1ULL << 46; at += UNKNOWN_RAM) {
			before = present;
			is_found = scan_range(probe, at, UNKNOWN_RAM, &present);
		}
	}
	free(probe);
	return is_found;
}

static bool judge_vmcoreinfo(struct kernel *kernel, uint64_t page, const uint8_t *bytes)
{
	char text[VMCOREINFO_PAGE + 1];

	if (memcmp(bytes, VMCOREINFO_MAGIC, sizeof(VMCOREINFO_MAGIC) - 1) ||
	    kernel_read_physical(kernel, page, text, VMCOREINFO_PAGE))
		return false;
	text[VMCOREINFO_PAGE] = '\0';
	return kernel_try_vmcoreinfo(kernel, text, "VMCOREINFO in RAM");
}

bool kernel_scan_vmcoreinfo(struct kernel *kernel)
{
	return scan(kernel, 0, judge_vmcoreinfo);
}

/* The last entry of a top-level table leads to the image's table: present, accessed, not a leaf. */
static bool judge_table(struct kernel *kernel, uint64_t page, const uint8_t *bytes)
{
	uint64_t last;

	memcpy(&last, bytes + PROBE_SIZE - sizeof(last), sizeof(last));
	return (last & 0xfff & ~0x1eULL) == 0x61 && !(last & ~0x000fffffffffffffULL) &&
	       kernel_try_root(kernel, page, 0, "page tables in RAM");
}

bool kernel_scan_page_tables(struct kernel *kernel)
{
	return scan(kernel, PAGE - PROBE_SIZE, judge_table);
}
