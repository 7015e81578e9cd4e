// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* A USDT probe is met: which one, by its cookie or else by its place in its file, and its arguments. */
#include "trace_stack.bpf.h"

#include "mapping_tree.bpf.h"
#include "own_stack.bpf.h"
#include "usdt.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define PAGE_SHIFT 12

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, USDT_SPECS_MAX);
	__type(key, u32);
	__type(value, struct usdt_spec);
} specs SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * USDT_SPECS_MAX);
	__type(key, struct usdt_site);
	__type(value, u32);
} sites SEC(".maps");

volatile const __u8 has_cookies, wants_stacks;

static __always_inline u64 read_register(struct pt_regs *regs, u16 offset)
{
	u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)regs + offset);
	return value;
}

static __always_inline bool read_argument(struct pt_regs *regs, const struct usdt_place_spec *place, u64 *ret_value)
{
	u64 address = place->constant;
	u32 size = place->size;

	*ret_value = address;
	if (place->read == USDT_READ_CONSTANT)
		return true;
	if (place->read == USDT_READ_REGISTER) {
		*ret_value = read_register(regs, place->base) >> (place->shift & 63);
		return true;
	}
	if (place->read != USDT_READ_MEMORY || size > sizeof(*ret_value))
		return false;
	if (place->base != USDT_NO_OFFSET)
		address += read_register(regs, place->base);
	if (place->index != USDT_NO_OFFSET)
		address += read_register(regs, place->index) << (place->scale_shift & 63);
	*ret_value = 0;
	return !bpf_probe_read_user(ret_value, size, (void *)address);
}

/*
 * The probe at @ip, by its file and offset: found without lock in the tree of mappings, so that another thread that maps
 * at this moment can hide it. USDT_SPECS_MAX: none. A function of scalars, verified once.
 */
__noinline u32 spec_at(u64 ip)
{
	struct mm_struct *mm = BPF_CORE_READ((struct task_struct *)bpf_get_current_task(), mm);
	struct usdt_site site = { 0 };
	struct vm_area_struct *vma;
	u32 *found = NULL;

	for (u32 i = 0; i < 3 && !found; i++) {
		vma = (void *)mapping_search((u64)mm, ip);
		if (!vma)
			continue;
		site.file_offset = ip - BPF_CORE_READ(vma, vm_start) + (BPF_CORE_READ(vma, vm_pgoff) << PAGE_SHIFT);
		site.inode = BPF_CORE_READ(vma, vm_file, f_inode, i_ino);
		found = bpf_map_lookup_elem(&sites, &site);
		site.inode = 0;
		if (!found)
			found = bpf_map_lookup_elem(&sites, &site);
	}
	return found ? *found : USDT_SPECS_MAX;
}

static __always_inline u32 spec_of(struct pt_regs *regs)
{
	if (has_cookies)
		return (u32)bpf_get_attach_cookie(regs) - 1;
	return spec_at(regs->ip);
}

SEC("uprobe")
int usdt_met(struct pt_regs *regs)
{
	struct usdt_event *event;
	struct usdt_spec *spec;
	u64 ids, user_stack;
	u32 number;

	KEEP_OWN_STACK(regs);
	if (!trace_wants(&ids))
		return 0;
	number = spec_of(regs);
	spec = bpf_map_lookup_elem(&specs, &number);
	if (!spec) {
		TRACE_COUNT(seen);
		TRACE_COUNT(map_full);
		return 0;
	}
	user_stack = wants_stacks ? trace_user_stack() : 0;
	event = trace_reserve(sizeof(*event));
	if (!event)
		return 0;
	trace_fill(&event->head, 0, ids);
	event->ip = regs->ip;
	event->user_stack = user_stack;
	event->spec = number;
	event->known = 0;
	/* What is known goes to memory at once: in a variable each combination would be verified by itself. */
	for (u32 i = 0; i < USDT_EVENT_ARGUMENTS; i++) {
		u64 value = 0;

		if (i < spec->count && read_argument(regs, &spec->arguments[i], &value))
			event->known |= 1U << i;
		event->values[i] = value;
	}
	trace_submit(event);
	return 0;
}
