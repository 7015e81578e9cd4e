// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* What is found out by reading files and asking about this process; no BPF here. */
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "cleanup.h"
#include "kernel_caps_trial.h"
#include "kernel_tracefs.h"

#define HUGEPAGES "/sys/kernel/mm/hugepages"

DEFINE_CLEANUP(dir, DIR *, if (v) closedir(v));

/* The first bytes of a small file, terminated. */
static int read_text(int directory_fd, const char *path, char *text, size_t size)
{
	CLEANUP(close) int fd = openat(directory_fd, path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	if (fd < 0)
		return -errno;
	length = read(fd, text, size - 1);
	if (length < 0)
		return -errno;
	text[length] = '\0';
	return 0;
}

/* The value of "key:\tvalue" in /proc/self/status. */
static unsigned long long read_status(const char *status, const char *key, int base)
{
	const char *at = strstr(status, key);

	return at ? strtoull(at + strlen(key), NULL, base) : 0;
}

static void read_process_facts(struct kernel_caps *caps)
{
	unsigned long inside, outside, length;
	char text[4096];

	if (!read_text(AT_FDCWD, "/proc/self/status", text, sizeof(text))) {
		caps->process_caps = read_status(text, "\nCapEff:", 16);
		caps->is_seccomp_filtered = read_status(text, "\nSeccomp:", 10) == 2;
	}
	if (!read_text(AT_FDCWD, "/proc/self/uid_map", text, sizeof(text)) &&
	    sscanf(text, "%lu %lu %lu", &inside, &outside, &length) == 3)
		caps->is_in_user_namespace = inside || outside || length != UINT32_MAX;
}

static void read_sysctls(struct kernel_caps *caps)
{
	static const struct kernel_sysctl names[SYSCTL_COUNT] = {
		[SYSCTL_UNPRIVILEGED_BPF_DISABLED] = { .name = "kernel.unprivileged_bpf_disabled" },
		[SYSCTL_PERF_EVENT_PARANOID] = { .name = "kernel.perf_event_paranoid" },
		[SYSCTL_KPTR_RESTRICT] = { .name = "kernel.kptr_restrict" },
		[SYSCTL_YAMA_PTRACE_SCOPE] = { .name = "kernel.yama.ptrace_scope" },
		[SYSCTL_BPF_JIT_ENABLE] = { .name = "net.core.bpf_jit_enable" },
	};
	char path[128], text[32];

	for (size_t i = 0; i < SYSCTL_COUNT; i++) {
		struct kernel_sysctl *sysctl = &caps->sysctls[i];

		*sysctl = names[i];
		snprintf(path, sizeof(path), "/proc/sys/%s", sysctl->name);
		for (char *at = path; *at; at++)
			if (*at == '.')
				*at = '/';
		if (!read_text(AT_FDCWD, path, text, sizeof(text)))
			sysctl->is_known = sscanf(text, "%d", &sysctl->value) == 1;
	}
}

static enum kernel_lockdown read_lockdown(void)
{
	static const char *const paths[] = { "/sys/kernel/security", NULL };
	CLEANUP(close) int fd = -1;
	char text[128];
	int rc;

	/* Every mounted securityfs holds "lsm", so a missing "lockdown" below means that there is none. */
	rc = pseudo_fs_open("securityfs", paths, "lsm", &fd);
	if (rc)
		return rc == -ENODEV ? LOCKDOWN_NONE : LOCKDOWN_UNKNOWN;
	rc = read_text(fd, "lockdown", text, sizeof(text));
	if (rc)
		return rc == -ENOENT ? LOCKDOWN_NONE : LOCKDOWN_UNKNOWN;
	if (strstr(text, "[none]"))
		return LOCKDOWN_NONE;
	if (strstr(text, "[integrity]"))
		return LOCKDOWN_INTEGRITY;
	return strstr(text, "[confidentiality]") ? LOCKDOWN_CONFIDENTIALITY : LOCKDOWN_UNKNOWN;
}

static unsigned int count_nodes(void)
{
	CLEANUP(dir) DIR *nodes = opendir("/sys/devices/system/node");
	unsigned int count = 0, number;
	struct dirent *entry;

	while (nodes && (entry = readdir(nodes)))
		count += sscanf(entry->d_name, "node%u", &number) == 1;
	return count ? count : 1;
}

static uint64_t count_hugetlb_bytes(void)
{
	CLEANUP(dir) DIR *sizes = opendir(HUGEPAGES);
	uint64_t bytes = 0, size_kib, pages;
	char path[320], text[32];
	struct dirent *entry;

	while (sizes && (entry = readdir(sizes))) {
		snprintf(path, sizeof(path), HUGEPAGES "/%s/nr_hugepages", entry->d_name);
		if (sscanf(entry->d_name, "hugepages-%" SCNu64 "kB", &size_kib) == 1 &&
		    !read_text(AT_FDCWD, path, text, sizeof(text)) && sscanf(text, "%" SCNu64, &pages) == 1)
			bytes += pages * size_kib * 1024;
	}
	return bytes;
}

void read_machine_facts(struct kernel_caps *caps)
{
	struct sysinfo info;
	struct utsname name;

	if (!uname(&name)) {
		snprintf(caps->release, sizeof(caps->release), "%s", name.release);
		snprintf(caps->machine, sizeof(caps->machine), "%s", name.machine);
	}
	if (!sysinfo(&info))
		caps->swap_bytes = (uint64_t)info.totalswap * info.mem_unit;
	caps->hugetlb_bytes = count_hugetlb_bytes();
	caps->node_count = count_nodes();
	caps->lockdown = read_lockdown();
	read_process_facts(caps);
	read_sysctls(caps);
}

void try_not_locked_down(struct kernel_caps *caps)
{
	if (caps->lockdown == LOCKDOWN_UNKNOWN)
		cap_unknown(caps, KERNEL_CAP_NOT_LOCKED_DOWN, "securityfs is not readable");
	else if (caps->lockdown == LOCKDOWN_NONE)
		cap_yes(caps, KERNEL_CAP_NOT_LOCKED_DOWN, NULL);
	else
		cap_no(caps, KERNEL_CAP_NOT_LOCKED_DOWN,
		       "kernel lockdown is on (%s): lockdown= on its command line",
		       kernel_lockdown_name(caps->lockdown));
}

void try_process_caps(struct kernel_caps *caps)
{
	static const struct {
		enum kernel_cap_id id;
		unsigned int bit;
	} list[] = {
		{ KERNEL_CAP_PROCESS_BPF, CAP_BPF },
		{ KERNEL_CAP_PROCESS_PERFMON, CAP_PERFMON },
		{ KERNEL_CAP_PROCESS_SYS_ADMIN, CAP_SYS_ADMIN },
		{ KERNEL_CAP_PROCESS_SYS_PTRACE, CAP_SYS_PTRACE },
		{ KERNEL_CAP_PROCESS_DAC_READ_SEARCH, CAP_DAC_READ_SEARCH },
		{ KERNEL_CAP_PROCESS_SYSLOG, CAP_SYSLOG },
		{ KERNEL_CAP_PROCESS_SYS_RESOURCE, CAP_SYS_RESOURCE },
	};

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		if (caps->process_caps & NEEDS(list[i].bit))
			cap_yes(caps, list[i].id,
				caps->is_in_user_namespace ? "only inside this user namespace" : NULL);
		else if (list[i].bit == CAP_SYS_RESOURCE)
			cap_no(caps, list[i].id,
			       "not held; only of use to raise RLIMIT_MEMLOCK without bpf_memcg");
		else
			cap_no(caps, list[i].id, "not in this process's effective set");
}

void try_kcore(struct kernel_caps *caps)
{
	char magic[5];
	int rc = read_text(AT_FDCWD, "/proc/kcore", magic, sizeof(magic));

	if (!rc)
		cap_yes(caps, KERNEL_CAP_KCORE, NULL);
	else
		cap_refused(caps, KERNEL_CAP_KCORE, rc, NEEDS(CAP_SYS_RAWIO) | NEEDS(CAP_DAC_READ_SEARCH),
			    "this kernel has no /proc/kcore: CONFIG_PROC_KCORE");
}

/*
 * Two data symbols that every kernel has, and kallsyms only with CONFIG_KALLSYMS_ALL. The type letter says
 * nothing: newer kernels list data as "T".
 */
static bool is_known_data(const char *line)
{
	return strstr(line, " init_task\n") || strstr(line, " slab_caches\n");
}

void try_kallsyms(struct kernel_caps *caps)
{
	CLEANUP(fclose) FILE *file = fopen("/proc/kallsyms", "re");
	bool has_addresses = false, has_data = false;
	char line[512];

	if (!file) {
		int rc = -errno;

		cap_refused(caps, KERNEL_CAP_KALLSYMS_ADDRESSES, rc, 0, "no /proc/kallsyms: CONFIG_KALLSYMS");
		cap_refused(caps, KERNEL_CAP_KALLSYMS_DATA, rc, 0, "no /proc/kallsyms: CONFIG_KALLSYMS");
		return;
	}
	while (!(has_addresses && has_data) && fgets(line, sizeof(line), file)) {
		has_addresses |= line[strspn(line, "0")] != ' ';
		has_data |= is_known_data(line);
	}
	if (has_addresses)
		cap_yes(caps, KERNEL_CAP_KALLSYMS_ADDRESSES, NULL);
	else
		cap_no(caps, KERNEL_CAP_KALLSYMS_ADDRESSES,
		       "all addresses read 0: needs CAP_SYSLOG, and kernel.kptr_restrict (now %d) below 2",
		       caps->sysctls[SYSCTL_KPTR_RESTRICT].value);
	if (has_data)
		cap_yes(caps, KERNEL_CAP_KALLSYMS_DATA, NULL);
	else
		cap_no(caps, KERNEL_CAP_KALLSYMS_DATA, "functions only: CONFIG_KALLSYMS_ALL is off");
}

void try_memory_in_use(struct kernel_caps *caps)
{
	char text[64];
	int rc = read_text(AT_FDCWD, "/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof(text));

	if (caps->swap_bytes)
		cap_yes(caps, KERNEL_CAP_SWAP, NULL);
	else
		cap_no(caps, KERNEL_CAP_SWAP, "no swap space is in use");
	if (caps->hugetlb_bytes)
		cap_yes(caps, KERNEL_CAP_HUGETLB, NULL);
	else if (access(HUGEPAGES, F_OK))
		cap_no(caps, KERNEL_CAP_HUGETLB, "this kernel has no huge page pools: CONFIG_HUGETLBFS");
	else
		cap_no(caps, KERNEL_CAP_HUGETLB, "the pools are empty: sysctl vm.nr_hugepages");
	if (rc)
		cap_no(caps, KERNEL_CAP_TRANSPARENT_HUGE_PAGES, "CONFIG_TRANSPARENT_HUGEPAGE is off");
	else if (strstr(text, "[never]"))
		cap_no(caps, KERNEL_CAP_TRANSPARENT_HUGE_PAGES,
		       "set to never in /sys/kernel/mm/transparent_hugepage");
	else
		cap_yes(caps, KERNEL_CAP_TRANSPARENT_HUGE_PAGES,
			strstr(text, "[madvise]") ? "on madvise(2)" : NULL);
	if (caps->node_count > 1)
		cap_yes(caps, KERNEL_CAP_NUMA, NULL);
	else
		cap_no(caps, KERNEL_CAP_NUMA, "one memory node");
}

void try_cgroups(struct kernel_caps *caps)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	char buffer[4096];
	struct mntent entry;

	cap_no(caps, KERNEL_CAP_CGROUP_V1_MEMORY, "not mounted");
	cap_no(caps, KERNEL_CAP_CGROUP_V2, "not mounted");
	if (!mounts)
		return;
	while (getmntent_r(mounts, &entry, buffer, sizeof(buffer))) {
		if (!strcmp(entry.mnt_type, "cgroup") && hasmntopt(&entry, "memory"))
			cap_yes(caps, KERNEL_CAP_CGROUP_V1_MEMORY, NULL);
		if (!strcmp(entry.mnt_type, "cgroup2"))
			cap_yes(caps, KERNEL_CAP_CGROUP_V2, NULL);
	}
	endmntent(mounts);
	if (caps->caps[KERNEL_CAP_CGROUP_V2].state == CAP_YES &&
	    caps->caps[KERNEL_CAP_CGROUP_V1_MEMORY].state == CAP_YES)
		cap_yes(caps, KERNEL_CAP_CGROUP_V2, "the memory controller is with v1");
}

void try_psi(struct kernel_caps *caps)
{
	char text[256];
	int rc = read_text(AT_FDCWD, "/proc/pressure/memory", text, sizeof(text));

	if (!rc)
		cap_yes(caps, KERNEL_CAP_PSI, NULL);
	else if (rc == -EOPNOTSUPP)
		cap_no(caps, KERNEL_CAP_PSI, "switched off: psi=1 on the kernel's command line");
	else
		cap_refused(caps, KERNEL_CAP_PSI, rc, 0,
			    "this kernel has no pressure stall information: CONFIG_PSI");
}
