/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Fetching debug files over the network: debuginfod(8), through the libdebuginfod.so.1 that the machine has.
 * It is loaded when asked for and not linked, so that nothing here needs it and a static program can be made.
 */
#ifndef DILL_DEBUGINFOD_H
#define DILL_DEBUGINFOD_H

#include <stddef.h>
#include <stdint.h>

struct debuginfod;
struct error;

/* -EOPNOTSUPP when the library can't be loaded, -ENOENT when $DEBUGINFOD_URLS names no server. */
int debuginfod_create(struct debuginfod **ret_debuginfod, struct error *err);
void debuginfod_destroy(struct debuginfod *debuginfod);

/*
 * Fetch, or take from the user's cache, the debug file with this build-id. Blocks for as long as
 * $DEBUGINFOD_TIMEOUT allows. Returns a descriptor or a negative errno; *@ret_path, to be freed, says where
 * the file is cached.
 */
int debuginfod_fetch(struct debuginfod *debuginfod, const uint8_t *build_id, size_t size, char **ret_path);

#endif
