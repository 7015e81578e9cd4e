/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* What an address of a process belongs to. */
#ifndef DILL_BPF_MAPPING_BPF_H
#define DILL_BPF_MAPPING_BPF_H

#include "trace.bpf.h"

#include "file_path.bpf.h"
#include "mapping.h"
#include "mapping_tree.bpf.h"

/* include/linux/mm.h; the same numbers since before 5.10 (as bits of vma_flags_t since 6.19) */
#define VM_SHARED 0x8UL
#define VM_HUGETLB 0x400000UL

#define STACK_REACH 65536 /* from the stack pointer: the frame that is being made, and the one before */

/* Files whose paths user space has been told. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 8192);
	__type(key, struct mapping_id);
	__type(value, u8);
} known_files SEC(".maps");

/* A function of scalars, so that the walk is verified once. */
__noinline int mapping_tell_file(u64 file, u64 inode, u32 device)
{
	struct mapping_id id = { .inode = inode, .device = device, .class = MAPPING_FILE };
	struct trace_file_note *note;
	u8 one = 1;

	if (bpf_map_lookup_elem(&known_files, &id))
		return 0;
	note = bpf_ringbuf_reserve(&trace_ring, sizeof(*note), 0);
	if (!note)
		return 0; /* the next time */
	trace_fill(&note->head, TRACE_NOTE_FILE, 0);
	note->id = id;
	file_path_read((struct file *)file, &note->path);
	trace_submit(note);
	bpf_map_update_elem(&known_files, &id, &one, BPF_ANY);
	return 0;
}

/* A process's places, and a private mapping of it. */
struct mapping_places {
	u64 stack, brk, start_brk;
	u64 start, end;
};

static __always_inline bool mapping_is_stack(u64 start, u64 end, u64 address, u64 sp)
{
	return sp >= start && sp < end && address - sp + STACK_REACH < 2 * STACK_REACH;
}

static __always_inline u32 mapping_class_of(const struct mapping_places *places, u64 address, u64 sp)
{
	if ((places->start <= places->stack && places->stack <= places->end) ||
	    mapping_is_stack(places->start, places->end, address, sp))
		return MAPPING_STACK;
	return places->start < places->brk && places->end > places->start_brk ? MAPPING_HEAP : MAPPING_ANONYMOUS;
}

/*
 * @sp: the thread's stack pointer, 0 where it doesn't matter. For a @vma whose type the verifier knows: its members are
 * read in place, for a tenth of what a helper's call takes.
 */
static __always_inline void mapping_of_known(struct vm_area_struct *vma, u64 address, u64 sp, struct mapping_id *ret_id)
{
	struct file *file = vma->vm_file;
	struct mapping_places places;
	struct mm_struct *mm;
	struct inode *inode;

	if (!file) {
		mm = vma->vm_mm;
		places.stack = mm->start_stack;
		places.brk = mm->brk;
		places.start_brk = mm->start_brk;
		places.start = vma->vm_start;
		places.end = vma->vm_end;
		ret_id->inode = 0;
		ret_id->device = 0;
		ret_id->class = vma->vm_ops ? MAPPING_SPECIAL : mapping_class_of(&places, address, sp);
		return;
	}
	inode = file->f_inode;
	ret_id->inode = inode->i_ino;
	ret_id->device = inode->i_sb->s_dev;
	ret_id->class = MAPPING_FILE;
	mapping_tell_file((u64)BPF_CORE_READ(vma, vm_file), ret_id->inode, ret_id->device); /* as a number */
}

/*
 * A mapping that was looked up, and which change of its address space that was after: while there is no other it is the
 * same. Kept by thread, it takes the place of most searches.
 */
struct mapping_memory {
	u64 mm; /* 0: nothing is kept */
	u64 start, end, vm_flags;
	struct mapping_id id; /* as of a thread whose stack pointer is elsewhere */
	u32 change;
};

/* The number of that change; false: this kernel doesn't count them, or one is under way. */
static __always_inline bool mapping_change(struct mm_struct *mm, u32 *ret_change)
{
	if (bpf_core_field_exists(((struct mm_struct___with_seqcount *)0)->mm_lock_seq)) {
		*ret_change = ((struct mm_struct___with_seqcount *)mm)->mm_lock_seq.sequence;
		return !(*ret_change & 1);
	}
	if (!bpf_core_field_exists(((struct mm_struct___with_number *)0)->mm_lock_seq))
		return false;
	*ret_change = ((struct mm_struct___with_number *)mm)->mm_lock_seq;
	return true;
}

/* The same of any @vma. */
static __always_inline void mapping_of(struct vm_area_struct *vma, u64 address, u64 sp, struct mapping_id *ret_id)
{
	struct mapping_places places;
	struct mm_struct *mm;
	struct file *file = BPF_CORE_READ(vma, vm_file);
	struct inode *inode;

	if (!file) {
		mm = BPF_CORE_READ(vma, vm_mm);
		places.stack = BPF_CORE_READ(mm, start_stack);
		places.brk = BPF_CORE_READ(mm, brk);
		places.start_brk = BPF_CORE_READ(mm, start_brk);
		places.start = BPF_CORE_READ(vma, vm_start);
		places.end = BPF_CORE_READ(vma, vm_end);
		ret_id->inode = 0;
		ret_id->device = 0;
		ret_id->class = BPF_CORE_READ(vma, vm_ops) ? MAPPING_SPECIAL : mapping_class_of(&places, address, sp);
		return;
	}
	inode = BPF_CORE_READ(file, f_inode);
	ret_id->inode = BPF_CORE_READ(inode, i_ino);
	ret_id->device = BPF_CORE_READ(inode, i_sb, s_dev);
	ret_id->class = MAPPING_FILE;
	mapping_tell_file((u64)file, ret_id->inode, ret_id->device);
}

#endif
