// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
// Stacks of callers. backtrace(3) may itself allocate the first time; such calls get no stack.
#include "tracks.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <time.h>

#include "lock.h"
#include "report.h"

#define DEPTH SLUB_STACK_DEPTH
#define OWN_FRAMES 3 /* keep_stack(), slub_track_set() and their caller in debug.c */
#define PROBES 64

static struct slub_lock stacks_lock;
struct slub_stack *slub_stacks;
static bool is_prepared;
static __thread int is_inside __attribute__((tls_model("initial-exec")));

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

// FNV-1a over the frames (Fowler, Noll, Vo); never 0.
static uint64_t hash_of(void *const *frames, uint32_t count)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (uint32_t i = 0; i < count; i++)
		hash = (hash ^ (uintptr_t)frames[i]) * 0x100000001b3;
	return hash | 1;
}

static uint32_t number_of(void *const *frames, uint32_t count)
{
	uint64_t hash = hash_of(frames, count);

	if (!slub_stacks) {
		void *room = mmap(NULL, SLUB_STACKS * sizeof(struct slub_stack), PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (room == MAP_FAILED)
			return 0;
		slub_stacks = room;
	}
	for (uint32_t probe = 0; probe < PROBES; probe++) {
		uint32_t place = (uint32_t)((hash >> 16) + probe) % SLUB_STACKS;
		struct slub_stack *stack = &slub_stacks[place];

		if (!stack->hash) {
			stack->hash = hash;
			stack->count = count;
			memcpy(stack->frames, frames, count * sizeof(*frames));
		}
		if (stack->hash == hash && stack->count == count && !memcmp(stack->frames, frames, count * sizeof(*frames)))
			return place + 1;
	}
	return 0;
}

void slub_tracks_prepare(void)
{
	void *frame;

	if (is_prepared)
		return;
	is_inside = 1;
	is_prepared = backtrace(&frame, 1) >= 0;
	is_inside = 0;
}

// The first backtrace() loads a library and allocates: not under a list's lock, but before main(). Until then, no stacks.
static __attribute__((constructor)) void prepare(void)
{
	if (secure_getenv("SLUB_DEBUG"))
		slub_tracks_prepare();
}

static __attribute__((noinline)) uint32_t keep_stack(void)
{
	void *frames[DEPTH + OWN_FRAMES];
	uint32_t number = 0;
	int count;

	if (is_inside || !is_prepared)
		return 0;
	is_inside = 1;
	count = backtrace(frames, DEPTH + OWN_FRAMES);
	if (count > OWN_FRAMES) {
		slub_lock(&stacks_lock);
		number = number_of(frames + OWN_FRAMES, (uint32_t)(count - OWN_FRAMES));
		slub_unlock(&stacks_lock);
	}
	is_inside = 0;
	return number;
}

__attribute__((noinline)) void slub_track_set(struct slub_track *track)
{
	*track = (struct slub_track){
		.stack = keep_stack(), .cpu = (uint32_t)sched_getcpu(), .pid = (uint32_t)syscall(SYS_gettid),
		.when_ns = now_ns(),
	};
}

// Whether a frame is libslub's own, in a library of its own: nobody wants to read those.
static bool is_own(void *frame)
{
	Dl_info info, own;
	uintptr_t program = getauxval(AT_PHDR);

	return dladdr((char *)frame - 1, &info) && dladdr((void *)slub_track_print, &own) && info.dli_fbase == own.dli_fbase &&
	       (program & ~(uintptr_t)4095) != (uintptr_t)own.dli_fbase;
}

static void print_frame(void *frame)
{
	struct slub_line line = {};
	Dl_info info = {};

	slub_put(&line, "    ");
	slub_put_hex(&line, (uintptr_t)frame);
	// A return address stands behind its call.
	if (dladdr((char *)frame - 1, &info) && info.dli_fname) {
		const char *name = strrchr(info.dli_fname, '/');

		slub_put(&line, " ");
		slub_put(&line, info.dli_sname ? info.dli_sname : "?");
		slub_put(&line, " in ");
		slub_put(&line, name ? name + 1 : info.dli_fname);
		slub_put(&line, "+");
		slub_put_hex(&line, (uintptr_t)frame - (uintptr_t)info.dli_fbase);
	}
	slub_say(&line);
}

void slub_track_print(const char *what, const struct slub_track *track)
{
	struct slub_line line = {};

	if (!track->when_ns)
		return;
	slub_put(&line, "  ");
	slub_put(&line, what);
	slub_put(&line, " by thread ");
	slub_put_number(&line, track->pid);
	slub_put(&line, " on CPU ");
	slub_put_number(&line, track->cpu);
	slub_put(&line, ", ");
	slub_put_number(&line, (now_ns() - track->when_ns) / 1000000);
	slub_put(&line, " ms ago");
	slub_say(&line);
	if (track->stack && track->stack <= SLUB_STACKS && slub_stacks) {
		const struct slub_stack *stack = &slub_stacks[track->stack - 1];

		uint32_t first = 0;

		while (first < stack->count && first < DEPTH && is_own(stack->frames[first]))
			first++;
		for (uint32_t i = first; i < stack->count && i < DEPTH; i++)
			print_frame(stack->frames[i]);
	}
}
