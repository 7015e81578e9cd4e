/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What the machine has, asked without allocating memory.
 */
#ifndef SLUB_MACHINE_H
#define SLUB_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

/* CPUs that may ever be: no thread's CPU number is this or above. */
unsigned slub_machine_cpus(void);

/* Whether 16 bytes can be compared and exchanged at once. */
bool slub_machine_has_cmpxchg_double(void);

/* Memory nodes, 1 to `limit`; 1 when the system doesn't say. */
unsigned slub_machine_nodes(unsigned limit);

/* The node that the calling thread allocates from. */
unsigned slub_node(void);

/* A seed from the kernel's generator; from the clock when that has none yet. */
uint64_t slub_machine_seed(void);

/* Milliseconds since some moment, as cheap as they can be had: steps of a few. */
uint64_t slub_machine_ms(void);

#endif
