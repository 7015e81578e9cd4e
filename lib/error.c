// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Fills and prepends to struct error. Truncates rather than fails: a cut message beats none. */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *err, int code, const char *format, ...)
{
	va_list args;

	if (!err)
		return code;
	err->code = code;
	va_start(args, format);
	vsnprintf(err->text, sizeof(err->text), format, args);
	va_end(args);
	return code;
}

int error_context(struct error *err, const char *format, ...)
{
	char context[sizeof(err->text)];
	char joined[2 * sizeof(err->text) + 2];
	va_list args;

	if (!err)
		return -EINVAL;
	va_start(args, format);
	vsnprintf(context, sizeof(context), format, args);
	va_end(args);
	snprintf(joined, sizeof(joined), "%s: %s", context, err->text);
	memcpy(err->text, joined, sizeof(err->text) - 1);
	err->text[sizeof(err->text) - 1] = '\0';
	return err->code;
}
