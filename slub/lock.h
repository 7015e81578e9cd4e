/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A lock of four bytes that waits in the kernel when it must: list locks are held for well under a microsecond, so
 * a short spin comes first. Zero bytes are an open lock. (Drepper, "Futexes Are Tricky", mutex 2.)
 */
#ifndef SLUB_LOCK_H
#define SLUB_LOCK_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SLUB_SPINS 100

struct slub_lock {
	_Atomic int state; /* 0 open, 1 held, 2 held and somebody sleeps */
};

#ifdef SLUB_MODEL
/* Only one thread of a model runs, and none is stopped while it has one. */
extern __thread unsigned slub_model_locks;
static inline void slub_lock(struct slub_lock *lock) { (void)lock; slub_model_locks++; }
static inline void slub_unlock(struct slub_lock *lock) { (void)lock; slub_model_locks--; }
#else
void slub_lock_wait(struct slub_lock *lock);

static inline void slub_lock(struct slub_lock *lock)
{
	int open = 0;

	if (!atomic_compare_exchange_strong_explicit(&lock->state, &open, 1, memory_order_acquire,
						     memory_order_relaxed))
		slub_lock_wait(lock);
}

static inline void slub_unlock(struct slub_lock *lock)
{
	if (atomic_exchange_explicit(&lock->state, 0, memory_order_release) == 2)
		syscall(SYS_futex, &lock->state, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
#endif

#endif
