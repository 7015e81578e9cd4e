// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * kernel_books TOKEN: sends on stdout what the kernel says about itself, for tests that compare it with a look
 * from outside. Requests are lines on stdin, an answer is a line `@@TOKEN data NAME LENGTH` and LENGTH bytes:
 *
 *   slabs   /proc/slabinfo, once it has stayed the same for a while, also after sending it
 *   tasks   the files in /proc of every thread but this one: `==> TGID/TID/FILE LENGTH`, the bytes, a newline
 *   end     exits
 *
 * Between requests it sleeps, holding what it has open, so that nothing changes by its answer or its end.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

enum { SLABS_MAX = 1 << 18, TASKS_MAX = 4 << 20, ROUNDS = 200, QUIET_US = 250000 };

static char slabs[2][SLABS_MAX], tasks[TASKS_MAX];
static size_t tasks_length;
static const char *token;

static void send_data(const char *name, const char *data, size_t length)
{
	char head[128];
	int count = snprintf(head, sizeof(head), "\n@@%s data %s %zu\n", token, name, length);

	if (write(STDOUT_FILENO, head, (size_t)count) != count)
		exit(4);
	while (length) {
		ssize_t written = write(STDOUT_FILENO, data, length);

		if (written <= 0)
			exit(4);
		data += written;
		length -= (size_t)written;
	}
	tcdrain(STDOUT_FILENO);
}

static size_t read_all(int fd, char *buffer, size_t size)
{
	size_t length = 0;
	ssize_t count;

	while (length < size && (count = pread(fd, buffer + length, size - length, (off_t)length)) > 0)
		length += (size_t)count;
	return length;
}

// Whether two reads a while apart give the same; the last one is left in slabs[1].
static int is_quiet(int fd, size_t *ret_length)
{
	size_t before = read_all(fd, slabs[0], SLABS_MAX);

	usleep(QUIET_US);
	*ret_length = read_all(fd, slabs[1], SLABS_MAX);
	return before == *ret_length && !memcmp(slabs[0], slabs[1], before);
}

static void send_slabs(int fd)
{
	for (int round = 0; round < ROUNDS; round++) {
		size_t length, again;

		if (!is_quiet(fd, &length))
			continue;
		send_data("slabs", slabs[1], length);
		usleep(QUIET_US);
		again = read_all(fd, slabs[0], SLABS_MAX);
		if (again == length && !memcmp(slabs[0], slabs[1], length)) {
			send_data("quiet", "", 0);
			return;
		}
	}
	send_data("restless", "", 0);
}

static void add_fact(const char *tgid, const char *tid, const char *file, const char *data, ssize_t length)
{
	if (length < 0 || tasks_length + (size_t)length + 256 > TASKS_MAX)
		return;
	tasks_length += (size_t)sprintf(tasks + tasks_length, "==> %s/%s/%s %zd\n", tgid, tid, file, length);
	memcpy(tasks + tasks_length, data, (size_t)length);
	tasks_length += (size_t)length;
	tasks[tasks_length++] = '\n';
}

static void add_thread(const char *tgid, const char *tid)
{
	static const char *const files[] = {"comm", "stat", "status", "statm", "cgroup", "maps"};
	static const char *const links[] = {"ns/pid", "ns/uts", "ns/mnt", "ns/ipc", "ns/net", "ns/user", "ns/cgroup"};
	static char buffer[1 << 16];
	char path[128];

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), "/proc/%.20s/task/%.20s/%s", tgid, tid, files[i]);
		int fd = open(path, O_RDONLY);

		if (fd < 0)
			continue;
		size_t length = 0;
		ssize_t count;
		while ((count = read(fd, buffer + length, sizeof(buffer) - length)) > 0)
			length += (size_t)count;
		close(fd);
		add_fact(tgid, tid, files[i], buffer, (ssize_t)length);
	}
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++) {
		snprintf(path, sizeof(path), "/proc/%.20s/task/%.20s/%s", tgid, tid, links[i]);
		add_fact(tgid, tid, links[i], buffer, readlink(path, buffer, sizeof(buffer)));
	}
}

static void send_tasks(void)
{
	DIR *processes = opendir("/proc");
	struct dirent *process, *thread;
	char path[64];

	tasks_length = 0;
	while (processes && (process = readdir(processes))) {
		if (atoi(process->d_name) <= 0 || atoi(process->d_name) == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/%.20s/task", process->d_name);
		DIR *threads = opendir(path);

		while (threads && (thread = readdir(threads)))
			if (thread->d_name[0] != '.')
				add_thread(process->d_name, thread->d_name);
		if (threads)
			closedir(threads);
	}
	if (processes)
		closedir(processes);
	send_data("tasks", tasks, tasks_length);
}

int main(int argc, char **argv)
{
	int slabinfo = open("/proc/slabinfo", O_RDONLY);
	char line[32];

	if (argc != 2 || slabinfo < 0)
		return 2;
	token = argv[1];
	memset(slabs, 1, sizeof(slabs));
	memset(tasks, 1, sizeof(tasks));
	mlockall(MCL_CURRENT);
	for (;;) {
		size_t length = 0;

		while (length < sizeof(line) - 1 && read(STDIN_FILENO, line + length, 1) == 1 && line[length] != '\n')
			length++;
		line[length] = '\0';
		if (!strcmp(line, "slabs"))
			send_slabs(slabinfo);
		else if (!strcmp(line, "tasks"))
			send_tasks();
		else
			return strcmp(line, "end") ? 2 : 0;
	}
}
