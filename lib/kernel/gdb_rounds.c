// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Sends a series of requests and hands each answer to the one that it belongs to; repeats what got lost. What
 * requests mean is gdb_remote.c's part.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "gdb_remote_private.h"
#include "target_socket.h"

#define TRIES 4
/* Things that a stub may say without being asked, in one series. */
#define STRAY_EVENTS 64

#define FENCE "qC"
#define FENCE_ANSWER "QC"

/* One try of a series. Requests [0, sent) are out, [0, taken) answered. */
struct attempt {
	struct gdb_remote *remote;
	struct gdb_round *round;
	size_t sent, taken;
	unsigned int strays, timeouts;
	bool is_fenced;  /* the fence is out */
	bool is_damaged; /* this try failed: only the fence is waited for */
	long long deadline_ms;
};

static int fail(struct gdb_remote *remote, struct error *err, int code, const char *text)
{
	remote->is_lost = true;
	return error_set(err, code, "gdb stub: %s", text);
}

/* Into the buffer of what is to be sent. False when it is full. */
static bool queue_bytes(struct gdb_remote *remote, const char *bytes, size_t size)
{
	if (remote->out_at == remote->out_size)
		remote->out_at = remote->out_size = 0;
	if (size > remote->out_capacity - remote->out_size)
		return false;
	memcpy(remote->out + remote->out_size, bytes, size);
	remote->out_size += size;
	return true;
}

static bool queue_packet(struct gdb_remote *remote, const char *payload, size_t size)
{
	size_t framed;

	if (remote->out_at == remote->out_size)
		remote->out_at = remote->out_size = 0;
	framed = gdb_encode(payload, size, remote->out + remote->out_size,
			    remote->out_capacity - remote->out_size);
	remote->out_size += framed;
	remote->counts.requests += framed != 0;
	remote->has_requests_queued |= framed != 0;
	return framed != 0;
}

static int send_queued(struct gdb_remote *remote, struct error *err)
{
	while (remote->out_at < remote->out_size) {
		ssize_t sent = send(remote->fd, remote->out + remote->out_at,
				    remote->out_size - remote->out_at, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0 && errno == EAGAIN)
			return 0;
		if (sent < 0)
			return fail(remote, err, -errno, strerror(errno));
		remote->out_at += (size_t)sent;
		remote->counts.bytes_sent += (uint64_t)sent;
	}
	remote->has_requests_queued = false;
	return 0;
}

/* More bytes from the stub; sends what waits meanwhile. -ETIMEDOUT leaves the connection as it is. */
static int receive(struct gdb_remote *remote, long long deadline_ms, struct error *err)
{
	for (;;) {
		ssize_t got;
		/* A stub that takes requests ahead doesn't wait for acknowledgements: they go with the next
		 * ones. */
		bool is_due = remote->has_requests_queued || !remote->traits.is_pipelined;
		int status = is_due ? send_queued(remote, err) : 0;

		if (status)
			return status;
		got = recv(remote->fd, remote->in, GDB_IN_BYTES, 0);
		if (got > 0) {
			remote->in_at = 0;
			remote->in_size = (size_t)got;
			remote->counts.bytes_received += (uint64_t)got;
			return 0;
		}
		if (got == 0)
			return fail(remote, err, -ECONNRESET, "closed the connection");
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN)
			return fail(remote, err, -errno, strerror(errno));
		status = target_wait(remote->fd,
				     is_due && remote->out_at < remote->out_size ? POLLIN | POLLOUT : POLLIN,
				     deadline_ms);
		if (status == -ETIMEDOUT)
			return error_set(err, status, "gdb stub: no answer");
		if (status)
			return fail(remote, err, status, strerror(-status));
	}
}

static int next_event(struct gdb_remote *remote, long long deadline_ms, enum gdb_event *ret_event,
		      struct error *err)
{
	enum gdb_event event = GDB_NEED_MORE;
	size_t used;

	for (;;) {
		int status;

		event = gdb_decode(&remote->decoder, remote->in + remote->in_at,
				   remote->in_size - remote->in_at, &used);
		remote->in_at += used;
		if (event != GDB_NEED_MORE)
			break;
		if (target_now_ms() >= deadline_ms) /* bytes that never become an answer */
			return error_set(err, -ETIMEDOUT, "gdb stub: no answer");
		status = receive(remote, deadline_ms, err);
		if (status)
			return status;
	}
	*ret_event = event;
	return 0;
}

static bool is_stop_reply(const char *packet, size_t size)
{
	return size >= 3 && strchr("TSWX", packet[0]) && strspn(packet + 1, "0123456789abcdefABCDEF") >= 2;
}

static void send_requests(struct attempt *attempt)
{
	struct gdb_remote *remote = attempt->remote;
	size_t window = remote->traits.is_pipelined ? GDB_WINDOW : 1;
	char payload[GDB_REQUEST_BYTES];

	/* Many requests in one go cost fewer switches between the stub and us than each as its turn comes. */
	if (attempt->sent - attempt->taken > window / 2)
		window = 0;
	while (!attempt->is_damaged && attempt->sent < attempt->round->count &&
	       attempt->sent - attempt->taken < window) {
		size_t size = attempt->round->make(attempt->round, attempt->sent, payload, sizeof(payload));

		if (!queue_packet(remote, payload, size))
			return;
		attempt->sent++;
	}
	if (!remote->has_fence || attempt->is_fenced)
		return;
	if (attempt->is_damaged || (attempt->round->count > 1 && attempt->sent == attempt->round->count))
		attempt->is_fenced = queue_packet(remote, FENCE, strlen(FENCE));
}

static int stray(struct attempt *attempt, struct error *err)
{
	if (++attempt->strays > STRAY_EVENTS + attempt->sent)
		return fail(attempt->remote, err, -EBADMSG, "its answers make no sense");
	return 0;
}

/* With the fence the stream is found again. Without, only a single request can be sent again, and is. */
static int damaged(struct attempt *attempt, struct error *err)
{
	struct gdb_remote *remote = attempt->remote;

	if (remote->has_fence) {
		attempt->is_damaged = true;
	} else if (attempt->sent > attempt->taken) {
		if (attempt->round->count == 1 && attempt->round->start)
			attempt->round->start(attempt->round);
		attempt->sent = attempt->taken;
		remote->counts.repeats++;
	}
	return stray(attempt, err);
}

static int take_packet(struct attempt *attempt, bool *ret_done, struct error *err)
{
	struct gdb_remote *remote = attempt->remote;
	struct gdb_round *round = attempt->round;
	char *packet = remote->decoder.packet;
	size_t size = remote->decoder.size;

	if (!remote->traits.has_no_ack)
		queue_bytes(remote, "+", 1);
	if (attempt->is_fenced && strncmp(packet, FENCE_ANSWER, strlen(FENCE_ANSWER)) == 0) {
		*ret_done = true;
		if (!attempt->is_damaged && attempt->taken != round->count) {
			/* Swallowed without a word: see try_round(). */
			remote->generation++;
			attempt->is_damaged = true;
		}
		return 0;
	}
	if (remote->has_fence && strncmp(packet, FENCE_ANSWER, strlen(FENCE_ANSWER)) == 0)
		return stray(attempt, err); /* of a fence that was given up */
	if (is_stop_reply(packet, size) && !round->expects_stop) {
		remote->counts.stops_seen++;
		if (remote->expects_stop) {
			if (remote->on_stop)
				remote->on_stop(remote->context);
			return stray(attempt, err);
		}
		/* The byte that stopped the target was the first of a request, which is therefore lost. */
		remote->generation++;
		return damaged(attempt, err);
	}
	if (attempt->is_damaged || attempt->taken == attempt->sent)
		return attempt->is_damaged ? stray(attempt, err) : damaged(attempt, err);
	switch (round->take(round, attempt->taken, packet, size)) {
	case GDB_TAKEN:
		attempt->taken++;
		attempt->deadline_ms = target_now_ms() + remote->timeout_ms;
		return 0;
	case GDB_TAKEN_PART:
		return 0;
	case GDB_NONSENSE:
		break;
	}
	return damaged(attempt, err);
}

static int take_event(struct attempt *attempt, enum gdb_event event, bool *ret_done, struct error *err)
{
	struct gdb_remote *remote = attempt->remote;

	switch (event) {
	case GDB_PACKET:
		return take_packet(attempt, ret_done, err);
	case GDB_NAK:
		return attempt->is_damaged ? stray(attempt, err) : damaged(attempt, err);
	case GDB_DAMAGED:
		if (remote->traits.is_pipelined)
			return damaged(attempt, err);
		/* The stub sends its last answer again. */
		remote->counts.repeats++;
		if (!remote->traits.has_no_ack)
			queue_bytes(remote, "-", 1);
		return stray(attempt, err);
	case GDB_NOTIFICATION:
		return stray(attempt, err);
	case GDB_ACK: /* one for each packet; a stream of them is bounded by the time */
	case GDB_NEED_MORE:
		break;
	}
	return 0;
}

/* 0 with all answers taken, -EAGAIN when the series is to be asked for again, or what else went wrong. */
static int try_round(struct attempt *attempt, struct error *err)
{
	struct gdb_remote *remote = attempt->remote;
	bool is_done = false;

	while (!is_done) {
		enum gdb_event event = GDB_NEED_MORE;
		int status;

		send_requests(attempt);
		if (attempt->taken == attempt->round->count && !attempt->is_fenced && !attempt->is_damaged)
			break;
		status = next_event(remote, attempt->deadline_ms, &event, err);
		if (status == -ETIMEDOUT && remote->has_fence && attempt->timeouts++ < 2) {
			/* A stub that stopped a running target without a word has swallowed a request for it.
			 */
			remote->generation++;
			attempt->is_damaged = true;
			attempt->is_fenced = false;
			attempt->deadline_ms = target_now_ms() + remote->timeout_ms / 4;
			continue;
		}
		if (!status)
			status = take_event(attempt, event, &is_done, err);
		if (status) {
			remote->is_lost = true;
			return status;
		}
	}
	if (attempt->is_damaged)
		return -EAGAIN;
	return send_queued(remote, err); /* the last acknowledgement */
}

int gdb_round_run(struct gdb_remote *remote, struct gdb_round *round, struct error *err)
{
	if (remote->is_lost)
		return error_set(err, -ECONNRESET, "gdb stub: the connection was lost before");
	for (unsigned int i = 0; i < TRIES; i++) {
		struct attempt attempt = { .remote = remote,
					   .round = round,
					   .deadline_ms = target_now_ms() + remote->timeout_ms };
		int status;

		if (round->start)
			round->start(round);
		remote->counts.repeats += i > 0;
		status = try_round(&attempt, err);
		if (status != -EAGAIN)
			return status;
	}
	return fail(remote, err, -EBADMSG, "its answers make no sense");
}
