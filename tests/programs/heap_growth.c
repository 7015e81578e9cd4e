// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Grows and shrinks the break and private writable mappings, from functions of its own:
 *
 *     heap FUNCTION grown=BYTES shrunk=BYTES calls=N failed=N
 *
 * are the calls that it made, --mmap: the mapping ones. Mappings that are no heap go in between: files, PROT_NONE, shared.
 */
#include "truth.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define PAGE 4096L

static long brk_to(long address)
{
	return syscall(SYS_brk, address);
}

TRUTH_SITE(grow_break);
SITE static void grow_break(int times, long bytes)
{
	for (int i = 0; i < times; i++) {
		long now = brk_to(0);

		truth_require(brk_to(now + bytes) == now + bytes);
		site_grow_break.seen++;
		site_grow_break.seen_bytes += bytes;
	}
	STAY();
}

TRUTH_SITE(shrink_break);
SITE static void shrink_break(long bytes)
{
	long now = brk_to(0);

	truth_require(brk_to(now - bytes) == now - bytes);
	site_shrink_break.seen++;
	site_shrink_break.freed_bytes += bytes;
	STAY();
}

TRUTH_SITE(fail_break);
SITE static void fail_break(void)
{
	struct rlimit none = { 0, RLIM_INFINITY }, before;
	long now = brk_to(0);

	truth_require(!getrlimit(RLIMIT_DATA, &before) && !setrlimit(RLIMIT_DATA, &none));
	truth_require(brk_to(now + 5 * PAGE) == now);
	truth_require(!setrlimit(RLIMIT_DATA, &before));
	site_fail_break.seen++;
	site_fail_break.freed++; /* calls that failed */
	STAY();
}

/* An arena as malloc makes it: reserved whole, then opened by and by. */
TRUTH_SITE(grow_arena);
SITE static void grow_arena(void)
{
	char *arena = mmap(NULL, 64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	truth_require(arena != MAP_FAILED);
	for (int i = 0; i < 3; i++) {
		truth_require(!mprotect(arena + i * 8 * PAGE, 8 * PAGE, PROT_READ | PROT_WRITE));
		site_grow_arena.seen++;
		site_grow_arena.seen_bytes += 8 * PAGE;
	}
	STAY();
}

TRUTH_SITE(map_block);
SITE static void map_block(void)
{
	char *block = mmap(NULL, 20 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	truth_require(block != MAP_FAILED);
	block = mremap(block, 20 * PAGE, 50 * PAGE, MREMAP_MAYMOVE);
	truth_require(block != MAP_FAILED && !munmap(block, 15 * PAGE));
	site_map_block.seen += 3;
	site_map_block.seen_bytes += 50 * PAGE;
	site_map_block.freed_bytes += 15 * PAGE;
	STAY();
}

TRUTH_SITE(map_no_heap);
SITE static void map_no_heap(void)
{
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	truth_require(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0) != MAP_FAILED);
	truth_require(mmap(NULL, 9 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	STAY();
}

int main(int argc, char **argv)
{
	bool maps;

	truth_init(argc, argv);
	maps = truth_flag("--mmap");
	truth_ready();

	grow_break(7, 3 * PAGE);
	grow_break(1, 100); /* the break counts in bytes */
	shrink_break(4 * PAGE);
	fail_break();
	map_no_heap();
	if (maps) {
		grow_arena();
		map_block();
	}
	for (struct truth_site *site = __start_truth_sites; site < __stop_truth_sites; site++)
		if (site->seen)
			truth_say("heap %s grown=%ld shrunk=%ld calls=%ld failed=%ld", site->function, site->seen_bytes,
				  site->freed_bytes, site->seen, site->freed);
	return 0;
}
