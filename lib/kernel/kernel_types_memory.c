// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * What is read from a kernel's memory: single fields, and the types that a kernel carries in its own image:
 * .BTF lies in its read-only data since 5.2 (include/asm-generic/vmlinux.lds.h), for /sys/kernel/btf/vmlinux.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"
#include "kernel_types_private.h"

#define PAGE_BYTES 4096u
#define CHUNK_BYTES (1u << 20)
#define IMAGE_BYTES_MAX (256u << 20) /* of text and read-only data: the largest have under 100 MiB */
#define KERNEL_BTF_BYTES_MIN (256u << 10)
#define KERNEL_BTF_BYTES_MAX (64u << 20)

/* Pages that aren't there are left as zeros. Returns the bytes read. */
static size_t read_pages(struct kernel *kernel, uint64_t address, uint8_t *bytes, size_t size)
{
	size_t got = 0;

	if (!kernel_read(kernel, address, bytes, size))
		return size;
	memset(bytes, 0, size);
	for (size_t at = 0; at < size;) {
		size_t part = PAGE_BYTES - (address + at) % PAGE_BYTES;

		if (part > size - at)
			part = size - at;
		if (kernel_read(kernel, address + at, bytes + at, part))
			memset(bytes + at, 0, part);
		else
			got += part;
		at += part;
	}
	return got;
}

static int open_at(struct kernel *kernel, uint64_t address, size_t size, const char *origin,
		   struct kernel_types **ret_types, struct error *err)
{
	CLEANUP(free) uint8_t *bytes = malloc(size);
	size_t got;
	int status;

	if (!bytes)
		return error_set(err, -ENOMEM, "no memory for %zu bytes of types", size);
	got = read_pages(kernel, address, bytes, size);
	if (!got)
		return error_set(err, -EFAULT, "the BTF at 0x%llx can't be read",
				 (unsigned long long)address);
	status = kernel_types_open(bytes, size, origin, ret_types, err);
	if (!status)
		(*ret_types)->missing_bytes = size - got;
	return status;
}

size_t kernel_types_missing(const struct kernel_types *types)
{
	return types ? types->missing_bytes : 0;
}

static int open_by_symbols(struct kernel *kernel, struct kernel_types **ret_types, struct error *err)
{
	uint64_t start, stop;

	if (kernel_symbol(kernel, "__start_BTF", &start) || kernel_symbol(kernel, "__stop_BTF", &stop))
		return -ENOENT;
	if (stop <= start || stop - start > KERNEL_BTF_BYTES_MAX)
		return -ENOENT;
	return open_at(kernel, start, stop - start, "__start_BTF in memory", ret_types, err);
}

/*
 * A header as pahole writes it. The kernel keeps a copy of the header alone (struct btf): so the names must
 * be where it says, and begin with the empty one.
 */
static bool is_kernel_btf(struct kernel *kernel, uint64_t address, const struct btf_header *header,
			  size_t *ret_size)
{
	uint64_t size = (uint64_t)header->hdr_len + header->str_off + header->str_len;
	uint8_t ends[2];
	char first[5];

	if (header->hdr_len < sizeof(*header) || header->hdr_len > 4 * sizeof(*header) || header->type_off ||
	    header->str_off < header->type_len || !header->str_len ||
	    size < KERNEL_BTF_BYTES_MIN || size > KERNEL_BTF_BYTES_MAX)
		return false;
	if (kernel_read(kernel, address + header->hdr_len + header->str_off, first, sizeof(first)) ||
	    kernel_read(kernel, address + size - 1, &ends[1], 1))
		return false;
	if (first[0] || !first[1] || ends[1])
		return false;
	*ret_size = size;
	return true;
}

static int open_by_scan(struct kernel *kernel, struct kernel_types **ret_types, struct error *err)
{
	static const uint8_t head[4] = { 0x9f, 0xeb, BTF_VERSION, 0 }; /* magic, version, flags */
	const size_t overlap = sizeof(struct btf_header);
	CLEANUP(free) uint8_t *chunk = malloc(CHUNK_BYTES + overlap);
	uint64_t base = kernel->layout.base.value;

	if (!chunk)
		return error_set(err, -ENOMEM, "no memory for a scan");
	for (uint64_t at = 0; kernel->layout.base.origin && at < IMAGE_BYTES_MAX; at += CHUNK_BYTES) {
		const uint8_t *end = chunk + CHUNK_BYTES + overlap;

		if (kernel->reader.code)
			break;
		read_pages(kernel, base + at, chunk, CHUNK_BYTES + overlap);
		for (const uint8_t *hit = chunk; (hit = memmem(hit, end - hit, head, sizeof(head))); hit++) {
			struct btf_header header;
			uint64_t address = base + at + (hit - chunk);
			size_t size;

			if ((size_t)(end - hit) < sizeof(header))
				break;
			memcpy(&header, hit, sizeof(header));
			if (is_kernel_btf(kernel, address, &header, &size) &&
			    !open_at(kernel, address, size, "scan of the kernel image", ret_types, err))
				return 0;
		}
	}
	return error_set(err, -ENOENT,
			 "no types in the kernel's memory: is it built without DEBUG_INFO_BTF?");
}

int kernel_types_open_memory(struct kernel *kernel, struct kernel_types **ret_types, struct error *err)
{
	return open_by_symbols(kernel, ret_types, err) ? open_by_scan(kernel, ret_types, err) : 0;
}

int field_read(struct kernel *kernel, const struct field *field, uint64_t address, uint64_t *ret_value)
{
	uint8_t bytes[16];
	size_t size = field->size < sizeof(bytes) ? field->size : sizeof(bytes);

	if (!size)
		return -ENOENT;
	if (kernel_read(kernel, address + field->offset, bytes, size))
		return -EFAULT;
	*ret_value = field_decode(field, bytes);
	return 0;
}
