// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// The slow half of slub_lock(). syscall() keeps errno's promise here: a failed wait is a reason to look again, and
// errno is put back.
#include "lock.h"

#include <errno.h>
#include <stddef.h>

#ifndef SLUB_MODEL
void slub_lock_wait(struct slub_lock *lock)
{
	int saved = errno;

	for (int spin = 0; spin < SLUB_SPINS; spin++) {
		int open = 0;

		__builtin_ia32_pause();
		if (!atomic_load_explicit(&lock->state, memory_order_relaxed) &&
		    atomic_compare_exchange_strong_explicit(&lock->state, &open, 1, memory_order_acquire,
							    memory_order_relaxed))
			return;
	}
	while (atomic_exchange_explicit(&lock->state, 2, memory_order_acquire))
		syscall(SYS_futex, &lock->state, FUTEX_WAIT_PRIVATE, 2, NULL, NULL, 0);
	errno = saved;
}
#endif
