// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * The answers of the trials, held against what other interfaces of the same kernel say. What a kernel lacks
 * differs from one to the next, so no test expects a certain capability to be there.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "kernel_caps.h"
#include "kernel_caps_trial.h"

static int setup_probed(void **state)
{
	struct kernel_caps *caps = malloc(sizeof(*caps));

	if (!caps)
		return -1;
	kernel_caps_probe(caps);
	*state = caps;
	return 0;
}

static int teardown(void **state)
{
	free(*state);
	return 0;
}

static void every_capability_has_a_name_of_its_own(void **state)
{
	struct kernel_caps *caps = *state;

	for (size_t i = 0; i < KERNEL_CAP_COUNT; i++) {
		assert_non_null(caps->caps[i].name);
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(caps->caps[i].name, caps->caps[j].name);
	}
}

static void whatever_is_not_there_has_a_reason(void **state)
{
	struct kernel_caps *caps = *state;

	for (size_t i = 0; i < KERNEL_CAP_COUNT; i++) {
		assert_string_not_equal(caps->caps[i].reason, "not tried");
		if (caps->caps[i].state != CAP_YES)
			assert_true(strlen(caps->caps[i].reason) > 0);
	}
}

static void only_what_is_asked_for_is_tried(void **state)
{
	struct kernel_caps caps;

	(void)state;
	kernel_caps_init(&caps);
	for (size_t i = 0; i < KERNEL_CAP_COUNT; i++)
		assert_int_equal(caps.caps[i].state, CAP_UNKNOWN);
	assert_int_not_equal(kernel_caps_get(&caps, KERNEL_CAP_NUMA)->state, CAP_UNKNOWN);
	assert_int_equal(caps.caps[KERNEL_CAP_UPROBE_MULTI].state, CAP_UNKNOWN);
	assert_string_equal(caps.caps[KERNEL_CAP_UPROBE_MULTI].reason, "not tried");
}

static void answer_stays_once_it_is_known(void **state)
{
	enum cap_state first;
	struct kernel_caps caps;

	(void)state;
	kernel_caps_init(&caps);
	first = kernel_caps_get(&caps, KERNEL_CAP_NUMA)->state;
	caps.node_count = caps.node_count > 1 ? 1 : 2;
	assert_int_equal(kernel_caps_get(&caps, KERNEL_CAP_NUMA)->state, first);
}

static bool is_capability_held(unsigned int bit)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	assert_int_equal(syscall(SYS_capget, &header, data), 0);
	return data[bit / 32].effective & 1u << bit % 32;
}

static void process_capabilities_are_those_that_capget_tells(void **state)
{
	struct kernel_caps *caps = *state;

	assert_int_equal(caps->caps[KERNEL_CAP_PROCESS_BPF].state == CAP_YES, is_capability_held(CAP_BPF));
	assert_int_equal(caps->caps[KERNEL_CAP_PROCESS_PERFMON].state == CAP_YES,
			 is_capability_held(CAP_PERFMON));
	assert_int_equal(caps->caps[KERNEL_CAP_PROCESS_SYS_ADMIN].state == CAP_YES,
			 is_capability_held(CAP_SYS_ADMIN));
	assert_int_equal(caps->caps[KERNEL_CAP_PROCESS_SYSLOG].state == CAP_YES,
			 is_capability_held(CAP_SYSLOG));
	assert_int_equal(caps->caps[KERNEL_CAP_PROCESS_SYS_RESOURCE].state == CAP_YES,
			 is_capability_held(CAP_SYS_RESOURCE));
}

static bool shell_says(const char *command)
{
	return system(command) == 0;
}

static void files_of_the_kernel_agree(void **state)
{
	struct kernel_caps *caps = *state;

	assert_int_equal(caps->caps[KERNEL_CAP_KALLSYMS_DATA].state == CAP_YES,
			 shell_says("grep -qE ' . (init_task|slab_caches)$' /proc/kallsyms"));
	assert_int_equal(caps->caps[KERNEL_CAP_KALLSYMS_ADDRESSES].state == CAP_YES,
			 shell_says("grep -qvE '^0+ ' /proc/kallsyms"));
	assert_int_equal(caps->caps[KERNEL_CAP_KCORE].state == CAP_YES,
			 shell_says("head -c1 /proc/kcore >/dev/null 2>&1"));
	assert_int_equal(caps->caps[KERNEL_CAP_SWAP].state == CAP_YES,
			 shell_says("sed 1d /proc/swaps | grep -q ."));
	assert_int_equal(caps->caps[KERNEL_CAP_PSI].state == CAP_YES,
			 shell_says("cat /proc/pressure/memory >/dev/null 2>&1"));
	assert_int_equal(caps->caps[KERNEL_CAP_CGROUP_V2].state == CAP_YES,
			 shell_says("grep -q ' cgroup2 ' /proc/self/mounts"));
	assert_int_equal(caps->caps[KERNEL_CAP_BTF].state == CAP_YES,
			 shell_says("test -r /sys/kernel/btf/vmlinux"));
}

static void kernel_without_a_mechanism_is_not_said_to_have_it(void **state)
{
	struct kernel_caps *caps = *state;

	if (access("/sys/bus/event_source/devices/kprobe/type", F_OK))
		assert_int_not_equal(caps->caps[KERNEL_CAP_KPROBE].state, CAP_YES);
	if (access("/sys/bus/event_source/devices/uprobe/type", F_OK))
		assert_int_not_equal(caps->caps[KERNEL_CAP_UPROBE_PERF].state, CAP_YES);
	if (access("/sys/kernel/btf/vmlinux", F_OK)) {
		assert_int_not_equal(caps->caps[KERNEL_CAP_FENTRY].state, CAP_YES);
		assert_int_not_equal(caps->caps[KERNEL_CAP_ITER_TASK].state, CAP_YES);
	}
}

static int count_open_files(void)
{
	int count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void trials_leave_no_descriptor_open(void **state)
{
	int before = count_open_files();
	struct kernel_caps caps;

	(void)state;
	kernel_caps_probe(&caps);
	assert_int_equal(count_open_files(), before);
}

/* In a child, which gives every capability up. Returns 0 when all is as expected, else the check's number. */
static int check_without_capabilities(void)
{
	static const enum kernel_cap_id tracing[] = {
		KERNEL_CAP_RAW_TRACEPOINT, KERNEL_CAP_UPROBE_MULTI,    KERNEL_CAP_UPROBE_PERF,
		KERNEL_CAP_BPF_RINGBUF,    KERNEL_CAP_BPF_READ_KERNEL, KERNEL_CAP_PERF_SOFTWARE,
	};
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct none[2] = { 0 };
	struct kernel_caps caps;

	if (syscall(SYS_capset, &header, none))
		return 1;
	kernel_caps_init(&caps);
	for (size_t i = 0; i < sizeof(tracing) / sizeof(tracing[0]); i++) {
		const struct kernel_cap *cap = kernel_caps_get(&caps, tracing[i]);

		if (cap->state != CAP_NO || !strstr(cap->reason, "CAP_BPF"))
			return 10 + i;
	}
	if (kernel_caps_get(&caps, KERNEL_CAP_PROCESS_BPF)->state != CAP_NO)
		return 2;
	return 0;
}

static void process_without_capabilities_is_told_which_one_is_missing(void **state)
{
	int status;
	pid_t child;

	(void)state;
	child = fork();
	if (!child)
		_exit(check_without_capabilities());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static const char *refusal(struct kernel_caps *caps, int rc, uint64_t needed)
{
	cap_refused(caps, KERNEL_CAP_KCORE, rc, needed, "the kernel lacks it");
	return caps->caps[KERNEL_CAP_KCORE].reason;
}

static void refusal_names_the_missing_capabilities_only(void **state)
{
	struct kernel_caps caps = { .process_caps = NEEDS(CAP_PERFMON) };

	(void)state;
	assert_string_equal(refusal(&caps, -EPERM, NEEDS_TRACING), "needs CAP_BPF");
	caps.process_caps = 0;
	assert_string_equal(refusal(&caps, -EACCES, NEEDS_TRACING), "needs CAP_BPF, CAP_PERFMON");
	caps.process_caps = NEEDS(CAP_SYS_ADMIN);
	assert_null(strstr(refusal(&caps, -EPERM, NEEDS_TRACING), "needs"));
	assert_int_equal(caps.caps[KERNEL_CAP_KCORE].state, CAP_NO);
}

static void refusal_with_all_capabilities_names_what_else_stands_in_the_way(void **state)
{
	struct kernel_caps caps = { .process_caps = NEEDS_TRACING };

	(void)state;
	assert_non_null(strstr(refusal(&caps, -EPERM, NEEDS_TRACING), "security module"));
	caps.lockdown = LOCKDOWN_INTEGRITY;
	assert_non_null(strstr(refusal(&caps, -EPERM, NEEDS_TRACING), "lockdown is on (integrity)"));
	caps.is_seccomp_filtered = true;
	assert_non_null(strstr(refusal(&caps, -EPERM, NEEDS_TRACING), "seccomp"));
	caps.is_in_user_namespace = true;
	assert_string_equal(refusal(&caps, -EPERM, NEEDS_TRACING),
			    "needs CAP_BPF, CAP_PERFMON in the initial user namespace");
}

static void shortage_is_no_verdict_on_the_kernel(void **state)
{
	struct kernel_caps caps = { 0 };

	(void)state;
	refusal(&caps, -EMFILE, 0);
	assert_int_equal(caps.caps[KERNEL_CAP_KCORE].state, CAP_UNKNOWN);
	assert_string_equal(refusal(&caps, -EINVAL, NEEDS_TRACING), "the kernel lacks it (EINVAL)");
	assert_int_equal(caps.caps[KERNEL_CAP_KCORE].state, CAP_NO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_capability_has_a_name_of_its_own),
		cmocka_unit_test(whatever_is_not_there_has_a_reason),
		cmocka_unit_test(only_what_is_asked_for_is_tried),
		cmocka_unit_test(answer_stays_once_it_is_known),
		cmocka_unit_test(process_capabilities_are_those_that_capget_tells),
		cmocka_unit_test(files_of_the_kernel_agree),
		cmocka_unit_test(kernel_without_a_mechanism_is_not_said_to_have_it),
		cmocka_unit_test(trials_leave_no_descriptor_open),
		cmocka_unit_test(process_without_capabilities_is_told_which_one_is_missing),
		cmocka_unit_test(refusal_names_the_missing_capabilities_only),
		cmocka_unit_test(refusal_with_all_capabilities_names_what_else_stands_in_the_way),
		cmocka_unit_test(shortage_is_no_verdict_on_the_kernel),
	};

	return cmocka_run_group_tests_name("kernel_caps", tests, setup_probed, teardown);
}
