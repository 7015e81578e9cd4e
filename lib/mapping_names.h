/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Arguments of mmap(2), mremap(2) and madvise(2) in words. They are the kernel's ABI (include/uapi/asm-generic/mman-common.h,
 * mman.h, linux/mman.h), and no part of its types.
 * Bits without a name come as a number.
 *
 * Each returns @text, which is always terminated.
 */
#ifndef DILL_MAPPING_NAMES_H
#define DILL_MAPPING_NAMES_H

#include <stddef.h>
#include <stdint.h>

const char *mapping_prot_text(uint64_t prot, char *text, size_t size);
const char *mapping_flags_text(uint64_t flags, char *text, size_t size);
const char *mremap_flags_text(uint64_t flags, char *text, size_t size);
const char *madvise_text(uint64_t advice, char *text, size_t size);
/* "ENOMEM"; a number where the C library has no name. */
const char *errno_text(int number, char *text, size_t size);

/* One bit with its name, or one value of the bits of @mask. A table ends without name. */
struct flag_name {
	uint64_t mask, value;
	const char *name;
};
const char *flag_names_text(const struct flag_name *names, uint64_t flags, char *text, size_t size);

/* The size of huge pages that bits 26 to 31 ask for, as "|2MB"; nothing when they are 0. Appended to @text. */
void huge_size_append(uint64_t flags, const char *prefix, char *text, size_t size);

#endif
