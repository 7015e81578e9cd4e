// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* cflags: -fno-pie */
/* ldflags: -no-pie */
/* static: no */
/* leak_sites linked at a fixed address. */
#include "leak_sites.c"
