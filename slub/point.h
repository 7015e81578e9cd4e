/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Places at which a thread that is stopped there, or moved to another CPU, meets what others did meanwhile. The model
 * stops threads at them (model.h); the fast build has nothing there.
 *
 * At none of them a lock is held: whoever waits for a lock can't overtake its holder. What a CPU has is changed by one
 * store (percpu.h), so that there is nothing to be stopped in within one.
 */
#ifndef SLUB_POINT_H
#define SLUB_POINT_H

enum slub_point {
	SLUB_POINT_NONE,
	SLUB_POINT_FAST,      /* before the CPU's main sheaf or freelist is changed */
	SLUB_POINT_COMMIT,    /* what a CPU has was read, and will be replaced if it is still that */
	SLUB_POINT_BARN,      /* before the barn's lock */
	SLUB_POINT_REFILL,    /* an empty sheaf is in hand, objects for it are looked for */
	SLUB_POINT_INSTALL,   /* a sheaf is in hand that the CPU lacked */
	SLUB_POINT_FLUSH,     /* a full sheaf is in hand, its objects go to their slabs */
	SLUB_POINT_LIST_LOCK, /* before list_lock */
	SLUB_POINT_SLAB,      /* what a slab has was read, and will be replaced if it is still that */
	SLUB_POINT_NEW_SLAB,  /* a slab was made and is on no list */
	SLUB_POINT_FREEZE,    /* a slab is in hand that becomes the CPU's */
	SLUB_POINT_DRAIN,     /* before a CPU's sheaves or slabs are taken from it */
	SLUB_POINT_WAIT,      /* another thread drains the cache, which must be over first: told, never asked for */
	SLUB_POINTS,
};

/* As scripts call it, "" for NONE. */
const char *slub_point_name(enum slub_point point);

#ifdef SLUB_MODEL
void slub_point(enum slub_point point);
#else
static inline void slub_point(enum slub_point point)
{
	(void)point;
}
#endif

#endif
