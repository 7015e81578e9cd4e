/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What the parts of the heap trace share: heap_trace.c decides what a stop is, heap_met.c which other CPUs have
 * met a watchpoint as well, heap_follow.c knows which task is on which CPU and sets the traps for it, heap_traps.c
 * takes them away when that is safe, heap_calls.c follows a call from its beginning to its return, heap_facts.c
 * finds out names. Nobody else includes this but their test.
 */
#ifndef DILL_HEAP_TRACE_PRIVATE_H
#define DILL_HEAP_TRACE_PRIVATE_H

#include "heap_trace.h"
#include "insn_x86.h"
#include "kernel_types.h"
#include "slab_layout.h"

enum {
	HEAP_CALLS_MAX = 256,    /* under way at once: each is a watchpoint, which slows the target */
	HEAP_OBJECTS_MAX = 64,   /* watched */
	HEAP_BULK_MAX = 65536,   /* objects of one bulk call */
	HEAP_SYMBOLS_MAX = 4096, /* callers whose names are kept; a power of two */
	HEAP_CODES_MAX = 1024,   /* places whose code is kept; a power of two */
	HEAP_HANDLED_MAX = 32,   /* places that a CPU may come back to */
	HEAP_NAMES_MAX = 1024,   /* caches whose names are kept; a power of two */
};

/* The task that a CPU runs, since it was last looked at. */
struct heap_task {
	uint64_t address; /* task_struct; 0: not known */
	int32_t pid, tgid;
	char comm[HEAP_COMM_MAX + 1];
	bool is_kernel_thread;
};

struct heap_cpu {
	uint64_t current_address; /* where its current_task is */
	uint64_t gs_base;         /* in the kernel: its per-CPU offset */
	uint32_t number;          /* as the kernel counts */
	struct heap_task task;
	bool is_wanted;           /* the filter may want events of the task */
	struct stub_trap comm;    /* watches the task's name; size 0: not set */
	bool has_changed;         /* at this stop: another task, or another name */
	/* The latest release, to tell one that a jump carried on into another function. */
	uint64_t freed_slot, freed_object;
	uint32_t freed_function;
	struct stub_registers now;  /* as it stands at this stop */
	bool is_seen, has_moved;    /* since the stop before */
	uint64_t current;           /* for heap_follow_note() */
	char name[HEAP_COMM_MAX + 1];
};

/* The values that matter of a call's arguments. 0: not known, or none. */
struct heap_values {
	uint64_t cache, size, object, array, count, caller;
};

/* A call of which the end has not been seen yet. */
struct heap_call_begun {
	uint64_t slot; /* where the return address is: one call has it at a time */
	uint64_t return_address;
	uint32_t function; /* index */
	bool is_wanted;    /* false: only watched objects matter */
	struct heap_task task;
	struct heap_values values;
	struct stub_trap trap; /* what its return meets */
};

struct heap_symbol {
	uint64_t address;
	char text[HEAP_SYMBOL_MAX + 1];
};

struct heap_name {
	uint64_t cache;
	uint64_t text_address; /* kmem_cache.name */
	char text[HEAP_CACHE_MAX + 1];
};

/* The bytes before @address, and those at it. */
struct heap_code {
	uint64_t address;
	uint8_t before[INSN_X86_MAX_BYTES], at[3];
};

/* A CPU stood there, right behind the read of a global, and that was handled. */
struct heap_handled {
	uint64_t rip, general[INSN_REGISTER_COUNT];
};

struct heap_task_layout {
	struct field pid, tgid, comm, flags;
};

struct heap_trace {
	struct kernel *kernel;
	const struct heap_filter *filter;
	enum heap_trace_way way;
	heap_event_fn on_event;
	void *context;
	struct heap_sites *sites; /* owned */
	struct heap_trace_counts counts;
	char way_text[256];

	struct heap_task_layout task_layout;
	struct slab_layout slab_layout;

	bool is_running;
	bool is_by_data;      /* allocations and releases are met by watchpoints */
	bool has_watchpoints; /* switches and returns too */
	bool is_armed;
	uint64_t armed_at_ns;
	struct stub_trap *traps; /* owned; what arming sets */
	size_t trap_count;
	struct heap_cpu *cpus; /* owned; by the stub's numbers */
	size_t cpu_count;
	bool is_following; /* current_task of every CPU is watched */

	struct heap_call_begun calls[HEAP_CALLS_MAX];
	size_t call_count;
	uint64_t objects[HEAP_OBJECTS_MAX];
	size_t object_count;
	struct stub_trap *leaving; /* owned; to be taken away at the end of this stop */
	size_t leaving_count, leaving_capacity;
	struct memory_read *reads; /* owned; two for each CPU */
	struct heap_code *codes;     /* owned; by hash of the address */
	struct heap_handled handled[HEAP_HANDLED_MAX]; /* a ring */
	size_t handled_count;
	struct heap_symbol *symbols; /* owned; by hash of the address */
	struct heap_name *names;     /* owned; by hash of the cache's address */
};

/* One stop, as it is handed from part to part. */
struct heap_stop {
	struct stub_target *target;
	unsigned cpu; /* the stub's */
	bool is_gdbs; /* the CPU must not be moved */
	struct stub_registers registers;
	enum heap_verdict verdict;
};

/* ---- heap_trace.c ---- */

/* With sites that are known already, taken over in any case. For heap_trace_create() and tests. */
int heap_trace_create_with(struct kernel *kernel, const struct heap_filter *filter, enum heap_trace_way way,
			   struct heap_sites *sites, heap_event_fn on_event, void *context,
			   struct heap_trace **ret_trace, struct error *err);
/* One read; @result is filled in as by stub_memory_read(). */
static inline struct memory_read heap_read(uint64_t address, void *buffer, size_t size)
{
	return (struct memory_read){ .address = address, .buffer = buffer, .size = size };
}

/* ---- heap_follow.c: which tasks are on CPUs ---- */

/* Where each CPU's current task is. -ENOENT names what the kernel's symbols or types lack. */
int heap_follow_init(struct heap_trace *trace, struct stub_target *target, struct error *err);
/* Look at all CPUs anew, and set the traps that are needed now. */
int heap_follow_renew(struct heap_trace *trace, struct stub_target *target, struct error *err);
/*
 * At any stop: take note of the tasks that the CPUs run now, and of names that changed; set the traps that are
 * needed for them.
 */
int heap_follow_note(struct heap_trace *trace, struct heap_stop *stop, struct error *err);
/* At the end of a stop: take away what isn't needed any more. */
int heap_follow_settle(struct heap_trace *trace, struct stub_target *target, struct error *err);
/* Whether anything that happens on @cpu may be wanted. */
bool heap_follow_wants(const struct heap_trace *trace, unsigned cpu);
/* Read the current task of the CPU that stands at @stop, if it isn't known by switches. */
int heap_follow_look(struct heap_trace *trace, struct heap_stop *stop, struct error *err);
/*
 * Time with traps set is counted from trap to trap: where gdb has the target stand still in between,
 * heap_follow_skip_time() leaves that out.
 */
void heap_follow_count_time(struct heap_trace *trace);
void heap_follow_skip_time(struct heap_trace *trace);
int heap_follow_disarm(struct heap_trace *trace, struct error *err);

/* ---- heap_traps.c: traps that leave ---- */

/* As stub_traps_change(), but for those that are to be taken away, which stay until heap_traps_settle(). */
int heap_traps_add(struct heap_trace *trace, struct stub_target *target, struct stub_trap *traps, size_t count,
		   struct error *err);
int heap_traps_remove(struct heap_trace *trace, const struct stub_trap *traps, size_t count, struct error *err);
int heap_traps_settle(struct heap_trace *trace, struct stub_target *target, struct error *err);

/* ---- heap_met.c: watchpoints that CPUs met, told or not ---- */

/* The registers of all CPUs as they stand now, and who has moved. */
int heap_met_look(struct heap_trace *trace, struct heap_stop *stop, struct error *err);
/*
 * Whether the instruction behind which a CPU stands may have met a watchpoint that is set. What is told of one
 * that stands elsewhere is old.
 */
int heap_met_may_have(struct heap_trace *trace, struct heap_stop *stop, bool *ret_may, struct error *err);
/* What @stop's CPU has read is handled: a call whose return address is at @slot. */
void heap_met_note_handled(struct heap_trace *trace, const struct heap_stop *stop, uint64_t slot);
/* The call whose return address was at @slot has returned. */
void heap_met_forget_handled(struct heap_trace *trace, uint64_t slot);
/* Handle what CPUs have met unheard: all but that of @first; that one too if @is_first_unheard. */
int heap_met_others(struct heap_trace *trace, struct heap_stop *first, bool is_first_unheard, struct error *err);

/* ---- heap_trace.c ---- */

/* What @stop's registers say, whatever the stub says that was met. *ret_is_ours is left alone if nothing. */
int heap_trace_at_place(struct heap_trace *trace, struct heap_stop *stop, bool *ret_is_ours, struct error *err);

/* ---- heap_calls.c: calls, from their first sight to their return ---- */

/*
 * A call of @function stands at @stop; its arguments are at @places, and its return address is at @slot.
 * @may_be_repeated: as of a site.
 */
int heap_call_begin(struct heap_trace *trace, struct heap_stop *stop, uint32_t function,
		    const struct heap_arguments *places, uint64_t slot, bool may_be_repeated, struct error *err);
/* If a call has just returned to where the CPU stands: its end. Else nothing; *ret_is_ours is left alone. */
int heap_call_end(struct heap_trace *trace, struct heap_stop *stop, bool *ret_is_ours, struct error *err);
/* Give up all calls under way; they count as lost. */
int heap_calls_forget(struct heap_trace *trace, struct error *err);

/* ---- heap_facts.c: what an event tells beyond its numbers ---- */

/* The slab cache that @object is of, by its struct page; 0: none is. */
int heap_fact_cache_of(struct heap_trace *trace, struct heap_stop *stop, uint64_t object, uint64_t *ret_cache,
		       struct error *err);
/* Name and object size of event->cache_address, as they are now. */
int heap_fact_cache(struct heap_trace *trace, struct heap_stop *stop, struct heap_event *event,
		    struct error *err);
/* event->caller's name. */
void heap_fact_caller(struct heap_trace *trace, struct heap_event *event);

#endif
