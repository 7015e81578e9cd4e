// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Allocations that fail, in every way, among some that succeed. Only the latter count. An address space limit
 * of 1 GiB above what is mapped makes the sizes in between fail whatever the machine's overcommit policy is.
 */
#include "truth.h"

#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { ROUNDS = 200 };

TRUTH_SITE(small_success);
TRUTH_SITE(large_failure);

static volatile size_t absurd = (size_t)PTRDIFF_MAX, too_much = (size_t)8 << 30, many = SIZE_MAX / 4;

SITE static void small_success(void)
{
	KEEP(malloc(40));
	truth_alloc(&site_small_success, 40);
}

/* Declared as a site for its name: nothing is ever held here. */
SITE static void large_failure(void)
{
	void *out;

	truth_require(!malloc(absurd) && errno == ENOMEM);
	truth_require(!malloc(too_much) && errno == ENOMEM);
	truth_require(!calloc(many, 16) && errno == ENOMEM);
	truth_require(!calloc(1, too_much));
	truth_require(!realloc(NULL, too_much));
	truth_require(!reallocarray(NULL, many, 16));
	truth_require(posix_memalign(&out, 4096, too_much) == ENOMEM);
	truth_require(!aligned_alloc(64, too_much));
	truth_require(!memalign(64, absurd));
	truth_require(mmap(NULL, too_much, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED);
}

/* Bytes of address space in use now. */
static size_t mapped_bytes(void)
{
	char text[64] = "";
	FILE *statm = fopen("/proc/self/statm", "r");

	truth_require(statm && fgets(text, sizeof(text), statm));
	fclose(statm);
	return strtoul(text, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

int main(int argc, char **argv)
{
	struct rlimit limit;

	truth_init(argc, argv);
	limit.rlim_cur = limit.rlim_max = mapped_bytes() + ((size_t)1 << 30);
	truth_require(setrlimit(RLIMIT_AS, &limit) == 0);
	truth_ready();
	for (int i = 0; i < ROUNDS; i++) {
		small_success();
		large_failure();
	}
	truth_end("failed=2000");
	return 0;
}
