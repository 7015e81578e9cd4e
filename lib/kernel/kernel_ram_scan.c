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
#define UNKNOWN_RAM_MAX (1ULL << 46)
#define LOW_MEMORY (64ULL << 20)

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

/* Batches from the end to the start. */
static bool scan_range(struct probe *probe, uint64_t start, uint64_t end, uint64_t *ret_present)
{
	uint64_t first = (start + PAGE - 1) & ~(PAGE - 1);
	uint64_t after = end & ~(PAGE - 1);

	while (first < after && !probe->kernel->reader.code) {
		uint64_t pages = (after - first) / PAGE;
		size_t count = pages < BATCH ? pages : BATCH;

		after -= count * PAGE;
		if (scan_batch(probe, after, count, ret_present))
			return true;
	}
	return false;
}

/* What lies in [@from, @to) of what the source has. */
static bool scan_known(struct probe *probe, uint64_t from, uint64_t to)
{
	const struct memory_source *source = probe->kernel->source;
	uint64_t present = 0;

	for (size_t i = source->ram_count; i--;) {
		uint64_t start = source->ram[i].start, end = start + source->ram[i].size;

		if (scan_range(probe, start > from ? start : from, end < to ? end : to, &present))
			return true;
	}
	return false;
}

static bool scan_unknown(struct probe *probe)
{
	uint64_t present = 0, before = 1;

	for (uint64_t at = 0; present != before && at < UNKNOWN_RAM_MAX; at += UNKNOWN_RAM) {
		before = present;
		if (scan_range(probe, at, at + UNKNOWN_RAM, &present))
			return true;
	}
	return false;
}

/* What is allocated at boot lies low or at the very top: look there first. */
static bool scan(struct kernel *kernel, uint64_t page_offset,
		 bool (*judge)(struct kernel *kernel, uint64_t page, const uint8_t *bytes))
{
	struct probe *probe = malloc(sizeof(*probe));
	bool is_found;

	if (!probe)
		return false;
	probe->kernel = kernel;
	probe->page_offset = page_offset;
	probe->judge = judge;
	is_found = kernel->source->ram_count ? scan_known(probe, 0, LOW_MEMORY) ||
						       scan_known(probe, LOW_MEMORY, UINT64_MAX)
					     : scan_unknown(probe);
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
