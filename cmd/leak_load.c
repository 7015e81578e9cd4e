// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Sizes, configures and loads memleak's BPF programs. Attaches nothing. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "bpf_syscall.h"
#include "leak_source_private.h"
#include "map_memory.h"
#include "memleak.skel.h"
#include "memleak_options.h"

#define DEFAULT_MEMORY (256ULL << 20)
#define BYTES_PER_ALLOCATION 128 /* hash element of 88 bytes in its slab, and its share of the buckets */
#define BYTES_PER_STACK 1400     /* stack and site, without the site's per-CPU part */
#define BYTES_PER_THREAD 4096
#define THREADS_PREALLOCATED 2048

uint64_t leak_source_default_memory(void)
{
	struct sysinfo info;
	uint64_t eighth;

	if (sysinfo(&info))
		return DEFAULT_MEMORY;
	eighth = (uint64_t)info.totalram * info.mem_unit / 8;
	return eighth < DEFAULT_MEMORY ? eighth : DEFAULT_MEMORY;
}

/* Half of the budget for single allocations, a sixth each for stacks, threads and unwind tables. */
static void size_maps(struct leak_source *source)
{
	struct memleak_bpf *bpf = source->bpf;
	uint64_t budget = source->budget, stacks, allocations, threads;
	uint32_t walks = bpf_map__max_entries(bpf->maps.walk_cache);

	stacks = budget / 6 / (BYTES_PER_STACK + (uint64_t)source->cpu_count * sizeof(struct site_counts));
	stacks = stacks < 1024 ? 1024 : stacks > 1 << 20 ? 1 << 20 : stacks;
	allocations = budget / 2 / BYTES_PER_ALLOCATION;
	allocations = allocations < 4096 ? 4096 : allocations > 1U << 30 ? 1U << 30 : allocations;
	while (walks > 64 && walks * bpf_map__value_size(bpf->maps.walk_cache) > budget / 16)
		walks /= 2;
	bpf_map__set_max_entries(bpf->maps.walk_cache, walks);
	bpf->rodata->walk_cache_mask = walks - 1;
	if (budget < 32U << 20)
		bpf_map__set_max_entries(bpf->maps.events, 256U << 10);
	threads = budget / 6 / BYTES_PER_THREAD;
	threads = threads < 256 ? 256 : threads > 1 << 22 ? 1 << 22 : threads;
	bpf_map__set_max_entries(bpf->maps.threads, threads);
	bpf_map__set_max_entries(bpf->maps.stacks, stacks);
	bpf_map__set_max_entries(bpf->maps.sites, stacks + 1024);
	bpf_map__set_max_entries(bpf->maps.allocations, allocations);
	if (!source->options->streams)
		bpf_map__set_max_entries(bpf->maps.stream, 4096);
	if (kernel_allocates_elements(NULL)) {
		bpf_map__set_map_flags(bpf->maps.stacks, BPF_F_NO_PREALLOC);
		bpf_map__set_map_flags(bpf->maps.sites, BPF_F_NO_PREALLOC);
		bpf_map__set_map_flags(bpf->maps.layouts, BPF_F_NO_PREALLOC);
		return;
	}
	bpf_map__set_map_flags(bpf->maps.threads, 0);
	bpf_map__set_map_flags(bpf->maps.allocations, 0);
	if (threads > THREADS_PREALLOCATED)
		bpf_map__set_max_entries(bpf->maps.threads, THREADS_PREALLOCATED);
	bpf_map__set_max_entries(bpf->maps.layouts, 64);
}

static void fill_sampling_tables(struct memleak_bpf *bpf)
{
	for (int i = 0; i < SAMPLE_WEIGHTS; i++) {
		double x = (double)i / SAMPLE_WEIGHT_STEPS;

		bpf->rodata->sample_weight[i] = i ? lrint(65536 * x / -expm1(-x)) : 65536;
	}
	for (int i = 0; i < SAMPLE_QUANTILES; i++)
		bpf->rodata->sample_quantile[i] = lrint(65536 * -log((i + 0.5) / SAMPLE_QUANTILES));
}

static void configure_programs(struct leak_source *source)
{
	const struct memleak_options *options = source->options;
	struct memleak_bpf *bpf = source->bpf;

	bpf->rodata->min_size = options->min_size;
	bpf->rodata->max_size = options->max_size;
	bpf->rodata->sample_bytes = options->sample_bytes;
	bpf->rodata->wants_times = options->older_than_ns || options->shows_allocations;
	bpf->rodata->streams_events = options->streams;
	bpf->rodata->walk_max_frames = options->stack_depth;
	bpf->rodata->walk_uses_tables = !options->uses_frame_pointers;
	bpf->rodata->has_cookies = kernel_caps_get(source->run->caps, KERNEL_CAP_BPF_COOKIE)->state == CAP_YES;
	fill_sampling_tables(bpf);
	size_maps(source);
	if (source->run->rung == 0) {
		struct bpf_program *program;

		bpf_object__for_each_program(program, bpf->obj)
			if (bpf_program__type(program) == BPF_PROG_TYPE_KPROBE)
				bpf_program__set_expected_attach_type(program, (enum bpf_attach_type)BPF_SYSCALL_TRACE_UPROBE_MULTI);
	}
}

int leak_source_load(struct leak_source *source, struct error *err)
{
	struct memleak_bpf *bpf = source->bpf = memleak_bpf__open();
	uint32_t zero = 0;
	int status, walk_fd;

	if (!bpf)
		return error_set(err, -ENOMEM, "cannot open the BPF programs");
	configure_programs(source);
	status = memleak_bpf__load(bpf);
	if (status)
		return error_set(err, -EOPNOTSUPP, "cannot load the BPF programs: %s%s%s", strerror(-status),
				 run_libbpf_complaint()[0] ? ": " : "", run_libbpf_complaint());
	walk_fd = bpf_program__fd(bpf->progs.walk_stack);
	if (bpf_map_update_elem(bpf_map__fd(bpf->maps.walk_program), &zero, &walk_fd, BPF_ANY))
		return error_set(err, -errno, "cannot link the BPF programs: %s", strerror(errno));
	return 0;
}
