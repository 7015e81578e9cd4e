// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Messages of the control socket: a head, then bytes. Neither end waits without a deadline. */
#include "control.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cleanup.h"
#include "target_socket.h"

enum {
	CONTROL_VERSION = 0x444c0001, /* "DL", and the layout below */
	PIECE_MAX = CONTROL_REQUEST_MAX,
	SLICE_MS = 50,         /* between two looks at the interrupt */
	CANCEL_GRACE_MS = 5000, /* for the tracer to say that it has given up */
	STALL_MS = 2000,       /* for the other end to take or finish a message */
};

enum message_kind {
	MESSAGE_REQUEST, /* struct request_head, the directory and the words, a NUL behind each */
	MESSAGE_CANCEL,
	MESSAGE_TEXT,
	MESSAGE_COMPLAINT,
	MESSAGE_END, /* int32_t exit code */
};

/* Both ends run on one machine: its own byte order. */
struct message_head {
	uint32_t version;
	uint32_t kind;
	uint32_t sequence; /* of the request that it belongs to */
	uint32_t size;     /* of what follows */
};

struct message {
	struct message_head head;
	char bytes[PIECE_MAX];
};

struct request_head {
	uint32_t columns;
	uint32_t is_coloured;
	uint32_t word_count;
};

int control_pair(int ret_fds[2], struct error *err)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) < 0)
		return error_set(err, -errno, "socketpair: %s", strerror(errno));
	ret_fds[0] = fds[0];
	ret_fds[1] = fds[1];
	return 0;
}

/* Wait up to @deadline_ms for room. -EPIPE: the other end is gone. */
static int send_message(int fd, const struct message *message, long long deadline_ms)
{
	for (;;) {
		ssize_t sent = send(fd, message, sizeof(message->head) + message->head.size,
				    MSG_NOSIGNAL | MSG_DONTWAIT);
		int status;

		if (sent >= 0)
			return 0;
		if (errno == ECONNRESET)
			return -EPIPE;
		if (errno != EAGAIN && errno != EINTR)
			return -errno;
		status = target_wait(fd, POLLOUT, deadline_ms);
		if (status < 0 && status != -EINTR)
			return status;
	}
}

static int send_piece(int fd, enum message_kind kind, uint32_t sequence, const void *bytes, size_t size,
		      struct message *message)
{
	message->head = (struct message_head){ CONTROL_VERSION, kind, sequence, size };
	if (size)
		memcpy(message->bytes, bytes, size);
	return send_message(fd, message, target_now_ms() + STALL_MS);
}

/* What is there. -EAGAIN: nothing; -EPIPE: the other end is gone; -EPROTO: no message of ours. */
static int take_message(int fd, struct message *ret_message)
{
	ssize_t size = recv(fd, ret_message, sizeof(*ret_message), MSG_DONTWAIT | MSG_TRUNC);

	if (size < 0)
		return errno == EINTR ? -EAGAIN : errno == ECONNRESET ? -EPIPE : -errno;
	if (!size)
		return -EPIPE;
	if ((size_t)size < sizeof(ret_message->head) || (size_t)size > sizeof(*ret_message) ||
	    ret_message->head.version != CONTROL_VERSION ||
	    ret_message->head.size != (size_t)size - sizeof(ret_message->head))
		return -EPROTO;
	return 0;
}

static int connection_error(int code, struct error *err)
{
	switch (code) {
	case -EPIPE:
		return error_set(err, code, "the other end of the control socket is gone");
	case -EPROTO:
		return error_set(err, code, "the other end of the control socket is another version of dill");
	default:
		return error_set(err, code, "control socket: %s", strerror(-code));
	}
}

/* ---- gdb's end ---- */

void control_answer_deinit(struct control_answer *answer)
{
	free(answer->text);
	free(answer->complaint);
	*answer = (struct control_answer){ 0 };
}

static int append(char *bytes, size_t *size, const char *text)
{
	size_t length = strlen(text) + 1;

	if (length > PIECE_MAX - *size)
		return -E2BIG;
	memcpy(bytes + *size, text, length);
	*size += length;
	return 0;
}

static int send_request(struct control_asker *asker, const struct control_request *request,
			struct message *message, struct error *err)
{
	struct request_head head = { request->columns, request->is_coloured, request->word_count };
	size_t size = sizeof(head);
	int status = append(message->bytes, &size, request->directory ? request->directory : "");

	for (size_t i = 0; i < request->word_count && !status; i++)
		status = append(message->bytes, &size, request->words[i]);
	if (status || request->word_count > CONTROL_WORDS_MAX)
		return error_set(err, -E2BIG, "too many words");
	memcpy(message->bytes, &head, sizeof(head));
	message->head = (struct message_head){ CONTROL_VERSION, MESSAGE_REQUEST, ++asker->sequence, size };
	status = send_message(asker->fd, message, target_now_ms() + STALL_MS);
	return status ? connection_error(status, err) : 0;
}

/* Grows by doubling; what is beyond the bound is cut. */
struct collected {
	char *text;
	size_t size, capacity;
	bool is_cut;
};

static int collect(struct collected *to, const char *bytes, size_t size)
{
	size_t wanted;
	char *grown;

	if (size > CONTROL_ANSWER_MAX - to->size) {
		to->is_cut = true;
		size = CONTROL_ANSWER_MAX - to->size;
	}
	if (to->size + size + 1 > to->capacity) {
		wanted = to->capacity * 2 > to->size + size + 1 ? to->capacity * 2 : to->size + size + 1;
		grown = realloc(to->text, wanted);
		if (!grown)
			return -ENOMEM;
		to->text = grown;
		to->capacity = wanted;
	}
	if (size)
		memcpy(to->text + to->size, bytes, size);
	to->size += size;
	to->text[to->size] = '\0';
	return 0;
}

static void cleanup_collected(struct collected *collected)
{
	free(collected->text);
}

static int finish(struct collected *text, struct collected *complaint, const struct message *message,
		  struct control_answer *ret_answer)
{
	static const char cut[] = "the answer is cut here: it was too long";
	int32_t exit_code;

	if (message->head.size != sizeof(exit_code))
		return -EPROTO;
	memcpy(&exit_code, message->bytes, sizeof(exit_code));
	if (text->is_cut && !complaint->size && collect(complaint, cut, strlen(cut)) < 0)
		return -ENOMEM;
	if (collect(text, NULL, 0) < 0 || collect(complaint, NULL, 0) < 0)
		return -ENOMEM;
	*ret_answer = (struct control_answer){ exit_code, TAKE_PTR(text->text), text->size,
					       TAKE_PTR(complaint->text) };
	return 0;
}

/* 1 when the answer is complete. */
static int take_answer(struct control_asker *asker, struct message *message, struct collected *text,
		       struct collected *complaint, struct control_answer *ret_answer)
{
	int status = take_message(asker->fd, message);

	if (status)
		return status;
	if (message->head.sequence != asker->sequence)
		return 0; /* late, to a request that was given up */
	switch (message->head.kind) {
	case MESSAGE_TEXT:
		return collect(text, message->bytes, message->head.size);
	case MESSAGE_COMPLAINT:
		return collect(complaint, message->bytes, message->head.size);
	case MESSAGE_END:
		status = finish(text, complaint, message, ret_answer);
		return status ? status : 1;
	default:
		return -EPROTO;
	}
}

static int cancel(const struct control_asker *asker, struct message *message)
{
	return send_piece(asker->fd, MESSAGE_CANCEL, asker->sequence, NULL, 0, message);
}

/* The answer to what was sent; -EINTR once the user has had enough, whatever comes then. */
static int await_answer(struct control_asker *asker, int (*is_interrupted)(void), int silence_ms,
			struct message *message, struct control_answer *ret_answer, bool *ret_is_over)
{
	__attribute__((cleanup(cleanup_collected))) struct collected text = { 0 };
	__attribute__((cleanup(cleanup_collected))) struct collected complaint = { 0 };
	long long deadline_ms = target_now_ms() + silence_ms;
	bool is_cancelled = false;

	for (;;) {
		int status;

		if (!is_cancelled && is_interrupted && is_interrupted()) {
			is_cancelled = true;
			deadline_ms = target_now_ms() + CANCEL_GRACE_MS;
			status = cancel(asker, message);
			if (status)
				return status;
		}
		status = take_answer(asker, message, &text, &complaint, ret_answer);
		*ret_is_over = status == 1;
		if (status == 1)
			return is_cancelled ? -EINTR : 0;
		if (!status && !is_cancelled)
			deadline_ms = target_now_ms() + silence_ms;
		if (status < 0 && status != -EAGAIN)
			return status;
		if (target_now_ms() >= deadline_ms)
			return is_cancelled ? -EINTR : -ETIMEDOUT;
		if (status == -EAGAIN)
			target_wait(asker->fd, POLLIN, target_now_ms() + SLICE_MS);
	}
}

int control_ask(struct control_asker *asker, const struct control_request *request,
		int (*is_interrupted)(void), int silence_ms, struct control_answer *ret_answer,
		struct error *err)
{
	CLEANUP(free) struct message *message = malloc(sizeof(*message));
	struct control_answer answer = { 0 };
	bool is_over = false;
	int status;

	if (!message)
		return error_set(err, -ENOMEM, "out of memory");
	status = send_request(asker, request, message, err);
	if (status)
		return status;
	status = await_answer(asker, is_interrupted, silence_ms, message, &answer, &is_over);
	if (!status) {
		*ret_answer = answer;
		return 0;
	}
	control_answer_deinit(&answer);
	if (status == -EINTR)
		return error_set(err, status,
				 is_over ? "interrupted" : "interrupted; the tracer is still busy");
	if (status != -ETIMEDOUT)
		return connection_error(status, err);
	cancel(asker, message);
	return error_set(err, status, "the tracer doesn't answer");
}

/* ---- the tracer's end ---- */

void control_received_deinit(struct control_received *received)
{
	free(received->bytes);
	free(received->words);
	*received = (struct control_received){ 0 };
}

/* The string at *@at, which must end before @end; moves *@at behind it. NULL: it doesn't. */
static const char *next_string(const char **at, const char *end)
{
	const char *start = *at;
	const char *nul = memchr(start, '\0', end - start);

	if (nul)
		*at = nul + 1;
	return nul ? start : NULL;
}

static int parse_request(const struct message *message, struct control_received *received)
{
	struct request_head head;
	const char *at, *end;

	if (message->head.size < sizeof(head))
		return -EPROTO;
	memcpy(&head, message->bytes, sizeof(head));
	if (head.word_count > CONTROL_WORDS_MAX)
		return -EPROTO;
	received->bytes = malloc(message->head.size);
	received->words = calloc(head.word_count + 1, sizeof(*received->words));
	if (!received->bytes || !received->words)
		return -ENOMEM;
	memcpy(received->bytes, message->bytes, message->head.size);
	at = received->bytes + sizeof(head);
	end = received->bytes + message->head.size;
	received->request.directory = next_string(&at, end);
	for (uint32_t i = 0; i < head.word_count; i++) {
		received->words[i] = next_string(&at, end);
		if (!received->words[i])
			return -EPROTO;
	}
	if (!received->request.directory || at != end)
		return -EPROTO;
	received->request.words = received->words;
	received->request.word_count = head.word_count;
	received->request.columns = head.columns;
	received->request.is_coloured = head.is_coloured;
	received->sequence = message->head.sequence;
	return 0;
}

int control_receive(int fd, struct control_received *ret_received, struct error *err)
{
	CLEANUP(free) struct message *message = malloc(sizeof(*message));
	struct control_received received = { 0 };
	int status = message ? 0 : -ENOMEM;

	/* A cancellation that comes after its answer has left says nothing any more. */
	do
		status = status ? status : take_message(fd, message);
	while (!status && message->head.kind == MESSAGE_CANCEL);
	if (!status && message->head.kind != MESSAGE_REQUEST)
		status = -EPROTO;
	if (!status)
		status = parse_request(message, &received);
	if (status == -EAGAIN)
		return error_set(err, status, "no request");
	if (status) {
		control_received_deinit(&received);
		return connection_error(status, err);
	}
	*ret_received = received;
	return 0;
}

static int send_text(int fd, enum message_kind kind, uint32_t sequence, const char *text, size_t size,
		     struct message *message)
{
	for (size_t at = 0; at < size;) {
		size_t piece = size - at < PIECE_MAX ? size - at : PIECE_MAX;
		int status = send_piece(fd, kind, sequence, text + at, piece, message);

		if (status)
			return status;
		at += piece;
	}
	return 0;
}

int control_answer(int fd, uint32_t sequence, int exit_code, const char *text, size_t size,
		   const char *complaint)
{
	CLEANUP(free) struct message *message = malloc(sizeof(*message));
	int32_t code = exit_code;
	int status;

	if (!message)
		return -ENOMEM;
	status = send_text(fd, MESSAGE_TEXT, sequence, text, size, message);
	if (!status && complaint)
		status = send_text(fd, MESSAGE_COMPLAINT, sequence, complaint, strlen(complaint), message);
	return status ? status : send_piece(fd, MESSAGE_END, sequence, &code, sizeof(code), message);
}

bool control_is_cancelled(int fd)
{
	struct message_head head;
	ssize_t size = recv(fd, &head, sizeof(head), MSG_DONTWAIT | MSG_PEEK);

	if (size < 0)
		return errno != EAGAIN && errno != EINTR;
	if ((size_t)size < sizeof(head))
		return true; /* the other end is gone, or no longer ours */
	if (head.kind != MESSAGE_CANCEL)
		return false;
	recv(fd, &head, sizeof(head), MSG_DONTWAIT);
	return true;
}
