// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Page faults, counted where the kernel counts them (mm_account_fault(): complete and successful), so that sums equal
 * getrusage(2). What kind a fault is of is read from the page table before it is handled.
 *
 * Two sources: handle_mm_fault() itself, which also serves get_user_pages(); or the exception's tracepoint and the
 * software events of minor and major faults, which do not tell of those: they show as growth of the task's own counters.
 */
#include "faults_books.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define FLAG_WRITE 0x1U /* enum fault_flag, include/linux/mm_types.h; as macros, with the same numbers, up to 5.13 */
#define FLAG_TRIED 0x20U
#define FLAG_USER 0x40U
#define FLAG_INSTRUCTION 0x100U
#define VM_FAULT_ERROR 0x873U /* enum vm_fault_reason, include/linux/mm_types.h */
#define VM_FAULT_MAJOR 0x4U
#define VM_FAULT_RETRY 0x400U
#define X86_PF_WRITE 0x2U /* arch/x86/include/asm/trap_pf.h */
#define X86_PF_USER 0x4U
#define X86_PF_INSTRUCTION 0x10U

/* The function itself -------------------------------------------------------------------------------------- */

SEC("fentry/handle_mm_fault")
int function_begin(u64 *ctx) /* (struct vm_area_struct *, unsigned long address, unsigned int flags, struct pt_regs *) */
{
	struct vm_area_struct *vma = (void *)ctx[0];
	struct pt_regs *regs = (void *)ctx[3];
	u32 flags = ctx[2];
	struct fault *fault;
	u64 ids;

	if (!trace_wants(&ids))
		return 0;
	fault = fault_of_thread();
	if (!fault) {
		TRACE_COUNT(seen);
		TRACE_COUNT(map_full);
		return 0;
	}
	/* Tried again, since a lock had to be let go: it has begun before. */
	if (fault->started_ns && fault->is_retried && fault->address == ctx[1])
		return 0;
	fault->is_retried = 0;
	fault->address = ctx[1];
	fault->access = flags & FLAG_WRITE ? FAULT_WRITE : flags & FLAG_INSTRUCTION ? FAULT_EXECUTE : FAULT_READ;
	fault->mode = flags & FLAG_USER ? FAULT_MODE_USER : regs ? FAULT_MODE_KERNEL : FAULT_MODE_PINNED;
	fault->instruction = regs ? BPF_CORE_READ(regs, ip) : 0;
	fault->sp = flags & FLAG_USER ? BPF_CORE_READ(regs, sp) : 0;
	fault->vm_flags = BPF_CORE_READ(vma, vm_flags);
	mapping_of(vma, fault->address, fault->sp, &fault->mapping);
	fault->mm = (u64)BPF_CORE_READ(vma, vm_mm); /* which may be gone at the end */
	fault->page = page_walk(fault->mm, fault->address);
	fault->started_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("fexit/handle_mm_fault")
int function_end(u64 *ctx)
{
	u32 tid = (u32)bpf_get_current_pid_tgid(), status = ctx[4];
	struct fault *fault = bpf_map_lookup_elem(&threads, &tid);
	u64 ids;

	if (!fault || !fault->started_ns)
		return 0;
	fault->is_retried = !!(status & VM_FAULT_RETRY);
	if (fault->is_retried)
		return 0;
	if (status & VM_FAULT_ERROR) {
		fault->started_ns = 0;
		return 0;
	}
	trace_current_ids(&ids);
	return finish_fault(fault, ids, status & VM_FAULT_MAJOR || (u32)ctx[2] & FLAG_TRIED);
}

/* Tracepoint and software events --------------------------------------------------------------------------- */

/*
 * What the kernel has counted for the current task since the last look, of which @known is a fault that an event told
 * of. Whether that one is a major fault comes back.
 */
static __always_inline bool look_at_counters(struct fault *fault, u64 ids, u64 known)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	struct fault_key key = { .pid = ids >> 32, .kind = FAULT_UNLOCATED, .mode = FAULT_MODE_PINNED };
	u64 minor, major;
	s64 more_minor, more_major;
	bool is_known = fault->is_known || BPF_CORE_READ(task, start_time) > trace_began_ns;

	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf)) { /* 5.11: in place, cheaper */
		task = (void *)bpf_get_current_task_btf();
		minor = task->min_flt;
		major = task->maj_flt;
	} else {
		minor = BPF_CORE_READ(task, min_flt);
		major = BPF_CORE_READ(task, maj_flt);
	}
	more_minor = minor - fault->minor;
	more_major = major - fault->major;

	fault->minor = minor;
	fault->major = major;
	fault->is_known = 1;
	if (known)
		return is_known && more_major;
	if (!is_known || wants_events || (more_minor <= 0 && more_major <= 0))
		return false;
	bpf_get_current_comm(key.comm, sizeof(key.comm));
	if (more_minor > 0)
		count_fault(&key, more_minor, false, 0);
	if (more_major > 0)
		count_fault(&key, more_major, true, 0);
	return false;
}

static __always_inline u64 current_mm(void)
{
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf))
		return (u64)((struct task_struct *)bpf_get_current_task_btf())->mm;
	return (u64)BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), mm);
}

static __always_inline int exception(u64 address, struct pt_regs *regs, u64 error_code)
{
	struct { /* the end of struct pt_regs */
		u64 ip, cs, flags, sp;
	} places = { 0 };
	struct fault *fault;
	u64 ids;

	if ((s64)address < 0 || !trace_wants(&ids))
		return 0;
	fault = fault_of_thread();
	if (!fault)
		return 0; /* when it is complete it is counted as lost */
	look_at_counters(fault, ids, 0);
	fault->address = address;
	fault->access = error_code & X86_PF_WRITE ? FAULT_WRITE :
			error_code & X86_PF_INSTRUCTION ? FAULT_EXECUTE : FAULT_READ;
	fault->mode = error_code & X86_PF_USER ? FAULT_MODE_USER : FAULT_MODE_KERNEL;
	bpf_probe_read_kernel(&places, sizeof(places), &regs->ip);
	fault->instruction = places.ip;
	fault->sp = error_code & X86_PF_USER ? places.sp : 0;
	fault->mm = current_mm();
	fault->page = page_walk(REREAD(fault->mm), address); /* as a number */
	fault->started_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("raw_tp/page_fault_user")
int exception_user(struct bpf_raw_tracepoint_args *ctx)
{
	return exception(ctx->args[0], (void *)ctx->args[1], ctx->args[2]);
}

SEC("raw_tp/page_fault_kernel")
int exception_kernel(struct bpf_raw_tracepoint_args *ctx)
{
	return exception(ctx->args[0], (void *)ctx->args[1], ctx->args[2]);
}

/* struct bpf_perf_event_data, include/uapi/linux/bpf_perf_event.h: known to the verifier by its offsets */
struct software_event {
	struct pt_regs regs;
	u64 sample_period;
	u64 addr;
};

static __always_inline struct fault *software_begin(struct software_event *ctx, u64 *ret_ids)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct fault *fault = bpf_map_lookup_elem(&threads, &tid);

	/* The exception was wanted, and so is what came of it. */
	if (fault && fault->started_ns && fault->address >> 12 == ctx->addr >> 12)
		trace_current_ids(ret_ids);
	else if (!trace_wants(ret_ids))
		return NULL;
	else
		fault = fault_of_thread();
	if (!fault) {
		TRACE_COUNT(seen);
		TRACE_COUNT(map_full);
		return NULL;
	}
	if (!fault->started_ns || fault->address >> 12 != ctx->addr >> 12) { /* it began before the trace */
		fault->started_ns = 0;
		fault->address = ctx->addr;
		fault->instruction = ctx->regs.ip;
		fault->page = 0;
		fault->access = FAULT_READ;
		fault->mode = ctx->regs.cs & 3 ? FAULT_MODE_USER : FAULT_MODE_KERNEL;
	}
	fault->code = ctx->regs.cs & 3 ? ctx->regs.cs : 0;
	fault->bp = ctx->regs.bp;
	fault->vm_flags = 0;
	__builtin_memset(&fault->mapping, 0, sizeof(fault->mapping));
	return fault;
}

static __always_inline int software_end(struct fault *fault, u64 ids)
{
	return finish_fault(fault, ids, look_at_counters(fault, ids, 1));
}

struct found_mapping {
	u64 address;
	struct mapping_memory mapping;
};

static long found(struct task_struct *task, struct vm_area_struct *vma, struct found_mapping *found_mapping)
{
	struct mapping_memory *mapping = &found_mapping->mapping;

	(void)task;
	mapping->start = vma->vm_start;
	mapping->end = vma->vm_end;
	mapping->vm_flags = vma->vm_flags;
	mapping_of_known(vma, found_mapping->address, 0, &mapping->id);
	return 0;
}

/* A function of its own, for its stack's sake: search, and keep what was found. */
static __noinline int search_mapping(struct fault *fault, u64 mm, u32 change, bool is_counted)
{
	struct found_mapping search = { .address = fault->address };

	fault->last.mm = 0;
	if (bpf_find_vma(bpf_get_current_task_btf(), fault->address, found, &search, 0))
		return -1;
	search.mapping.mm = is_counted ? mm : 0;
	search.mapping.change = change;
	fault->last = search.mapping;
	return 0;
}

/* Attached to minor and major faults alike. With bpf_find_vma(): 7c7e3d31e785, 5.17. */
SEC("perf_event")
int software_with_search(struct software_event *ctx)
{
	struct mm_struct *mm = ((struct task_struct *)bpf_get_current_task_btf())->mm;
	bool is_counted, is_known;
	struct fault *fault;
	u32 change = 0;
	u64 ids;

	fault = software_begin(ctx, &ids);
	if (!fault)
		return 0;
	is_counted = mapping_change(mm, &change);
	is_known = is_counted && fault->last.mm == (u64)mm && fault->last.change == change &&
		   fault->address >= fault->last.start && fault->address < fault->last.end;
	if (is_known || !search_mapping(fault, (u64)mm, change, is_counted)) {
		fault->vm_flags = fault->last.vm_flags;
		fault->mapping = fault->last.id;
		if ((fault->mapping.class == MAPPING_HEAP || fault->mapping.class == MAPPING_ANONYMOUS) &&
		    mapping_is_stack(fault->last.start, fault->last.end, fault->address, fault->sp))
			fault->mapping.class = MAPPING_STACK;
	}
	return software_end(fault, ids);
}

SEC("perf_event")
int software_with_tree(struct software_event *ctx)
{
	struct fault *fault;
	struct vm_area_struct *vma;
	u64 ids;

	fault = software_begin(ctx, &ids);
	if (!fault)
		return 0;
	vma = (void *)mapping_search((u64)BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), mm), fault->address);
	if (vma) {
		fault->vm_flags = BPF_CORE_READ(vma, vm_flags);
		mapping_of(vma, fault->address, fault->sp, &fault->mapping);
	}
	return software_end(fault, ids);
}

/* Threads end. */
SEC("raw_tp/sched_process_exit")
int thread_exit(void *ctx)
{
	u32 tid = (u32)bpf_get_current_pid_tgid();
	struct fault *fault = bpf_map_lookup_elem(&threads, &tid);
	u64 ids;

	if (!fault)
		return 0;
	if (is_software && trace_wants(&ids))
		look_at_counters(fault, ids, 0);
	bpf_map_delete_elem(&threads, &tid);
	return 0;
}
