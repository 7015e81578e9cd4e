// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* One line of JSON a message, in both directions. Knows commands and answers, not what they are good for. */
#include "qmp.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "cleanup.h"
#include "target_socket.h"

/* The longest line that is taken: "info mtree -f" of large machines has some hundred kilobytes. */
#define LINE_BYTES_MAX (16u << 20)
/* Messages that are no answer to the command, before a peer is taken for mad. */
#define STRAYS_MAX 1000

struct qmp {
	int fd, timeout_ms;
	char *in; /* received, [0, in_size); lines up to in_scanned hold no newline */
	size_t in_size, in_scanned, in_capacity;
	uint64_t commands, resumes;
	bool is_lost;
};

DEFINE_CLEANUP(json, json_t *, json_decref(v));
DEFINE_CLEANUP(qmp, struct qmp *, qmp_close(v));

static int lose(struct qmp *qmp, struct error *err, int code, const char *text)
{
	qmp->is_lost = true;
	return error_set(err, code, "QEMU monitor: %s", text);
}

static int send_all(struct qmp *qmp, const char *bytes, size_t size, long long deadline_ms, struct error *err)
{
	while (size) {
		ssize_t sent = send(qmp->fd, bytes, size, MSG_NOSIGNAL);
		int status;

		if (sent >= 0) {
			bytes += sent;
			size -= (size_t)sent;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return lose(qmp, err, -errno, strerror(errno));
		status = target_wait(qmp->fd, POLLOUT, deadline_ms);
		if (status)
			return lose(qmp, err, status, "it takes no command");
	}
	return 0;
}

/* More bytes, if there are any: 0, -EAGAIN, or lost. */
static int receive(struct qmp *qmp, struct error *err)
{
	ssize_t got;

	if (qmp->in_capacity - qmp->in_size < 4096) {
		size_t capacity = qmp->in_capacity ? 2 * qmp->in_capacity : 65536;
		char *grown = capacity <= LINE_BYTES_MAX ? realloc(qmp->in, capacity) : NULL;

		if (!grown)
			return lose(qmp, err, -EBADMSG, "a message has no end");
		qmp->in = grown;
		qmp->in_capacity = capacity;
	}
	do {
		got = recv(qmp->fd, qmp->in + qmp->in_size, qmp->in_capacity - qmp->in_size, 0);
	} while (got < 0 && errno == EINTR);
	if (got == 0)
		return lose(qmp, err, -ECONNRESET, "closed the connection");
	if (got < 0)
		return errno == EAGAIN ? -EAGAIN : lose(qmp, err, -errno, strerror(errno));
	qmp->in_size += (size_t)got;
	return 0;
}

/* A complete line out of what was received, parsed. NULL in @ret_message when there is none yet. */
static int take_line(struct qmp *qmp, json_t **ret_message, struct error *err)
{
	for (;;) {
		char *newline = qmp->in_size > qmp->in_scanned ? memchr(qmp->in + qmp->in_scanned, '\n',
									qmp->in_size - qmp->in_scanned) :
								 NULL;
		size_t length;

		if (!newline) {
			qmp->in_scanned = qmp->in_size;
			*ret_message = NULL;
			return 0;
		}
		length = (size_t)(newline - qmp->in);
		*ret_message = json_loadb(qmp->in, length, JSON_REJECT_DUPLICATES, NULL);
		memmove(qmp->in, newline + 1, qmp->in_size - length - 1);
		qmp->in_size -= length + 1;
		qmp->in_scanned = 0;
		if (json_is_object(*ret_message))
			return 0;
		json_decref(*ret_message);
		*ret_message = NULL;
		if (length > 1) /* more than an empty line and its carriage return */
			return lose(qmp, err, -EBADMSG, "what it says is no JSON object");
	}
}

static bool is_event(struct qmp *qmp, const json_t *message)
{
	const char *name = json_string_value(json_object_get(message, "event"));

	if (name && strcmp(name, "RESUME") == 0)
		qmp->resumes++;
	return name;
}

/* The next message, whatever it is. */
static int next_message(struct qmp *qmp, long long deadline_ms, json_t **ret_message, struct error *err)
{
	for (;;) {
		json_t *message;
		int status = take_line(qmp, &message, err);

		if (status)
			return status;
		if (message) {
			*ret_message = message;
			return 0;
		}
		status = receive(qmp, err);
		if (status == -EAGAIN)
			status = target_wait(qmp->fd, POLLIN, deadline_ms);
		if (!status && target_now_ms() >= deadline_ms)
			status = -ETIMEDOUT;
		if (status == -ETIMEDOUT)
			return lose(qmp, err, status, "no answer (a monitor serves one client at a time)");
		if (status)
			return qmp->is_lost ? status : lose(qmp, err, status, strerror(-status));
	}
}

static int refused(const json_t *error, const char *command, struct error *err)
{
	const char *text = json_string_value(json_object_get(error, "desc"));

	return error_set(err, -EBADMSG, "QEMU monitor: %s: %s", command, text ? text : "refused");
}

/* @arguments (stolen) may be NULL. @ret_answer (may be NULL) is the value of "return". */
static int run(struct qmp *qmp, const char *command, json_t *arguments, json_t **ret_answer,
	       struct error *err)
{
	long long deadline_ms = target_now_ms() + qmp->timeout_ms;
	json_int_t id = (json_int_t)++qmp->commands;
	CLEANUP(json) json_t *request = json_pack("{s:s, s:o*, s:I}", "execute", command, "arguments",
						  arguments, "id", id);
	CLEANUP(free) char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	int status;

	if (qmp->is_lost)
		return error_set(err, -ECONNRESET, "QEMU monitor: the connection was lost before");
	if (!text)
		return error_set(err, -ENOMEM, "QEMU monitor: out of memory");
	status = send_all(qmp, text, strlen(text), deadline_ms, err);
	if (!status)
		status = send_all(qmp, "\n", 1, deadline_ms, err);
	for (int i = 0; !status && i < STRAYS_MAX; i++) {
		CLEANUP(json) json_t *message = NULL;
		json_t *answer;

		status = next_message(qmp, deadline_ms, &message, err);
		if (status)
			return status;
		if (is_event(qmp, message) || json_integer_value(json_object_get(message, "id")) != id)
			continue;
		answer = json_object_get(message, "return");
		if (!answer)
			return refused(json_object_get(message, "error"), command, err);
		if (ret_answer)
			*ret_answer = json_incref(answer);
		return 0;
	}
	return status ? status : lose(qmp, err, -EBADMSG, "its answers make no sense");
}

int qmp_execute(struct qmp *qmp, const char *command, struct error *err)
{
	return run(qmp, command, NULL, NULL, err);
}

int qmp_is_running(struct qmp *qmp, bool *ret_is_running, struct error *err)
{
	CLEANUP(json) json_t *answer = NULL;
	const json_t *running;
	int status = run(qmp, "query-status", NULL, &answer, err);

	if (status)
		return status;
	running = json_object_get(answer, "running");
	if (!json_is_boolean(running))
		return error_set(err, -EBADMSG, "QEMU monitor: it doesn't say whether the guest runs");
	*ret_is_running = json_is_true(running);
	return 0;
}

int qmp_monitor(struct qmp *qmp, const char *line, char **ret_text, struct error *err)
{
	CLEANUP(json) json_t *answer = NULL;
	char *text;
	int status = run(qmp, "human-monitor-command", json_pack("{s:s}", "command-line", line), &answer,
			 err);

	if (status)
		return status;
	if (!json_is_string(answer))
		return error_set(err, -EBADMSG, "QEMU monitor: '%s' gives no text", line);
	text = strdup(json_string_value(answer));
	if (!text)
		return error_set(err, -ENOMEM, "QEMU monitor: out of memory");
	*ret_text = text;
	return 0;
}

int qmp_save_memory(struct qmp *qmp, uint64_t address, uint64_t size, const char *path, struct error *err)
{
	return run(qmp, "pmemsave",
		   json_pack("{s:I, s:I, s:s}", "val", (json_int_t)address, "size", (json_int_t)size,
			     "filename", path),
		   NULL, err);
}

int qmp_resumes_seen(struct qmp *qmp, uint64_t *ret_count, struct error *err)
{
	int status = qmp->is_lost ?
			     error_set(err, -ECONNRESET, "QEMU monitor: the connection was lost before") :
			     0;

	for (int i = 0; !status && i < STRAYS_MAX; i++) {
		CLEANUP(json) json_t *message = NULL;

		status = take_line(qmp, &message, err);
		if (!status && message)
			is_event(qmp, message);
		else if (!status)
			status = receive(qmp, err);
	}
	if (status && status != -EAGAIN)
		return status;
	*ret_count = qmp->resumes;
	return 0;
}

uint64_t qmp_request_count(const struct qmp *qmp)
{
	return qmp->commands;
}

int qmp_fd(const struct qmp *qmp)
{
	return qmp->fd;
}

int qmp_open_fd(int fd, int timeout_ms, struct qmp **ret_qmp, struct error *err)
{
	CLEANUP(qmp) struct qmp *qmp = calloc(1, sizeof(*qmp));
	CLEANUP(json) json_t *greeting = NULL;
	int status;

	if (!qmp) {
		close(fd);
		return error_set(err, -ENOMEM, "QEMU monitor: out of memory");
	}
	qmp->fd = fd;
	qmp->timeout_ms = timeout_ms;
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		return error_set(err, -errno, "QEMU monitor: %s", strerror(errno));
	status = next_message(qmp, target_now_ms() + timeout_ms, &greeting, err);
	if (!status && !json_object_get(greeting, "QMP"))
		status = error_set(err, -EBADMSG, "this is no QEMU monitor (QMP)");
	if (!status)
		status = run(qmp, "qmp_capabilities", NULL, NULL, err);
	if (status)
		return status;
	*ret_qmp = TAKE_PTR(qmp);
	return 0;
}

int qmp_open(const char *address, int timeout_ms, struct qmp **ret_qmp, struct error *err)
{
	int fd, status = target_connect(address, timeout_ms, &fd, err);

	if (!status)
		status = qmp_open_fd(fd, timeout_ms, ret_qmp, err);
	return status;
}

void qmp_close(struct qmp *qmp)
{
	if (!qmp)
		return;
	close(qmp->fd);
	free(qmp->in);
	free(qmp);
}
