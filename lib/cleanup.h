/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* Scope guards: a resource names its release where it is declared, so that every return path is the same. */
#ifndef DILL_CLEANUP_H
#define DILL_CLEANUP_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* DEFINE_CLEANUP(name, type, call): __cleanup_name runs call on the variable `v` of @type when it leaves scope. */
#define DEFINE_CLEANUP(name, type, call)             \
	static inline void cleanup_##name(type *at)  \
	{                                            \
		type v = *at;                        \
		call;                                \
	}                                            \
	struct cleanup_##name##_semicolon

#define CLEANUP(name) __attribute__((cleanup(cleanup_##name)))

/* Hand a guarded pointer on: reads it and leaves NULL behind. */
#define TAKE_PTR(p)                         \
	({                                  \
		__typeof__(p) taken_ = (p); \
		(p) = NULL;                 \
		taken_;                     \
	})

/* Hand a guarded file descriptor on: reads it and leaves -1 behind. */
#define TAKE_FD(fd)               \
	({                        \
		int taken_ = (fd); \
		(fd) = -1;        \
		taken_;           \
	})

static inline void cleanup_free(void *at)
{
	free(*(void **)at);
}

static inline void cleanup_close(int *fd)
{
	int saved = errno;

	if (*fd >= 0)
		close(*fd);
	errno = saved;
}

static inline void cleanup_fclose(FILE **file)
{
	if (*file)
		fclose(*file);
}

#endif
