/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * The few fields of kernel types that BPF programs read, each relocated by CO-RE against the running kernel.
 * Hand-written, so that a build never depends on the build host's kernel. Only what is in use belongs here.
 */
#ifndef DILL_BPF_KERNEL_TYPES_H
#define DILL_BPF_KERNEL_TYPES_H

#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s32 s32;
typedef __s64 s64;

#ifndef bool
#define bool _Bool
#define true 1
#define false 0
#endif

/*
 * What maps answer, include/uapi/asm-generic/errno-base.h. One that is locked by another CPU, or by a program that this
 * one interrupted, refuses: -EBUSY through 6.14, since then (4fa8d68aa53e, "bpf: Convert hashtab.c to rqspinlock", 6.15)
 * -EDEADLK and -ETIMEDOUT. Elements that the kernel allocates come from a small store that an interrupt fills: -ENOMEM
 * until it has run. All of these pass. Answers are kept in an s32: through 6.3 the upper half of the register is not part
 * of them (d7ba4cc900bf, "bpf: return long from bpf_map_ops funcs", 6.4), so that -EEXIST may come as 0xffffffef.
 */
#define ENOENT 2
#define E2BIG 7
#define ENOMEM 12
#define EEXIST 17

#define SIGSTOP 19 /* include/uapi/asm-generic/signal.h */

/* arch/x86/include/asm/ptrace.h. The layout is fixed: uprobe programs get it as context, without relocation. */
struct pt_regs {
	u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common { /* include/linux/ns_common.h */
	unsigned int inum;
};

struct pid_namespace { /* include/linux/pid_namespace.h */
	struct ns_common ns;
};

struct upid { /* include/linux/pid.h */
	int nr;
	struct pid_namespace *ns;
};

struct pid { /* include/linux/pid.h; of the namespaces that see the task, from the machine's first down to its own */
	unsigned int level;
	struct upid numbers[1];
};

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	s64 counter;
} atomic_long_t;

struct list_head {
	struct list_head *next;
};

typedef struct {
	unsigned long bits[1];
} nodemask_t;

struct percpu_counter { /* include/linux/percpu_counter.h */
	s64 count;
};

typedef struct {
	u64 pgd;
} pgd_t;

struct mm_struct { /* include/linux/mm_types.h */
	pgd_t *pgd;
	unsigned long total_vm; /* pages: VmSize */
	unsigned long data_vm;  /* pages: VmData, private and writable */
	unsigned long start_brk, brk, start_stack;
	atomic_long_t pgtables_bytes;
	struct task_struct *owner; /* CONFIG_MEMCG */
	struct percpu_counter rss_stat[4]; /* since f1a7941243c1 ("mm: convert mm's rss stats into percpu_counter"), 6.2 */
};

struct mm_rss_stat {
	atomic_long_t count[4];
};

struct mm_struct___with_atomics { /* up to 6.1 */
	struct mm_rss_stat rss_stat;
};

/* CONFIG_PER_VMA_LOCK: changes with each release of mmap_lock that was held to write */
struct mm_struct___with_number { /* 6.4 to 6.12 */
	int mm_lock_seq;
};

typedef struct seqcount {
	unsigned int sequence;
} seqcount_t;

struct mm_struct___with_seqcount { /* later: odd while it is held */
	seqcount_t mm_lock_seq;
};

struct signal_struct { /* include/linux/sched/signal.h */
	atomic_t live; /* threads */
	short oom_score_adj;
	struct mm_struct *oom_mm; /* what the OOM killer has marked */
};

typedef struct {
	unsigned int val;
} kuid_t;

struct cred { /* include/linux/cred.h */
	kuid_t uid;
};

struct kernfs_node { /* include/linux/kernfs.h; before 67c0496e87d1, 5.5, the id was a union */
	u64 id;
};

struct cgroup { /* include/linux/cgroup-defs.h */
	struct kernfs_node *kn;
	int level;
};

struct cgroup___with_ids { /* up to 6.0 */
	u64 ancestor_ids[1];
};

struct cgroup___with_pointers { /* since 7f203bc89eb6 ("cgroup: Replace cgroup->ancestor_ids[] with ->ancestors[]"), 6.1 */
	struct cgroup *ancestors[1];
};

struct cgroup_subsys_state { /* include/linux/cgroup-defs.h */
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

enum cgroup_subsys_id { memory_cgrp_id = 4 }; /* the number depends on the configuration: bpf_core_enum_value() */

struct css_set { /* include/linux/cgroup-defs.h */
	struct cgroup_subsys_state *subsys[1];
	struct cgroup *dfl_cgrp;
};

struct super_block { /* include/linux/fs.h */
	u32 s_dev;
	void *s_fs_info;
};

struct inode {
	struct super_block *i_sb;
	unsigned long i_ino;
};

struct qstr { /* include/linux/dcache.h */
	const unsigned char *name;
};

struct hlist_bl_node { /* include/linux/list_bl.h */
	struct hlist_bl_node **pprev;
};

struct dentry { /* include/linux/dcache.h */
	struct hlist_bl_node d_hash;
	struct dentry *d_parent;
	struct qstr d_name;
};

struct vfsmount { /* include/linux/mount.h */
	struct dentry *mnt_root;
};

struct mount { /* fs/mount.h */
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path { /* include/linux/path.h */
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct file { /* include/linux/fs.h */
	struct path f_path;
	struct inode *f_inode;
};

struct fdtable { /* include/linux/fdtable.h */
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct { /* include/linux/fdtable.h */
	struct fdtable *fdt;
};

struct vm_area_struct {
	unsigned long vm_start, vm_end;
	struct mm_struct *vm_mm;
	unsigned long vm_flags;
	const void *vm_ops;
	unsigned long vm_pgoff;
	struct file *vm_file;
};

struct rb_node { /* include/linux/rbtree_types.h */
	struct rb_node *rb_left, *rb_right;
};

struct rb_root {
	struct rb_node *rb_node;
};

struct mm_struct___with_tree { /* up to 6.0: 524e00b36e8c ("mm: remove rb tree.") */
	struct rb_root mm_rb;
};

struct vm_area_struct___with_tree {
	struct rb_node vm_rb;
};

struct thread_info { /* arch/x86/include/asm/thread_info.h */
	u32 status;
};

struct page_counter { /* include/linux/page_counter.h; in pages */
	atomic_long_t usage;
	unsigned long max;
	struct page_counter *parent;
};

struct mem_cgroup { /* include/linux/memcontrol.h */
	struct cgroup_subsys_state css;
	struct page_counter memory;
	struct page_counter swap;  /* v2 */
	struct page_counter memsw; /* v1: memory and swap */
};

struct obj_cgroup { /* include/linux/memcontrol.h */
	struct mem_cgroup *memcg;
};

struct gendisk { /* include/linux/blkdev.h */
	int major, first_minor;
	char disk_name[32];
};

struct block_device { /* include/linux/blk_types.h */
	u32 bd_dev;
	struct gendisk *bd_disk;
};

struct bio_vec { /* include/linux/bvec.h */
	void *bv_page;
	u32 bv_len;
};

struct bvec_iter {
	u32 bi_size; /* bytes left */
	u32 bi_idx;
};

struct bio { /* include/linux/blk_types.h */
	struct bio *bi_next; /* of the same request */
	struct block_device *bi_bdev;
	struct bvec_iter bi_iter;
	u32 bi_opf;
	struct bio_vec *bi_io_vec;
};

struct request { /* include/linux/blk-mq.h */
	struct bio *bio;
};

struct bio___with_disk { /* up to 5.11: 309dca309fc3 ("block: store a block_device pointer in struct bio") */
	struct gendisk *bi_disk;
};

struct free_area { /* include/linux/mmzone.h */
	unsigned long nr_free;
};

struct zone {
	int node; /* CONFIG_NUMA */
	const char *name;
	struct free_area free_area[11];
};

enum migrate_mode { MIGRATE_ASYNC }; /* include/linux/migrate_mode.h */

struct compact_control { /* mm/internal.h */
	unsigned long total_migrate_scanned, total_free_scanned;
	enum migrate_mode mode;
};

struct zoneref {
	struct zone *zone;
};

struct zonelist {
	struct zoneref _zonerefs[1];
};

enum oom_constraint { CONSTRAINT_NONE, CONSTRAINT_CPUSET, CONSTRAINT_MEMORY_POLICY, CONSTRAINT_MEMCG };

struct oom_control { /* include/linux/oom.h */
	struct zonelist *zonelist;
	nodemask_t *nodemask;
	struct mem_cgroup *memcg;
	unsigned int gfp_mask;
	int order;
	unsigned long totalpages;
	long chosen_points;
	enum oom_constraint constraint;
};

struct task_struct { /* include/linux/sched.h */
	struct thread_info thread_info;
	struct files_struct *files;
	int pid;
	int tgid;
	u64 start_time; /* CLOCK_MONOTONIC */
	unsigned long min_flt, maj_flt;
	char comm[16];
	struct list_head tasks;
	struct mm_struct *mm;
	const struct cred *real_cred;
	nodemask_t mems_allowed;
	struct task_struct *group_leader;
	struct pid *thread_pid;
	struct signal_struct *signal;
	struct css_set *cgroups;
	void *stack;
};

#pragma clang attribute pop

#endif
