// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Requests by meaning, as series for gdb_rounds.c; memory: gdb_memory.c. Doesn't decide when a target may run. */
#include "gdb_remote.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "gdb_remote_private.h"
#include "target_socket.h"

/* What a stub takes that doesn't say: gdb's own assumption. */
#define LEAST_PACKET_BYTES 400
#define MOST_PACKET_BYTES 65536
#define DECODER_BYTES 16384
#define MOST_TEXT_BYTES (4u << 20)

DEFINE_CLEANUP(gdb_remote, struct gdb_remote *, gdb_remote_close(v));

/* One request, one answer -------------------------------------------------------------------------------- */

struct question {
	struct gdb_round round;
	const char *request;
	char *reply;
	size_t capacity, size;
};

static size_t question_make(struct gdb_round *round, size_t index, char *payload, size_t capacity)
{
	const struct question *question = CONTAINER(round, struct question, round);
	size_t size = strlen(question->request);

	(void)index;
	size = size < capacity ? size : capacity;
	memcpy(payload, question->request, size);
	return size;
}

static enum gdb_taken question_take(struct gdb_round *round, size_t index, char *packet, size_t size)
{
	struct question *question = CONTAINER(round, struct question, round);
	size_t kept = size < question->capacity ? size : question->capacity - 1;

	(void)index;
	memcpy(question->reply, packet, kept);
	question->reply[kept] = '\0';
	question->size = size;
	return GDB_TAKEN;
}

static int ask(struct gdb_remote *remote, const char *request, bool expects_stop, char *reply,
	       size_t capacity, size_t *ret_size, struct error *err)
{
	struct question question = {
		.round = { .count = 1,
			   .expects_stop = expects_stop,
			   .make = question_make,
			   .take = question_take },
		.request = request,
		.reply = reply,
		.capacity = capacity,
	};
	int status = gdb_round_run(remote, &question.round, err);

	if (!status && ret_size)
		*ret_size = question.size;
	return status;
}

int gdb_remote_ask(struct gdb_remote *remote, const char *request, char *reply, size_t capacity,
		   size_t *ret_size, struct error *err)
{
	return ask(remote, request, request[0] == '?', reply, capacity, ret_size, err);
}

/* The stub's monitor: any number of O packets, then OK --------------------------------------------------- */

struct monitor_command {
	struct gdb_round round;
	char payload[GDB_REQUEST_BYTES];
	FILE *text;
	char *bytes;
	size_t size;
	bool is_unknown;
};

static void monitor_start(struct gdb_round *round)
{
	struct monitor_command *command = CONTAINER(round, struct monitor_command, round);

	rewind(command->text);
}

static size_t monitor_make(struct gdb_round *round, size_t index, char *payload, size_t capacity)
{
	const struct monitor_command *command = CONTAINER(round, struct monitor_command, round);
	size_t size = strlen(command->payload);

	(void)index;
	if (size > capacity)
		return 0;
	memcpy(payload, command->payload, size);
	return size;
}

static enum gdb_taken monitor_take(struct gdb_round *round, size_t index, char *packet, size_t size)
{
	struct monitor_command *command = CONTAINER(round, struct monitor_command, round);

	(void)index;
	if (packet[0] == 'O' && size % 2 && size > 1) {
		if (!gdb_hex_decode(packet + 1, size - 1, packet) || ftell(command->text) > MOST_TEXT_BYTES)
			return GDB_NONSENSE;
		fwrite(packet, 1, (size - 1) / 2, command->text);
		return GDB_TAKEN_PART;
	}
	command->is_unknown = strcmp(packet, "OK") != 0;
	return GDB_TAKEN;
}

int gdb_remote_monitor(struct gdb_remote *remote, const char *line, char **ret_text, struct error *err)
{
	struct monitor_command command = {
		.round = { .count = 1, .make = monitor_make, .take = monitor_take, .start = monitor_start },
		.payload = "qRcmd,",
	};
	size_t length = strlen(line);
	int status;

	if (length > (sizeof(command.payload) - 8) / 2)
		return error_set(err, -EINVAL, "gdb stub: the command is too long");
	gdb_hex_encode(line, length, command.payload + strlen(command.payload));
	command.text = open_memstream(&command.bytes, &command.size);
	if (!command.text)
		return error_set(err, -ENOMEM, "gdb stub: out of memory");
	status = gdb_round_run(remote, &command.round, err);
	if (fclose(command.text) && !status)
		status = error_set(err, -ENOMEM, "gdb stub: out of memory");
	if (!status && command.is_unknown)
		status = error_set(err, -EOPNOTSUPP, "gdb stub: it has no monitor");
	if (status)
		free(command.bytes);
	else
		*ret_text = command.bytes;
	return status;
}

/* As a packet_link ---------------------------------------------------------------------------------------- */

static int link_monitor(struct gdb_remote *remote, const char *hexadecimal, char *reply, size_t capacity,
			size_t *ret_size, struct error *err)
{
	CLEANUP(free) char *text = NULL;
	char line[GDB_REQUEST_BYTES / 2];
	size_t size = strlen(hexadecimal);
	int status;

	if (size / 2 >= sizeof(line) || !gdb_hex_decode(hexadecimal, size, line))
		return error_set(err, -EINVAL, "gdb stub: the command is too long");
	line[size / 2] = '\0';
	reply[0] = '\0';
	*ret_size = 0;
	status = gdb_remote_monitor(remote, line, &text, err);
	if (status)
		return status == -EOPNOTSUPP ? 0 : status;
	size = strlen(text);
	if (2 * size + sizeof("OK") > capacity)
		return error_set(err, -ENOSPC, "gdb stub: its monitor says too much");
	gdb_hex_encode(text, size, reply);
	memcpy(reply + 2 * size, "OK", sizeof("OK"));
	*ret_size = 2 * size + 2;
	return 0;
}

static int link_ask(struct packet_link *link, const char *request, char *reply, size_t capacity,
		    size_t *ret_size, struct error *err)
{
	struct gdb_remote *remote = CONTAINER(link, struct gdb_remote, link);
	size_t size;
	int status;

	if (strncmp(request, "qRcmd,", 6) == 0)
		return link_monitor(remote, request + 6, reply, capacity, ret_size, err);
	status = gdb_remote_ask(remote, request, reply, capacity, &size, err);
	if (status)
		return status;
	if (size >= capacity)
		return error_set(err, -ENOSPC, "gdb stub: an answer is too long");
	*ret_size = gdb_unescape(reply, size);
	reply[*ret_size] = '\0';
	return 0;
}

static int link_read(struct packet_link *link, struct memory_read *reads, size_t count, struct error *err)
{
	return gdb_remote_read(CONTAINER(link, struct gdb_remote, link), reads, count, err);
}

struct packet_link *gdb_remote_link(struct gdb_remote *remote)
{
	return &remote->link;
}

/* Running ------------------------------------------------------------------------------------------------ */

/* A request without an answer. */
static int say(struct gdb_remote *remote, const char *bytes, size_t size, struct error *err)
{
	ssize_t sent = write(remote->fd, bytes, size);

	if (sent != (ssize_t)size) { /* some bytes on an idle connection always fit */
		remote->is_lost = true;
		return error_set(err, -ECONNRESET, "gdb stub: cannot send");
	}
	remote->counts.requests++;
	remote->counts.bytes_sent += size;
	return 0;
}

int gdb_remote_continue(struct gdb_remote *remote, struct error *err)
{
	remote->generation++;
	return say(remote, "$c#63", 5, err);
}

int gdb_remote_interrupt(struct gdb_remote *remote, struct error *err)
{
	char reply[64];
	int status = say(remote, "\003", 1, err);

	if (status)
		return status;
	remote->expects_stop = true;
	status = gdb_remote_ask(remote, "qSupported", reply, sizeof(reply), NULL, err);
	remote->expects_stop = false;
	remote->generation++;
	return status;
}

int gdb_remote_detach(struct gdb_remote *remote, struct error *err)
{
	char request[32] = "D", reply[64];
	int status;

	if (remote->process)
		snprintf(request, sizeof(request), "D;%x", remote->process);
	status = gdb_remote_ask(remote, request, reply, sizeof(reply), NULL, err);
	if (!status && strcmp(reply, "OK") != 0)
		status = error_set(err, -EOPNOTSUPP, "gdb stub: it doesn't let the target go");
	return status;
}

/* Connection --------------------------------------------------------------------------------------------- */

/* PacketSize=HEX and NAME+ of a qSupported answer. */
static void take_features(struct gdb_remote *remote, char *text)
{
	char *rest = NULL;

	for (char *word = strtok_r(text, ";", &rest); word; word = strtok_r(NULL, ";", &rest)) {
		if (strncmp(word, "PacketSize=", 11) == 0) {
			unsigned long size = strtoul(word + 11, NULL, 16);

			size = size > MOST_PACKET_BYTES ? MOST_PACKET_BYTES : size;
			remote->traits.packet_size = size < LEAST_PACKET_BYTES ? LEAST_PACKET_BYTES : size;
		}
		remote->traits.has_no_ack |= strcmp(word, "QStartNoAckMode+") == 0;
		remote->traits.has_binary_read |= strcmp(word, "binary-upload+") == 0;
	}
}

static int greet(struct gdb_remote *remote, struct error *err)
{
	char reply[4096];
	bool has_no_ack, has_binary_read;
	int status = gdb_remote_ask(remote, "qSupported:xmlRegisters=i386", reply, sizeof(reply), NULL, err);

	if (status == -ETIMEDOUT)
		return error_set(err, -EBUSY,
				 "the gdb stub doesn't answer (does it serve another debugger? is its "
				 "target in the debugger?)");
	if (status)
		return status;
	remote->traits.packet_size = LEAST_PACKET_BYTES;
	take_features(remote, reply);
	has_no_ack = remote->traits.has_no_ack;
	has_binary_read = remote->traits.has_binary_read;
	remote->traits.has_no_ack = remote->traits.has_binary_read = false;
	if (has_no_ack) {
		status = gdb_remote_ask(remote, "QStartNoAckMode", reply, sizeof(reply), NULL, err);
		if (status)
			return status;
		remote->traits.has_no_ack = strcmp(reply, "OK") == 0;
	}
	remote->traits.has_binary_read = has_binary_read;
	status = gdb_remote_ask(remote, "qC", reply, sizeof(reply), NULL, err);
	if (status)
		return status;
	remote->has_fence = strncmp(reply, "QC", 2) == 0;
	if (strncmp(reply, "QCp", 3) == 0)
		remote->process = (unsigned int)strtoul(reply + 3, NULL, 16);
	status = gdb_remote_ask(remote, "qqemu.PhyMemMode", reply, sizeof(reply), NULL, err);
	remote->traits.is_qemu = !status && (strcmp(reply, "0") == 0 || strcmp(reply, "1") == 0);
	remote->traits.is_pipelined = remote->has_fence &&
				      (remote->traits.has_no_ack || remote->traits.is_qemu);
	return status;
}

/* The decoder must take the largest answer. */
static int grow_decoder(struct gdb_remote *remote, struct error *err)
{
	if (remote->traits.packet_size <= remote->decoder.capacity)
		return 0;
	gdb_decoder_deinit(&remote->decoder);
	return gdb_decoder_init(&remote->decoder, remote->traits.packet_size) ?
		       error_set(err, -ENOMEM, "gdb stub: out of memory") : 0;
}

int gdb_remote_open_fd(int fd, int timeout_ms, void (*on_stop)(void *context), void *context,
		       struct gdb_remote **ret_remote, struct error *err)
{
	CLEANUP(gdb_remote) struct gdb_remote *remote = calloc(1, sizeof(*remote));
	int status;

	if (!remote) {
		close(fd);
		return error_set(err, -ENOMEM, "gdb stub: out of memory");
	}
	remote->link.ask = link_ask;
	remote->link.read = link_read;
	remote->fd = fd;
	remote->timeout_ms = timeout_ms;
	remote->on_stop = on_stop;
	remote->context = context;
	remote->out_capacity = (size_t)(GDB_WINDOW + 1) * 2 * GDB_REQUEST_BYTES;
	remote->out = malloc(remote->out_capacity);
	remote->in = malloc(GDB_IN_BYTES);
	if (!remote->out || !remote->in || gdb_decoder_init(&remote->decoder, DECODER_BYTES))
		return error_set(err, -ENOMEM, "gdb stub: out of memory");
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) < 0)
		return error_set(err, -errno, "gdb stub: %s", strerror(errno));
	remote->expects_stop = true;
	status = greet(remote, err);
	if (!status)
		status = grow_decoder(remote, err);
	if (status)
		return status;
	remote->traits.was_running = remote->counts.stops_seen > 0;
	remote->expects_stop = false;
	remote->on_stop = NULL;
	*ret_remote = TAKE_PTR(remote);
	return 0;
}

int gdb_remote_open(const char *address, int timeout_ms, struct gdb_remote **ret_remote, struct error *err)
{
	int fd, status = target_connect(address, timeout_ms, &fd, err);

	if (!status)
		status = gdb_remote_open_fd(fd, timeout_ms, NULL, NULL, ret_remote, err);
	return status;
}

void gdb_remote_close(struct gdb_remote *remote)
{
	if (!remote)
		return;
	close(remote->fd);
	gdb_decoder_deinit(&remote->decoder);
	free(remote->in);
	free(remote->out);
	free(remote);
}

const struct gdb_remote_counts *gdb_remote_counts(const struct gdb_remote *remote)
{
	return &remote->counts;
}

const struct gdb_remote_traits *gdb_remote_traits(const struct gdb_remote *remote)
{
	return &remote->traits;
}

int gdb_remote_fd(const struct gdb_remote *remote)
{
	return remote->fd;
}

uint64_t gdb_remote_generation(const struct gdb_remote *remote)
{
	return remote->generation;
}
