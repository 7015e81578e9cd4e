// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// The same calls on libslub's model: many CPUs and nodes, either engine (fuzz_slub.c, -DSLUB_MODEL).
#include "fuzz_slub.c"
