// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Facts that need no types: the machine's RAM, the direct map, VMCOREINFO. */
#include "live_facts.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define NOTE_BYTES_MAX 65536
#define NOTE_NAME "VMCOREINFO"

int live_ram(struct memory_range **ret_ranges, size_t *ret_count)
{
	CLEANUP(fclose) FILE *file = fopen("/proc/iomem", "re");
	CLEANUP(free) struct memory_range *ranges = NULL;
	size_t count = 0;
	char line[256];

	if (!file)
		return -errno;
	while (fgets(line, sizeof(line), file)) {
		uint64_t first, last;
		int name = 0;
		struct memory_range *longer;

		/* Top-level lines aren't indented; RAM is never inside something else. */
		if (line[0] == ' ' || sscanf(line, "%" SCNx64 "-%" SCNx64 " : %n", &first, &last, &name) < 2 ||
		    !name || strcmp(line + name, "System RAM\n") || last < first)
			continue;
		if (!last)
			return -EPERM;
		longer = reallocarray(ranges, count + 1, sizeof(*ranges));
		if (!longer)
			return -ENOMEM;
		ranges = longer;
		ranges[count++] = (struct memory_range){ .start = first, .size = last - first + 1 };
	}
	if (!count)
		return -ENOENT;
	*ret_ranges = TAKE_PTR(ranges);
	*ret_count = count;
	return 0;
}

int live_facts_direct(const struct live_facts *facts, uint64_t physical, size_t size, uint64_t *ret_address)
{
	for (size_t i = 0; facts->direct_map && i < facts->ram_count; i++) {
		const struct memory_range *ram = &facts->ram[i];

		if (physical >= ram->start && physical - ram->start < ram->size &&
		    size <= ram->size - (physical - ram->start)) {
			*ret_address = facts->direct_map + physical;
			return 0;
		}
	}
	return -EFAULT;
}

/* The text of the note that /sys/kernel/vmcoreinfo points to: kernel/ksysfs.c, Elf64_Nhdr. NULL: not there. */
static char *read_vmcoreinfo(struct memory_source *source, const struct live_facts *facts)
{
	CLEANUP(fclose) FILE *file = fopen("/sys/kernel/vmcoreinfo", "re");
	CLEANUP(free) char *note = NULL;
	Elf64_Nhdr header;
	uint64_t physical, size, address;
	const size_t text = sizeof(header) + (sizeof(NOTE_NAME) + 3) / 4 * 4;

	if (!file || fscanf(file, "%" SCNx64 " %" SCNx64, &physical, &size) != 2 || size < text ||
	    size > NOTE_BYTES_MAX || live_facts_direct(facts, physical, size, &address))
		return NULL;
	note = calloc(1, size + 1);
	if (!note || memory_source_read(source, SPACE_VIRTUAL, address, note, size, NULL))
		return NULL;
	memcpy(&header, note, sizeof(header));
	if (header.n_namesz != sizeof(NOTE_NAME) || header.n_descsz > size - text ||
	    memcmp(note + sizeof(header), NOTE_NAME, sizeof(NOTE_NAME)))
		return NULL;
	memmove(note, note + text, header.n_descsz);
	note[header.n_descsz] = '\0';
	return TAKE_PTR(note);
}

int live_facts_find(struct memory_source *source, uint64_t task, struct live_facts *facts, struct error *err)
{
	struct error ignored;
	int status;

	(void)err;
	live_ram(&facts->ram, &facts->ram_count);
	status = live_direct_map(source, task, &facts->direct_map, &ignored);
	if (!status && facts->ram_count) {
		source->has_space[SPACE_PHYSICAL] = true;
		facts->vmcoreinfo = read_vmcoreinfo(source, facts);
		facts->values[source->value_count++] =
			(struct named_address){ "page_offset_base", facts->direct_map };
	}
	source->ram = facts->ram;
	source->ram_count = facts->ram_count;
	source->vmcoreinfo = facts->vmcoreinfo;
	source->symbols = facts->symbols;
	source->values = facts->values;
	return 0;
}

void live_facts_deinit(struct live_facts *facts)
{
	free(facts->ram);
	free(facts->vmcoreinfo);
	free(facts->percpu_offsets);
}
