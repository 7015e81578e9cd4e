/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * fork(2) of a process with threads: the child's one thread finds no lock held by others.
 */
#ifndef SLUB_FORK_H
#define SLUB_FORK_H

/* From now on; once is enough. It may allocate. */
void slub_watch_forks(void);

#endif
