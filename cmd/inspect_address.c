// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* How an address is written on the command line, the same for all inspecting commands. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect.h"

#define HEX_DIGITS "0123456789abcdefABCDEF"

bool inspect_is_number(const char *word)
{
	size_t digits = strspn(word, HEX_DIGITS);

	return isdigit((unsigned char)*word) || (digits >= 12 && !word[digits]);
}

int inspect_hex(const char *word, uint64_t *ret_address)
{
	uint64_t address;
	char *end;

	errno = 0;
	address = strtoull(word, &end, 16);
	if (errno || end == word || *end)
		return -EINVAL;
	*ret_address = address;
	return 0;
}

int inspect_address(struct kernel *kernel, const char *word, uint64_t *ret_address, struct error *err)
{
	bool is_pointer = *word == '*';
	uint64_t address, offset;
	char name[256], *end;
	size_t length;

	word += is_pointer || *word == '&';
	length = strcspn(word, "+-");
	snprintf(name, sizeof(name), "%.*s", (int)length, word);
	if ((!inspect_is_number(name) || inspect_hex(name, &address)) && kernel_symbol(kernel, name, &address))
		return error_set(err, -ENOENT,
				 "'%s' is neither an address nor a symbol that this kernel tells", name);
	if (is_pointer && kernel_read_u64(kernel, address, &address))
		return error_set(err, -EFAULT, "the pointer at '%s' can't be read", name);
	if (word[length]) {
		errno = 0;
		offset = strtoull(word + length + 1, &end, 0);
		if (errno || *end || end == word + length + 1)
			return error_set(err, -EINVAL, "'%s': a number must follow the sign", word);
		address += word[length] == '-' ? -offset : offset;
	}
	*ret_address = address;
	return 0;
}
