// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Requests and answers lie in memory that both processes share; a byte over a socket says that they are there. The
 * parent believes nothing of what it finds: it copies bytes, and checks numbers after copying them.
 *
 *     parent: requests → go    ┐        ┌ poll with a time limit → results and bytes out of the shared memory
 *     child:                   └ decode ┘ done
 */
#include "dump_reader.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "dump_sandbox.h"

#define REQUESTS_AT_ONCE 1024
#define DATA_BYTES (4U << 20)
#define RANGE_LIMIT (DATA_BYTES / sizeof(struct memory_range))

const struct dump_limits dump_default_limits = { 20000, 10000, 2ULL << 30 };

struct request {
	uint64_t address;
	uint32_t size;
	int32_t result;
};

struct shared {
	uint32_t count; /* of requests, or of ranges after opening */
	int32_t status; /* of opening */
	char message[sizeof(((struct error *)0)->text)];
	struct request requests[REQUESTS_AT_ONCE];
	_Alignas(4096) uint8_t data[DATA_BYTES]; /* the requests' bytes one after the other; ranges after opening */
};

struct dump_reader {
	const struct dump_decoder *decoder;
	struct dump_limits limits;
	struct shared *shared;
	int socket;
	pid_t child;
	struct memory_range *ranges;
	size_t range_count;
	struct error gone; /* why the child is no more */
};

/* The child ---------------------------------------------------------------------------------------------------*/

static bool child_tell(void)
{
	return write(SANDBOX_SOCKET, "", 1) == 1;
}

static bool child_wait(void)
{
	char byte;

	return read(SANDBOX_SOCKET, &byte, 1) == 1;
}

static void child_serve(const struct dump_decoder *decoder, void *dump, struct shared *shared)
{
	while (child_wait()) {
		size_t used = 0;

		for (uint32_t i = 0; i < shared->count && i < REQUESTS_AT_ONCE; i++) {
			struct request *request = &shared->requests[i];

			if (request->size > DATA_BYTES - used)
				break;
			request->result = decoder->read(dump, request->address, shared->data + used, request->size);
			used += request->size;
		}
		if (!child_tell())
			return;
	}
}

static __attribute__((noreturn)) void child_run(const struct dump_reader *reader, int file, int socket,
						pid_t parent)
{
	struct shared *shared = reader->shared;
	struct error err = { 0 };
	void *dump = NULL;
	int status = dump_sandbox_enter(parent, file, socket, reader->limits.memory_bytes);

	if (status) {
		/* The socket may not have been moved yet; the end of this process says the same. */
		shared->status = error_set(&err, -EOPNOTSUPP, "cannot read it in a sandbox: %s", strerror(-status));
		memcpy(shared->message, err.text, sizeof(err.text));
		_exit(1);
	}
	shared->status = reader->decoder->open(SANDBOX_FILE, &dump, &err);
	memcpy(shared->message, err.text, sizeof(err.text));
	if (!shared->status)
		shared->count = (uint32_t)reader->decoder->ranges(dump, (struct memory_range *)shared->data,
								  RANGE_LIMIT);
	if (child_tell() && !shared->status)
		child_serve(reader->decoder, dump, shared);
	_exit(0);
}

/* The parent --------------------------------------------------------------------------------------------------*/

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* End the child if it still runs, and say how it ended. */
static int child_reap(struct dump_reader *reader)
{
	int status = -1;

	if (reader->child <= 0)
		return -1;
	kill(reader->child, SIGKILL);
	while (waitpid(reader->child, &status, 0) < 0 && errno == EINTR)
		;
	reader->child = 0;
	return status;
}

static int child_late(struct dump_reader *reader, unsigned int limit_ms)
{
	child_reap(reader);
	return error_set(&reader->gone, -EIO, "the process that decodes the dump did not answer within %g s",
			 limit_ms / 1000.0);
}

/* It ended by itself: so far it was not killed, and the signal tells what happened. */
static int child_died(struct dump_reader *reader)
{
	siginfo_t info = { 0 };
	bool is_known = false;

	/* The socket closes a little before the process can be waited for. */
	for (int i = 0; i < 1000 && !is_known; i++) {
		if (waitid(P_PID, (id_t)reader->child, &info, WEXITED | WNOHANG | WNOWAIT))
			break;
		is_known = info.si_pid != 0;
		if (!is_known)
			usleep(1000);
	}
	child_reap(reader);
	if (is_known && info.si_code != CLD_EXITED)
		return error_set(&reader->gone, -EIO, "the process that decodes the dump died of signal %d (%s)",
				 info.si_status, strsignal(info.si_status));
	return error_set(&reader->gone, -EIO, "the process that decodes the dump ended");
}

/* Wait for the child's byte. 0, or -EIO with the reason in reader->gone. */
static int await_child(struct dump_reader *reader, unsigned int limit_ms)
{
	int64_t deadline = now_ms() + limit_ms;
	char byte;

	for (;;) {
		struct pollfd poll_for = { reader->socket, POLLIN, 0 };
		int64_t left = deadline - now_ms();
		int ready = left > 0 ? poll(&poll_for, 1, (int)left) : 0;

		if (ready < 0 && errno == EINTR)
			continue;
		if (ready == 0)
			return child_late(reader, limit_ms);
		return ready > 0 && recv(reader->socket, &byte, 1, 0) == 1 ? 0 : child_died(reader);
	}
}

/* Copied out first, since the child could change them while they are looked at. */
static int copy_ranges(struct dump_reader *reader)
{
	size_t count = *(volatile uint32_t *)&reader->shared->count, kept = 0;
	uint64_t end = 0;

	if (count > RANGE_LIMIT)
		count = RANGE_LIMIT;
	reader->ranges = malloc((count ? count : 1) * sizeof(*reader->ranges));
	if (!reader->ranges)
		return -ENOMEM;
	memcpy(reader->ranges, reader->shared->data, count * sizeof(*reader->ranges));
	for (size_t i = 0; i < count; i++) {
		struct memory_range range = reader->ranges[i];

		if (!range.size || range.size > UINT64_MAX - range.start || (kept && range.start < end))
			continue;
		end = range.start + range.size;
		reader->ranges[kept++] = range;
	}
	reader->range_count = kept;
	return 0;
}

static int finish_open(struct dump_reader *reader, struct error *err)
{
	int status = await_child(reader, reader->limits.open_ms);
	int said = *(volatile int32_t *)&reader->shared->status;
	char message[sizeof(reader->shared->message)];

	memcpy(message, reader->shared->message, sizeof(message));
	message[sizeof(message) - 1] = '\0';
	if (said < 0 && message[0])
		return error_set(err, said >= -4095 ? said : -EIO, "%s", message);
	if (status)
		return error_set(err, status, "%s", reader->gone.text);
	if (said)
		return error_set(err, -EIO, "the process that decodes the dump failed without a reason");
	return copy_ranges(reader) ? error_set(err, -ENOMEM, "no memory to read a dump") : 0;
}

static int start_child(struct dump_reader *reader, int fd, struct error *err)
{
	pid_t parent = getpid();
	int sockets[2];

	reader->shared = mmap(NULL, sizeof(*reader->shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (reader->shared == MAP_FAILED) {
		reader->shared = NULL;
		return error_set(err, -ENOMEM, "no memory to read a dump");
	}
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets))
		return error_set(err, -errno, "cannot start a process that reads it: %s", strerror(errno));
	reader->child = fork();
	if (reader->child == 0)
		child_run(reader, fd, sockets[1], parent);
	close(sockets[1]);
	reader->socket = sockets[0];
	if (reader->child < 0)
		return error_set(err, -errno, "cannot start a process that reads it: %s", strerror(errno));
	return finish_open(reader, err);
}

int dump_reader_start(const struct dump_decoder *decoder, int fd, const struct dump_limits *limits,
		      struct dump_reader **ret_reader, struct error *err)
{
	struct dump_reader *reader = calloc(1, sizeof(*reader));
	int status;

	if (!reader)
		return error_set(err, -ENOMEM, "no memory to read a dump");
	reader->decoder = decoder;
	reader->limits = *limits;
	reader->socket = -1;
	status = start_child(reader, fd, err);
	if (status) {
		dump_reader_stop(reader);
		return status;
	}
	*ret_reader = reader;
	return 0;
}

/* Where a batch is: the next byte to ask for, and later the next to take. */
struct position {
	size_t read, offset;
};

/*
 * Fill the shared memory with requests from @at on. Reads that don't fit are asked for in pieces. Returns where
 * the next batch begins.
 */
static struct position fill_requests(struct dump_reader *reader, const struct memory_read *reads, size_t count,
				     struct position at)
{
	struct shared *shared = reader->shared;
	uint32_t used = 0, filled = 0;

	while (at.read < count && filled < REQUESTS_AT_ONCE && used < DATA_BYTES) {
		size_t left = reads[at.read].size - at.offset;
		uint32_t piece = left < DATA_BYTES - used ? (uint32_t)left : DATA_BYTES - used;

		shared->requests[filled++] =
			(struct request){ reads[at.read].address + at.offset, piece, -EFAULT };
		used += piece;
		at.offset += piece;
		if (piece == left)
			at = (struct position){ at.read + 1, 0 };
	}
	shared->count = filled;
	return at;
}

/* The mirror image of fill_requests(), with sizes from @reads rather than from what the child may have changed. */
static void take_answers(const struct dump_reader *reader, struct memory_read *reads, struct position at,
			 struct position end)
{
	const struct shared *shared = reader->shared;
	size_t used = 0;

	for (size_t i = 0; at.read < end.read || (at.read == end.read && at.offset < end.offset); i++) {
		struct memory_read *read = &reads[at.read];
		size_t left = read->size - at.offset, piece = left < DATA_BYTES - used ? left : DATA_BYTES - used;

		if (shared->requests[i].result)
			read->result = -EFAULT;
		memcpy((char *)read->buffer + at.offset, shared->data + used, piece);
		used += piece;
		at.offset += piece;
		if (piece == left)
			at = (struct position){ at.read + 1, 0 };
	}
}

int dump_reader_read(struct dump_reader *reader, struct memory_read *reads, size_t count, struct error *err)
{
	struct position at = { 0, 0 };

	for (size_t i = 0; i < count; i++)
		reads[i].result = reads[i].size > UINT64_MAX - reads[i].address ? -EFAULT : 0;
	while (at.read < count && !reader->gone.code) {
		struct position end = fill_requests(reader, reads, count, at);

		if (send(reader->socket, "", 1, MSG_NOSIGNAL) != 1)
			child_died(reader);
		else if (!await_child(reader, reader->limits.read_ms))
			take_answers(reader, reads, at, end);
		at = end;
	}
	return reader->gone.code ? error_set(err, reader->gone.code, "%s", reader->gone.text) : 0;
}

const struct memory_range *dump_reader_ranges(const struct dump_reader *reader, size_t *ret_count)
{
	*ret_count = reader->range_count;
	return reader->ranges;
}

pid_t dump_reader_pid(const struct dump_reader *reader)
{
	return reader->child;
}

void dump_reader_stop(struct dump_reader *reader)
{
	if (!reader)
		return;
	child_reap(reader);
	if (reader->socket >= 0)
		close(reader->socket);
	if (reader->shared)
		munmap(reader->shared, sizeof(*reader->shared));
	free(reader->ranges);
	free(reader);
}
