// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* cflags: -fomit-frame-pointer */
/*
 * Stacks that frame pointers don't lead through. Every stack ends in main:
 *
 *   leak_leaf <- chain_c <- chain_b <- chain_a <- main    through function pointers; chain_b uses rbp for data
 *   leak_in_compare <- qsort's functions <- sort <- main  a callback from the C library, which has none
 *   leak_in_signal <- on_signal <- <signal frame> <- raise's functions <- main
 */
#include "truth.h"

#include <signal.h>

TRUTH_SITE(leak_leaf);
TRUTH_SITE(leak_in_compare);
TRUTH_SITE(leak_in_signal);

static void chain_b(long turn), chain_c(long turn), leak_leaf(long turn);

static void (*volatile call_b)(long) = chain_b;
static void (*volatile call_c)(long) = chain_c;
static void (*volatile call_leaf)(long) = leak_leaf;

SITE static void leak_leaf(long turn)
{
	size_t size = 40 + (size_t)turn % 8;

	KEEP(malloc(size));
	truth_alloc(&site_leak_leaf, size);
}

SITE static void chain_c(long turn)
{
	char room[72];

	KEEP(room);
	call_leaf(turn);
	KEEP(room);
}

/* Seven values live across the call: all six callee-saved registers are taken, rbp among them. */
SITE static void chain_b(long turn)
{
	long a = turn, b = turn + 1, c = turn + 2, d = turn + 3, e = turn + 4, f = turn + 5, g = turn + 6;

	__asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f), "+r"(g));
	call_c(turn);
	__asm__ volatile("" : : "r"(a), "r"(b), "r"(c), "r"(d), "r"(e), "r"(f), "r"(g));
}

SITE static void chain_a(long turn)
{
	call_b(turn + 1);
	STAY();
}

SITE static void leak_in_compare(void)
{
	KEEP(malloc(19));
	truth_alloc(&site_leak_in_compare, 19);
}

static int compare(const void *left, const void *right)
{
	leak_in_compare();
	return *(const int *)left - *(const int *)right;
}

/* Few enough members for qsort to sort them without a malloc of its own. */
SITE static void sort(void)
{
	int numbers[40];

	for (int i = 0; i < 40; i++)
		numbers[i] = i * 17 % 40;
	qsort(numbers, 40, sizeof(numbers[0]), compare);
	KEEP(numbers);
}

SITE static void leak_in_signal(void)
{
	KEEP(malloc(91));
	truth_alloc(&site_leak_in_signal, 91);
}

/* Runs only where raise() calls it: main is outside malloc then. */
static void on_signal(int number)
{
	(void)number;
	leak_in_signal();
	STAY();
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };

	truth_init(argc, argv);
	truth_require(sigaction(SIGUSR1, &action, NULL) == 0);
	truth_ready();
	for (long i = 0; i < 100; i++)
		chain_a(i);
	sort();
	for (int i = 0; i < 10; i++)
		raise(SIGUSR1);
	truth_end("");
	return 0;
}
