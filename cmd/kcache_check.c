// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * dill kcache --check: what is damaged, with the bytes that show it and what has most likely written them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "kcache_views.h"
#include "slab_check.h"

enum {
	FINDING_KIND, FINDING_CACHE, FINDING_SLAB, FINDING_OBJECT, FINDING_CPU, FINDING_VALUE, FINDING_EXPECTED,
	FINDING_AT, FINDING_BYTES, FINDING_CAUSE, FINDING_NEIGHBOUR, FINDING_COLUMNS
};
static const struct view_column finding_columns[FINDING_COLUMNS] = {
	[FINDING_KIND] = { .name = "kind", .type = VIEW_ENUM, .names = slab_damage_names, .style = COLOUR_BAD },
	[FINDING_CACHE] = { .name = "cache", .type = VIEW_TEXT, .is_optional = true },
	[FINDING_SLAB] = { .name = "slab", .type = VIEW_HEX, .is_optional = true },
	[FINDING_OBJECT] = { .name = "object", .type = VIEW_HEX, .is_optional = true },
	[FINDING_CPU] = { .name = "owner", .type = VIEW_U64, .is_optional = true, .is_json_only = true },
	[FINDING_VALUE] = { .name = "value", .type = VIEW_HEX, .is_optional = true },
	[FINDING_EXPECTED] = { .name = "expected", .type = VIEW_HEX, .is_optional = true },
	[FINDING_AT] = { .name = "at", .type = VIEW_HEX, .is_optional = true },
	[FINDING_BYTES] = { .name = "bytes", .type = VIEW_TEXT, .is_optional = true },
	[FINDING_CAUSE] = { .name = "cause", .type = VIEW_TEXT, .is_optional = true },
	[FINDING_NEIGHBOUR] = { .name = "left_neighbour", .type = VIEW_HEX, .is_optional = true },
};
const struct view_record kcache_finding_record = {
	.type = "finding",
	.columns = finding_columns,
	.column_count = FINDING_COLUMNS,
	.starts_section = true,
	.text = "{kind}{? in {cache}?}{?, slab {slab}?}{?, object {object}?}{?: {value}?}{? where {expected} "
		"was due?}"
		"{?; at {at}: {bytes}?}{?; {cause}?}{? (left neighbour {left_neighbour})?}",
};

enum {
	CHECKED_CACHES,
	CHECKED_SLABS,
	CHECKED_OBJECTS,
	CHECKED_RED,
	CHECKED_POISON,
	CHECKED_SKIPPED,
	CHECKED_FINDINGS,
	CHECKED_DROPPED,
	CHECKED_COLUMNS
};
static const struct view_column checked_columns[CHECKED_COLUMNS] = {
	[CHECKED_CACHES] = { .name = "caches", .type = VIEW_U64 },
	[CHECKED_SLABS] = { .name = "slabs", .type = VIEW_U64 },
	[CHECKED_OBJECTS] = { .name = "objects", .type = VIEW_U64 },
	[CHECKED_RED] = { .name = "objects_with_red_zone", .type = VIEW_U64 },
	[CHECKED_POISON] = { .name = "objects_with_poison", .type = VIEW_U64 },
	[CHECKED_SKIPPED] = { .name = "slabs_skipped", .type = VIEW_U64 },
	[CHECKED_FINDINGS] = { .name = "findings", .type = VIEW_U64, .is_bad_when_set = true },
	[CHECKED_DROPPED] = { .name = "findings_dropped", .type = VIEW_U64 },
};
const struct view_record kcache_checked_record = {
	.type = "checked",
	.columns = checked_columns,
	.column_count = CHECKED_COLUMNS,
	.starts_section = true,
	.text = "checked {caches} {caches:cache|caches}, {slabs} {slabs:slab|slabs}, {objects} "
		"{objects:object|objects}"
		"{?, {objects_with_red_zone} with red zones?}{?, {objects_with_poison} with poison?}: "
		"{findings} {findings:finding|findings}{?, {slabs_skipped} {slabs_skipped:slab|slabs} could "
		"not be judged?}"
		"{?, {findings_dropped} more findings are not shown?}",
};

static struct view_value if_any(uint64_t value)
{
	return value ? view_u64(value) : view_absent();
}

static int show_finding(struct inspection *inspection, struct slab_heap *heap,
			const struct slab_finding *finding)
{
	bool has_cache = finding->cache < heap->cache_count;
	struct slab_evidence evidence;
	char bytes[3 * sizeof(evidence.bytes) + 1] = "";

	slab_evidence_read(heap, finding, &evidence);
	for (size_t i = 0; i < evidence.size; i++)
		snprintf(bytes + (i ? 3 * i - 1 : 0), 4, i ? " %02x" : "%02x", evidence.bytes[i]);
	inspect_found(inspection);
	return view_object(inspection->view, &kcache_finding_record,
			   (struct view_value[FINDING_COLUMNS]){
				   [FINDING_KIND] = view_u64(finding->kind),
				   [FINDING_CACHE] = has_cache ? view_text(heap->caches[finding->cache].name)
							       : view_absent(),
				   [FINDING_SLAB] = if_any(finding->slab),
				   [FINDING_OBJECT] = if_any(finding->object),
				   [FINDING_CPU] = finding->owner == SLAB_NO_OWNER ? view_absent()
										   : view_u64(finding->owner),
				   /* Of bytes, the value is their address: FINDING_AT. */
				   [FINDING_VALUE] = finding->kind >= SLAB_RED_ZONE_LEFT
							     ? view_absent()
							     : view_u64(finding->value),
				   [FINDING_EXPECTED] = if_any(finding->expected),
				   [FINDING_AT] = evidence.size ? view_u64(evidence.address) : view_absent(),
				   [FINDING_BYTES] = evidence.size ? view_text(bytes) : view_absent(),
				   [FINDING_CAUSE] = view_text(evidence.cause),
				   [FINDING_NEIGHBOUR] = if_any(evidence.neighbour),
			   });
}

int kcache_show_findings(struct inspection *inspection, struct slab_heap *heap, uint32_t cache)
{
	int status = 0;

	for (size_t i = 0; i < heap->finding_count && !status; i++)
		if (cache == SLAB_NO_CACHE || heap->findings[i].cache == cache)
			status = show_finding(inspection, heap, &heap->findings[i]);
	return status;
}

int kcache_show_check(struct inspection *inspection, struct slab_heap *heap, uint32_t cache, struct error *err)
{
	struct slab_check_extent extent;
	int status = slab_check(heap, cache, &extent, err);

	if (status)
		return status;
	status = kcache_show_findings(inspection, heap, SLAB_NO_CACHE);
	if (status)
		return status;
	if (heap->findings_unsettled)
		inspect_notice(inspection, "%llu things looked wrong only while they changed: not counted",
			       (unsigned long long)heap->findings_unsettled);
	if (extent.slabs_skipped)
		inspect_incomplete(inspection, "%lu slabs could not be judged", (long)extent.slabs_skipped);
	return view_object(inspection->view, &kcache_checked_record,
			   (struct view_value[CHECKED_COLUMNS]){
				   [CHECKED_CACHES] = view_u64(extent.caches),
				   [CHECKED_SLABS] = view_u64(extent.slabs),
				   [CHECKED_OBJECTS] = view_u64(extent.objects),
				   [CHECKED_RED] = view_u64(extent.objects_with_red_zone),
				   [CHECKED_POISON] = view_u64(extent.objects_with_poison),
				   [CHECKED_SKIPPED] = view_u64(extent.slabs_skipped),
				   [CHECKED_FINDINGS] = view_u64(heap->finding_count),
				   [CHECKED_DROPPED] = view_u64(heap->findings_dropped),
			   });
}
