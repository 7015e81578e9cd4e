/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Binary search in arrays that are sorted by whatever is asked for. */
#ifndef DILL_PARTITION_POINT_H
#define DILL_PARTITION_POINT_H

#include <stddef.h>

/*
 * How many of @count elements come before: the index of the first for which @comes_before, an expression of the index
 * @at, is false; @count when there is none. Where it is true it must be so for all elements before.
 */
#define PARTITION_POINT(at, count, comes_before)                    \
	({                                                          \
		size_t low_ = 0, high_ = (count);                   \
                                                                    \
		while (low_ < high_) {                              \
			size_t at = low_ + (high_ - low_) / 2;      \
                                                                    \
			if (comes_before)                           \
				low_ = at + 1;                      \
			else                                        \
				high_ = at;                         \
		}                                                   \
		low_;                                               \
	})

#endif
