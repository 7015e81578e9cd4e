// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * SysV segments that are made, attached by two processes, removed, and one that is left behind; failing calls; a POSIX
 * object and a memfd. A line for each call, and for each segment what becomes of it:
 *
 *     call NAME pid=N id=N result=N error=N
 *     segment ID key=HEX size=BYTES creator=PID state=left_behind|removed
 *     object NAME ARGUMENT
 *
 * --int80 does it by the 32-bit ipc() instead, where the kernel has that. --remove=ID removes a segment.
 */
#include "truth.h"

#include <fcntl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/wait.h>

static bool is_32bit;

/* ipc(117) of syscall_32.tbl: call, first, second, third, pointer. */
static long ipc(long which, long first, long second, long third, long pointer)
{
	long result;

	__asm__ volatile("int $0x80"
			 : "=a"(result)
			 : "a"(117L), "b"(which), "c"(first), "d"(second), "S"(third), "D"(pointer)
			 : "memory", "r8", "r9", "r10", "r11");
	if (result >= 0 || result < -4095)
		return result;
	errno = (int)-result;
	return -1;
}

static long say(const char *name, long id, long result)
{
	int error = result == -1 ? errno : 0;

	truth_say("call %s pid=%d id=%ld result=%ld error=%d", name, (int)getpid(), id, error ? 0 : result, error);
	return result;
}

static int get(long key, long size, int flags)
{
	long id = is_32bit ? ipc(23, key, size, flags, 0) : shmget((key_t)key, (size_t)size, flags);

	return (int)say("shmget", id, id);
}

static long attach(int id, int flags)
{
	uint32_t *place;
	long result;

	if (!is_32bit)
		return say("shmat", id, (long)shmat(id, NULL, flags));
	place = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	truth_require(place != MAP_FAILED);
	result = ipc(21, id, flags, (long)place, 0);
	return say("shmat", id, result ? result : (long)*place);
}

static long detach(int id, long address)
{
	return say("shmdt", id, is_32bit ? ipc(22, 0, 0, 0, address) : shmdt((void *)address));
}

static long control(int id, int command)
{
	return say("shmctl", id, is_32bit ? ipc(24, id, command | 0x100, 0, 0) : shmctl(id, command, NULL));
}

static void use_sysv(long key)
{
	int kept = get(key, 40960, IPC_CREAT | IPC_EXCL | 0640), gone = get(IPC_PRIVATE, 8192, IPC_CREAT | 0600);
	long address = attach(kept, 0), mine;
	pid_t child;

	truth_require(kept >= 0 && gone >= 0 && address != -1);
	child = fork();
	if (!child) {
		mine = attach(get(key, 0, 0), SHM_RDONLY);
		_exit(mine == -1 || detach(kept, mine) ? 4 : 0);
	}
	truth_require(waitpid(child, &(int){ 0 }, 0) == child);
	truth_require(!detach(kept, address));
	truth_require(!control(gone, IPC_RMID));
	truth_require(get(key, 40960, IPC_CREAT | IPC_EXCL | 0640) == -1); /* EEXIST */
	truth_require(get(IPC_PRIVATE, 0, IPC_CREAT) == -1);               /* EINVAL */
	truth_require(attach(gone, 0) == -1);                             /* EINVAL */
	truth_require(control(gone, IPC_RMID) == -1);                     /* EINVAL */
	get(IPC_PRIVATE, 1L << 21, IPC_CREAT | SHM_HUGETLB | 21 << 26 | 0600); /* ENOMEM without huge pages */
	truth_say("segment %d key=%#lx size=40960 creator=%d state=left_behind", kept, key, (int)getpid());
	truth_say("segment %d key=0 size=8192 creator=%d state=removed", gone, (int)getpid());
}

static void use_posix(void)
{
	int object = shm_open("/dill-object", O_RDWR | O_CREAT | O_EXCL, 0600), memfd;

	truth_require(object >= 0 && !shm_unlink("/dill-object"));
	memfd = memfd_create("dill-memfd", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	truth_require(memfd >= 0);
	truth_say("object dill-object %d", object);
	truth_say("object dill-memfd %d", memfd);
}

TRUTH_SITE(main);
int main(int argc, char **argv)
{
	long removed;

	truth_init(argc, argv);
	is_32bit = truth_flag("--int80");
	removed = truth_option("--remove", -1);
	truth_ready();
	site_main.seen = site_main.freed = 1;
	if (removed >= 0)
		return shmctl((int)removed, IPC_RMID, NULL) ? 1 : 0;
	use_sysv(is_32bit ? 0x32d111 : 0x64d111);
	use_posix();
	return 0;
}
