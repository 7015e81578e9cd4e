// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Decompression of .gnu_debugdata. What is inside is read by elf_symbols.c. */
#include "elf_minidebuginfo.h"

#include <errno.h>
#include <gelf.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define IMAGE_LIMIT (256UL << 20)
#define DICTIONARY_LIMIT (128UL << 20) /* xz -9 wants 65 MiB to decompress */

static Elf_Data *find_section(Elf *elf)
{
	size_t names_index;
	Elf_Scn *section = NULL;

	if (elf_getshdrstrndx(elf, &names_index))
		return NULL;
	while ((section = elf_nextscn(elf, section))) {
		GElf_Shdr header;
		const char *name;

		if (!gelf_getshdr(section, &header) || header.sh_type == SHT_NOBITS)
			continue;
		name = elf_strptr(elf, names_index, header.sh_name);
		if (name && !strcmp(name, ".gnu_debugdata"))
			return elf_rawdata(section, NULL);
	}
	return NULL;
}

static int decode(lzma_stream *stream, void **ret_image, size_t *ret_size)
{
	CLEANUP(free) uint8_t *image = NULL;
	size_t capacity = 0;
	lzma_ret status;

	do {
		uint8_t *grown;

		if (capacity >= IMAGE_LIMIT)
			return -EFBIG;
		capacity = capacity ? capacity * 2 : 256UL << 10;
		grown = realloc(image, capacity);
		if (!grown)
			return -ENOMEM;
		image = grown;
		stream->next_out = image + stream->total_out;
		stream->avail_out = capacity - stream->total_out;
		status = lzma_code(stream, LZMA_FINISH);
	} while (status == LZMA_OK);
	if (status != LZMA_STREAM_END)
		return status == LZMA_MEM_ERROR ? -ENOMEM : -EBADMSG;
	*ret_size = stream->total_out;
	*ret_image = TAKE_PTR(image);
	return 0;
}

int elf_minidebuginfo_extract(Elf *elf, void **ret_image, size_t *ret_size)
{
	lzma_stream stream = LZMA_STREAM_INIT;
	Elf_Data *data = find_section(elf);
	int r;

	if (!data || !data->d_buf)
		return -ENOENT;
	if (lzma_stream_decoder(&stream, DICTIONARY_LIMIT, 0) != LZMA_OK)
		return -ENOMEM;
	stream.next_in = data->d_buf;
	stream.avail_in = data->d_size;
	r = decode(&stream, ret_image, ret_size);
	lzma_end(&stream);
	return r;
}
