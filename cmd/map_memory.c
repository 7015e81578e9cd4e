// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Asks the kernel's types. */
#include "map_memory.h"

#include <bpf/btf.h>

bool kernel_allocates_elements(const struct btf *types)
{
	struct btf *read = types ? NULL : btf__load_vmlinux_btf();
	const struct btf *btf = types ? types : read;
	bool has_it = btf && btf__find_by_name_kind(btf, "bpf_mem_alloc", BTF_KIND_STRUCT) > 0;

	btf__free(read);
	return has_it;
}
