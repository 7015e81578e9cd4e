// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Calls for shared memory at their end: SysV, also by the 32-bit ipc(), and on request POSIX objects and memfds. */
#include "trace.bpf.h"

#include "shmsnoop.h"
#include "system_call.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* ipc(2), include/uapi/linux/ipc.h */
#define IPC_SHMAT 21
#define IPC_SHMDT 22
#define IPC_SHMGET 23
#define IPC_SHMCTL 24
#define NUMBER_IPC 117

#define DEV_SHM 0x6d68732f7665642fULL /* "/dev/shm" */
#define DEV_SHM_BYTES 9               /* with the slash behind it */

volatile const __u8 wants_posix, wants_failed_only;

/* Where a call that opens or unlinks has its path and flags: by descriptor of a folder, or not. */
enum { PLAIN = 0x100 };

static __always_inline u32 call_of_number(u64 number, bool is_32bit)
{
	u32 call = SHM_CALLS;

	if (is_32bit) { /* arch/x86/entry/syscalls/syscall_32.tbl */
		switch (number) {
		case NUMBER_IPC:
		case 395: return SHM_GET;
		case 396: return SHM_CTL;
		case 397: return SHM_AT;
		case 398: return SHM_DT;
		case 5: call = SHM_OPEN | PLAIN; break;
		case 10: call = SHM_UNLINK | PLAIN; break;
		case 295: call = SHM_OPEN; break;
		case 301: call = SHM_UNLINK; break;
		case 356: call = SHM_MEMFD; break;
		}
	} else { /* syscall_64.tbl */
		switch (number) {
		case 29: return SHM_GET;
		case 30: return SHM_AT;
		case 31: return SHM_CTL;
		case 67: return SHM_DT;
		case 2: call = SHM_OPEN | PLAIN; break;
		case 87: call = SHM_UNLINK | PLAIN; break;
		case 257: call = SHM_OPEN; break;
		case 263: call = SHM_UNLINK; break;
		case 319: call = SHM_MEMFD; break;
		}
	}
	return wants_posix ? call : SHM_CALLS;
}

/* ipc() to the call that it stands for. SHM_CALLS: it is of messages or semaphores. */
static __always_inline u32 unfold_ipc(u64 arguments[6], s64 *result)
{
	u32 which = arguments[0] & 0xffff, address = 0;
	u64 first = arguments[1], second = arguments[2], third = arguments[3], pointer = arguments[4];

	arguments[0] = first;
	arguments[1] = second;
	arguments[2] = third;
	switch (which) {
	case IPC_SHMGET:
		return SHM_GET;
	case IPC_SHMCTL:
		arguments[2] = pointer;
		return SHM_CTL;
	case IPC_SHMDT:
		arguments[0] = pointer;
		return SHM_DT;
	case IPC_SHMAT: /* the address comes back in memory */
		arguments[1] = pointer;
		arguments[2] = second;
		if (!*result && !bpf_probe_read_user(&address, sizeof(address), (void *)third))
			*result = address;
		return SHM_AT;
	}
	return SHM_CALLS;
}

/* The name of the object that the call is for; false: it is no shared memory. */
static __always_inline bool read_name(u32 call, u64 arguments[6], char *name)
{
	bool is_plain = call & PLAIN;
	u64 path = (call & ~PLAIN) == SHM_MEMFD || is_plain ? arguments[0] : arguments[1], start = 0;

	if ((call & ~PLAIN) == SHM_MEMFD) {
		bpf_probe_read_user_str(name, SHM_NAME_BYTES, (void *)path);
		arguments[0] = arguments[1];
		return true;
	}
	if (bpf_probe_read_user(&start, sizeof(start), (void *)path) || start != DEV_SHM)
		return false;
	start = 0;
	bpf_probe_read_user(&start, 1, (void *)path + DEV_SHM_BYTES - 1);
	if (start != '/' || bpf_probe_read_user_str(name, SHM_NAME_BYTES, (void *)path + DEV_SHM_BYTES) < 2)
		return false;
	arguments[0] = is_plain ? arguments[1] : arguments[2];
	arguments[1] = is_plain ? arguments[2] : arguments[3];
	return true;
}

SEC("tp_btf/sys_exit")
int shm_call_ended(u64 *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx[0];
	u64 number = regs->orig_ax, arguments[6], ids;
	struct shm_event *event, here = { 0 };
	bool is_32bit;
	u32 call;

	if (call_of_number(number, false) == SHM_CALLS && call_of_number(number, true) == SHM_CALLS)
		return 0;
	is_32bit = system_call_is_32bit();
	call = call_of_number(number, is_32bit);
	here.result = ctx[1];
	if (call == SHM_CALLS || !trace_wants(&ids))
		return 0;
	system_call_arguments(regs, is_32bit, arguments);
	if (is_32bit && number == NUMBER_IPC)
		call = unfold_ipc(arguments, &here.result);
	if (call == SHM_CALLS || (wants_failed_only && !system_call_failed(here.result)))
		return 0;
	if ((call & ~PLAIN) >= SHM_OPEN && !read_name(call, arguments, here.name))
		return 0;
	event = trace_reserve(sizeof(*event));
	if (!event)
		return 0;
	*event = here;
	trace_fill(&event->head, 0, ids);
	event->call = call & ~PLAIN;
	event->is_32bit = is_32bit;
	event->arguments[0] = arguments[0];
	event->arguments[1] = arguments[1];
	event->arguments[2] = arguments[2];
	trace_submit(event);
	return 0;
}
