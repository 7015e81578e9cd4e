// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* ldflags: -static */
/* static: no */
/* leak_sites linked statically: no dynamic symbols, no loader, malloc in the program itself. */
#include "leak_sites.c"
