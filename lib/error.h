/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The message that goes with a negative errno.
 *
 * Library code never prints. It fills a struct error that the caller owns and returns the code; callers
 * add what they were doing while the failure unwinds, and the runner prints the result once.
 */
#ifndef DILL_ERROR_H
#define DILL_ERROR_H

struct error {
	int code;       /* negative errno, 0 when nothing failed */
	char text[512]; /* one line, no newline; raw bytes from outside are possible: escape before printing */
};

/*
 * Start a failure: replaces whatever @err held. Returns @code, so that `return error_set(err, -ENOENT, …)`
 * reads as one thought. @err may be NULL.
 *
 * The codes mean: -ENOENT this kernel or file lacks it; -EFAULT unreadable; -EBADMSG read but impossible;
 * -EOPNOTSUPP cannot be done here; -EPERM not allowed; -ENOMEM out of memory or over a stated budget.
 */
int error_set(struct error *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Put "context: " in front of the message. Returns the code that @err holds, or -EINVAL when @err is NULL. */
int error_context(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
