/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * kdump-compressed dumps: what can be told without decoding pages, and the decoder of pages.
 * Layout: IMPLEMENTATION of makedumpfile; diskdump_mod.h of it (struct disk_dump_header, kdump_sub_header);
 * dump/dump.c and include/sysemu/dump.h of QEMU.
 */
#ifndef DILL_KDUMP_FILE_H
#define DILL_KDUMP_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "core_notes.h"
#include "dump_reader.h"
#include "error.h"

/* Judged by the first bytes of a file: at least 16. */
bool kdump_file_is_kdump(const char *head);
bool kdump_file_is_flattened(const char *head);

/*
 * A flattened dump is a stream of (offset, size, bytes), for pipes; put the bytes where they belong. The result is
 * a file without a name: in memory while that is small, else in $TMPDIR or /var/tmp. It closes with @ret_fd. A dump
 * that is cut off gives a file with what there is. -EBADMSG: no record makes sense; -ENOSPC and the like.
 */
int kdump_file_unflatten(int fd, int *ret_fd, struct error *err);

/* The notes, from a header that isn't believed; what is damaged is missing in @notes. -ENOMEM or 0. */
int kdump_file_notes(int fd, struct core_notes *ret_notes);

/* libkdumpfile, for dump_reader_start(); NULL when dill was built without. */
const struct dump_decoder *kdump_file_decoder(void);

#endif
