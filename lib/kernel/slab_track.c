// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * struct track, of which two lie behind each object. It holds 16 return addresses, or since 5.18
 * (5cf909c553e9) a handle of the stack depot.
 */
#include "slab_track.h"

#include <errno.h>
#include <string.h>

#include "kernel.h"
#include "slab_check_bytes.h"
#include "slub_heap.h"

static void read_stack(struct slab_heap *heap, const uint8_t *bytes, struct slab_track *track)
{
	const struct slab_layout *layout = &heap->layout;
	struct stack_depot depot;

	if (heap->kernel->process) {
		slub_stack_read(heap->kernel, bytes, track);
		return;
	}
	if (field_exists(&layout->track.addrs)) {
		size_t room = layout->track.addrs.size / sizeof(uint64_t);

		room = room < STACK_DEPOT_DEPTH ? room : STACK_DEPOT_DEPTH;
		memcpy(track->stack, bytes + layout->track.addrs.offset, room * sizeof(uint64_t));
		while (track->depth < room && track->stack[track->depth])
			track->depth++;
		return;
	}
	if (field_exists(&layout->track.handle) && !stack_depot_open(heap->kernel, &depot, NULL))
		stack_depot_read(heap->kernel, &depot,
				 field_get(&layout->track.handle, bytes, layout->track.size), track->stack,
				 &track->depth);
}

static int read_track(struct slab_heap *heap, uint64_t address, struct slab_track *ret_track)
{
	const struct slab_layout *layout = &heap->layout;
	struct slab_track track = { 0 };
	uint8_t bytes[512];

	if (layout->track.size > sizeof(bytes))
		return -EOPNOTSUPP;
	if (kernel_read(heap->kernel, address, bytes, layout->track.size))
		return -EFAULT;
	track.caller = field_get(&layout->track.addr, bytes, layout->track.size);
	if (track.caller) {
		track.cpu = field_get(&layout->track.cpu, bytes, layout->track.size);
		track.pid = field_get(&layout->track.pid, bytes, layout->track.size);
		track.jiffies = field_get(&layout->track.when, bytes, layout->track.size);
		read_stack(heap, bytes, &track);
	}
	*ret_track = track;
	return 0;
}

int slab_tracks_read(struct slab_heap *heap, uint32_t cache, uint64_t object, struct slab_tracks *ret_tracks,
		     struct error *err)
{
	struct slab_slot_layout layout;
	struct slab_tracks tracks = { 0 };
	uint32_t requested;

	slab_slot_layout(heap, &heap->caches[cache], &layout);
	if (!layout.track || !heap->layout.track.size)
		return error_set(err, -ENOENT, "%s keeps no tracks: boot with slub_debug=U",
				 heap->caches[cache].name);
	if (read_track(heap, object + layout.track, &tracks.allocation) ||
	    read_track(heap, object + layout.track + heap->layout.track.size, &tracks.free))
		return error_set(err, -EFAULT, "the tracks of %#lx can't be read", (long)object);
	/* The low half is the same whether it is an unsigned int or an unsigned long. */
	if (layout.orig_size && !kernel_read_u32(heap->kernel, object + layout.orig_size, &requested) &&
	    requested <= heap->caches[cache].object_size)
		tracks.requested = requested;
	*ret_tracks = tracks;
	return 0;
}
