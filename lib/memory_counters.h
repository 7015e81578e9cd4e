/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Counters of the processor that say what memory costs a thread: cycles, instructions, caches, TLB, stalls; and some of the
 * kernel's own. Opened by perf_event_open(2), or by whatever stands in for it in tests. Which event stands for a counter
 * is tried, not deduced.
 */
#ifndef DILL_MEMORY_COUNTERS_H
#define DILL_MEMORY_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;
struct perf_event_attr;

enum memory_counter {
	COUNTER_CYCLES,
	COUNTER_INSTRUCTIONS,
	COUNTER_LLC_LOADS,
	COUNTER_LLC_MISSES,
	COUNTER_DTLB_LOADS,
	COUNTER_DTLB_MISSES,
	COUNTER_STALL_CYCLES,
	COUNTER_HARDWARE_COUNT,
	COUNTER_TASK_CLOCK = COUNTER_HARDWARE_COUNT, /* ns */
	COUNTER_MINOR_FAULTS,
	COUNTER_MAJOR_FAULTS,
	COUNTER_SWITCHES,
	COUNTERS,
};

/* What read(2) gives with PERF_FORMAT_TOTAL_TIME_ENABLED | _RUNNING: struct read_format of perf_event_open(2). */
struct counter_reading {
	uint64_t value;
	uint64_t enabled_ns, running_ns; /* running is less where more events are wanted than the processor has counters */
};

/* Who opens and reads events. Negative errno as of the system calls. */
struct counter_calls {
	int (*open)(void *context, struct perf_event_attr *attr, pid_t thread);
	int (*read)(void *context, int fd, struct counter_reading *ret_reading);
	void (*close)(void *context, int fd);
	void *context;
};
extern const struct counter_calls counter_calls_of_kernel;

/* What became of a counter when it was tried. */
struct counter_choice {
	const char *event; /* perf's name of the event, or of the last one that was tried */
	const char *note;  /* in what it differs from what the counter says; NULL: in nothing */
	int error;         /* 0, or the negative errno of the last event that was tried */
	uint32_t type;
	uint64_t config, config1, config2;
};

/* Scaled sums of several threads. */
struct counter_sum {
	double value;
	uint64_t enabled_ns, running_ns;
};

struct memory_counters {
	const struct counter_calls *calls;
	struct counter_choice choices[COUNTERS];
	bool is_user_only; /* the kernel's part may not be counted: kernel.perf_event_paranoid */
	bool has_thread_inheritance;
};

/* The events of some threads. */
struct counted_threads {
	struct counted_event {
		int fd;
		enum memory_counter counter;
		struct counter_reading before;
	} *events;
	size_t count;
};

const char *memory_counter_name(enum memory_counter counter);

/*
 * Try each counter on the calling thread. @stall_event: what to count as stalls, in the words of @pmu_path/events
 * ("event=0xa3,umask=0x14,cmask=0x14", as the files in @pmu_path/format say) or a name among these; NULL: what the kernel
 * has. -EINVAL: that can't be understood. @pmu_path: normally counter_pmu_path.
 */
extern const char counter_pmu_path[];
int memory_counters_try(const struct counter_calls *calls, const char *pmu_path, const char *stall_event,
			struct memory_counters *ret_counters, struct error *err);
/* How many of the processor's counters are there. */
size_t memory_counters_hardware_count(const struct memory_counters *counters);

/*
 * Count in thread @thread from now on (@on_exec: once it execs) with what it starts: threads; with @with_children processes,
 * too, and where the kernel can't tell these apart (has_thread_inheritance) always. @wants_software: the kernel's own as well.
 * -ESRCH: it has ended. -EMFILE; -EACCES.
 */
int counted_threads_add(const struct memory_counters *counters, pid_t thread, bool on_exec, bool with_children,
			bool wants_software, struct counted_threads *threads);
/* What was counted since the last time, by counter. A counter that nobody counted has no time. */
int counted_threads_read(const struct memory_counters *counters, struct counted_threads *threads,
			 struct counter_sum ret_sums[COUNTERS]);
void counted_threads_deinit(const struct memory_counters *counters, struct counted_threads *threads);

/*
 * What would have been counted between two readings had the event been on the processor all the time that it was wanted.
 * false: it never was on it, so that nothing is known.
 */
bool counter_scale(const struct counter_reading *before, const struct counter_reading *now, double *ret_value);

/* "event=0xcd,umask=1,ldlat=3" by the format files of a PMU into config words. -EINVAL, -ENOENT: no such format. */
int counter_event_parse(const char *pmu_path, const char *text, uint64_t ret_configs[3]);

#endif
