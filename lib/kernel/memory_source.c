// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* What is the same for every memory source. */
#include "memory_source.h"

int memory_source_read(struct memory_source *source, enum address_space space, uint64_t address, void *buffer,
		       size_t size, struct error *err)
{
	struct memory_read read = { .address = address, .buffer = buffer, .size = size };
	int status = source->ops->read(source, space, &read, 1, err);

	return status ? status : read.result;
}

void memory_source_close(struct memory_source *source)
{
	if (source)
		source->ops->close(source);
}
