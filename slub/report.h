/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Damage that was found, told on standard error in one line: what, the cache, the address.
 */
#ifndef SLUB_REPORT_H
#define SLUB_REPORT_H

#include "layout.h"

/* "slub: CACHE: WHAT at ADDRESS"; then the process ends unless SLUB_ON_ERROR=continue is in its environment. `cache` may
 * be NULL. */
void slub_report(const struct kmem_cache *cache, const char *what, const void *address);

#endif
