// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Follows processes through the events of memleak's programs, and keeps the books of mappings. */
#include "leak_source.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "launch.h"
#include "leak_source_private.h"
#include "memleak.skel.h"
#include "memleak_options.h"
#include "targets.h"

static int attach_lifecycle(struct leak_source *source, struct error *err)
{
	struct memleak_bpf *bpf = source->bpf;

	bpf->links.process_execs = bpf_program__attach(bpf->progs.process_execs);
	bpf->links.process_exits = bpf_program__attach(bpf->progs.process_exits);
	bpf->links.process_forks = bpf_program__attach(bpf->progs.process_forks);
	if (!bpf->links.process_execs || !bpf->links.process_exits || !bpf->links.process_forks)
		return error_set(err, -EOPNOTSUPP, "cannot attach to the scheduler's tracepoints: %s", strerror(errno));
	return 0;
}

static int compare_mapped_sites(const void *a, const void *b)
{
	const struct mapped_site *x = a, *y = b;

	return x->stack_key < y->stack_key ? -1 : x->stack_key > y->stack_key;
}

/* The site of a mapping's stack, made when new; NULL without memory. */
static struct mapped_site *mapped_site_get(struct leak_source *source, uint32_t space, uint64_t stack_key)
{
	struct mapped_site *site = calloc(1, sizeof(*site)), **found;

	if (!site)
		return NULL;
	site->stack_key = stack_key;
	site->space = space;
	found = tsearch(site, &source->mapped_sites, compare_mapped_sites);
	if (!found || *found != site)
		free(site);
	return found ? *found : NULL;
}

static void mapping_changes(const struct mapped_block *block, enum mapped_change_kind kind, uint64_t bytes,
			    bool is_whole, void *context)
{
	struct leak_process *process = context;
	struct mapped_site *site = mapped_site_get(process->source, process->space, block->stack_key);

	if (!site)
		return;
	if (kind == MAPPED_GONE) {
		site->counts.freed_bytes += bytes;
		site->counts.freed += is_whole;
	} else {
		site->counts.seen_bytes += bytes;
		site->counts.seen += is_whole && kind == MAPPED_NEW;
		site->counts.freed -= is_whole && kind == MAPPED_BACK;
	}
	/* Mappings are never sampled: each stands for itself. */
	site->counts.estimate_seen = site->counts.seen << 10;
	site->counts.estimate_freed = site->counts.freed << 10;
	site->counts.estimate_seen_bytes = site->counts.seen_bytes;
	site->counts.estimate_freed_bytes = site->counts.freed_bytes;
}

static struct leak_process *process_by_space(struct leak_source *source, uint32_t space)
{
	for (size_t i = 0; i < source->process_count; i++)
		if (source->processes[i]->space == space)
			return source->processes[i];
	return NULL;
}

struct leak_process *leak_source_process(struct leak_source *source, size_t index)
{
	return index < source->process_count ? source->processes[index] : NULL;
}

unsigned int leak_source_running(const struct leak_source *source)
{
	unsigned int running = 0;

	for (size_t i = 0; i < source->process_count; i++)
		running += !source->processes[i]->has_exited;
	return running;
}

/* The exit event can be lost when the ring is full: then this still ends the trace. */
static void watch_exit(struct leak_source *source, struct leak_process *process)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = process };

	process->pidfd = syscall(SYS_pidfd_open, process->pid, 0);
	if (process->pidfd >= 0)
		epoll_ctl(source->epoll_fd, EPOLL_CTL_ADD, process->pidfd, &event);
}

static void unwatch_exit(struct leak_process *process)
{
	if (process->pidfd >= 0)
		close(process->pidfd); /* which takes it out of the epoll set */
	process->pidfd = -1;
}

static int process_create(struct leak_source *source, pid_t pid, uint32_t space, struct leak_process **ret_process)
{
	struct leak_process *process = calloc(1, sizeof(*process)), **grown;

	if (!process)
		return -ENOMEM;
	*process = (struct leak_process){ .pid = pid, .pidfd = -1, .space = space, .source = source };
	process_comm(pid, process->comm);
	if (mapped_ranges_create(mapping_changes, process, &process->ranges)) {
		free(process);
		return -ENOMEM;
	}
	grown = reallocarray(source->processes, source->process_count + 1, sizeof(struct leak_process *));
	if (!grown) {
		mapped_ranges_destroy(process->ranges);
		free(process);
		return -ENOMEM;
	}
	source->processes = grown;
	grown[source->process_count++] = process;
	watch_exit(source, process);
	*ret_process = process;
	return 0;
}

/* Have the kernel's side follow @pid, then take in what it maps and probe it. */
static int follow(struct leak_source *source, pid_t pid, struct error *err)
{
	bool is_launched = source->run->launch && launch_pid(source->run->launch) == pid;
	struct followed_process followed = { .space = pid, .stops_at_exec = is_launched,
					     .follows_children = source->run->settings->follows_children };
	struct leak_process *process;
	uint32_t tgid = pid;
	int status;

	status = process_create(source, pid, pid, &process);
	if (status)
		return status;
	if (bpf_map_update_elem(bpf_map__fd(source->bpf->maps.processes), &tgid, &followed, BPF_ANY))
		return error_set(err, -errno, "cannot follow process %d: %s", pid, strerror(errno));
	if (is_launched) /* its image is still ours */
		return 0;
	status = stack_tables_update(source->tables, pid, process->space, err);
	if (status)
		return status;
	source->listener.map_changes(process, source->listener.context);
	status = leak_probes_attach(source->probes, pid, err);
	process->is_attached = !status;
	return status;
}

/* Look at the memory map again after it changed. */
static void refresh(struct leak_source *source, struct leak_process *process)
{
	struct error err = { 0 };
	int status = stack_tables_update(source->tables, process->pid, process->space, &err);

	if (status)
		return; /* gone already: its exit comes next */
	source->listener.map_changes(process, source->listener.context);
	status = leak_probes_attach(source->probes, process->pid, &err);
	if (!status)
		process->is_attached = true;
	else if (status != -ENOENT && status != -ESRCH)
		run_incomplete(source->run, "process %d: %s", process->pid, err.text);
}

/* Our own child stops itself after exec and whenever its loader has mapped libraries, until it is probed. */
static void refresh_stopped(struct leak_source *source, struct leak_process *process)
{
	struct launch *launch = source->run->launch;
	bool is_launched = launch && launch_pid(launch) == process->pid;

	if (is_launched)
		launch_wait_stopped(launch);
	refresh(source, process);
	if (is_launched)
		launch_continue(launch);
}

static void handle_exec(struct leak_source *source, struct leak_process *process, uint32_t new_space)
{
	source->listener.image_ends(process, false, source->listener.context);
	stack_tables_forget(source->tables, process->space);
	mapped_ranges_destroy(process->ranges);
	process->ranges = NULL;
	process->space = new_space;
	process_comm(process->pid, process->comm);
	if (mapped_ranges_create(mapping_changes, process, &process->ranges))
		run_incomplete(source->run, "out of memory");
	refresh_stopped(source, process);
}

static void handle_exit(struct leak_source *source, struct leak_process *process)
{
	uint32_t tgid = process->pid;

	source->listener.image_ends(process, true, source->listener.context);
	if (!process->is_attached && !(source->run->launch && launch_exec_error(source->run->launch)))
		run_incomplete(source->run, "process %d ended before it could be traced", process->pid);
	process->has_exited = true;
	unwatch_exit(process);
	bpf_map_delete_elem(bpf_map__fd(source->bpf->maps.processes), &tgid);
	stack_tables_forget(source->tables, process->space);
	leak_probes_forget(source->probes, process->pid);
	if (!leak_source_running(source))
		run_stop(source->run);
}

/*
 * The child runs on while this attaches to it: nothing can hold it up that would not put probes into every
 * process, or be
 * ptrace. What it does meanwhile goes unseen.
 */
static void handle_fork(struct leak_source *source, uint32_t child)
{
	struct leak_process *process;

	if (process_create(source, child, child, &process)) {
		run_incomplete(source->run, "out of memory: process %u is not followed", child);
		return;
	}
	refresh(source, process);
}

static void handle_mapping(struct leak_process *process, const struct memleak_event *event)
{
	int status = 0;

	if (!process->ranges)
		return;
	switch (event->type) {
	case EVENT_MMAP:
		status = mapped_ranges_add(process->ranges, event->address, event->size, event->stack_key, event->time_ns);
		break;
	case EVENT_UNMAP:
		status = mapped_ranges_remove(process->ranges, event->tid, event->address, event->size);
		break;
	case EVENT_REMAP:
		status = mapped_ranges_remap(process->ranges, event->tid, event->address, event->size,
					     event->stack_key, event->time_ns);
		break;
	case EVENT_UNMAP_FAILED:
		status = mapped_ranges_undo(process->ranges, event->tid);
		break;
	}
	if (status)
		run_incomplete(process->source->run, "out of memory: mappings of process %d are wrong", process->pid);
}

static int handle_event(void *context, void *data, size_t size)
{
	struct leak_source *source = context;
	const struct memleak_event *event = data;
	struct leak_process *process;

	if (size < sizeof(*event))
		return 0;
	if (event->type == EVENT_FORK) {
		handle_fork(source, event->address);
		return 0;
	}
	/* The exec event carries the new space, and belongs to the process that still has the old one. */
	process = process_by_space(source, event->type == EVENT_EXEC ? event->space - (1U << SPACE_TGID_BITS)
								     : event->space);
	if (!process || process->has_exited)
		return 0;
	switch (event->type) {
	case EVENT_EXEC: handle_exec(source, process, event->address); break;
	case EVENT_EXIT: handle_exit(source, process); break;
	case EVENT_LOADED: refresh_stopped(source, process); break;
	case EVENT_UNKNOWN_CODE: refresh(source, process); break;
	case EVENT_ALLOC:
	case EVENT_FREE: source->listener.event(process, event, source->listener.context); break;
	default:
		if (source->options->streams)
			source->listener.event(process, event, source->listener.context);
		handle_mapping(process, event);
	}
	return 0;
}

int leak_source_event_fd(const struct leak_source *source)
{
	return source->epoll_fd;
}

int leak_source_consume(struct leak_source *source)
{
	struct epoll_event events[16];
	int count = epoll_wait(source->epoll_fd, events, 16, 0);
	int status = ring_buffer__consume(source->ring); /* what a process did before its exit comes first */

	for (int i = 0; i < count; i++) {
		struct leak_process *process = events[i].data.ptr;

		if (process && !process->has_exited)
			handle_exit(source, process);
	}
	return status < 0 && status != -EINTR ? status : 0;
}

void leak_source_detach(struct leak_source *source)
{
	if (source->probes)
		leak_probes_detach(source->probes);
	if (source->ring)
		ring_buffer__consume(source->ring);
}

static int open_source(struct leak_source *source, struct error *err)
{
	struct epoll_event wakeup = { .events = EPOLLIN };
	struct stack_tables_maps maps;
	int status;

	status = leak_source_load(source, err);
	if (status)
		return status;
	maps.layouts_fd = bpf_map__fd(source->bpf->maps.layouts);
	maps.unwind_tables_fd = bpf_map__fd(source->bpf->maps.unwind_tables);
	maps.epoch = (uint64_t *)&source->bpf->bss->walk_epoch;
	status = stack_tables_create(&maps, source->budget / 6, &source->tables);
	if (status)
		return status;
	source->ring = ring_buffer__new(bpf_map__fd(source->bpf->maps.events), handle_event, source, NULL);
	if (!source->ring ||
	    ring_buffer__add(source->ring, bpf_map__fd(source->bpf->maps.stream), handle_event, source))
		return error_set(err, -errno, "cannot map the event rings: %s", strerror(errno));
	if (epoll_ctl(source->epoll_fd, EPOLL_CTL_ADD, ring_buffer__epoll_fd(source->ring), &wakeup))
		return error_set(err, -errno, "cannot watch the event rings: %s", strerror(errno));
	status = attach_lifecycle(source, err);
	if (!status)
		status = leak_probes_create(source->run, source->options, source->bpf, &source->probes);
	for (size_t i = 0; i < source->run->target_count && !status; i++)
		status = follow(source, source->run->targets[i], err);
	return status;
}

int leak_source_create(struct run *run, const struct memleak_options *options, const struct leak_listener *listener,
		       struct leak_source **ret_source, struct error *err)
{
	struct leak_source *source = calloc(1, sizeof(*source));
	int status;

	if (!source)
		return -ENOMEM;
	source->run = run;
	source->options = options;
	source->listener = *listener;
	source->budget = options->max_memory ? options->max_memory : leak_source_default_memory();
	source->cpu_count = libbpf_num_possible_cpus();
	source->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	status = source->cpu_count > 0 && source->epoll_fd >= 0 ? open_source(source, err) : -EIO;
	if (status) {
		leak_source_destroy(source);
		return status;
	}
	*ret_source = source;
	return 0;
}

void leak_source_destroy(struct leak_source *source)
{
	if (!source)
		return;
	leak_probes_destroy(source->probes);
	ring_buffer__free(source->ring);
	memleak_bpf__destroy(source->bpf);
	stack_tables_destroy(source->tables);
	for (size_t i = 0; i < source->process_count; i++) {
		unwatch_exit(source->processes[i]);
		mapped_ranges_destroy(source->processes[i]->ranges);
		free(source->processes[i]);
	}
	free(source->processes);
	tdestroy(source->mapped_sites, free);
	cleanup_close(&source->epoll_fd);
	free(source);
}
