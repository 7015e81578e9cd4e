/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* A type as C that a compiler takes, with all that it needs. */
#ifndef DILL_TYPE_C_H
#define DILL_TYPE_C_H

#include <stdint.h>

#include "error.h"

struct kernel_types;

/*
 * The definition of @id, which has a name, after those of all types that it holds by value; what is only
 * pointed to is declared. gcc and clang lay it out as the kernel does: gaps that would not come by themselves
 * are written out, and what lies where it can't lie by itself is packed. A last line asserts the size. Of
 * several types or enumerators with one name the later ones get "__ID". The text has printable ASCII, tabs
 * and newlines only. Owned by the caller. -EBADMSG: damaged, no C can say it. -ENOENT: @id has no name or is
 * no such type.
 */
int type_to_c(struct kernel_types *types, uint32_t id, char **ret_text, struct error *err);

#endif
