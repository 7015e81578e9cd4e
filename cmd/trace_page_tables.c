// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Tells programs where page tables lie and how deep they are (bpf/page_walk.bpf.h). */
#include "trace.h"

#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "source_live.h"

DEFINE_CLEANUP(memory_source, struct memory_source *, memory_source_close(v));

int trace_set_page_tables(struct trace *trace, bool *ret_is_known, struct error *err)
{
	CLEANUP(memory_source) struct memory_source *source = NULL;
	uint64_t base = 0, levels = 4;
	struct error ignored;
	int status;

	if (source_live_open(LIVE_BPF, &source, &ignored) == 0) {
		for (size_t i = 0; i < source->value_count; i++)
			if (strcmp(source->values[i].name, "page_offset_base") == 0)
				base = source->values[i].address;
		/* arch/x86/kernel/machine_kexec_64.c, arch_crash_save_vmcoreinfo() */
		if (source->vmcoreinfo && strstr(source->vmcoreinfo, "NUMBER(pgtable_l5_enabled)=1"))
			levels = 5;
		if (!source->vmcoreinfo)
			base = 0;
	}
	*ret_is_known = base != 0;
	status = trace_set(trace, "page_walk_base", base, err);
	return status ? status : trace_set(trace, "page_walk_levels", levels, err);
}
