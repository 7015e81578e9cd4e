// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Connects, with a time limit. Reads and writes are the protocols' part. */
#include "target_socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "cleanup.h"

DEFINE_CLEANUP(addrinfo, struct addrinfo *, if (v) freeaddrinfo(v));

long long target_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

int target_wait(int fd, short events, long long deadline_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	for (;;) {
		long long left = deadline_ms - target_now_ms();
		int ready = left > 0 ? poll(&poll_fd, 1, (int)left) : 0;

		if (ready > 0)
			return 0;
		if (ready == 0)
			return -ETIMEDOUT;
		if (errno != EINTR)
			return -errno;
	}
}

struct attempt {
	long long deadline_ms;
	int (*prepare)(int fd, void *context, struct error *err); /* may be NULL */
	void *context;
	struct error prepare_error;
};

static int connect_address(const struct sockaddr *address, socklen_t size, struct attempt *attempt,
			   int *ret_fd)
{
	long long deadline_ms = attempt->deadline_ms;
	CLEANUP(close) int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int failure = 0, status;
	socklen_t length = sizeof(failure);

	if (fd < 0)
		return -errno;
	if (attempt->prepare && attempt->prepare(fd, attempt->context, &attempt->prepare_error) < 0)
		return -ECANCELED;
	/* A full backlog of a Unix socket is EAGAIN (unix(7)), and poll can't wait for it. */
	while ((status = connect(fd, address, size)) < 0 && errno == EAGAIN) {
		if (target_now_ms() >= deadline_ms)
			return -ETIMEDOUT;
		poll(NULL, 0, 20);
	}
	if (status < 0) {
		if (errno != EINPROGRESS)
			return -errno;
		status = target_wait(fd, POLLOUT, deadline_ms);
		if (status)
			return status;
		if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &length) < 0)
			return -errno;
		if (failure)
			return -failure;
	}
	if (address->sa_family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int connect_path(const char *path, struct attempt *attempt, int *ret_fd, struct error *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int status;

	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(err, -EINVAL, "%s: too long for a socket's path (at most %zu bytes)", path,
				 sizeof(address.sun_path) - 1);
	memcpy(address.sun_path, path, strlen(path));
	status = connect_address((struct sockaddr *)&address, sizeof(address), attempt, ret_fd);
	return status ? error_set(err, status, "cannot connect to %s: %s", path, strerror(-status)) : 0;
}

/* "[HOST]:PORT" and "HOST:PORT" apart. */
static int split_address(const char *address, char *host, size_t host_size, const char **ret_port)
{
	const char *colon = strrchr(address, ':');
	size_t length;

	if (!colon || !colon[1])
		return -EINVAL;
	length = (size_t)(colon - address);
	if (length >= 2 && address[0] == '[' && colon[-1] == ']') {
		address++;
		length -= 2;
	}
	if (length >= host_size)
		return -EINVAL;
	snprintf(host, host_size, "%.*s", (int)length, address);
	*ret_port = colon + 1;
	return 0;
}

static int connect_host(const char *address, struct attempt *attempt, int *ret_fd, struct error *err)
{
	CLEANUP(addrinfo) struct addrinfo *found = NULL;
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	const char *port;
	char host[256];
	int status;

	if (split_address(address, host, sizeof(host), &port))
		return error_set(err, -EINVAL, "'%s' is neither a socket's path (with a /) nor HOST:PORT",
				 address);
	if (!host[0] || strcmp(host, "localhost") == 0)
		snprintf(host, sizeof(host), "127.0.0.1");
	/* Numbers need no resolver, which a static executable may lack. */
	status = getaddrinfo(host, port, &hints, &found);
	if (status == EAI_NONAME) {
		hints.ai_flags = AI_NUMERICSERV;
		status = getaddrinfo(host, port, &hints, &found);
	}
	if (status)
		return error_set(err, -EINVAL, "%s: %s", address, gai_strerror(status));
	status = -ENOENT;
	for (const struct addrinfo *one = found; one && status; one = one->ai_next)
		status = connect_address(one->ai_addr, one->ai_addrlen, attempt, ret_fd);
	return status ? error_set(err, status, "cannot connect to %s: %s", address, strerror(-status)) : 0;
}

int target_connect_prepared(const char *address, int timeout_ms,
			    int (*prepare)(int fd, void *context, struct error *err), void *context,
			    int *ret_fd, struct error *err)
{
	struct attempt attempt = { .deadline_ms = target_now_ms() + timeout_ms,
				   .prepare = prepare,
				   .context = context };
	int status = strchr(address, '/') ? connect_path(address, &attempt, ret_fd, err) :
					    connect_host(address, &attempt, ret_fd, err);

	if (status == -ECANCELED && attempt.prepare_error.code)
		return error_set(err, attempt.prepare_error.code, "%s", attempt.prepare_error.text);
	return status;
}

int target_connect(const char *address, int timeout_ms, int *ret_fd, struct error *err)
{
	return target_connect_prepared(address, timeout_ms, NULL, NULL, ret_fd, err);
}

int target_peer(int fd, pid_t *ret_pid)
{
	struct ucred peer = { 0 };
	socklen_t size = sizeof(peer);
	int domain = 0;
	socklen_t domain_size = sizeof(domain);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &domain_size) < 0)
		return -errno;
	if (domain != AF_UNIX)
		return -ENOENT;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return -errno;
	if (peer.pid <= 0) /* in another PID namespace */
		return -ENOENT;
	*ret_pid = peer.pid;
	return 0;
}
