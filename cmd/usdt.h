/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What usdt's program and user space share. */
#ifndef DILL_USDT_COMMAND_H
#define DILL_USDT_COMMAND_H

#include "trace_event.h"

#define USDT_EVENT_ARGUMENTS 12
#define USDT_SPECS_MAX 4096
#define USDT_NO_OFFSET 0xffff

enum usdt_read { USDT_READ_NOTHING, USDT_READ_CONSTANT, USDT_READ_REGISTER, USDT_READ_MEMORY };

/* Where an argument is, for the kernel's side: registers by their offset in struct pt_regs. */
struct usdt_place_spec {
	__s64 constant;
	__u16 base, index; /* USDT_NO_OFFSET: none */
	__u8 read;         /* enum usdt_read */
	__u8 scale_shift;  /* index << this */
	__u8 shift;        /* register >> this */
	__u8 size;         /* 1, 2, 4, 8 */
};

/* A probe. A cookie is its number and one. */
struct usdt_spec {
	__u32 count;
	__u32 reserved;
	struct usdt_place_spec arguments[USDT_EVENT_ARGUMENTS];
};

/* Where a probe is, on kernels without cookies. */
struct usdt_site {
	__u64 inode; /* 0: this offset is a probe's in one file only */
	__u64 file_offset;
};

struct usdt_event {
	struct trace_head head;
	__u64 ip;
	__u64 user_stack; /* key of the walker; 0: none */
	__u32 spec;
	__u32 known;      /* bit n: argument n could be read */
	__u64 values[USDT_EVENT_ARGUMENTS]; /* as they lie there: no sign is spread */
};

#endif
