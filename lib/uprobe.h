/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * Attaching BPF programs to instructions of user-space code, over the two mechanisms that kernels have.
 *
 * Everything is owned by file descriptors: when the process ends, however it ends, the kernel takes the
 * breakpoints out of every target. Nothing is written to tracefs, nothing is pinned. This file does not
 * choose addresses and does not load the caller's programs.
 */
#ifndef DILL_UPROBE_H
#define DILL_UPROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct error;

enum uprobe_rung {
	/*
	 * One link for all points of a call (89ae89f53d20, 6.6). The program must have been loaded with
	 * expected_attach_type BPF_SYSCALL_TRACE_UPROBE_MULTI. Needs CAP_BPF and CAP_PERFMON. Before
	 * 46ba0e49b642 ("bpf: fix multi-uprobe PID filtering logic", 6.10 and stable) its pid matched a
	 * single thread: see KERNEL_CAP_UPROBE_MULTI_THREADS.
	 */
	UPROBE_MULTI,
	/*
	 * A perf event for each point (33ea4b24277b, 4.17). The program must have been loaded with
	 * expected_attach_type 0. Needs CAP_SYS_ADMIN since the fix of CVE-2025-38466.
	 */
	UPROBE_PERF,
};

struct uprobe_point {
	uint64_t file_offset; /* of the instruction's first byte; it must be the start of an instruction */
	uint64_t cookie;      /* bpf_get_attach_cookie(); on UPROBE_PERF not 0 needs 5.15 */
	/*
	 * File offset, in the file's writable data, of a u16 that the kernel raises in every process while the probe is there:
	 * USDT's semaphores (1cc33161a83d, 4.20). 0: none.
	 */
	uint64_t semaphore_offset;
};

struct uprobe_link;

/*
 * Run @program_fd at every one of the @count points of one file, in the threads of process @pid, also those
 * that run already; 0 stands for every process that maps the file, now or later. @is_return: when the
 * function that starts at the point returns. @object_fd is the ELF file and may be closed afterwards; it is
 * addressed as /proc/self/fd/N, so a deleted file or one of another mount namespace is no different from any
 * other.
 *
 * @follows_children: forked children run the program from their first instruction. Neither mechanism hands a
 * pid's BPF program on at fork (perf's `inherit` copies the event, but not its program), so the points then
 * go into every process, as with @pid 0. The program has to select by thread group itself, and other
 * processes pay for the hits.
 *
 * Without @follows_children a process stays traced over exec, except when another thread than the main one
 * calls it: the kernel holds on to the main thread's task, which such an exec retires. For the same reason
 * UPROBE_PERF goes silent once the thread it sits on exits: the main one, or another where that is gone
 * already.
 *
 * Returns 0 and a link for uprobe_detach(). -EINVAL: a point is not in the file's code, or this kernel
 * doesn't know the mechanism; -EOPNOTSUPP: a cookie on a kernel without; -ESRCH: no such process, or for
 * UPROBE_MULTI one whose main thread has exited; -EACCES, -EPERM; -EMFILE, -ENFILE: UPROBE_PERF takes up to
 * two descriptors a point.
 */
int uprobe_attach(enum uprobe_rung rung, int program_fd, int object_fd, pid_t pid, bool is_return,
		  bool follows_children, const struct uprobe_point *points, size_t count,
		  struct uprobe_link **ret_link, struct error *err);

/*
 * Take every point out again, in all processes; no program runs for them any more when this returns. The
 * kernel waits for its readers here: tens of milliseconds for a UPROBE_MULTI link, up to a tenth of a second
 * for each point of a UPROBE_PERF link. NULL is fine.
 */
void uprobe_detach(struct uprobe_link *link);

/* One handle for two: detaching @first detaches @second, too. Either may be NULL. Returns the handle. */
struct uprobe_link *uprobe_link_join(struct uprobe_link *first, struct uprobe_link *second);

/* Time per call of a small function, in nanoseconds, with an empty BPF program. */
struct uprobe_costs {
	uint32_t bare_ns;        /* the call alone */
	uint32_t emulated_ns;    /* probed at an instruction that the kernel emulates */
	uint32_t single_step_ns; /* probed at one that it must run out of line under a trap */
	uint32_t return_ns;      /* with a return probe alone, entry on an emulated one */
};

/*
 * Measure what probes cost on this machine, with the mechanism @rung, by some hundred calls of functions of
 * our own. Takes some 30 ms. Only this process is touched. @ret_link (may be NULL: detached before returning,
 * which uprobe_detach() says the price of) keeps the probes, for the caller to detach when time matters less.
 */
int uprobe_calibrate(enum uprobe_rung rung, struct uprobe_costs *ret_costs, struct uprobe_link **ret_link,
		     struct error *err);

#endif
