// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * leak [TICK_MS]: a program with a leak. Every tick (default 100 ms) a thread computes 1024 Fibonacci numbers
 * into a fresh block, which nobody frees, and says how much it holds by now. `dill memleak -p` on it shows
 * fibonacci, called by child, with the same bytes.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { NUMBERS = 1024 };

static struct timespec tick;

/* The numbers wrap around from the 94th on. NULL when there is no memory. */
__attribute__((noinline)) static unsigned long long *fibonacci(void)
{
	unsigned long long *numbers = calloc(NUMBERS, sizeof(*numbers));

	if (!numbers)
		return NULL;
	numbers[1] = 1;
	for (int i = 2; i < NUMBERS; i++)
		numbers[i] = numbers[i - 1] + numbers[i - 2];
	return numbers;
}

__attribute__((noinline)) static void *child(void *unused)
{
	for (size_t blocks = 1; fibonacci(); blocks++) {
		printf("%zu blocks, %zu bytes held\n", blocks, blocks * NUMBERS * sizeof(unsigned long long));
		nanosleep(&tick, NULL);
	}
	return unused;
}

int main(int argc, char **argv)
{
	static char line[BUFSIZ]; /* so that stdio allocates nothing */
	long tick_ms = argc > 1 ? strtol(argv[1], NULL, 10) : 100;
	pthread_t thread;

	if (tick_ms <= 0) {
		fprintf(stderr, "usage: leak [TICK_MS]\n");
		return 2;
	}
	tick = (struct timespec){ tick_ms / 1000, tick_ms % 1000 * 1000000 };
	setvbuf(stdout, line, _IOLBF, sizeof(line));
	if (pthread_create(&thread, NULL, child, NULL) != 0) {
		fprintf(stderr, "leak: cannot start a thread\n");
		return 1;
	}
	pthread_join(thread, NULL);
	fprintf(stderr, "leak: out of memory\n");
	return 1;
}
