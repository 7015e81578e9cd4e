// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * One call of each kind that changes mappings, and failing ones, with what was asked and what came of it: a line each.
 *
 *     call NAME address=HEX a1=HEX a2=HEX a3=HEX a5=HEX result=HEX error=N net=N
 *
 * net is the difference of VmSize (/proc/self/statm) to before the first of these calls, in bytes. A file is mapped through
 * a descriptor that was open before "ready". --int80 does some of it by the 32-bit entry, where the kernel has that.
 */
#include "truth.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

TRUTH_SITE(call);

static long first_pages;
static int statm;

static long mapped_pages(void)
{
	char text[64] = "";

	truth_require(pread(statm, text, sizeof(text) - 1, 0) > 0);
	return strtol(text, NULL, 10);
}

static void say(const char *name, const long *arguments, long result, int error)
{
	site_call.seen++;
	site_call.freed++;
	truth_say("call %s address=%#lx a1=%#lx a2=%#lx a3=%#lx a5=%#lx result=%#lx error=%d net=%ld", name, arguments[0],
		  arguments[1], arguments[2], arguments[3], arguments[5], error ? 0 : result, error,
		  (mapped_pages() - first_pages) * 4096);
}

SITE static long call(const char *name, long number, const long *arguments)
{
	long result = syscall(number, arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], arguments[5]);

	say(name, arguments, result, result == -1 ? errno : 0);
	return result;
}

/* mmap2(192) and munmap(91) of arch/x86/entry/syscalls/syscall_32.tbl. */
static void call_int80(void)
{
	long result, arguments[6] = { 0, 3 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, 0, 0 };

	__asm__ volatile("push %%rbp; mov $2, %%ebp; int $0x80; pop %%rbp"
			 : "=a"(result)
			 : "a"(192), "b"(0), "c"(3 * 4096), "d"(PROT_READ), "S"(MAP_PRIVATE | MAP_ANONYMOUS), "D"(-1)
			 : "memory", "r8", "r9", "r10", "r11");
	arguments[5] = 2 * 4096;
	say("mmap", arguments, result & 0xffffffff, 0);
	arguments[0] = result & 0xffffffff;
	__asm__ volatile("int $0x80" : "=a"(result) : "a"(91), "b"(arguments[0]), "c"(3 * 4096) : "memory", "r8", "r9", "r10", "r11");
	arguments[2] = arguments[3] = arguments[5] = 0;
	say("munmap", arguments, result, 0);
}

#define CALL(name, ...) call(#name, SYS_##name, (const long[6]){ __VA_ARGS__ })

int main(int argc, char **argv)
{
	char path[] = "/tmp/mappings-file";
	int file;
	long anonymous, mapped, brk;
	bool is_32bit;

	truth_init(argc, argv);
	is_32bit = truth_flag("--int80");
	statm = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	truth_require(statm >= 0 && file >= 0 && !ftruncate(file, 5 * 4096));
	truth_ready();
	first_pages = mapped_pages();

	anonymous = CALL(mmap, 0, 10 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	CALL(mprotect, anonymous, 4096, PROT_NONE);
	CALL(madvise, anonymous + 4096, 2 * 4096, MADV_DONTNEED);
	anonymous = CALL(mremap, anonymous + 4096, 9 * 4096, 30 * 4096, MREMAP_MAYMOVE);
	CALL(munmap, anonymous, 10 * 4096);
	CALL(munmap, anonymous, 10 * 4096); /* nothing there: succeeds */
	mapped = CALL(mmap, 0, 3 * 4096, PROT_READ, MAP_SHARED, file, 2 * 4096);
	unlink(path);
	CALL(mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, file, 0);
	CALL(munmap, mapped, 3 * 4096);
	brk = CALL(brk, 0);
	CALL(brk, brk + 16 * 4096);
	CALL(brk, brk);
	CALL(mmap, 0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);                /* EINVAL */
	CALL(mmap, 0, 4096, PROT_READ, MAP_PRIVATE, 1000, 0);                           /* EBADF */
	CALL(munmap, 1, 4096);                                                          /* EINVAL */
	CALL(mprotect, 4096, 4096, PROT_READ);                                          /* ENOMEM */
	CALL(madvise, mapped, 4096, 77);                                                /* EINVAL */
	CALL(mremap, 4096, 4096, 8192, 0);                                              /* EFAULT */
	if (is_32bit)
		call_int80();
	truth_say("statm %ld", mapped_pages() * 4096);
	truth_end("");
	return 0;
}
