// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Looks names up in the kernel's BTF and in /proc/kallsyms. Tracepoints of modules are not known here. */
#include "kernel_targets.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "error.h"

struct kernel_targets {
	struct btf *btf;
};

int kernel_targets_open(struct kernel_targets **ret_targets, struct error *err)
{
	struct kernel_targets *targets = calloc(1, sizeof(*targets));

	if (!targets)
		return error_set(err, -ENOMEM, "out of memory");
	targets->btf = btf__load_vmlinux_btf();
	if (!targets->btf) {
		free(targets);
		return error_set(err, -ENOENT, "the kernel's types cannot be read: %s (CONFIG_DEBUG_INFO_BTF)",
				 strerror(errno));
	}
	*ret_targets = targets;
	return 0;
}

void kernel_targets_close(struct kernel_targets *targets)
{
	if (!targets)
		return;
	btf__free(targets->btf);
	free(targets);
}

struct btf *kernel_targets_btf(struct kernel_targets *targets)
{
	return targets->btf;
}

/* include/trace/bpf_probe.h declares btf_trace_NAME for each tracepoint, since 5.5. */
static bool has_tracepoint(struct kernel_targets *targets, const char *name)
{
	char type[160];

	snprintf(type, sizeof(type), "btf_trace_%s", name);
	return btf__find_by_name_kind(targets->btf, type, BTF_KIND_TYPEDEF) > 0;
}

/* Functions without a prototype in BTF (static ones with odd names) may be in kallsyms all the same. */
static bool is_in_kallsyms(const char *name)
{
	CLEANUP(fclose) FILE *file = fopen("/proc/kallsyms", "re");
	char line[512], symbol[256], kind;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "%*x %c %255s", &kind, symbol) == 2 && (kind == 't' || kind == 'T') &&
		    strcmp(symbol, name) == 0)
			return true;
	return false;
}

static bool has_function(struct kernel_targets *targets, const char *name, bool wants_type)
{
	return btf__find_by_name_kind(targets->btf, name, BTF_KIND_FUNC) > 0 || (!wants_type && is_in_kallsyms(name));
}

static bool has_word(struct kernel_targets *targets, const char *word)
{
	static const struct {
		const char *prefix;
		enum { TRACEPOINT, FORMATTED, FUNCTION, TYPED_FUNCTION } kind;
	} kinds[] = {
		{ "raw_tp/", TRACEPOINT },	{ "tp_btf/", TRACEPOINT },	{ "raw_tracepoint/", TRACEPOINT },
		{ "tp/", FORMATTED },		{ "tracepoint/", FORMATTED },	{ "kprobe/", FUNCTION },
		{ "kretprobe/", FUNCTION },	{ "fentry/", TYPED_FUNCTION },	{ "fexit/", TYPED_FUNCTION },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		size_t length = strlen(kinds[i].prefix);
		const char *name = word + length, *slash;

		if (strncmp(word, kinds[i].prefix, length) != 0)
			continue;
		if (kinds[i].kind == TRACEPOINT)
			return has_tracepoint(targets, name);
		if (kinds[i].kind == FORMATTED) {
			slash = strchr(name, '/');
			/* Those of system calls are no tracepoints of their own: enter and exit are told apart later. */
			return !slash || strncmp(name, "syscalls/", 9) == 0 || has_tracepoint(targets, slash + 1);
		}
		return has_function(targets, name, kinds[i].kind == TYPED_FUNCTION);
	}
	return true;
}

bool kernel_targets_have(struct kernel_targets *targets, const char *names, char *ret_missing, unsigned int size)
{
	CLEANUP(free) char *copy = strdup(names);
	char *rest = copy;

	for (char *word; copy && (word = strsep(&rest, " "));) {
		bool has_one = !*word;
		char *alternatives = word;
		char whole[256];

		snprintf(whole, sizeof(whole), "%s", word);
		for (char *alternative; !has_one && (alternative = strsep(&alternatives, "|"));)
			has_one = has_word(targets, alternative);
		if (has_one)
			continue;
		if (ret_missing)
			snprintf(ret_missing, size, "%s", whole);
		return false;
	}
	return copy != NULL;
}

int kernel_targets_argument(struct kernel_targets *targets, const char *tracepoint, const char *argument)
{
	const struct btf_param *parameters;
	const struct btf_type *type;
	char name[160];
	int id;

	snprintf(name, sizeof(name), "__traceiter_%s", tracepoint);
	id = btf__find_by_name_kind(targets->btf, name, BTF_KIND_FUNC);
	type = id > 0 ? btf__type_by_id(targets->btf, id) : NULL;
	type = type ? btf__type_by_id(targets->btf, type->type) : NULL;
	if (!type || !btf_is_func_proto(type))
		return -ENOENT;
	parameters = btf_params(type);
	for (int i = 1; i < btf_vlen(type); i++) /* the first is what the probe was registered with */
		if (strcmp(btf__name_by_offset(targets->btf, parameters[i].name_off), argument) == 0)
			return i - 1;
	return -ENOENT;
}

static long long enumerator_value(const struct btf_type *type, int index)
{
	if (btf_is_enum64(type))
		return (long long)btf_enum64_value(&btf_enum64(type)[index]);
	return btf_enum(type)[index].val;
}

const char *kernel_targets_enumerator(struct kernel_targets *targets, const char *type_name, long long value)
{
	int id = btf__find_by_name_kind(targets->btf, type_name, BTF_KIND_ENUM);
	const struct btf_type *type;

	if (id <= 0)
		id = btf__find_by_name_kind(targets->btf, type_name, BTF_KIND_ENUM64);
	type = id > 0 ? btf__type_by_id(targets->btf, id) : NULL;
	for (int i = 0; type && i < btf_vlen(type); i++) {
		unsigned int name = btf_is_enum64(type) ? btf_enum64(type)[i].name_off : btf_enum(type)[i].name_off;

		if (enumerator_value(type, i) == value)
			return btf__name_by_offset(targets->btf, name);
	}
	return NULL;
}
