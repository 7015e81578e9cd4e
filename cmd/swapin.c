// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* dill swapin: who has memory read from swap and written to it, on what device, whose memory it is, what it takes. */
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"
#include "swapin.h"
#include "swapin.skel.h"
#include "swapin_views.h"
#include "trace.h"
#include "trace_counts.h"

#define PAGE_BYTES 4096
#define DEVICE_NAME_BYTES 64
#define ZSWAP_PARAMETERS "/sys/module/zswap/parameters"

struct swapin_options {
	bool wants_events;
	uint64_t min_latency_ns, top;
};

struct swapin_state {
	struct trace_counts *counts;
	uint64_t reported_ns; /* CLOCK_MONOTONIC: the interval's beginning */
	uint64_t latencies[SWAP_STORES * SWAP_DIRECTIONS][HISTOGRAM_SLOTS_MAX];
	uint64_t pages[SWAP_DIRECTIONS], demanded, ahead; /* of the interval; events come here by on_event() */
};

#define OFFSET(field) offsetof(struct swapin_options, field)

static const struct option_spec swapin_option_specs[] = {
	{ 'e', "events", NULL, OPTION_FLAG, OFFSET(wants_events), NULL, "each folio by itself, instead of sums" },
	{ 't', "top", "N", OPTION_NUMBER, OFFSET(top), NULL, "the N rows with the most pages of each report (default 0: all)" },
	{ 'm', "min-latency", "TIME", OPTION_DURATION, OFFSET(min_latency_ns), NULL,
	  "with --events: only folios that took this long" },
};

enum { SOURCE_FUNCTIONS, SOURCE_TRACEPOINTS };

static int swapin_configure(struct trace *trace, struct error *err)
{
	const struct swapin_options *options = trace->run->options;

	if (options->wants_events && options->top)
		return error_set(err, -EINVAL, "--events shows each folio: it takes no --top");
	if (options->min_latency_ns && !options->wants_events)
		return error_set(err, -EINVAL, "--min-latency is for --events");
	return 0;
}

/* Whether the kernel counts a vm_event_item of this name. */
static bool has_count(struct trace *trace, const char *name)
{
	const struct btf *btf = kernel_targets_btf(trace_targets(trace));
	int id = btf__find_by_name_kind(btf, "vm_event_item", BTF_KIND_ENUM);
	const struct btf_type *type = id > 0 ? btf__type_by_id(btf, id) : NULL;

	for (int i = 0; type && i < btf_vlen(type); i++)
		if (strcmp(btf__name_by_offset(btf, btf_enum(type)[i].name_off), name) == 0)
			return true;
	return false;
}

/* What this kernel does not have is not missed, and what it has and nothing tells of is said. */
static int prepare_programs(struct trace *trace, struct error *err)
{
	static const char *const of_folios[] = { "read_folio_begun", "read_folio_done", "writepage_begun", "writepage_done",
						 "writeout_begun", "writeout_ended" };
	static const char *const of_faults[] = { "touched_by_user", "touched_by_kernel" };
	bool is_tracepoints = trace->run->rung == SOURCE_TRACEPOINTS, knows_tables = true;
	bool knows_zeros = has_count(trace, "SWPIN_ZERO"), has_zswap = trace_has_program(trace, "zswap_loaded");
	int status = trace_set(trace, "knows_zeros", knows_zeros, err);

	for (size_t i = 0; i < sizeof(of_folios) / sizeof(*of_folios) && !knows_zeros && !has_zswap; i++)
		trace_leave_out(trace, of_folios[i]);
	if (!has_count(trace, "ZSWPIN"))
		trace_leave_out(trace, "memcg_counted");
	if (!trace_has_program(trace, "memcg_counted") && !has_zswap && access(ZSWAP_PARAMETERS, F_OK) == 0)
		run_notice(trace->run, "pages that zswap gives back are not seen%s",
			   is_tracepoints ? ", and those that it takes not told apart" : ", nor those that it takes");
	if (!is_tracepoints || status)
		return status;
	if (kernel_targets_have(trace_targets(trace), "fentry/bdev_read_page", NULL, 0))
		run_notice(trace->run, "zram takes pages by a way of its own: those that it gives back are not seen");
	status = trace_set_page_tables(trace, &knows_tables, err);
	for (size_t i = 0; i < sizeof(of_faults) / sizeof(*of_faults) && !knows_tables; i++)
		trace_leave_out(trace, of_faults[i]);
	if (!status && !knows_tables)
		run_notice(trace->run, "page tables cannot be read: readahead is not told apart from what is demanded");
	return status;
}

static const struct trace_argument swapin_arguments[] = {
	{ "queued_bio", "block_bio_queue", "bio" },
	{ "completed_bio", "block_bio_complete", "bio" },
	{ "completed_request", "block_rq_complete", "rq" },
	{ "completed_bytes", "block_rq_complete", "nr_bytes" },
	{ 0 },
};

static int swapin_prepare(struct trace *trace, struct error *err)
{
	const struct swapin_options *options = trace->run->options;
	int status = prepare_programs(trace, err);

	if (!status)
		status = trace_set(trace, "is_tracepoints", trace->run->rung == SOURCE_TRACEPOINTS, err);
	if (!status)
		status = trace_set(trace, "wants_events", options->wants_events, err);
	return status ? status : trace_set(trace, "min_latency_ns", options->min_latency_ns, err);
}

#define WORD(field) (offsetof(struct swap_value, field) / sizeof(uint64_t))

static int swapin_begin(struct trace *trace, struct error *err)
{
	struct swapin_state *state = trace->state;

	state->reported_ns = run_monotonic_ns();
	return trace_counts_create(trace, "swap_counts",
				   1U << WORD(sums[SWAP_IN].latency_max_ns) | 1U << WORD(sums[SWAP_OUT].latency_max_ns),
				   &state->counts, err);
}

/* The name of a block device by its number as the kernel has it, or that number. */
static struct view_value device_value(uint32_t device, char name[DEVICE_NAME_BYTES])
{
	char path[64], target[512];
	const char *last;
	ssize_t size;

	if (!device)
		return view_absent();
	snprintf(name, DEVICE_NAME_BYTES, "%u:%u", device >> 20, device & 0xfffff);
	snprintf(path, sizeof(path), "/sys/dev/block/%s", name);
	size = readlink(path, target, sizeof(target) - 1);
	if (size > 0) {
		target[size] = '\0';
		last = strrchr(target, '/');
		snprintf(name, DEVICE_NAME_BYTES, "%.60s", last ? last + 1 : target);
	}
	return view_text(name);
}

static void owner_values(struct trace *trace, uint64_t owner, struct view_value *values)
{
	const char *container = NULL;

	values[0] = view_text(owner ? trace_cgroup(trace, owner, &container) : NULL);
	values[1] = view_u64(owner);
	values[2] = view_text(container);
}

static int swapin_on_event(struct trace *trace, const struct trace_head *head, size_t size)
{
	const struct swap_event *event = (const void *)head;
	struct swapin_state *state = trace->state;
	struct view_value values[EVENT_COLUMNS];
	char device[DEVICE_NAME_BYTES];
	uint64_t *slots;

	if (size < sizeof(*event) || event->store >= SWAP_STORES || event->direction >= SWAP_DIRECTIONS)
		return -EBADMSG;
	slots = state->latencies[event->store * SWAP_DIRECTIONS + event->direction];
	if (event->is_timed)
		slots[event->latency_ns ? 63 - __builtin_clzll(event->latency_ns) : 0]++;
	state->pages[event->direction] += event->pages;
	state->demanded += event->reason == SWAP_REASON_DEMANDED ? event->pages : 0;
	state->ahead += event->reason == SWAP_REASON_AHEAD ? event->pages : 0;
	trace_head_values(trace, head, values);
	values[EVENT_DIRECTION] = view_u64(event->direction);
	values[EVENT_STORE] = view_u64(event->store);
	values[EVENT_DEVICE] = device_value(event->device, device);
	values[EVENT_PAGES] = view_u64(event->pages);
	values[EVENT_BYTES] = view_u64((uint64_t)event->pages * PAGE_BYTES);
	values[EVENT_REASON] = event->direction == SWAP_IN ? view_u64(event->reason) : view_absent();
	values[EVENT_LATENCY] = event->is_timed ? view_u64(event->latency_ns) : view_absent();
	values[EVENT_AREA] = event->entry ? view_u64(event->entry >> 58) : view_absent();
	values[EVENT_OFFSET] = event->entry ? view_u64(event->entry & ((1ULL << 58) - 1)) : view_absent();
	owner_values(trace, event->owner, &values[EVENT_OWNER]);
	return trace_row(trace, &event_record, values);
}

/* Reports --------------------------------------------------------------------------------------------------- */

static const struct swap_value *since(const struct trace_count *count)
{
	return (const void *)count->since;
}

static void latency_values(const struct swap_sum *sum, struct view_value *ret_average, struct view_value *ret_longest)
{
	*ret_average = sum->timed ? view_u64(sum->latency_ns / sum->timed) : view_absent();
	*ret_longest = sum->timed ? view_u64(sum->latency_max_ns) : view_absent();
}

static int show_sum(struct trace *trace, const struct trace_count *count)
{
	const struct swap_key *key = count->key;
	const struct swap_sum *in = &since(count)->sums[SWAP_IN], *out = &since(count)->sums[SWAP_OUT];
	struct view_value values[SUM_COLUMNS];
	char device[DEVICE_NAME_BYTES];

	values[SUM_COMM] = view_text_n(key->comm, sizeof(key->comm));
	values[SUM_PID] = view_u64(key->pid);
	values[SUM_STORE] = view_u64(key->store);
	values[SUM_DEVICE] = device_value(key->device, device);
	values[SUM_IN] = view_u64(in->pages);
	values[SUM_IN_BYTES] = view_u64(in->pages * PAGE_BYTES);
	values[SUM_DEMANDED] = view_u64(since(count)->demanded);
	values[SUM_AHEAD] = view_u64(since(count)->ahead);
	latency_values(in, &values[SUM_IN_LATENCY], &values[SUM_IN_LONGEST]);
	values[SUM_OUT] = view_u64(out->pages);
	values[SUM_OUT_BYTES] = view_u64(out->pages * PAGE_BYTES);
	latency_values(out, &values[SUM_OUT_LATENCY], &values[SUM_OUT_LONGEST]);
	values[SUM_IN_FOLIOS] = view_u64(in->count);
	values[SUM_OUT_FOLIOS] = view_u64(out->count);
	values[SUM_IN_TIMED] = view_u64(in->timed);
	values[SUM_OUT_TIMED] = view_u64(out->timed);
	owner_values(trace, key->owner, &values[SUM_OWNER]);
	return trace_row(trace, &sum_record, values);
}

static bool take_sum(struct trace *trace, const struct trace_count *count, uint64_t ret_rank[2])
{
	struct swapin_state *state = trace->state;
	const struct swap_value *new = since(count);

	for (size_t way = 0; way < SWAP_DIRECTIONS; way++) {
		state->pages[way] += new->sums[way].pages;
		trace->counted += new->sums[way].count;
		ret_rank[0] += new->sums[way].pages;
	}
	state->demanded += new->demanded;
	state->ahead += new->ahead;
	return new->sums[SWAP_IN].count + new->sums[SWAP_OUT].count;
}

static const struct trace_ranking most_pages_first = { take_sum, show_sum };

static int show_latencies(struct trace *trace)
{
	const struct swapin_options *options = trace->run->options;
	struct swapin_state *state = trace->state;
	int status = 0;

	for (uint32_t i = 0; !options->wants_events && i < SWAP_STORES * SWAP_DIRECTIONS && !status; i++)
		status = trace_map_sum(trace_map_fd(trace, "swap_latencies"), &i, state->latencies[i], HISTOGRAM_SLOTS_MAX);
	for (size_t i = 0; i < SWAP_STORES * SWAP_DIRECTIONS && !status; i++) {
		const struct view_value kinds[] = { view_u64(i / SWAP_DIRECTIONS), view_u64(i % SWAP_DIRECTIONS) };

		status = trace_durations(trace, &latency_record, kinds, state->latencies[i]);
	}
	return status;
}

static int swapin_on_look(struct trace *trace)
{
	const struct swapin_options *options = trace->run->options;
	struct swapin_state *state = trace->state;

	return options->wants_events ? 0 : trace_counts_drain(state->counts, offsetof(struct swap_key, pid),
							     offsetof(struct swap_key, pid));
}

static int swapin_report(struct trace *trace, bool is_last, struct error *err)
{
	const struct swapin_options *options = trace->run->options;
	struct swapin_state *state = trace->state;
	uint64_t now = run_monotonic_ns(), left_out = 0;
	int status = 0;

	if (!options->wants_events)
		status = trace_counts_show(trace, state->counts, &most_pages_first, options->top, &left_out, err);
	if (!status) {
		const struct view_value values[TOTAL_COLUMNS] = {
			[TOTAL_TIME] = view_u64(run_wall_ns(trace->run, now)),
			[TOTAL_MONOTONIC] = view_u64(now),
			[TOTAL_SPAN] = view_u64(now - state->reported_ns),
			[TOTAL_IN] = view_u64(state->pages[SWAP_IN]),
			[TOTAL_IN_BYTES] = view_u64(state->pages[SWAP_IN] * PAGE_BYTES),
			[TOTAL_DEMANDED] = view_u64(state->demanded),
			[TOTAL_AHEAD] = view_u64(state->ahead),
			[TOTAL_OUT] = view_u64(state->pages[SWAP_OUT]),
			[TOTAL_OUT_BYTES] = view_u64(state->pages[SWAP_OUT] * PAGE_BYTES),
			[TOTAL_MORE] = view_u64(left_out),
		};

		status = trace_object(trace, &total_record, values);
	}
	state->reported_ns = now;
	memset(state->pages, 0, sizeof(state->pages));
	state->demanded = state->ahead = 0;
	return status || !is_last ? status : show_latencies(trace);
}

static void swapin_destroy(struct trace *trace)
{
	trace_counts_destroy(((struct swapin_state *)trace->state)->counts);
}

#define FUNCTIONS (1U << SOURCE_FUNCTIONS)
#define TRACEPOINTS (1U << SOURCE_TRACEPOINTS)
#define AHEAD "readahead is not told apart from what is demanded"

static const struct trace_program swapin_programs[] = {
	{ .name = "bio_queued", .rungs = FUNCTIONS | TRACEPOINTS },
	{ .name = "bio_completed", .rungs = FUNCTIONS | TRACEPOINTS },
	{ .name = "request_completed", .rungs = FUNCTIONS | TRACEPOINTS },
	/* Each kernel has some of these, and lacks nothing without the others. */
	{ .name = "zswap_loaded", .rungs = FUNCTIONS, .without = "" },
	{ .name = "zswap_stored", .rungs = FUNCTIONS, .without = "" },
	{ .name = "page_read_begun", .rungs = FUNCTIONS, .without = "" },
	{ .name = "page_read", .rungs = FUNCTIONS, .without = "" },
	{ .name = "page_write_begun", .rungs = FUNCTIONS, .without = "" },
	{ .name = "page_written", .rungs = FUNCTIONS, .without = "" },
	{ .name = "read_folio_begun", .rungs = FUNCTIONS, .without = "" },
	{ .name = "read_folio_done", .rungs = FUNCTIONS, .without = "" },
	{ .name = "writepage_begun", .rungs = FUNCTIONS, .without = "" },
	{ .name = "writepage_done", .rungs = FUNCTIONS, .without = "" },
	{ .name = "writeout_begun", .rungs = FUNCTIONS, .without = "" },
	{ .name = "writeout_ended", .rungs = FUNCTIONS, .without = "" },
	{ .name = "readahead_begun", .rungs = FUNCTIONS, .without = AHEAD },
	{ .name = "cluster_begun", .rungs = FUNCTIONS, .without = AHEAD ", for shared memory" },
	{ .name = "fault_done", .rungs = FUNCTIONS, .without = AHEAD ", where both ways are in use" },
	{ .name = "cluster_done", .rungs = FUNCTIONS, .without = AHEAD ", for shared memory" },
	{ .name = "advice_begun", .rungs = FUNCTIONS, .without = "what madvise(2) reads ahead counts as demanded" },
	{ .name = "advice_done", .rungs = FUNCTIONS, .without = "what madvise(2) reads ahead counts as demanded" },
	{ .name = "touched_by_user", .rungs = TRACEPOINTS, .without = AHEAD },
	{ .name = "touched_by_kernel", .rungs = TRACEPOINTS, .without = AHEAD ", where the kernel touches memory" },
	{ .name = "memcg_counted", .rungs = TRACEPOINTS, .without = "" },
	{ .name = "folio_written", .rungs = TRACEPOINTS, .without = "what no device takes is not seen", .one_of = "written" },
	{ .name = "page_written_out", .rungs = TRACEPOINTS, .without = "what no device takes is not seen", .one_of = "written" },
	{ 0 },
};

static const struct event_source swapin_events = {
	.elf = swapin_bpf__elf_bytes,
	.programs = swapin_programs,
	.arguments = swapin_arguments,
	.state_size = sizeof(struct swapin_state),
	.configure = swapin_configure,
	.prepare = swapin_prepare,
	.begin = swapin_begin,
	.on_event = swapin_on_event,
	.on_look = swapin_on_look,
	.report = swapin_report,
	.destroy = swapin_destroy,
};

#define DEVICES "raw_tp/block_bio_queue raw_tp/block_bio_complete raw_tp/block_rq_complete"

static const struct rung swapin_rungs[] = {
	[SOURCE_FUNCTIONS] = { "functions",
			       { KERNEL_CAP_BTF, KERNEL_CAP_RAW_TRACEPOINT, KERNEL_CAP_FENTRY, KERNEL_CAP_KPROBE,
				 KERNEL_CAP_BPF_RINGBUF }, 5, NULL,
			       DEVICES " fentry/swap_read_folio|fentry/swap_readpage" },
	[SOURCE_TRACEPOINTS] = { "tracepoints", { KERNEL_CAP_BTF, KERNEL_CAP_RAW_TRACEPOINT, KERNEL_CAP_BPF_RINGBUF }, 3,
				 "zswap and pages of zeros as of an unknown store on their way out, and not on their way in "
				 "(with memcg:count_memcg_events zswap of cgroups, both ways); zram before Linux 6.3 likewise", DEVICES },
};

static const struct tracer swapin_tracer = {
	TRACE_CALLBACKS,
	.events = &swapin_events,
	.ladder = { swapin_rungs, sizeof(swapin_rungs) / sizeof(*swapin_rungs) },
	.takes_command = true,
};

const struct command swapin_command = {
	.name = "swapin",
	.summary = "pages that go to swap and come back, by process and device, and how long they take",
	.usage = "[OPTIONS]\n[OPTIONS] -- COMMAND ARGS...\n--replay FILE [OPTIONS]",
	.description = "Counts pages that are read from swap, and written to it: who does it, on what device, and whose memory it is.",
	.options = swapin_option_specs,
	.option_count = sizeof(swapin_option_specs) / sizeof(*swapin_option_specs),
	.settings_size = sizeof(struct swapin_options),
	.tracer = &swapin_tracer,
	.records = swapin_records,
};
