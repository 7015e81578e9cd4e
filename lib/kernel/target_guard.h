/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A child process that outlives this one by a moment, should it be killed: it then says a farewell on the
 * connection to the target ("run on"), so that an interrupted look leaves no guest stopped.
 */
#ifndef DILL_TARGET_GUARD_H
#define DILL_TARGET_GUARD_H

#include <stddef.h>
#include <sys/types.h>

#include "error.h"

struct target_guard {
	pid_t pid; /* 0: none */
	int alarm; /* the pipe whose end tells the child of our death */
	struct target_farewell *farewell; /* shared with the child */
};

/*
 * Start the guard of the connection @fd. @farewell (at most 255 bytes) is sent when this process dies before
 * target_guard_end(), whatever was half sent or half read then: it must begin with what brings the peer's
 * parser back. With @cue (at most 15 bytes) it is sent only if the peer says that next, within some seconds:
 * for the time until target_guard_decide(). The child holds nothing open but the connection, and is in a
 * session of its own, so that signals of the terminal miss it.
 */
int target_guard_start(int fd, const char *farewell, const char *cue, struct target_guard *ret_guard,
		       struct error *err);
/* From now on @farewell is due in any case; "" is none. May be called again. */
void target_guard_decide(struct target_guard *guard, const char *farewell);
/* Say it now, as if we had died. Waits until it is said. */
void target_guard_release(struct target_guard *guard);
/* No farewell is due any more. Fine on a guard that is all zeros. */
void target_guard_end(struct target_guard *guard);

#endif
