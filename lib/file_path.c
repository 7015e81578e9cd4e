// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Puts the names of a path, which come from the file upwards, into the order of reading. */
#include "file_path.h"

#include <stdio.h>
#include <string.h>

const char *file_path_text(const struct file_path *path, char *text, size_t size)
{
	size_t length = path->length <= sizeof(path->names) ? path->length : sizeof(path->names);
	const char *names[FILE_PATH_NAMES];
	size_t count = 0, used = 0;

	for (size_t start = 0; start < length && count < FILE_PATH_NAMES; count++) {
		size_t name_length = strnlen(path->names + start, length - start);

		if (start + name_length == length)
			break; /* without its NUL */
		names[count] = path->names + start;
		start += name_length + 1;
	}
	if (!count)
		return NULL;
	text[0] = '\0';
	if (path->flags & FILE_PATH_CUT)
		used = (size_t)snprintf(text, size, "…");
	while (count-- && used < size)
		used += (size_t)snprintf(text + used, size - used, "%s%s", names[count][0] == '/' ? "" : "/", names[count]);
	if ((path->flags & FILE_PATH_DELETED) && used < size)
		snprintf(text + used, size - used, " (deleted)");
	return text;
}
