/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What compact's programs and user space share. */
#ifndef DILL_COMPACT_H
#define DILL_COMPACT_H

#include "trace_event.h"

enum compaction_kind {
	COMPACTION_DIRECT,    /* a task that wants memory does it itself */
	COMPACTION_KCOMPACTD,
	COMPACTION_REQUESTED, /* as a whole: /proc/sys/vm/compact_memory, a node's compact */
	COMPACTION_KINDS
};

#define FRAGMENTATION_UNKNOWN (-2000)
#define COMPACT_ZONE_BYTES 16

struct compaction_event {
	struct trace_head head;
	__u64 started_ns, latency_ns;
	__u64 migrate_scanned, free_scanned; /* pages looked at, to be moved or to be filled */
	__u64 isolated;                      /* pages taken off their lists, to be moved */
	__u64 migrated, failed;              /* pages */
	__u32 kind;                          /* enum compaction_kind */
	__s32 node, order;                   /* order: -1 without one */
	__s32 status;                        /* enum compact_result */
	__s32 mode;    /* enum migrate_mode; -1: not known */
	__u32 is_sync; /* then this is */
	__s32 index_before, index_after; /* fragmentation index in thousandths; FRAGMENTATION_UNKNOWN */
	char zone[COMPACT_ZONE_BYTES];
	struct trace_stack stack;
};

#endif
