// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Folios that go to swap and come back. A device's are seen where the block layer takes the bio, which is the same on
 * every kernel, and tells device and completion: a folio that is read from swap is the only one that is backed by swap,
 * locked and not up to date; one that is written is in a bio marked so. What needs no bio has functions: zswap's, those of
 * block devices that take pages (zram, up to 6.2: 3222d8c2a7f8, "block: remove ->rw_page"), and pages of zeros, which are
 * known by what is left undone.
 */
#include "swapin_books.bpf.h"

#include "swapin_functions.bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define BIO_FOLIOS 64   /* SWAP_CLUSTER_MAX are the most that one has */
#define REQUEST_BIOS 1024 /* 4 MiB of single pages */
#define REQ_OP_MASK 0xffU /* include/linux/blk_types.h, as these two */
#define REQ_OP_READ 0
#define REQ_OP_WRITE 1
enum req_flag_bits { __REQ_SWAP = 24 };
enum vm_event_item { ZSWPIN = 101, ZSWPOUT = 102 };

volatile const __s32 queued_bio = -1, completed_bio = -1, completed_request = -1, completed_bytes = -1; /* arguments */

/* Devices -------------------------------------------------------------------------------------------------- */

static __always_inline void set_device_of_bio(struct swap_event *event, struct bio *bio)
{
	struct block_device *device;

	if (bpf_core_field_exists(((struct bio___with_disk *)0)->bi_disk)) { /* the partition is forgotten by then */
		set_device(event, BPF_CORE_READ((struct bio___with_disk *)bio, bi_disk), NULL);
		return;
	}
	device = BPF_CORE_READ(bio, bi_bdev);
	set_device(event, BPF_CORE_READ(device, bd_disk), device);
}

/* A function of scalars, so that it is verified once. */
__noinline int folio_set_out(u64 bio, u64 folio, u32 pages, u32 direction)
{
	struct flight flight = { .bio = bio, .event = { .direction = direction & 1, .pages = pages } };
	struct thread *thread = !is_tracepoints ? thread_if_known() : direction == SWAP_OUT ? thread_of_current() : NULL;
	struct flight *known = bpf_map_lookup_elem(&flights, &folio);

	if (thread)
		thread->handled = folio;
	set_device_of_bio(&flight.event, (struct bio *)bio);
	if (known && known->bio != bio && known->event.device != flight.event.device && known->event.direction == direction)
		return 0; /* a device mapper's bio: it was counted above it */
	if (!fill_event(&flight.event, (const void *)folio, folio_memory_cgroup((const void *)folio), 0))
		return 0;
	count_begin(&flight.event);
	if (bpf_map_update_elem(&flights, &folio, &flight, BPF_ANY) && wants_events) {
		TRACE_COUNT(seen);
		TRACE_COUNT(map_full);
	}
	return 0;
}

static __always_inline bool is_swapped(u64 folio, u32 operation, u32 *ret_direction)
{
	u64 flags = folio_flags((const void *)folio);

	*ret_direction = (operation & REQ_OP_MASK) == REQ_OP_WRITE ? SWAP_OUT : SWAP_IN;
	if (!(flags & FOLIO_FLAG(PG_swapbacked)))
		return false;
	if (*ret_direction == SWAP_OUT)
		return operation & 1U << bpf_core_enum_value(enum req_flag_bits, __REQ_SWAP) && flags & FOLIO_FLAG(PG_swapcache);
	return (operation & REQ_OP_MASK) == REQ_OP_READ &&
	       flags & FOLIO_FLAG(PG_locked) && !(flags & FOLIO_FLAG(PG_uptodate));
}

SEC("raw_tp/block_bio_queue")
int bio_queued(struct bpf_raw_tracepoint_args *ctx)
{
	struct bio *bio = (struct bio *)trace_argument(ctx, queued_bio);
	struct bio_vec *pieces = BPF_CORE_READ(bio, bi_io_vec) + BPF_CORE_READ(bio, bi_iter.bi_idx), piece;
	u32 left = BPF_CORE_READ(bio, bi_iter.bi_size), operation = BPF_CORE_READ(bio, bi_opf), direction;

	for (u32 i = 0; i < BIO_FOLIOS; i++) {
		if (bpf_probe_read_kernel(&piece, sizeof(piece), &pieces[i]) || !piece.bv_len || piece.bv_len > left ||
		    !is_swapped((u64)piece.bv_page, operation, &direction))
			break;
		left -= piece.bv_len;
		folio_set_out((u64)bio, (u64)piece.bv_page, piece.bv_len >> PAGE_SHIFT, direction);
	}
	return 0;
}

__noinline int folio_arrived(u64 bio, u64 folio)
{
	struct flight *flight = bpf_map_lookup_elem(&flights, &folio);

	if (!flight || flight->bio != bio)
		return 0;
	finish(&flight->event, true);
	bpf_map_delete_elem(&flights, &folio);
	return 1;
}

/* It has no bytes left, so how many folios it had is not told any more: it had those that are known to be its. */
__noinline int bio_arrived(u64 bio)
{
	struct bio_vec *pieces = BPF_CORE_READ((struct bio *)bio, bi_io_vec), piece;

	for (u32 i = 0; i < BIO_FOLIOS; i++)
		if (bpf_probe_read_kernel(&piece, sizeof(piece), &pieces[i]) || !folio_arrived(bio, (u64)piece.bv_page))
			break;
	return 0;
}

/* Of devices that handle bios themselves; those of the others end with their request. */
SEC("raw_tp/block_bio_complete")
int bio_completed(struct bpf_raw_tracepoint_args *ctx)
{
	return bio_arrived(trace_argument(ctx, completed_bio));
}

SEC("raw_tp/block_rq_complete")
int request_completed(struct bpf_raw_tracepoint_args *ctx)
{
	struct bio *bio = BPF_CORE_READ((struct request *)trace_argument(ctx, completed_request), bio);
	u32 bytes = trace_argument(ctx, completed_bytes), size;

	for (u32 i = 0; i < REQUEST_BIOS && bio; i++) {
		size = BPF_CORE_READ(bio, bi_iter.bi_size);
		if (size > bytes)
			break; /* there is more of it to come */
		bytes -= size;
		bio_arrived((u64)bio);
		bio = BPF_CORE_READ(bio, bi_next);
	}
	return 0;
}

/* Tracepoints ----------------------------------------------------------------------------------------------- */

static __always_inline int touched(u64 address)
{
	struct thread *thread = (s64)address < 0 ? NULL : thread_of_current();

	if (thread)
		thread->address = address;
	return 0;
}

SEC("raw_tp/page_fault_user")
int touched_by_user(struct bpf_raw_tracepoint_args *ctx)
{
	return touched(ctx->args[0]);
}

SEC("raw_tp/page_fault_kernel")
int touched_by_kernel(struct bpf_raw_tracepoint_args *ctx)
{
	return touched(ctx->args[0]);
}

SEC("raw_tp/count_memcg_events")
int memcg_counted(struct bpf_raw_tracepoint_args *ctx) /* (struct mem_cgroup *, int item, unsigned long count) */
{
	bool is_in = (u32)ctx->args[1] == bpf_core_enum_value(enum vm_event_item, ZSWPIN);
	struct swap_event event = { .store = SWAP_ZSWAP, .direction = is_in ? SWAP_IN : SWAP_OUT, .pages = ctx->args[2] };
	struct thread *thread;

	if (!is_in && (u32)ctx->args[1] != bpf_core_enum_value(enum vm_event_item, ZSWPOUT))
		return 0;
	thread = is_in ? NULL : thread_of_current();
	if (thread)
		thread->handled = HANDLED;
	if (!fill_event(&event, NULL, (struct mem_cgroup *)ctx->args[0], 0))
		return 0;
	event.reason = SWAP_REASON_NONE;
	count_begin(&event);
	finish(&event, false);
	return 0;
}

/* A folio that reclaim has written out: what no device and no zswap was seen to take. */
static __always_inline int written_out(const void *folio)
{
	struct thread *thread = thread_if_known();
	u64 flags = folio_flags(folio), handled = thread ? thread->handled : 0;

	if (thread)
		thread->handled = 0;
	if (handled != HANDLED && handled != (u64)folio && flags & FOLIO_FLAG(PG_swapcache) &&
	    flags & FOLIO_FLAG(PG_swapbacked) && !(flags & FOLIO_FLAG(PG_writeback)))
		count_whole(folio, SWAP_UNKNOWN, SWAP_OUT, 0);
	return 0;
}

SEC("raw_tp/mm_vmscan_write_folio")
int folio_written(struct bpf_raw_tracepoint_args *ctx)
{
	return written_out((const void *)ctx->args[0]);
}

SEC("raw_tp/mm_vmscan_writepage") /* up to 6.0 */
int page_written_out(struct bpf_raw_tracepoint_args *ctx)
{
	return written_out((const void *)ctx->args[0]);
}
