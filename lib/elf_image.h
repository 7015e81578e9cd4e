/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A whole ELF file in memory with a page of zeros behind it.
 *
 * libdw (0.188) reads a few bytes past the end of a section when abbreviations or strings are damaged. Here
 * that is the next section, or the zeros. It doesn't help against sections that libelf decompresses into
 * memory of its own.
 */
#ifndef DILL_ELF_IMAGE_H
#define DILL_ELF_IMAGE_H

#include <libelf.h>

struct elf_image;
struct elf_object;

/*
 * Mapped when nobody can truncate the file under us (see elf_object_begin_elf()), otherwise read. Changes to
 * it stay private. -ENOMEM, or -EBADMSG when libelf refuses.
 */
int elf_image_open(const struct elf_object *object, struct elf_image **ret_image);
/* Accepts NULL. */
void elf_image_close(struct elf_image *image);

Elf *elf_image_elf(const struct elf_image *image);

#endif
