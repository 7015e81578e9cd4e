/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * What is known of SysV shared memory segments: from the kernel's own list (/proc/sysvipc/shm, of dill's IPC namespace), and
 * from calls: who attached which.
 */
#ifndef DILL_SHM_SEGMENTS_H
#define DILL_SHM_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define SHM_COMM_BYTES 16
#define SHM_ATTACHERS 8 /* shown by name; more are counted */

struct shm_user {
	pid_t pid;
	char comm[SHM_COMM_BYTES];
};

struct shm_segment {
	int id;
	uint32_t key;
	uint64_t size;
	struct shm_user creator; /* without comm: made before the trace, by a process that is gone */
	struct shm_user attachers[SHM_ATTACHERS];
	size_t attacher_count; /* different ones, in the trace; above SHM_ATTACHERS: only counted */
	bool is_used;          /* by a call that was seen */
	bool exists;           /* as of the last shm_segments_read() */
	uint64_t attached;     /* mappings now, as of then */
	pid_t last_pid;        /* who attached or detached last */
};

struct shm_segments {
	struct shm_segment *list;
	size_t count;
	struct shm_attachment {
		pid_t pid;
		int id;
		uint64_t address;
	} *attachments; /* not detached by a call: the newest ones */
	size_t attachment_count;
};

void shm_segments_deinit(struct shm_segments *segments);
/* Take over the kernel's list. -errno: there is none (CONFIG_SYSVIPC). */
int shm_segments_read(struct shm_segments *segments);
/* The segment, new when it was not known; NULL: too many, or out of memory. Valid until the next call. */
struct shm_segment *shm_segment_of(struct shm_segments *segments, int id);
/* The segment when it is known, or NULL. */
struct shm_segment *shm_segment_find(struct shm_segments *segments, int id);
void shm_segment_attached(struct shm_segments *segments, int id, const struct shm_user *user, uint64_t address);
/* -> the segment's id, -1: its attaching was not seen. */
int shm_segment_detached(struct shm_segments *segments, pid_t pid, uint64_t address);

#endif
