/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* kdump-compressed dumps as a memory source; source_file.h opens it for whom only has a path. */
#ifndef DILL_SOURCE_KDUMP_H
#define DILL_SOURCE_KDUMP_H

#include <stdbool.h>

#include "error.h"
#include "memory_source.h"

/* As source_file_open(). @fd stays the caller's. */
int source_kdump_open(int fd, bool is_flattened, struct memory_source **ret_source, struct error *err);

#endif
