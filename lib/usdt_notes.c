// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Notes of a .note.stapsdt section, from bytes alone. */
#include <elf.h>
#include <string.h>

#include "usdt_probes.h"

#define NT_STAPSDT 3
#define OWNER "stapsdt"

static uint64_t read_address(const uint8_t *bytes, size_t size)
{
	uint64_t value = 0;

	memcpy(&value, bytes, size); /* little-endian, as all x86 */
	return value;
}

/* A terminated text at *@at, which moves behind it; NULL: it doesn't end. */
static const char *take_text(const uint8_t **at, const uint8_t *end)
{
	const uint8_t *text = *at, *nul = text < end ? memchr(text, 0, (size_t)(end - text)) : NULL;

	if (!nul)
		return NULL;
	*at = nul + 1;
	return (const char *)text;
}

static bool read_description(const uint8_t *bytes, size_t size, bool is_64bit, struct usdt_note *ret_note)
{
	size_t word = is_64bit ? 8 : 4;
	const uint8_t *at = bytes + 3 * word, *end = bytes + size;

	if (size < 3 * word)
		return false;
	ret_note->pc = read_address(bytes, word);
	ret_note->base = read_address(bytes + word, word);
	ret_note->semaphore = read_address(bytes + 2 * word, word);
	ret_note->provider = take_text(&at, end);
	ret_note->name = ret_note->provider ? take_text(&at, end) : NULL;
	ret_note->arguments = ret_note->name ? take_text(&at, end) : NULL;
	return ret_note->arguments;
}

/* Notes are aligned to 4 bytes in files of both classes. */
static size_t aligned(size_t size)
{
	return (size + 3) & ~(size_t)3;
}

int usdt_notes_each(const void *bytes, size_t size, bool is_64bit, int (*visit)(const struct usdt_note *note, void *context),
		    void *context)
{
	size_t at = 0;

	while (size - at >= sizeof(Elf32_Nhdr)) {
		const uint8_t *name, *description;
		struct usdt_note note;
		Elf32_Nhdr header; /* Elf64_Nhdr is the same */
		int status;

		memcpy(&header, (const uint8_t *)bytes + at, sizeof(header));
		at += sizeof(header);
		if (header.n_namesz > size - at || aligned(header.n_namesz) > size - at)
			return 0;
		name = (const uint8_t *)bytes + at;
		at += aligned(header.n_namesz);
		if (header.n_descsz > size - at)
			return 0;
		description = (const uint8_t *)bytes + at;
		at = aligned(header.n_descsz) > size - at ? size : at + aligned(header.n_descsz);
		if (header.n_type != NT_STAPSDT || header.n_namesz != sizeof(OWNER) || memcmp(name, OWNER, sizeof(OWNER)) != 0)
			continue;
		if (!read_description(description, header.n_descsz, is_64bit, &note))
			return 0;
		status = visit(&note, context);
		if (status)
			return status;
	}
	return 0;
}
