// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The kernel's own symbols as a file for gdb. */
#include <errno.h>

#include "plugin_private.h"

int dill_gdb_write_symbols(struct dill_gdb *session, const char *path, char *ret_path, size_t size)
{
	(void)path;
	(void)ret_path;
	(void)size;
	session_begin(session);
	return session_end(session, error_set(&session->error, -EOPNOTSUPP, "symbols can't be written yet"));
}
