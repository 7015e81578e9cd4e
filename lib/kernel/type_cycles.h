/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Types that can't be: a typedef of itself, a struct within itself, a chain of typedefs without end. BTF
 * out of a damaged kernel may have them; whoever hands types on to a program that follows them asks here
 * first.
 */
#ifndef DILL_TYPE_CYCLES_H
#define DILL_TYPE_CYCLES_H

#include <stdint.h>

struct kernel_types;

/*
 * A byte for each type id, 1 where what the type refers to must not be followed: without these, every way
 * from type to type leads through a pointer in a struct or union, or ends after TYPE_CYCLE_DEPTH steps at
 * most. To be freed. -ENOMEM.
 */
int type_cycles_find(const struct kernel_types *types, uint8_t **ret_is_cut);

#define TYPE_CYCLE_DEPTH 64

#endif
