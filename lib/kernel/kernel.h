/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * A kernel that is being looked at: a memory source, where things lie in it, its symbols and its types. Models
 * (slab_*, task_*, page_*) take a struct kernel and nothing else.
 *
 * All that it needs is found in the kernel's own memory. No version is ever tested.
 */
#ifndef DILL_KERNEL_H
#define DILL_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"
#include "memory_source.h"

struct kernel_symbols;
struct kernel_types;
struct page_cache;
struct page_table;
struct slub_process;

/* A fact about the target, and in a few words where it came from ("CR3 walk", "VMCOREINFO", "source"). */
struct kernel_fact {
	uint64_t value;
	const char *origin; /* constant text; NULL: not known */
};

/* Where things are. All addresses as the running kernel uses them, KASLR included. */
struct kernel_layout {
	struct kernel_fact base;             /* _text */
	struct kernel_fact kaslr_offset;     /* base − 0xffffffff81000000 */
	struct kernel_fact phys_base;        /* pa(symbol) = symbol − 0xffffffff80000000 + phys_base */
	struct kernel_fact page_table;       /* physical address of the kernel's top-level table */
	struct kernel_fact paging_levels;    /* 4 or 5 */
	struct kernel_fact page_offset_base; /* the direct map */
	struct kernel_fact vmalloc_base;
	struct kernel_fact vmemmap_base;
	struct kernel_fact max_pfn;          /* one past the last page frame of RAM */
};

struct kernel {
	struct memory_source *source; /* owned */
	struct kernel_layout layout;
	struct kernel_symbols *symbols; /* owned; kernel_symbols.h */
	struct kernel_types *types;     /* owned; kernel_types.h */
	struct page_cache *cache;       /* owned */
	struct slub_process *process;   /* not NULL: it is a process with libslub, see slub_process.h. Owned */
	const uint64_t *percpu_offsets; /* by CPU number, possible CPUs; 0 for holes. Owned */
	const char *percpu_origin;
	size_t cpu_count;               /* possible CPUs: length of percpu_offsets (nr_cpu_ids) */
	size_t node_count;              /* nr_node_ids */
	const char *node_origin;
	char *vmcoreinfo;               /* from the source or found in memory; may be NULL. Owned */
	const char *vmcoreinfo_origin;
	char banner[256];               /* linux_banner without its newline, "" if unknown */
	const char *banner_origin;
	char release[65];               /* uts release, "" if unknown */
	struct error reader;            /* the last failure of the source itself: nothing more can be read */

	/* kernel_read.c's and kernel_address.c's own. */
	struct page_table *page_table; /* owned; NULL: reads are what the source has of SPACE_VIRTUAL */
	bool is_translating;           /* virtual reads go through page_table, not to SPACE_VIRTUAL */
	uint64_t generation;           /* the source's, when cache was filled */
	size_t page_struct_size;       /* sizeof(struct page) */
};

/* Files that the user gave; NULL members: none. Wrong ones are refused (-EBADMSG, names the difference). */
struct kernel_files {
	const char *vmlinux; /* ELF: .BTF and symbol table; build ID must be the target's */
	const char *symbols; /* System.map or a copy of /proc/kallsyms */
	const char *btf;     /* raw BTF */
};

/*
 * Find a kernel in @source, which is taken over in any case (closed on failure). -EBADMSG: no kernel is there.
 * Types and symbols are found lazily where that saves time; what is missing shows when it is asked for.
 */
int kernel_open(struct memory_source *source, const struct kernel_files *files, struct kernel **ret_kernel,
		struct error *err);
void kernel_close(struct kernel *kernel);
/*
 * The target ran since: whether what is in memory now is still this kernel, from the same boot, and nothing was
 * missing when it was opened. False: open it again. Call kernel_forget() before.
 */
bool kernel_is_unchanged(struct kernel *kernel);

/*
 * Reads at kernel virtual addresses, through a page cache (bounded; emptied by kernel_forget(), and by itself
 * when the source's generation moves on; pages of a live source are cached until kernel_forget() as well, so
 * that what is read in one pass is as consistent as it gets). -EFAULT when not all of it is mapped.
 * Large reads (64 KiB and more) go around the cache.
 */
int kernel_read(struct kernel *kernel, uint64_t address, void *buffer, size_t size);
/* A batch; results in each read. Returns as memory_source_ops.read does; the message is in kernel->reader. */
int kernel_read_many(struct kernel *kernel, struct memory_read *reads, size_t count);
/* Bring pages into the cache in few round trips. What can't be read is left out. */
void kernel_prefetch(struct kernel *kernel, const struct memory_range *ranges, size_t count);
int kernel_read_u8(struct kernel *kernel, uint64_t address, uint8_t *ret_value);
int kernel_read_u16(struct kernel *kernel, uint64_t address, uint16_t *ret_value);
int kernel_read_u32(struct kernel *kernel, uint64_t address, uint32_t *ret_value);
int kernel_read_u64(struct kernel *kernel, uint64_t address, uint64_t *ret_value);
/* Up to size − 1 bytes and a NUL; stops at the first NUL or at what can't be read. -EFAULT: no byte could be. */
int kernel_read_string(struct kernel *kernel, uint64_t address, char *buffer, size_t size);
int kernel_read_physical(struct kernel *kernel, uint64_t address, void *buffer, size_t size);
void kernel_forget(struct kernel *kernel);

/* The page tables' answer, whatever the source. @ret_page_size (may be NULL) is 4 KiB, 2 MiB or 1 GiB. */
int kernel_translate(struct kernel *kernel, uint64_t address, uint64_t *ret_physical, uint64_t *ret_page_size);

/* A symbol's address: -ENOENT when the kernel has none or hides it. */
int kernel_symbol(struct kernel *kernel, const char *name, uint64_t *ret_address);
/*
 * The symbol that covers @address, its name in @name (NUL-terminated, cut to @size), and the distance. -ENOENT
 * when @address lies in no symbol.
 */
int kernel_symbol_at(struct kernel *kernel, uint64_t address, char *name, size_t size, uint64_t *ret_offset);
/* A global variable's value: symbol and read in one (1, 2, 4 or 8 bytes). */
int kernel_read_variable(struct kernel *kernel, const char *name, size_t size, uint64_t *ret_value);
/* The kernel's build ID as hexadecimal text, "" when it can't be had. */
void kernel_build_id(struct kernel *kernel, char *text, size_t size);

/* this_cpu address of a per-CPU pointer, static (symbol) or dynamic. -ENOENT: no such CPU. */
int kernel_percpu(struct kernel *kernel, uint64_t pointer, size_t cpu, uint64_t *ret_address);

/* The direct map and struct page array. -EFAULT outside of them, -ENOENT when a base is not known. */
int kernel_direct_to_physical(const struct kernel *kernel, uint64_t address, uint64_t *ret_physical);
int kernel_pfn_to_direct(const struct kernel *kernel, uint64_t pfn, uint64_t *ret_address);
int kernel_pfn_to_page(const struct kernel *kernel, uint64_t pfn, uint64_t *ret_page);
int kernel_page_to_pfn(const struct kernel *kernel, uint64_t page, uint64_t *ret_pfn);

/* sizeof(struct page) is 64 on every x86-64 configuration of Debian, but ask: kernel_types.h. */

#endif
