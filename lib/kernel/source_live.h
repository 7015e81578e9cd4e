/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* The running machine, by the best way of reading its kernel's memory that works here. */
#ifndef DILL_SOURCE_LIVE_H
#define DILL_SOURCE_LIVE_H

#include "memory_source.h"

enum live_reader {
	LIVE_BEST, /* BPF where it works, else kcore */
	LIVE_BPF,
	LIVE_KCORE,
};

/*
 * BPF is the better one: one system call reads hundreds of pages, memory that isn't mapped is told from zeros,
 * and it needs no capability as strong as CAP_SYS_RAWIO. Which works is found out by trying. When none does, the
 * message gives the reason of each; the code is -EPERM when more privileges would help with any.
 */
int source_live_open(enum live_reader reader, struct memory_source **ret_source, struct error *err);

#endif
