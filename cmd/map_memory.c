// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Asks the kernel's types. */
#include "map_memory.h"

#include <bpf/btf.h>

bool kernel_allocates_elements(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool has_it = btf && btf__find_by_name_kind(btf, "bpf_mem_alloc", BTF_KIND_STRUCT) > 0;

	btf__free(btf);
	return has_it;
}
