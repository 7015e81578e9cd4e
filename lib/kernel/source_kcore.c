// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* /proc/kcore is an ELF core like others; what differs is in elf_core.h. */
#include "source_kcore.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "elf_core.h"

#define KCORE "/proc/kcore"

struct kcore_source {
	struct memory_source source;
	int fd;
	struct elf_core core;
	struct memory_range *ram; /* owned; source.ram */
};

static int kcore_read(struct memory_source *source, enum address_space space, struct memory_read *reads,
		      size_t count, struct error *err)
{
	struct kcore_source *kcore = (struct kcore_source *)source;

	(void)err;
	file_extents_read(space == SPACE_VIRTUAL ? &kcore->core.virtual : &kcore->core.physical, kcore->fd, reads,
			  count);
	return 0;
}

static void kcore_close(struct memory_source *source)
{
	struct kcore_source *kcore = (struct kcore_source *)source;

	elf_core_deinit(&kcore->core);
	free(kcore->ram);
	if (kcore->fd >= 0)
		close(kcore->fd);
	free(kcore);
}

static const struct memory_source_ops kcore_ops = { "kcore", kcore_read, kcore_close };

static int fill_source(struct kcore_source *kcore, struct error *err)
{
	struct memory_source *source = &kcore->source;
	int status = elf_core_read(kcore->fd, ELF_CORE_KCORE, &kcore->core, err);

	if (status)
		return error_context(err, KCORE) ? status : status;
	if (file_extents_ranges(&kcore->core.physical, &kcore->ram, &source->ram_count))
		return error_set(err, -ENOMEM, "no memory to read " KCORE);
	source->has_space[SPACE_VIRTUAL] = true;
	source->has_space[SPACE_PHYSICAL] = kcore->core.physical.count != 0;
	source->is_live = true;
	source->is_this_machine = true;
	source->ram = kcore->ram;
	source->mappings = kcore->core.mappings;
	source->mapping_count = kcore->core.mapping_count;
	source->vmcoreinfo = kcore->core.notes.vmcoreinfo;
	return 0;
}

static int open_error(struct error *err)
{
	switch (errno) {
	case ENOENT:
		return error_set(err, -ENOENT, "this kernel has no " KCORE);
	case EACCES:
	case EPERM:
		return error_set(err, -EPERM, KCORE ": takes root with CAP_SYS_RAWIO and a kernel without lockdown");
	default:
		return error_set(err, -errno, KCORE ": %s", strerror(errno));
	}
}

int source_kcore_open(struct memory_source **ret_source, struct error *err)
{
	struct kcore_source *kcore = calloc(1, sizeof(*kcore));
	int status;

	if (!kcore)
		return error_set(err, -ENOMEM, "no memory to read " KCORE);
	kcore->source.ops = &kcore_ops;
	kcore->fd = open(KCORE, O_RDONLY | O_CLOEXEC);
	status = kcore->fd < 0 ? open_error(err) : fill_source(kcore, err);
	if (status) {
		kcore_close(&kcore->source);
		return status;
	}
	*ret_source = &kcore->source;
	return 0;
}
