// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Passes USDT probes of its own whose arguments are of every kind that the format has, and says what they were:
 *
 *     met PROBE ARGUMENT…
 *
 * Some bear the names of glibc's, whose own Debian builds without. A probe with a semaphore is passed only while somebody
 * watches: `watched N`, N times out of three. With --again all of it is done so many times.
 */
#include "truth.h"

#include "probe_notes.h"

PROBE_SEMAPHORE(probes_dear_semaphore);

int global_count __attribute__((used)) = -77;
static long table[8] = { 0, 10, 20, 30, 40, 50, 60, 70 };

SITE static void widths(unsigned long value)
{
	PROBE("probes", "widths", "8@%[r] 4@%k[r] 2@%w[r] 1@%b[r] -8@%[r] -4@%k[r] -2@%w[r] -1@%b[r] 1@%h[q]",
	      [r] "r"(value), [q] "Q"(value));
	truth_say("met probes:widths %lu %u %u %u %ld %d %d %d %u", value, (unsigned int)value, (unsigned short)value,
		  (unsigned char)value, (long)value, (int)value, (short)value, (signed char)value,
		  (unsigned char)(value >> 8));
}

SITE static void memory(const long *list, long index)
{
	volatile int local = -5;

	PROBE("probes", "memory", "8@(%[b]) -8@16(%[b]) 8@(%[b],%[i],8) -8@-8(%[b],%[i],8) -4@%[local] -4@global_count(%%rip)",
	      [b] "r"(list), [i] "r"(index), [local] "m"(local));
	truth_say("met probes:memory %ld %ld %ld %ld %d %d", list[0], list[2], list[index], list[index - 1], -5, global_count);
}

SITE static void constants(void)
{
	PROBE("probes", "constants", "4@%[a] -4@%[b] 8@%[c] 1@$0x7f", [a] "i"(12345), [b] "i"(-6), [c] "i"(1L << 30));
	truth_say("met probes:constants %d %d %ld %d", 12345, -6, 1L << 30, 127);
}

SITE static void twelve(long n)
{
	PROBE("probes", "twelve", "8@%[n] 4@$2 4@$3 4@$4 4@$5 4@$6 4@$7 4@$8 4@$9 4@$10 4@$11 4@$12", [n] "r"(n));
	truth_say("met probes:twelve %ld 2 3 4 5 6 7 8 9 10 11 12", n);
}

/* What can't be read keeps its number: floating point, memory that isn't there. */
SITE static void unreadable(double number)
{
	PROBE("probes", "unreadable", "8f@%[x] 8@(%[null]) 4@$3", [x] "x"(number), [null] "r"(0L));
	truth_say("met probes:unreadable ? ? 3");
}

SITE static void none(void)
{
	PROBE("probes", "none", "", "i"(0));
	truth_say("met probes:none");
}

/* Inlined into two places. */
static inline __attribute__((always_inline)) void twice(int n)
{
	PROBE("probes", "twice", "-4@%[n]", [n] "r"(n));
	truth_say("met probes:twice %d", n);
}

SITE static void first(void)
{
	twice(1);
}

SITE static void second(void)
{
	twice(2);
}

SITE static void allocator(unsigned long block, unsigned long size, int value)
{
	PROBE("libc", "memory_sbrk_more", "8@%[block] 8@%[size]", [block] "r"(block), [size] "r"(size));
	truth_say("met libc:memory_sbrk_more 0x%lx %lu", block, size);
	PROBE("libc", "memory_mallopt", "-4@%[a] -4@%[b]", [a] "r"(value), [b] "r"(value + 1));
	truth_say("met libc:memory_mallopt %d %d", value, value + 1);
	PROBE("libc", "memory_arena_reuse_wait", "8@%[block] 8@%[a] 8@%[b]", [block] "r"(block), [a] "r"(block + 16), [b] "r"(0L));
	truth_say("met libc:memory_arena_reuse_wait 0x%lx 0x%lx 0x0", block, block + 16);
}

SITE static int dear(int n)
{
	if (!probes_dear_semaphore)
		return 0;
	PROBE_WITH("probes", "dear", "probes_dear_semaphore", "-4@%[n]", [n] "r"(n));
	truth_say("met probes:dear %d", n);
	return 1;
}

int main(int argc, char **argv)
{
	int watched = 0;
	long times;

	truth_init(argc, argv);
	times = truth_option("--again", 1);
	truth_ready();
	for (long i = 0; i < times; i++) {
		widths(0xfedcba9876543210UL);
		memory(table, 3);
		constants();
		twelve(i);
		unreadable(0.5);
		none();
		first();
		second();
		allocator(0x7fff12345000UL, 135168, -3);
	}
	for (int i = 0; i < 3; i++)
		watched += dear(i);
	truth_say("watched %d", watched);
	return 0;
}
