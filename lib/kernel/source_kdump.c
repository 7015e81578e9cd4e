// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Facts from the headers, memory from the sandboxed reader. */
#include "source_kdump.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cleanup.h"
#include "core_notes.h"
#include "dump_reader.h"
#include "kdump_file.h"

struct kdump_source {
	struct memory_source source;
	struct dump_reader *reader;
	struct core_notes notes;
};

static int read_reader(struct memory_source *source, enum address_space space, struct memory_read *reads,
		      size_t count, struct error *err)
{
	if (space == SPACE_PHYSICAL)
		return dump_reader_read(((struct kdump_source *)source)->reader, reads, count, err);
	for (size_t i = 0; i < count; i++)
		reads[i].result = -EFAULT;
	return 0;
}

static void kdump_close(struct memory_source *source)
{
	struct kdump_source *kdump = (struct kdump_source *)source;

	dump_reader_stop(kdump->reader);
	core_notes_deinit(&kdump->notes);
	free(kdump);
}

static const struct memory_source_ops kdump_ops = { "kdump", read_reader, kdump_close };

static int start_reader(struct kdump_source *kdump, int fd, struct error *err)
{
	const struct dump_decoder *decoder = kdump_file_decoder();

	if (!decoder)
		return error_set(err, -EOPNOTSUPP, "is kdump-compressed: this dill was built without libkdumpfile");
	if (kdump_file_notes(fd, &kdump->notes))
		return error_set(err, -ENOMEM, "no memory to read a dump");
	return dump_reader_start(decoder, fd, &dump_default_limits, &kdump->reader, err);
}

int source_kdump_open(int fd, bool is_flattened, struct memory_source **ret_source, struct error *err)
{
	struct kdump_source *kdump;
	CLEANUP(close) int copy = -1;
	int status;

	if (is_flattened && kdump_file_decoder()) {
		status = kdump_file_unflatten(fd, &copy, err);
		if (status)
			return status;
		fd = copy;
	}
	kdump = calloc(1, sizeof(*kdump));
	if (!kdump)
		return error_set(err, -ENOMEM, "no memory to read a dump");
	kdump->source.ops = &kdump_ops;
	status = start_reader(kdump, fd, err);
	if (status) {
		kdump_close(&kdump->source);
		return status;
	}
	kdump->source.has_space[SPACE_PHYSICAL] = true;
	kdump->source.vmcoreinfo = kdump->notes.vmcoreinfo;
	kdump->source.cpus = kdump->notes.cpus;
	kdump->source.cpu_count = kdump->notes.cpu_count;
	kdump->source.ram = dump_reader_ranges(kdump->reader, &kdump->source.ram_count);
	*ret_source = &kdump->source;
	return 0;
}
