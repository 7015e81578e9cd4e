/* SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause */
/*
 * swapin's programs on functions: what goes to swap and comes back without a bio, and what is waited for. Included by
 * swapin.bpf.c alone.
 */
#ifndef DILL_SWAPIN_FUNCTIONS_BPF_H
#define DILL_SWAPIN_FUNCTIONS_BPF_H

#include "swapin_books.bpf.h"

volatile const __u8 knows_zeros; /* e7ac4daeed91 ("mm: count zeromap read and set for swapout and swapin"), 6.13 */

/* Since 7.3 a list of what is to be read or written at once is the first argument. */
struct swap_io_ctx {
	void *sio;
} __attribute__((preserve_access_index));
#define FOLIO_ARGUMENT(ctx) (bpf_core_type_exists(struct swap_io_ctx) ? (const void *)(ctx)[1] : (const void *)(ctx)[0])

/* Stores --------------------------------------------------------------------------------------------------- */

/* Time that @folio takes begins, in a function that does all before it returns. */
static __always_inline int function_begun(void)
{
	struct thread *thread = thread_of_current();

	if (thread)
		thread->started_ns = bpf_ktime_get_ns();
	return 0;
}

static __always_inline int function_done(const void *folio, u32 store, u32 direction)
{
	struct thread *thread = thread_if_known();
	u64 started_ns = thread ? thread->started_ns : 0;

	if (thread) {
		thread->started_ns = 0;
		thread->handled = HANDLED;
	}
	count_whole(folio, store, direction, started_ns);
	return 0;
}

/* Within swap_read_folio() and its like. It answers differently over time; what it has loaded is up to date. */
SEC("fexit/zswap_load")
int zswap_loaded(u64 *ctx)
{
	const void *folio = (const void *)ctx[0];

	return folio_flags(folio) & FOLIO_FLAG(PG_uptodate) ? function_done(folio, SWAP_ZSWAP, SWAP_IN) : 0;
}

SEC("fexit/zswap_store")
int zswap_stored(u64 *ctx)
{
	return (u8)ctx[1] ? function_done((const void *)ctx[0], SWAP_ZSWAP, SWAP_OUT) : 0;
}

/* Devices that take a page without a bio. */
static __always_inline int device_took_page(struct block_device *device, const void *page, u32 direction)
{
	struct swap_event event = { .direction = direction, .pages = folio_pages(page) };
	struct thread *thread = thread_if_known();

	if (!(folio_flags(page) & FOLIO_FLAG(PG_swapbacked)))
		return 0; /* a file's */
	set_device(&event, BPF_CORE_READ(device, bd_disk), device);
	if (!fill_event(&event, page, folio_memory_cgroup(page), thread ? thread->started_ns : 0))
		return 0;
	count_begin(&event);
	finish(&event, thread && thread->started_ns);
	return 0;
}

SEC("fentry/bdev_read_page")
int page_read_begun(u64 *ctx)
{
	return function_begun();
}

SEC("fexit/bdev_read_page")
int page_read(u64 *ctx) /* (struct block_device *, sector_t, struct page *) */
{
	return (s32)ctx[3] ? 0 : device_took_page((void *)ctx[0], (const void *)ctx[2], SWAP_IN);
}

SEC("fentry/bdev_write_page")
int page_write_begun(u64 *ctx)
{
	return function_begun();
}

SEC("fexit/bdev_write_page")
int page_written(u64 *ctx) /* (struct block_device *, sector_t, struct page *, struct writeback_control *) */
{
	return (s32)ctx[4] ? 0 : device_took_page((void *)ctx[0], (const void *)ctx[2], SWAP_OUT);
}

/* All that is read or written; pages of zeros are what goes neither to a device nor to zswap. */
static __always_inline int folio_begun(void)
{
	struct thread *thread = thread_of_current();

	if (thread)
		thread->handled = 0;
	return function_begun();
}

static __always_inline int folio_done(const void *folio, u32 direction, bool is_done)
{
	struct thread *thread = thread_if_known();

	return knows_zeros && thread && !thread->handled && is_done ? function_done(folio, SWAP_ZEROS, direction) : 0;
}

SEC("fentry/swap_read_folio")
int read_folio_begun(u64 *ctx)
{
	return folio_begun();
}

SEC("fexit/swap_read_folio")
int read_folio_done(u64 *ctx)
{
	const void *folio = FOLIO_ARGUMENT(ctx);

	return folio_done(folio, SWAP_IN, folio_flags(folio) & FOLIO_FLAG(PG_uptodate));
}

/* One that had been in swap all the time, unchanged, is taken out of the swap cache instead. */
static __always_inline int writeout_done(const void *folio, s32 status)
{
	u64 flags = folio_flags(folio);

	return folio_done(folio, SWAP_OUT, !status && flags & FOLIO_FLAG(PG_swapcache) && !(flags & FOLIO_FLAG(PG_writeback)));
}

SEC("fentry/swap_writepage")
int writepage_begun(u64 *ctx)
{
	return folio_begun();
}

SEC("fexit/swap_writepage")
int writepage_done(u64 *ctx)
{
	return writeout_done((const void *)ctx[0], ctx[2]);
}

SEC("fentry/swap_writeout")
int writeout_begun(u64 *ctx)
{
	return folio_begun();
}

SEC("fexit/swap_writeout")
int writeout_ended(u64 *ctx)
{
	return writeout_done(FOLIO_ARGUMENT(ctx), ctx[2]);
}

/* What is waited for ---------------------------------------------------------------------------------------- */

#define WANTS_NOTHING (~0ULL)

static __always_inline int want(u64 entry)
{
	struct thread *thread = thread_of_current();

	if (!thread)
		return 0;
	thread->wanted = entry;
	thread->has_wanted = 1;
	return 0;
}

static __always_inline int want_no_more(void)
{
	struct thread *thread = thread_if_known();

	if (thread)
		thread->has_wanted = 0;
	return 0;
}

/* These have the place as a struct, which fentry can't have before 6.1 (720e6a435194). */
SEC("kprobe/swapin_readahead")
int readahead_begun(struct pt_regs *regs)
{
	return want(regs->di);
}

SEC("kprobe/swap_cluster_readahead")
int cluster_begun(struct pt_regs *regs)
{
	return want(regs->di);
}

SEC("fexit/do_swap_page")
int fault_done(void *ctx)
{
	return want_no_more();
}

/* Shared memory is read by this way without a fault of that kind. */
SEC("kretprobe/swap_cluster_readahead")
int cluster_done(void *ctx)
{
	return want_no_more();
}

/* madvise(MADV_WILLNEED) */
SEC("fentry/swapin_walk_pmd_entry")
int advice_begun(void *ctx)
{
	return want(WANTS_NOTHING);
}

SEC("fexit/swapin_walk_pmd_entry")
int advice_done(void *ctx)
{
	return want_no_more();
}

#endif
