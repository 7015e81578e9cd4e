// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Which events count what, opening them for threads, and sums of what was read. Samples nothing. */
#include "memory_counters.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cleanup.h"
#include "error.h"

const char counter_pmu_path[] = "/sys/bus/event_source/devices/cpu";

/* perf_event_open ------------------------------------------------------------------------------------------- */

static int kernel_open(void *context, struct perf_event_attr *attr, pid_t thread)
{
	long fd = syscall(SYS_perf_event_open, attr, thread, -1, -1, PERF_FLAG_FD_CLOEXEC);

	(void)context;
	return fd < 0 ? -errno : (int)fd;
}

static int kernel_read(void *context, int fd, struct counter_reading *ret_reading)
{
	ssize_t size = read(fd, ret_reading, sizeof(*ret_reading));

	(void)context;
	return size == sizeof(*ret_reading) ? 0 : size < 0 ? -errno : -EBADMSG;
}

static void kernel_close(void *context, int fd)
{
	(void)context;
	close(fd);
}

const struct counter_calls counter_calls_of_kernel = { kernel_open, kernel_read, kernel_close, NULL };

/* Which events ---------------------------------------------------------------------------------------------- */

#define CACHE(cache, result) \
	(PERF_COUNT_HW_CACHE_##cache | PERF_COUNT_HW_CACHE_OP_READ << 8 | PERF_COUNT_HW_CACHE_RESULT_##result << 16)

struct candidate {
	enum memory_counter counter;
	const char *event, *note;
	uint32_t type;
	uint64_t config;
};

/* In the order in which they are tried. Stalls that the PMU's own files describe come before these. */
static const struct candidate candidates[] = {
	{ COUNTER_CYCLES, "cycles", NULL, PERF_TYPE_HARDWARE, PERF_COUNT_HW_CPU_CYCLES },
	{ COUNTER_INSTRUCTIONS, "instructions", NULL, PERF_TYPE_HARDWARE, PERF_COUNT_HW_INSTRUCTIONS },
	{ COUNTER_LLC_LOADS, "LLC-loads", NULL, PERF_TYPE_HW_CACHE, CACHE(LL, ACCESS) },
	{ COUNTER_LLC_LOADS, "cache-references", "not only loads", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_REFERENCES },
	{ COUNTER_LLC_MISSES, "LLC-load-misses", NULL, PERF_TYPE_HW_CACHE, CACHE(LL, MISS) },
	{ COUNTER_LLC_MISSES, "cache-misses", "not only of loads", PERF_TYPE_HARDWARE, PERF_COUNT_HW_CACHE_MISSES },
	{ COUNTER_DTLB_LOADS, "dTLB-loads", NULL, PERF_TYPE_HW_CACHE, CACHE(DTLB, ACCESS) },
	{ COUNTER_DTLB_MISSES, "dTLB-load-misses", NULL, PERF_TYPE_HW_CACHE, CACHE(DTLB, MISS) },
	{ COUNTER_STALL_CYCLES, "stalled-cycles-backend", "not only for memory", PERF_TYPE_HARDWARE,
	  PERF_COUNT_HW_STALLED_CYCLES_BACKEND },
	{ COUNTER_TASK_CLOCK, "task-clock", NULL, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_TASK_CLOCK },
	{ COUNTER_MINOR_FAULTS, "minor-faults", NULL, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MIN },
	{ COUNTER_MAJOR_FAULTS, "major-faults", NULL, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_PAGE_FAULTS_MAJ },
	{ COUNTER_SWITCHES, "context-switches", NULL, PERF_TYPE_SOFTWARE, PERF_COUNT_SW_CONTEXT_SWITCHES },
};

/* Events of PMUs that count stalls for memory alone, by their names in sysfs. */
static const char *const stall_events[] = { "stall_backend_mem", "mem-stalls" };

const char *memory_counter_name(enum memory_counter counter)
{
	static const char *const names[COUNTERS] = {
		"cycles", "instructions", "llc_loads", "llc_misses", "dtlb_loads", "dtlb_misses", "stall_cycles", "task_clock",
		"minor_faults", "major_faults", "switches",
	};

	return names[counter];
}

static int read_line(const char *path, char *line, int size)
{
	CLEANUP(fclose) FILE *file = fopen(path, "re");

	if (!file)
		return -errno;
	if (!fgets(line, size, file))
		return -EBADMSG;
	line[strcspn(line, "\n")] = '\0';
	return 0;
}

/* A value into the bits that a format file names: "config:0-7,32-35", lowest first. */
static int place_bits(const char *format, uint64_t value, uint64_t configs[3])
{
	unsigned int word = 0, low, high, used;
	const char *at = strchr(format, ':');

	if (strncmp(format, "config1:", 8) == 0 || strncmp(format, "config2:", 8) == 0)
		word = (unsigned int)(format[6] - '0');
	else if (strncmp(format, "config:", 7) != 0)
		return -EINVAL;
	do {
		int length = 0;

		at++;
		if (sscanf(at, "%u-%u%n", &low, &high, &length) != 2) {
			if (sscanf(at, "%u%n", &low, &length) != 1)
				return -EINVAL;
			high = low;
		}
		if (high > 63 || low > high)
			return -EINVAL;
		used = high - low + 1;
		configs[word] |= (used < 64 ? value & ((1ULL << used) - 1) : value) << low;
		value = used < 64 ? value >> used : 0;
		at += length;
	} while (*at == ',');
	return value ? -ERANGE : 0;
}

int counter_event_parse(const char *pmu_path, const char *text, uint64_t ret_configs[3])
{
	CLEANUP(free) char *copy = strdup(text);
	uint64_t configs[3] = { 0 };
	char *rest = copy, *term;

	if (!copy)
		return -ENOMEM;
	while ((term = strsep(&rest, ","))) {
		char path[512], format[128], *value = strchr(term, '='), *end = NULL;
		uint64_t number = 1;
		int status;

		if (value) {
			*value++ = '\0';
			number = strtoull(value, &end, 0);
			if (end == value || *end)
				return -EINVAL;
		}
		if (!*term || strchr(term, '/'))
			return -EINVAL;
		snprintf(path, sizeof(path), "%s/format/%s", pmu_path, term);
		status = read_line(path, format, sizeof(format));
		if (!status)
			status = place_bits(format, number, configs);
		if (status)
			return status;
	}
	memcpy(ret_configs, configs, sizeof(configs));
	return 0;
}

/* An event of the PMU by its name among its events, or by its terms. */
static int find_event(const char *pmu_path, const char *name, uint64_t ret_configs[3], uint32_t *ret_type)
{
	char path[512], text[256];
	int status;

	snprintf(path, sizeof(path), "%s/type", pmu_path);
	status = read_line(path, text, sizeof(text));
	if (status)
		return status;
	*ret_type = (uint32_t)strtoul(text, NULL, 10);
	if (strchr(name, '='))
		return counter_event_parse(pmu_path, name, ret_configs);
	if (strchr(name, '/'))
		return -EINVAL;
	snprintf(path, sizeof(path), "%s/events/%s", pmu_path, name);
	status = read_line(path, text, sizeof(text));
	return status ? status : counter_event_parse(pmu_path, text, ret_configs);
}

static struct perf_event_attr make_attr(const struct memory_counters *counters, const struct counter_choice *choice)
{
	return (struct perf_event_attr){
		.type = choice->type, .size = sizeof(struct perf_event_attr), .config = choice->config,
		.config1 = choice->config1, .config2 = choice->config2, .disabled = 1,
		.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING,
		.exclude_kernel = counters->is_user_only, .exclude_hv = counters->is_user_only,
	};
}

/* Try @choice in this thread; where the kernel's part is forbidden, without that. */
static int try_choice(struct memory_counters *counters, struct counter_choice *choice)
{
	struct perf_event_attr attr = make_attr(counters, choice);
	int fd = counters->calls->open(counters->calls->context, &attr, 0);

	if (fd == -EACCES && !counters->is_user_only) {
		attr.exclude_kernel = attr.exclude_hv = 1;
		fd = counters->calls->open(counters->calls->context, &attr, 0);
		counters->is_user_only = fd >= 0;
	}
	choice->error = fd < 0 ? fd : 0;
	if (fd >= 0)
		counters->calls->close(counters->calls->context, fd);
	return choice->error;
}

static void try_inheritance(struct memory_counters *counters)
{
	struct counter_choice clock = { .type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_TASK_CLOCK };
	struct perf_event_attr attr = make_attr(counters, &clock);
	int fd;

	attr.inherit = attr.inherit_thread = 1; /* 2b26f0aa0044, 5.13 */
	fd = counters->calls->open(counters->calls->context, &attr, 0);
	counters->has_thread_inheritance = fd >= 0;
	if (fd >= 0)
		counters->calls->close(counters->calls->context, fd);
}

static int try_stalls(struct memory_counters *counters, const char *pmu_path, const char *wanted, struct error *err)
{
	size_t count = wanted ? 1 : sizeof(stall_events) / sizeof(*stall_events);
	struct counter_choice *choice = &counters->choices[COUNTER_STALL_CYCLES];

	for (size_t i = 0; i < count && choice->error; i++) {
		struct counter_choice trial = { .event = wanted ? wanted : stall_events[i] };
		uint64_t configs[3];
		int status = find_event(pmu_path, trial.event, configs, &trial.type);

		if (status && wanted && access(pmu_path, F_OK) == 0)
			return error_set(err, -EINVAL, "the processor's events know no '%s' (%s/events and format)", wanted,
					 pmu_path);
		if (status && !wanted)
			continue;
		trial.config = status ? 0 : configs[0];
		trial.config1 = status ? 0 : configs[1];
		trial.config2 = status ? 0 : configs[2];
		trial.error = status;
		if (!status)
			try_choice(counters, &trial);
		*choice = trial;
	}
	return 0;
}

int memory_counters_try(const struct counter_calls *calls, const char *pmu_path, const char *stall_event,
			struct memory_counters *ret_counters, struct error *err)
{
	struct memory_counters counters = { .calls = calls };
	int status;

	for (size_t i = 0; i < COUNTERS; i++)
		counters.choices[i].error = -ENOENT;
	status = try_stalls(&counters, pmu_path, stall_event, err);
	for (size_t i = 0; i < sizeof(candidates) / sizeof(*candidates) && !status; i++) {
		const struct candidate *candidate = &candidates[i];
		struct counter_choice *choice = &counters.choices[candidate->counter];

		if (!choice->error || (candidate->counter == COUNTER_STALL_CYCLES && stall_event))
			continue;
		*choice = (struct counter_choice){ .event = candidate->event, .note = candidate->note, .type = candidate->type,
						   .config = candidate->config };
		try_choice(&counters, choice);
	}
	if (status)
		return status;
	try_inheritance(&counters);
	*ret_counters = counters;
	return 0;
}

size_t memory_counters_hardware_count(const struct memory_counters *counters)
{
	size_t count = 0;

	for (size_t i = 0; i < COUNTER_HARDWARE_COUNT; i++)
		count += !counters->choices[i].error;
	return count;
}

/* Threads --------------------------------------------------------------------------------------------------- */

int counted_threads_add(const struct memory_counters *counters, pid_t thread, bool on_exec, bool with_children,
			bool wants_software, struct counted_threads *threads)
{
	size_t limit = wants_software ? COUNTERS : COUNTER_HARDWARE_COUNT, before = threads->count;
	struct counted_event *grown = reallocarray(threads->events, threads->count + COUNTERS, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	threads->events = grown;
	for (size_t i = 0; i < limit; i++) {
		struct perf_event_attr attr = make_attr(counters, &counters->choices[i]);
		int fd;

		if (counters->choices[i].error)
			continue;
		attr.disabled = on_exec;
		attr.enable_on_exec = on_exec;
		attr.inherit = 1;
		attr.inherit_thread = !with_children && counters->has_thread_inheritance;
		fd = counters->calls->open(counters->calls->context, &attr, thread);
		if (fd < 0) {
			while (threads->count > before)
				counters->calls->close(counters->calls->context, threads->events[--threads->count].fd);
			return fd;
		}
		threads->events[threads->count++] = (struct counted_event){ .fd = fd, .counter = i };
	}
	return 0;
}

bool counter_scale(const struct counter_reading *before, const struct counter_reading *now, double *ret_value)
{
	uint64_t enabled = now->enabled_ns - before->enabled_ns, running = now->running_ns - before->running_ns;

	if (!running)
		return false;
	*ret_value = (double)(now->value - before->value) * ((double)enabled / (double)running);
	return true;
}

int counted_threads_read(const struct memory_counters *counters, struct counted_threads *threads,
			 struct counter_sum ret_sums[COUNTERS])
{
	memset(ret_sums, 0, COUNTERS * sizeof(*ret_sums));
	for (size_t i = 0; i < threads->count; i++) {
		struct counted_event *event = &threads->events[i];
		struct counter_sum *sum = &ret_sums[event->counter];
		struct counter_reading now;
		double value = 0;
		int status = counters->calls->read(counters->calls->context, event->fd, &now);

		if (status)
			return status;
		if (counter_scale(&event->before, &now, &value))
			sum->value += value;
		sum->enabled_ns += now.enabled_ns - event->before.enabled_ns;
		sum->running_ns += now.running_ns - event->before.running_ns;
		event->before = now;
	}
	return 0;
}

void counted_threads_deinit(const struct memory_counters *counters, struct counted_threads *threads)
{
	for (size_t i = 0; i < threads->count; i++)
		counters->calls->close(counters->calls->context, threads->events[i].fd);
	free(threads->events);
	*threads = (struct counted_threads){ 0 };
}
