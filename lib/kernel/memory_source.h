/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Where a kernel's memory is read from: one struct of functions, and the facts that came along with it.
 *
 * A source answers "give me these bytes" and nothing else. It knows no structure of the kernel; kernel.h finds
 * out what is where. Implementations: source_bpf.h, source_file.h (dumps, kcore, raw RAM), source_gdb.h,
 * source_qmp.h, and whoever fills in the functions himself (the gdb plugin, tests).
 */
#ifndef DILL_MEMORY_SOURCE_H
#define DILL_MEMORY_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "error.h"

struct memory_source;

enum address_space {
	SPACE_PHYSICAL,
	SPACE_VIRTUAL, /* the kernel's half of the address space */
};

/* One read of a batch. */
struct memory_read {
	uint64_t address;
	void *buffer; /* of @size bytes; undefined where @result is not 0 */
	size_t size;
	int result; /* 0, or -EFAULT: not all of it is there */
};

struct memory_range {
	uint64_t start, size;
};

/* Memory that is at @virtual and at @physical. */
struct memory_mapping {
	uint64_t virtual_start, physical_start, size;
};

/* What is known of a stopped CPU. A member that the source can't tell is 0. */
struct cpu_registers {
	uint64_t cr0, cr3, cr4, efer;
	uint64_t gs_base, kernel_gs_base, idt_base;
	uint64_t rip, rsp, rbp;
};

/* An address or value that the source found in a way of its own, by the name of the kernel's variable. */
struct named_address {
	const char *name;
	uint64_t address;
};

struct memory_source_ops {
	const char *name; /* "live-bpf", "kcore", "elf", "kdump", "raw", "gdb", "qmp", … */

	/*
	 * Do all of @reads, each to its own result. Returns 0 also when some could not be done; negative when the
	 * source itself is gone (connection lost, reader died), with a message. May be called with any count; the
	 * more at once the fewer round trips.
	 */
	int (*read)(struct memory_source *source, enum address_space space, struct memory_read *reads,
		    size_t count, struct error *err);

	/* Leave the target as it was found, free everything including @source. */
	void (*close)(struct memory_source *source);
};

/*
 * The head of every source; implementations embed it first. Arrays and texts belong to the source and stay as
 * they are until close. Facts that the source hasn't got are NULL or 0: kernel.h then finds out from memory.
 */
struct memory_source {
	const struct memory_source_ops *ops;
	bool has_space[2]; /* by enum address_space: which reads can be had */
	bool is_live;      /* the memory changes while it is read */

	/*
	 * Changes whenever memory may have changed since the last read although is_live is false: a stopped target
	 * ran in between. What was cached under another number is void.
	 */
	uint64_t generation;

	char *vmcoreinfo; /* text of the VMCOREINFO note, NUL-terminated */
	const struct memory_mapping *mappings; /* from a dump's headers; only what they truly state */
	size_t mapping_count;
	const struct memory_range *ram; /* physical memory that is there, sorted, disjoint */
	size_t ram_count;
	const struct cpu_registers *cpus; /* by the order in which the source has them */
	size_t cpu_count;

	/* Variables' addresses ("slab_caches", "init_task", "_text"): for kernels whose kallsyms hide data. */
	const struct named_address *symbols;
	size_t symbol_count;
	/* Variables' values ("page_offset_base", "vmemmap_base"), where the variable itself can't be found. */
	const struct named_address *values;
	size_t value_count;
	const uint64_t *percpu_offsets; /* __per_cpu_offset[], by CPU number */
	size_t percpu_count;

	/* The running kernel: types in /sys/kernel/btf/vmlinux and names in /proc/kallsyms are this target's. */
	bool is_this_machine;
};

/* Read one piece. 0, -EFAULT, or what ops->read returned. */
int memory_source_read(struct memory_source *source, enum address_space space, uint64_t address, void *buffer,
		       size_t size, struct error *err);

/* NULL is fine. */
void memory_source_close(struct memory_source *source);

#endif
