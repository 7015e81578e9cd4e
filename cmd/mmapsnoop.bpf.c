// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Calls that change a process's mappings, each at its end, where arguments and result are known: as an event, or counted
 * by process. What is mapped in all comes from the kernel's own count.
 */
#include "trace.bpf.h"

#include "file_path.bpf.h"
#include "mmapsnoop.h"
#include "system_call.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define PAGE_SHIFT 12
#define MAP_ANONYMOUS 0x20

/* What a process had before its first call. Of processes of long ago the kernel forgets the oldest. */
struct space {
	u64 mm;
	s64 first_pages;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, struct space);
} spaces SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 8192);
	__type(key, u32); /* pid, as dill has it */
	__type(value, struct mapping_sums);
} sums SEC(".maps");

volatile const __u8 is_summary, wants_failed_only;
volatile const __u32 wanted_calls; /* 1 << enum mapping_call */
volatile const __u64 min_length;

static __always_inline u32 call_of_number(u64 number, bool is_32bit)
{
	if (is_32bit) {
		switch (number) { /* arch/x86/entry/syscalls/syscall_32.tbl */
		case 45: return MAPPING_BRK;
		case 90:
		case 192: return MAPPING_MMAP;
		case 91: return MAPPING_MUNMAP;
		case 125: return MAPPING_MPROTECT;
		case 163: return MAPPING_MREMAP;
		case 219: return MAPPING_MADVISE;
		}
		return MAPPING_CALLS;
	}
	switch (number) { /* syscall_64.tbl */
	case 9: return MAPPING_MMAP;
	case 10: return MAPPING_MPROTECT;
	case 11: return MAPPING_MUNMAP;
	case 12: return MAPPING_BRK;
	case 25: return MAPPING_MREMAP;
	case 28: return MAPPING_MADVISE;
	}
	return MAPPING_CALLS;
}

/* 32 bits: mmap() has its arguments in memory, mmap2() its offset in pages. */
static __always_inline void make_arguments_wide(u64 number, u64 arguments[6])
{
	u32 words[6] = { 0 };

	if (number == 192)
		arguments[5] <<= PAGE_SHIFT;
	if (number != 90)
		return;
	bpf_probe_read_user(words, sizeof(words), (void *)arguments[0]);
	for (int i = 0; i < 6; i++)
		arguments[i] = words[i];
}

static __always_inline u64 pages_of(u64 bytes)
{
	return (bytes + (1 << PAGE_SHIFT) - 1) >> PAGE_SHIFT;
}

/* brk() gives the break as it is now: a failure is one that stays below what was asked for. */
static __always_inline bool has_failed(const struct mapping_event *event)
{
	if (event->call == MAPPING_BRK)
		return event->arguments[0] > (u64)event->result;
	return system_call_failed(event->result);
}

/* By how many pages the call changed what is mapped, as far as its arguments tell. */
static __always_inline s64 change_of(const struct mapping_event *event)
{
	if (system_call_failed(event->result))
		return 0;
	if (event->call == MAPPING_MMAP)
		return pages_of(event->arguments[1]);
	if (event->call == MAPPING_MUNMAP)
		return -(s64)pages_of(event->arguments[1]);
	if (event->call == MAPPING_MREMAP)
		return pages_of(event->arguments[2]) - pages_of(event->arguments[1]);
	return 0;
}

static __always_inline void account(struct mapping_event *event)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct mm_struct *mm = BPF_CORE_READ(task, mm);
	struct space *space = bpf_map_lookup_elem(&spaces, &pid), first = { .mm = (u64)mm };

	event->vm_pages = BPF_CORE_READ(mm, total_vm);
	if (!space || space->mm != (u64)mm) {
		first.first_pages = event->vm_pages - change_of(event);
		bpf_map_update_elem(&spaces, &pid, &first, BPF_ANY);
		event->net_pages = change_of(event);
	} else {
		event->net_pages = event->vm_pages - space->first_pages;
	}
}

static __always_inline void add_to_sums(const struct mapping_event *event, u64 ids)
{
	static const struct mapping_sums zeros;
	u32 pid = ids >> 32;
	struct mapping_sums *sum = bpf_map_lookup_elem(&sums, &pid);
	s64 change = change_of(event);

	TRACE_COUNT(seen);
	if (!sum) {
		bpf_map_update_elem(&sums, &pid, &zeros, BPF_NOEXIST);
		sum = bpf_map_lookup_elem(&sums, &pid);
	}
	if (!sum) {
		TRACE_COUNT(map_full);
		return;
	}
	if (event->call < MAPPING_CALLS)
		sum->calls[event->call]++;
	sum->failed += has_failed(event);
	sum->mapped += change > 0 ? change << PAGE_SHIFT : 0;
	sum->unmapped += change < 0 ? -change << PAGE_SHIFT : 0;
	sum->last_ns = bpf_ktime_get_ns();
	sum->vm_pages = event->vm_pages;
	sum->net_pages = event->net_pages;
	bpf_get_current_comm(sum->comm, sizeof(sum->comm));
}

static __always_inline void send(const struct mapping_event *from, u64 ids)
{
	struct mapping_event *event = trace_reserve(sizeof(*event));

	if (!event)
		return;
	*event = *from;
	trace_fill(&event->head, 0, ids);
	trace_submit(event);
}

static __always_inline void send_with_file(const struct mapping_event *from, struct file *file, u64 ids)
{
	struct file_mapping_event *event = trace_reserve(sizeof(*event));

	if (!event)
		return;
	event->mapping = *from;
	trace_fill(&event->mapping.head, 0, ids);
	file_path_read(file, &event->path);
	trace_submit(event);
}

SEC("tp_btf/sys_exit")
int mapping_call_ended(u64 *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx[0];
	u64 number = regs->orig_ax, ids;
	struct mapping_event event = { 0 };
	struct file *file = NULL;

	if (call_of_number(number, false) == MAPPING_CALLS && call_of_number(number, true) == MAPPING_CALLS)
		return 0;
	event.is_32bit = system_call_is_32bit();
	event.call = call_of_number(number, event.is_32bit);
	event.result = ctx[1];
	if (!(wanted_calls & (1U << (event.call & 31))) || !trace_wants(&ids))
		return 0;
	system_call_arguments(regs, event.is_32bit, event.arguments);
	if (event.is_32bit)
		make_arguments_wide(number, event.arguments);
	if (event.call != MAPPING_BRK && event.arguments[1] < min_length)
		return 0;
	if (wants_failed_only && !has_failed(&event))
		return 0;
	account(&event);
	if (is_summary) {
		add_to_sums(&event, ids);
		return 0;
	}
	if (event.call == MAPPING_MMAP && !(event.arguments[3] & MAP_ANONYMOUS))
		file = file_of_descriptor((s32)event.arguments[4]);
	if (file)
		send_with_file(&event, file, ids);
	else
		send(&event, ids);
	return 0;
}
