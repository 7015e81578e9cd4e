/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A client of QEMU's machine protocol: commands and their answers, and word of the guest stopping and
 * running. JSON stays inside. Source: QEMU docs/interop/qmp-spec.rst, qapi/.
 */
#ifndef DILL_QMP_H
#define DILL_QMP_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"

struct qmp;

/*
 * Connect to @address (target_socket.h) and take part. -ETIMEDOUT when nothing comes within @timeout_ms, here
 * and below: a monitor serves one client at a time. After a lost connection all calls fail with -ECONNRESET.
 */
int qmp_open(const char *address, int timeout_ms, struct qmp **ret_qmp, struct error *err);
/* The same on a connected stream, which is taken over in any case and made non-blocking. */
int qmp_open_fd(int fd, int timeout_ms, struct qmp **ret_qmp, struct error *err);
/* NULL is fine. */
void qmp_close(struct qmp *qmp);
int qmp_fd(const struct qmp *qmp);

/* A command without arguments whose answer is of no interest: "stop", "cont". -EBADMSG: QEMU refused, and
 * why. */
int qmp_execute(struct qmp *qmp, const char *command, struct error *err);
int qmp_is_running(struct qmp *qmp, bool *ret_is_running, struct error *err);
/* A line for the human monitor. Text to be freed. */
int qmp_monitor(struct qmp *qmp, const char *line, char **ret_text, struct error *err);
/* QEMU writes @size bytes of physical memory to the file @path, as itself. */
int qmp_save_memory(struct qmp *qmp, uint64_t address, uint64_t size, const char *path, struct error *err);

/* How often the guest was set running since the connection began, as far as QEMU said so by now. Asks
 * nothing. */
int qmp_resumes_seen(struct qmp *qmp, uint64_t *ret_count, struct error *err);
/* Commands sent. */
uint64_t qmp_request_count(const struct qmp *qmp);

#endif
