// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Reads the first MIB MiB of FILE through the page cache, from three functions deep, and prints the bytes that came;
 * after half of them it pauses, so that a tracer which learns of it by then can do so.
 * Usage: read_through FILE MIB [PAUSE_MS]
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char buffer[1 << 16];

__attribute__((noinline)) static ssize_t read_piece(int fd)
{
	ssize_t got = read(fd, buffer, sizeof(buffer));

	__asm__ volatile("" ::: "memory");
	return got;
}

__attribute__((noinline)) static unsigned long read_all(int fd, unsigned long limit)
{
	unsigned long sum = 0;
	ssize_t got;

	while (sum < limit && (got = read_piece(fd)) > 0)
		sum += got;
	__asm__ volatile("" ::: "memory");
	return sum;
}

int main(int count, char **words)
{
	int fd = count >= 3 ? open(words[1], O_RDONLY) : -1;
	unsigned long half, sum;

	if (fd < 0)
		return 1;
	half = strtoul(words[2], NULL, 0) << 19;
	sum = read_all(fd, half);
	usleep(count > 3 ? 1000 * strtoul(words[3], NULL, 0) : 0);
	sum += read_all(fd, half);
	printf("%lu\n", sum);
	return 0;
}
