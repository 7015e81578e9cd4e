// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* cflags: -fno-omit-frame-pointer -mno-omit-leaf-frame-pointer */
/* churn with frame pointers in the program; the C library stays as it is. */
#include "churn.c"
