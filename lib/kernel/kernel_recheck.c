// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Whether an opened kernel is still the one in memory, for targets that ran since, and may have booted anew. */
#include <string.h>

#include "kernel.h"

/* A variable that is chosen at boot, against what was found of it. What can't be read tells nothing. */
static bool has_moved(struct kernel *kernel, const char *name, const struct kernel_fact *fact)
{
	uint64_t value;

	return fact->origin && !kernel_read_variable(kernel, name, sizeof(value), &value) && value != fact->value;
}

bool kernel_is_unchanged(struct kernel *kernel)
{
	char banner[sizeof(kernel->banner)];
	uint64_t address;
	size_t length = strlen(kernel->banner);

	/* What was not there when the kernel had just begun to boot may be there now. */
	if (!length || !kernel->types || !kernel->cpu_count)
		return false;
	if (kernel_symbol(kernel, "linux_banner", &address) ||
	    kernel_read_string(kernel, address, banner, sizeof(banner)) ||
	    strncmp(banner, kernel->banner, length) != 0)
		return false;
	return !has_moved(kernel, "page_offset_base", &kernel->layout.page_offset_base) &&
	       !has_moved(kernel, "vmemmap_base", &kernel->layout.vmemmap_base) && !kernel->reader.code;
}
