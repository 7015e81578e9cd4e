// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Growth of the heap: of the break, and on request of private writable memory (VmData) by mmap and what follows it.
 *
 * What a call changed is the difference to what its process had after the call before, so that changes add up to the whole
 * also when threads call at once.
 */
#include "trace_stack.bpf.h"

#include "brkstack.h"
#include "system_call.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define PAGE_SHIFT 12
#define MAP_ANONYMOUS 0x20

/* What a process had when the last call ended. Of processes of long ago the kernel forgets the oldest. */
struct heap {
	u64 mm;
	u64 brk;
	u64 data_pages;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, u32);
	__type(value, struct heap);
} heaps SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, struct growth_key);
	__type(value, struct growth_sums);
} sums SEC(".maps");

volatile const __u8 wants_events, wants_mmap, wants_stacks;

static __always_inline u32 call_of_number(u64 number, bool is_32bit)
{
	u32 call = GROWTH_CALLS;

	if (is_32bit) {
		switch (number) { /* arch/x86/entry/syscalls/syscall_32.tbl; mmap (90) has its arguments in memory */
		case 45: return GROWTH_BRK;
		case 192: call = GROWTH_MMAP; break;
		case 91: call = GROWTH_MUNMAP; break;
		case 163: call = GROWTH_MREMAP; break;
		case 125: call = GROWTH_MPROTECT; break;
		}
	} else {
		switch (number) { /* syscall_64.tbl */
		case 12: return GROWTH_BRK;
		case 9: call = GROWTH_MMAP; break;
		case 11: call = GROWTH_MUNMAP; break;
		case 25: call = GROWTH_MREMAP; break;
		case 10: call = GROWTH_MPROTECT; break;
		}
	}
	return wants_mmap ? call : GROWTH_CALLS;
}

static __always_inline bool is_of_interest(u64 number)
{
	return call_of_number(number, false) != GROWTH_CALLS || call_of_number(number, true) != GROWTH_CALLS;
}

static __always_inline struct mm_struct *current_mm(void)
{
	return BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), mm);
}

/* The first call of a process, or of its new program: what it has before. */
SEC("tp_btf/sys_enter")
int growth_call_begins(u64 *ctx)
{
	u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct mm_struct *mm;
	struct heap *known, heap;
	u64 ids;

	if (!is_of_interest(ctx[1]) || call_of_number(ctx[1], system_call_is_32bit()) == GROWTH_CALLS || !trace_wants(&ids))
		return 0;
	mm = current_mm();
	known = bpf_map_lookup_elem(&heaps, &pid);
	if (known && known->mm == (u64)mm)
		return 0;
	heap.mm = (u64)mm;
	heap.brk = BPF_CORE_READ(mm, brk);
	heap.data_pages = BPF_CORE_READ(mm, data_vm);
	bpf_map_update_elem(&heaps, &pid, &heap, BPF_ANY);
	return 0;
}

/* Failures, and growth since the call before; false: the process's first call began before the trace. */
static __always_inline bool judge(struct growth *growth, const u64 arguments[6], s64 result)
{
	u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct heap *heap = bpf_map_lookup_elem(&heaps, &pid);
	struct mm_struct *mm = current_mm();
	u64 data_pages = BPF_CORE_READ(mm, data_vm);

	if (!heap || heap->mm != (u64)mm)
		return false;
	growth->error = system_call_failed(result) ? -result : 0;
	growth->old_break = growth->new_break = heap->brk;
	growth->wanted = growth->call == GROWTH_MREMAP ? arguments[2] : arguments[1];
	growth->change = (data_pages - heap->data_pages) << PAGE_SHIFT;
	heap->data_pages = data_pages;
	if (growth->call == GROWTH_BRK) { /* the break as it is now: a failure is one that stays below what was wanted */
		growth->error = arguments[0] > (u64)result ? ENOMEM : 0;
		growth->wanted = arguments[0];
		growth->new_break = result;
		growth->change = growth->new_break - growth->old_break;
		heap->brk = result;
	}
	return true;
}

static __always_inline void send(const struct growth *growth, u64 ids)
{
	struct growth_event *event = trace_reserve(sizeof(*event));

	if (!event)
		return;
	event->growth = *growth;
	trace_fill(&event->head, 0, ids);
	trace_submit(event);
}

static __always_inline void add(const struct growth *growth, u64 ids)
{
	static const struct growth_sums zeros;
	struct growth_key key = { .stack = growth->stack, .pid = ids >> 32 };
	struct growth_sums *sum = bpf_map_lookup_elem(&sums, &key);

	TRACE_COUNT(seen);
	if (!sum) {
		bpf_map_update_elem(&sums, &key, &zeros, BPF_NOEXIST);
		sum = bpf_map_lookup_elem(&sums, &key);
	}
	if (!sum) {
		TRACE_COUNT(map_full);
		return;
	}
	if (!sum->comm[0])
		bpf_get_current_comm(sum->comm, sizeof(sum->comm));
	if (growth->call == GROWTH_BRK && !sum->new_break)
		sum->old_break = growth->old_break;
	__sync_fetch_and_add(&sum->calls, 1);
	if (growth->error)
		__sync_fetch_and_add(&sum->failed, 1);
	if (growth->change > 0)
		__sync_fetch_and_add(&sum->grown, growth->change);
	else if (growth->change < 0)
		__sync_fetch_and_add(&sum->shrunk, -growth->change);
	if (growth->call == GROWTH_BRK)
		sum->new_break = growth->new_break;
}

/* Not growth: a question for the break, files that are mapped. */
static __always_inline bool can_grow(u32 call, struct pt_regs *regs, bool is_32bit)
{
	u64 arguments[6];

	system_call_arguments(regs, is_32bit, arguments);
	if (call == GROWTH_BRK)
		return arguments[0] != 0;
	return call != GROWTH_MMAP || arguments[3] & MAP_ANONYMOUS;
}

/* A function of its own: what it needs and what a walk needs would not fit on one stack, 512 bytes with all that is called. */
static __noinline int account(u64 *ctx, u64 stack, u64 ids, u32 call, bool is_candidate)
{
	struct growth growth = { .call = call, .stack = stack };
	u64 arguments[6];

	system_call_arguments((struct pt_regs *)ctx[0], system_call_is_32bit(), arguments);
	if (!judge(&growth, arguments, ctx[1])) {
		TRACE_COUNT(unpaired);
		return 0;
	}
	if (!is_candidate || (call != GROWTH_BRK && !growth.error && !growth.change))
		return 0;
	if (wants_events)
		send(&growth, ids);
	else
		add(&growth, ids);
	return 0;
}

SEC("tp_btf/sys_exit")
int growth_call_ended(u64 *ctx)
{
	struct pt_regs *regs = (struct pt_regs *)ctx[0];
	bool is_32bit, is_candidate;
	u64 ids, stack = 0;
	u32 call;

	if (!is_of_interest(regs->orig_ax))
		return 0;
	is_32bit = system_call_is_32bit();
	call = call_of_number(regs->orig_ax, is_32bit);
	if (call == GROWTH_CALLS || !trace_wants(&ids))
		return 0;
	is_candidate = can_grow(call, regs, is_32bit);
	if (is_candidate && wants_stacks)
		stack = trace_user_stack();
	return account(ctx, stack, ids, call, is_candidate);
}
