// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* The book of SysV segments: shm_segments.h. */
#include "shm_segments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"

#define MOST_SEGMENTS 32768 /* SHMMNI is 4096, and ids change */
#define MOST_ATTACHMENTS 4096

void shm_segments_deinit(struct shm_segments *segments)
{
	free(segments->list);
	free(segments->attachments);
}

struct shm_segment *shm_segment_find(struct shm_segments *segments, int id)
{
	for (size_t i = segments->count; i-- > 0;)
		if (segments->list[i].id == id)
			return &segments->list[i];
	return NULL;
}

struct shm_segment *shm_segment_of(struct shm_segments *segments, int id)
{
	struct shm_segment *found = shm_segment_find(segments, id), *list = segments->list;
	size_t count = segments->count;

	if (found || count >= MOST_SEGMENTS)
		return found;
	if (!(count & (count - 1))) { /* a power of two: it is full */
		list = realloc(list, (count ? 2 * count : 1) * sizeof(*list));
		if (!list)
			return NULL;
		segments->list = list;
	}
	list[segments->count] = (struct shm_segment){ .id = id };
	return &list[segments->count++];
}

static void read_comm(struct shm_user *user)
{
	CLEANUP(fclose) FILE *file = NULL;
	char path[64];

	if (user->comm[0])
		return;
	snprintf(path, sizeof(path), "/proc/%d/comm", user->pid);
	file = fopen(path, "re");
	if (!file || !fgets(user->comm, sizeof(user->comm), file))
		return;
	user->comm[strcspn(user->comm, "\n")] = '\0';
}

/* key shmid perms size cpid lpid nattch …: sysvipc_shm_proc_show(), ipc/shm.c */
int shm_segments_read(struct shm_segments *segments)
{
	CLEANUP(fclose) FILE *file = fopen("/proc/sysvipc/shm", "re");
	char line[512];

	if (!file)
		return -errno;
	for (size_t i = 0; i < segments->count; i++)
		segments->list[i].exists = false;
	while (fgets(line, sizeof(line), file)) {
		unsigned long long size, attached;
		struct shm_segment *segment;
		int key, id, creator, last;

		if (sscanf(line, "%d %d %*o %llu %d %d %llu", &key, &id, &size, &creator, &last, &attached) != 6)
			continue;
		segment = shm_segment_of(segments, id);
		if (!segment)
			return -ENOMEM;
		segment->key = (uint32_t)key;
		segment->size = size;
		segment->creator.pid = creator;
		segment->last_pid = last;
		segment->attached = attached;
		segment->exists = true;
		read_comm(&segment->creator);
	}
	return 0;
}

static void add_attacher(struct shm_segment *segment, const struct shm_user *user)
{
	for (size_t i = 0; i < segment->attacher_count && i < SHM_ATTACHERS; i++)
		if (segment->attachers[i].pid == user->pid)
			return;
	if (segment->attacher_count < SHM_ATTACHERS)
		segment->attachers[segment->attacher_count] = *user;
	segment->attacher_count++;
}

void shm_segment_attached(struct shm_segments *segments, int id, const struct shm_user *user, uint64_t address)
{
	struct shm_segment *segment = shm_segment_of(segments, id);

	if (segment)
		add_attacher(segment, user);
	if (!segments->attachments)
		segments->attachments = calloc(MOST_ATTACHMENTS, sizeof(*segments->attachments));
	if (segments->attachments)
		segments->attachments[segments->attachment_count++ % MOST_ATTACHMENTS] =
			(struct shm_attachment){ user->pid, id, address };
}

int shm_segment_detached(struct shm_segments *segments, pid_t pid, uint64_t address)
{
	size_t count = segments->attachment_count < MOST_ATTACHMENTS ? segments->attachment_count : MOST_ATTACHMENTS;

	for (size_t i = 0; i < count; i++) {
		struct shm_attachment *attachment = &segments->attachments[i];

		if (attachment->pid == pid && attachment->address == address) {
			attachment->pid = 0;
			return attachment->id;
		}
	}
	return -1;
}
