// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * From this process's task_struct to the rest:
 *
 *   task → real_parent → … → init_task, the only one within the kernel's image
 *   task → its struct page → slab_cache, named "task_struct" → list → slab_caches, likewise
 *   per-CPU map: address of a CPU's element − the map's per-CPU pointer = the CPU's offset
 */
#include "live_hidden.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kernel.h"
#include "kernel_open.h"
#include "kernel_symbols.h"
#include "kernel_types.h"
#include "live_probe.h"
#include "live_probe.skel.h" /* after what it shares with the program */
#include "page_table.h"

#define ANCESTORS_MAX 4096
#define CACHES_MAX 65536
#define SLAB_ORDER_MAX 10
#define TRIES 3 /* parents exit and caches are made meanwhile */
#define TABLES_MAX 16384
#define CPUS_MAX 8192
#define GIB (1ull << 30)

DEFINE_CLEANUP(probe, struct live_probe_bpf *, live_probe_bpf__destroy(v));

struct hidden_layout {
	struct field real_parent;
	struct field slab_cache;
	struct field cache_list, cache_name;
	struct field percpu_pointers;
};

#define AT(member) offsetof(struct hidden_layout, member)
static const struct field_spec hidden_fields[] = {
	{ "task_struct", "real_parent", AT(real_parent), false },
	{ "slab", "slab_cache", AT(slab_cache), false },
	{ "kmem_cache", "list", AT(cache_list), false },
	{ "kmem_cache", "name", AT(cache_name), false },
	{ "bpf_array", "pptrs[0]", AT(percpu_pointers), false },
};
/* Before struct slab (d122019bf061, 5.17) slabs were struct pages. */
static const struct field_spec page_fields[] = { { "page", "slab_cache", AT(slab_cache), false } };

static bool is_in_image(uint64_t address)
{
	return address >= START_KERNEL_MAP && address < START_KERNEL_MAP + KERNEL_IMAGE_SIZE;
}

static bool is_known(struct kernel *kernel, const char *name)
{
	uint64_t address;

	return !kernel_symbol(kernel, name, &address);
}

static int tell(struct live_probe_bpf *probe, int cpu, struct live_probe *ret_probe)
{
	LIBBPF_OPTS(bpf_test_run_opts, options, .flags = cpu < 0 ? 0 : BPF_F_TEST_RUN_ON_CPU,
		    .cpu = cpu < 0 ? 0 : cpu);
	int rc = bpf_prog_test_run_opts(bpf_program__fd(probe->progs.tell_addresses), &options);

	if (!rc)
		*ret_probe = probe->bss->probe;
	return rc;
}

static int find_init_task(struct kernel *kernel, const struct hidden_layout *layout, uint64_t task)
{
	for (size_t i = 0; i < ANCESTORS_MAX; i++) {
		uint64_t parent;

		if (is_in_image(task))
			return kernel_symbols_add(kernel->symbols, "init_task", task);
		if (field_read(kernel, &layout->real_parent, task, &parent) || parent == task)
			return -ENOENT;
		task = parent;
	}
	return -ENOENT;
}

/* The cache of @task, if struct pages are at @vmemmap. The head page of its slab may be any that is aligned. */
static int find_task_cache(struct kernel *kernel, const struct hidden_layout *layout, uint64_t vmemmap,
			   uint64_t task, uint64_t *ret_cache)
{
	uint64_t physical;

	if (!field_exists(&layout->slab_cache) || kernel_direct_to_physical(kernel, task, &physical))
		return -ENOENT;
	for (unsigned order = 0; order <= SLAB_ORDER_MAX; order++) {
		uint64_t frame = physical >> 12 & ~0ull << order;
		uint64_t page = vmemmap + frame * kernel->page_struct_size;
		uint64_t cache, name;
		char text[16];

		if (field_read(kernel, &layout->slab_cache, page, &cache) ||
		    field_read(kernel, &layout->cache_name, cache, &name) ||
		    kernel_read_string(kernel, name, text, sizeof(text)) || strcmp(text, "task_struct"))
			continue;
		*ret_cache = cache;
		return 0;
	}
	return -ENOENT;
}

static int find_slab_caches(struct kernel *kernel, const struct hidden_layout *layout, uint64_t cache)
{
	uint64_t node = cache + layout->cache_list.offset;

	for (size_t i = 0; i < CACHES_MAX && !is_in_image(node); i++)
		if (kernel_read_u64(kernel, node, &node))
			return -EFAULT;
	return is_in_image(node) ? kernel_symbols_add(kernel->symbols, "slab_caches", node) : -ENOENT;
}

/*
 * Bases that are possible: vmemmap_base is a multiple of 1 GiB, and the task's struct page is within what the
 * page tables map. One look at each mapped GiB between the direct map and the image.
 */
static int find_vmemmap(struct kernel *kernel, const struct hidden_layout *layout, uint64_t task,
			uint64_t *ret_cache)
{
	struct page_table_iterator iterator;
	struct page_table_range range;
	uint64_t first = (kernel->layout.page_offset_base.value + (kernel->layout.max_pfn.value << 12) + GIB) & -GIB;
	uint64_t seen = 0, page;
	int status = -ENOENT;

	if (!kernel->page_table || !kernel->layout.page_offset_base.origin || !kernel->layout.max_pfn.origin ||
	    kernel_direct_to_physical(kernel, task, &page))
		return -ENOENT;
	page = (page >> 12) * kernel->page_struct_size;
	if (page_table_iterate_begin(&iterator, kernel->page_table, first, START_KERNEL_MAP - 1, TABLES_MAX))
		return -ENOMEM;
	while (status && page_table_iterate(&iterator, &range))
		for (uint64_t at = range.virtual_start & -GIB;
		     status && at < range.virtual_start + range.size; at += GIB) {
			uint64_t base = at - (page & -GIB);

			if (at == seen)
				continue;
			seen = at;
			status = find_task_cache(kernel, layout, base, task, ret_cache);
			if (!status)
				fact_set(&kernel->layout.vmemmap_base, base, "struct page of a task");
		}
	page_table_iterate_end(&iterator);
	return status;
}

static void find_caches(struct kernel *kernel, const struct hidden_layout *layout, uint64_t task)
{
	uint64_t cache;
	int status = kernel->layout.vmemmap_base.origin
			     ? find_task_cache(kernel, layout, kernel->layout.vmemmap_base.value, task, &cache)
			     : find_vmemmap(kernel, layout, task, &cache);

	for (size_t i = 0; i < TRIES && !status && !is_known(kernel, "slab_caches"); i++)
		find_slab_caches(kernel, layout, cache);
}

/* One past the last number in a list of CPUs such as "0-3,8". 0: unknown. */
static size_t count_cpus(void)
{
	CLEANUP(fclose) FILE *file = fopen("/sys/devices/system/cpu/possible", "re");
	char text[4096];
	const char *last;
	size_t count;

	if (!file || !fgets(text, sizeof(text), file))
		return 0;
	last = text + strlen(text);
	while (last > text && !strchr(",-", last[-1]))
		last--;
	count = strtoul(last, NULL, 10) + 1;
	return count <= CPUS_MAX ? count : 0;
}

static void find_percpu(struct kernel *kernel, const struct hidden_layout *layout, struct live_probe_bpf *probe)
{
	size_t count = count_cpus(), known = 0;
	CLEANUP(free) uint64_t *offsets = calloc(count ? count : 1, sizeof(*offsets));

	for (size_t cpu = 0; offsets && cpu < count; cpu++) {
		struct live_probe told;
		uint64_t pointer;

		if (tell(probe, cpu, &told) || field_read(kernel, &layout->percpu_pointers, told.map, &pointer))
			continue;
		offsets[cpu] = told.element - pointer;
		known++;
	}
	if (!known)
		return;
	kernel->percpu_offsets = TAKE_PTR(offsets);
	kernel->percpu_origin = "a BPF map's elements";
	kernel->cpu_count = count;
}

static void find_all(struct kernel *kernel, struct live_probe_bpf *probe)
{
	struct hidden_layout layout = { 0 };
	struct live_probe told;

	if (fields_load(kernel->types, hidden_fields, sizeof(hidden_fields) / sizeof(*hidden_fields), &layout,
			NULL) ||
	    tell(probe, -1, &told))
		return;
	if (!field_exists(&layout.slab_cache) && fields_load(kernel->types, page_fields, 1, &layout, NULL))
		return;
	for (size_t i = 0; i < TRIES && !is_known(kernel, "init_task"); i++)
		find_init_task(kernel, &layout, told.task);
	if (!is_known(kernel, "slab_caches") || !kernel->layout.vmemmap_base.origin)
		find_caches(kernel, &layout, told.task);
	if (!kernel->percpu_offsets)
		find_percpu(kernel, &layout, probe);
}

void live_find_hidden(struct kernel *kernel)
{
	CLEANUP(probe) struct live_probe_bpf *probe = NULL;

	if (is_known(kernel, "init_task") && is_known(kernel, "slab_caches") && kernel->percpu_offsets &&
	    kernel->layout.vmemmap_base.origin)
		return;
	probe = live_probe_bpf__open_and_load();
	if (!probe)
		return;
	kernel_forget(kernel); /* the map is newer than what was read before */
	find_all(kernel, probe);
}
