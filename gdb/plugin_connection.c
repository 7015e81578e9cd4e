// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Which of this process's sockets leads to gdb's stub, and to which process. Fields of /proc/net/tcp:
 * Documentation/networking/proc_net_tcp.rst.
 */
#include "gdb_connection.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cleanup.h"
#include "plugin.h"
#include "target_socket.h"

#define TCP_ESTABLISHED_STATE 1

DEFINE_CLEANUP(closedir, DIR *, if (v) closedir(v));

struct endpoint {
	int family;
	in_port_t port;      /* host order; of TCP */
	char path[PATH_MAX]; /* of a Unix socket, as its server bound it */
};

/* Sockets of gdb's that aren't connected, or not to something with a name, are no connection to a stub. */
static int endpoint_of_peer(int fd, struct endpoint *ret_endpoint)
{
	union {
		struct sockaddr any;
		struct sockaddr_un local;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} address = { 0 };
	socklen_t size = sizeof(address) - 1;

	if (getpeername(fd, &address.any, &size) < 0)
		return -errno;
	ret_endpoint->family = address.any.sa_family;
	if (address.any.sa_family == AF_INET)
		ret_endpoint->port = ntohs(address.v4.sin_port);
	else if (address.any.sa_family == AF_INET6)
		ret_endpoint->port = ntohs(address.v6.sin6_port);
	else if (address.any.sa_family == AF_UNIX && size > sizeof(sa_family_t) && address.local.sun_path[0])
		snprintf(ret_endpoint->path, sizeof(ret_endpoint->path), "%s", address.local.sun_path);
	else
		return -ENOENT;
	return 0;
}

/* The server may have bound a name that is relative to its own working directory. */
static bool is_same_socket_file(const char *bound, pid_t server, const char *words)
{
	char path[PATH_MAX + 64];
	struct stat one, other;

	if (*bound == '/')
		snprintf(path, sizeof(path), "%s", bound);
	else
		snprintf(path, sizeof(path), "/proc/%d/cwd/%s", (int)server, bound);
	return !stat(path, &one) && !stat(words, &other) && one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

static bool is_meant(int fd, const struct endpoint *peer, const char *words)
{
	const char *colon = strrchr(words, ':');
	pid_t server = 0;

	if (peer->family == AF_UNIX)
		return !target_peer(fd, &server) && is_same_socket_file(peer->path, server, words);
	return colon && isdigit((unsigned char)colon[1]) && strtoul(colon + 1, NULL, 10) == peer->port;
}

static bool has_socket(const char *pid, unsigned long inode)
{
	CLEANUP(closedir) DIR *folder = NULL;
	const struct dirent *entry;
	char path[64], wanted[64];

	snprintf(path, sizeof(path), "/proc/%.20s/fd", pid);
	snprintf(wanted, sizeof(wanted), "socket:[%lu]", inode);
	folder = opendir(path);
	while (folder && (entry = readdir(folder))) {
		char link[64];
		ssize_t length = readlinkat(dirfd(folder), entry->d_name, link, sizeof(link) - 1);

		if (length > 0) {
			link[length] = '\0';
			if (strcmp(link, wanted) == 0)
				return true;
		}
	}
	return false;
}

static pid_t socket_owner(unsigned long inode)
{
	CLEANUP(closedir) DIR *folder = opendir("/proc");
	const struct dirent *entry;

	while (folder && (entry = readdir(folder)))
		if (isdigit((unsigned char)entry->d_name[0]) && has_socket(entry->d_name, inode))
			return (pid_t)strtol(entry->d_name, NULL, 10);
	return 0;
}

/*
 * The owner of the TCP socket with that port that is connected with our one. Whoever reads memory of it
 * proves it.
 */
static pid_t tcp_owner(const char *table, in_port_t port, in_port_t our_port)
{
	CLEANUP(fclose) FILE *file = fopen(table, "re");
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		unsigned local, remote, state;
		unsigned long inode;

		if (sscanf(line, "%*s %*[0-9A-F]:%x %*[0-9A-F]:%x %x %*s %*s %*s %*s %*s %lu", &local, &remote, &state,
			   &inode) == 4 &&
		    local == port && remote == our_port && state == TCP_ESTABLISHED_STATE && inode)
			return socket_owner(inode);
	}
	return 0;
}

static pid_t peer_process(int fd, const struct endpoint *peer)
{
	struct sockaddr_in6 ours = { 0 }; /* the port of IPv4 is at the same place */
	socklen_t size = sizeof(ours);
	pid_t pid = 0;

	if (peer->family == AF_UNIX)
		return target_peer(fd, &pid) ? 0 : pid;
	if (getsockname(fd, (struct sockaddr *)&ours, &size) < 0)
		return 0;
	pid = tcp_owner("/proc/self/net/tcp", peer->port, ntohs(ours.sin6_port));
	return pid ? pid : tcp_owner("/proc/self/net/tcp6", peer->port, ntohs(ours.sin6_port));
}

static bool is_one_socket(int fd, int other)
{
	struct stat one, two;

	return !fstat(fd, &one) && !fstat(other, &two) && one.st_ino == two.st_ino && one.st_dev == two.st_dev;
}

int gdb_connection_find(const char *words, struct gdb_connection *ret_connection, struct error *err)
{
	CLEANUP(closedir) DIR *folder = opendir("/proc/self/fd");
	const struct dirent *entry;
	struct endpoint found = { 0 };
	int found_fd = -1;

	if (!folder)
		return error_set(err, -errno, "/proc/self/fd can't be listed");
	while ((entry = readdir(folder))) {
		struct endpoint peer = { 0 };
		int fd;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		fd = (int)strtol(entry->d_name, NULL, 10);
		if (endpoint_of_peer(fd, &peer) || !is_meant(fd, &peer, words))
			continue;
		if (found_fd >= 0 && !is_one_socket(fd, found_fd))
			return error_set(err, -ENOTUNIQ, "gdb has several connections to '%s'", words);
		found_fd = found_fd < 0 || fd < found_fd ? fd : found_fd;
		found = peer;
	}
	if (found_fd < 0)
		return error_set(err, -ENOENT, "gdb has no socket connected to '%s'", words);
	*ret_connection = (struct gdb_connection){ found_fd, peer_process(found_fd, &found) };
	return 0;
}

int dill_gdb_peer(const char *words)
{
	struct gdb_connection connection;

	return gdb_connection_find(words, &connection, NULL) ? 0 : connection.peer;
}
