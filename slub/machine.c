// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// CPUs, nodes, randomness: system calls and two small files of sysfs. errno is left as it was.
#include "machine.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "layout.h"
#include "percpu.h"

#define MASK_BYTES 1024 /* NR_CPUS is 8192 at most */

// The last number in a list like "0-3" or "0,2-5", plus 1; 0 when the file isn't there or is something else.
static unsigned end_of_list(const char *path)
{
	int file = open(path, O_RDONLY | O_CLOEXEC);
	char text[64];
	ssize_t length = 0;
	unsigned last = 0;

	if (file >= 0) {
		length = read(file, text, sizeof(text) - 1);
		close(file);
	}
	if (length <= 0 || length == sizeof(text) - 1)
		return 0;
	for (ssize_t i = 0; i < length && text[i] != '\n'; i++) {
		if (text[i] == '-' || text[i] == ',')
			last = 0;
		else if (text[i] < '0' || text[i] > '9' || last > MASK_BYTES * 8)
			return 0;
		else
			last = last * 10 + (unsigned)(text[i] - '0');
	}
	return last + 1;
}

unsigned slub_machine_cpus(void)
{
	static unsigned char mask[MASK_BYTES];
	int saved = errno;
	// As many bytes as the kernel's masks have (sched_getaffinity(2)), for a machine without /sys.
	long bytes = syscall(SYS_sched_getaffinity, 0, sizeof(mask), mask);
	unsigned most = bytes > 0 ? (unsigned)bytes * 8 : MASK_BYTES * 8;
	unsigned possible = end_of_list("/sys/devices/system/cpu/possible");

	errno = saved;
	return possible && possible <= most ? possible : most;
}

unsigned slub_machine_nodes(unsigned limit)
{
	int saved = errno;
	unsigned nodes = end_of_list("/sys/devices/system/node/possible");

	errno = saved;
	return nodes && nodes <= limit ? nodes : 1;
}

bool slub_machine_has_cmpxchg_double(void)
{
#ifdef __x86_64__
	unsigned a, b, c, d;

	// The first CPUs of x86-64 had none.
	return __get_cpuid(1, &a, &b, &c, &d) && c & bit_CMPXCHG16B;
#else
	return false;
#endif
}

uint64_t slub_machine_seed(void)
{
	struct timespec now;
	uint64_t seed;
	int saved = errno;

	if (getrandom(&seed, sizeof(seed), GRND_NONBLOCK) != sizeof(seed)) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		seed = (uint64_t)now.tv_nsec ^ (uintptr_t)&now ^ (uint64_t)getpid() << 32;
	}
	errno = saved;
	return seed;
}

uint64_t slub_machine_ms(void)
{
	struct timespec now = {};
	int saved = errno;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	errno = saved;
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

unsigned slub_node(void)
{
	// Of each CPU as far as it was asked for, plus 1; CPUs don't change nodes.
	static uint8_t nodes[MASK_BYTES * 8];
	int here = slub.nodes > 1 ? slub_percpu_cpu() : -1;
	unsigned cpu, node = 0;

	if (slub.nodes == 1)
		return 0;
	if (here >= 0 && here < (int)sizeof(nodes) && __atomic_load_n(&nodes[here], __ATOMIC_RELAXED))
		return __atomic_load_n(&nodes[here], __ATOMIC_RELAXED) - 1u;
	if (getcpu(&cpu, &node) || node >= slub.nodes)
		return 0;
	if (cpu < sizeof(nodes))
		__atomic_store_n(&nodes[cpu], (uint8_t)(node + 1), __ATOMIC_RELAXED);
	return node;
}
