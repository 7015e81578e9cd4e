// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* `dill …` in gdb: words for the tracer, which is started when it is needed. */
#include <errno.h>

#include "command.h"
#include "plugin_private.h"

int dill_gdb_trace(struct dill_gdb *session, const char *const *words, const struct dill_gdb_style *style)
{
	(void)words;
	(void)style;
	session_begin(session);
	error_set(&session->error, -EOPNOTSUPP, "the heap trace is not built in");
	return session_end(session, EXIT_INCOMPLETE);
}
