/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/* How many pages a folio has. */
#ifndef DILL_BPF_FOLIO_BPF_H
#define DILL_BPF_FOLIO_BPF_H

#include "kernel_types.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct folio___with_nr_pages { /* include/linux/mm_types.h, as in 6.18 */
	u32 _nr_pages;
};

struct folio___with_folio_nr_pages { /* as in 6.1 and 6.12 */
	u32 _folio_nr_pages;
};

#pragma clang attribute pop

enum pageflags { PG_head = 6 }; /* the bit of the running kernel is taken */

/* A large folio whose count is nowhere (configurations that have none) counts as one page. */
static __always_inline u64 folio_pages(const void *folio)
{
	u64 flags = 0;
	u32 pages = 1;

	bpf_probe_read_kernel(&flags, sizeof(flags), folio); /* its first word, as a number or a struct */
	if (!(flags & 1UL << bpf_core_enum_value(enum pageflags, PG_head)))
		return 1;
	if (bpf_core_field_exists(((struct folio___with_nr_pages *)0)->_nr_pages))
		pages = BPF_CORE_READ((const struct folio___with_nr_pages *)folio, _nr_pages);
	else if (bpf_core_field_exists(((struct folio___with_folio_nr_pages *)0)->_folio_nr_pages))
		pages = BPF_CORE_READ((const struct folio___with_folio_nr_pages *)folio, _folio_nr_pages);
	return pages ? pages : 1;
}

#endif
