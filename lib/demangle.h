/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* C++ and Rust symbol names made readable. Raw bytes in, raw bytes out: escaping is the view's work. */
#ifndef DILL_DEMANGLE_H
#define DILL_DEMANGLE_H

/*
 * The readable name, to be freed, or NULL when @symbol is not a mangled one (Itanium C++ ABI; Rust legacy and
 * v0) or there is no memory: then it is best shown as it is. Names whose readable form would pass 64 KiB are
 * left alone too: a hundred bytes can be written that unfold to gigabytes.
 */
char *demangle(const char *symbol);

#endif
