// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Lookups in the text of VMCOREINFO. The text may come from a damaged dump: nothing in it is believed here. */
#include "vmcoreinfo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *vmcoreinfo_find(const char *text, const char *key, size_t *ret_length)
{
	size_t key_length = strlen(key);

	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, key, key_length) || line[key_length] != '=')
			continue;
		*ret_length = strcspn(line + key_length + 1, "\n");
		return line + key_length + 1;
	}
	return NULL;
}

int vmcoreinfo_text(const char *text, const char *key, char *buffer, size_t size)
{
	size_t length;
	const char *value = vmcoreinfo_find(text, key, &length);

	if (!value)
		return -ENOENT;
	snprintf(buffer, size, "%.*s", (int)(length < size ? length : size), value);
	return 0;
}

/* A whole value in @base 10 (with a sign) or 16 (with or without 0x). */
static int parse(const char *text, const char *key, int base, uint64_t *ret_value)
{
	size_t length;
	const char *value = vmcoreinfo_find(text, key, &length);
	char digits[32], *end;
	uint64_t number;

	if (!value)
		return -ENOENT;
	if (!length || length >= sizeof(digits))
		return -EBADMSG;
	memcpy(digits, value, length);
	digits[length] = '\0';
	if (strspn(digits, "-+0123456789abcdefABCDEFxX") != length)
		return -EBADMSG;
	if (!strncmp(digits, "0x", 2))
		base = 16;
	errno = 0;
	number = digits[0] == '-' ? (uint64_t)strtoll(digits, &end, base) : strtoull(digits, &end, base);
	if (errno || *end)
		return -EBADMSG;
	*ret_value = number;
	return 0;
}

int vmcoreinfo_symbol(const char *text, const char *name, uint64_t *ret_address)
{
	char key[128];

	snprintf(key, sizeof(key), "SYMBOL(%s)", name);
	return parse(text, key, 16, ret_address);
}

int vmcoreinfo_entry(const char *text, const char *kind, const char *name, int64_t *ret_value)
{
	char key[128];
	uint64_t value;
	int status;

	snprintf(key, sizeof(key), "%s(%s)", kind, name);
	status = parse(text, key, 10, &value);
	if (!status)
		*ret_value = (int64_t)value;
	return status;
}

int vmcoreinfo_number(const char *text, const char *name, int64_t *ret_value)
{
	return vmcoreinfo_entry(text, "NUMBER", name, ret_value);
}

int vmcoreinfo_kernel_offset(const char *text, uint64_t *ret_offset)
{
	return parse(text, "KERNELOFFSET", 16, ret_offset);
}
