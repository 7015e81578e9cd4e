// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* cc: musl-gcc */
/* leak_sites with musl: malloc lives in the loader, or in the program where that is linked statically. */
#include "leak_sites.c"
