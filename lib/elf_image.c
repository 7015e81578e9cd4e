// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Loads a file for libdw. What is in it is read by dwarf_lines.c. */
#include "elf_image.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "cleanup.h"
#include "elf_object.h"

#define PAGE 4096UL

struct elf_image {
	char *bytes;
	size_t mapped_size;
	Elf *elf;
};

void elf_image_close(struct elf_image *image)
{
	if (!image)
		return;
	elf_end(image->elf);
	if (image->bytes)
		munmap(image->bytes, image->mapped_size);
	free(image);
}

DEFINE_CLEANUP(image, struct elf_image *, elf_image_close(v));

Elf *elf_image_elf(const struct elf_image *image)
{
	return image->elf;
}

static int load(struct elf_image *image, const struct elf_object *object, size_t size)
{
	const int access = PROT_READ | PROT_WRITE;
	void *bytes;

	image->mapped_size = ((size + PAGE - 1) & -PAGE) + PAGE;
	bytes = mmap(NULL, image->mapped_size, access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (bytes == MAP_FAILED)
		return -ENOMEM;
	image->bytes = bytes;
	if (!elf_object_is_mappable(object))
		return elf_object_read(object, 0, bytes, size) ? -EBADMSG : 0;
	if (mmap(bytes, size, access, MAP_PRIVATE | MAP_FIXED, elf_object_fd(object), 0) == MAP_FAILED)
		return -errno;
	return 0;
}

int elf_image_open(const struct elf_object *object, struct elf_image **ret_image)
{
	CLEANUP(image) struct elf_image *image = calloc(1, sizeof(*image));
	uint64_t size = elf_object_file_size(object);
	int r;

	if (!image)
		return -ENOMEM;
	if (!size || size > SIZE_MAX / 2)
		return -EBADMSG;
	r = load(image, object, (size_t)size);
	if (r)
		return r;
	elf_version(EV_CURRENT);
	image->elf = elf_memory(image->bytes, (size_t)size);
	if (!image->elf)
		return -EBADMSG;
	*ret_image = TAKE_PTR(image);
	return 0;
}
