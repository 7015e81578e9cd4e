// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* dill kcache NAME --next: what the next allocations get. The order and what breaks it are slab_next.h's. */
#include <errno.h>
#include <stdio.h>

#include "kcache_views.h"
#include "slab_next.h"
#include "slab_state.h"

enum {
	NEXT_CPU,
	NEXT_POSITION,
	NEXT_ADDR,
	NEXT_FROM,
	NEXT_SLAB,
	NEXT_CERTAIN,
	NEXT_DAMAGE,
	NEXT_CERTAIN_TEXT,
	NEXT_COLUMNS
};
static const struct view_column next_columns[NEXT_COLUMNS] = {
	[NEXT_CPU] = { .name = "cpu", .type = VIEW_U64, .width = 4 },
	[NEXT_POSITION] = { .name = "position", .title = "NEXT", .type = VIEW_U64, .width = 5 },
	[NEXT_ADDR] = { .name = "addr", .type = VIEW_HEX, .width = 18 },
	[NEXT_FROM] = { .name = "from", .type = VIEW_ENUM, .names = slab_object_state_names, .width = 12 },
	[NEXT_SLAB] = { .name = "slab", .type = VIEW_HEX, .width = 18, .is_optional = true },
	[NEXT_CERTAIN] = { .name = "is_certain", .type = VIEW_BOOL, .is_json_only = true },
	[NEXT_DAMAGE] = { .name = "damage",
			  .type = VIEW_ENUM,
			  .names = slab_damage_names,
			  .is_optional = true,
			  .is_json_only = true },
	[NEXT_CERTAIN_TEXT] = { .name = "certain",
				.title = "CERTAIN",
				.type = VIEW_TEXT,
				.width = 7,
				.is_text_only = true },
};
const struct view_record kcache_next_record = {
	.type = "next",
	.columns = next_columns,
	.column_count = NEXT_COLUMNS,
	.starts_section = true,
};

static int show_next(struct inspection *inspection, size_t cpu, size_t position, const struct slab_next *next)
{
	char certain[48];

	snprintf(certain, sizeof(certain), "%s%s%s", next->is_certain ? "yes" : "no", next->damage ? ": " : "",
		 next->damage ? slab_damage_names[next->damage] : "");
	return view_row(inspection->view, &kcache_next_record,
			(struct view_value[NEXT_COLUMNS]){
				[NEXT_CPU] = view_u64(cpu),
				[NEXT_POSITION] = view_u64(position),
				[NEXT_ADDR] = view_u64(next->address),
				[NEXT_FROM] = view_u64(next->from),
				[NEXT_SLAB] = next->slab ? view_u64(next->slab) : view_absent(),
				[NEXT_CERTAIN] = view_bool(next->is_certain),
				[NEXT_DAMAGE] = next->damage ? view_u64(next->damage) : view_absent(),
				[NEXT_CERTAIN_TEXT] = view_text(certain),
			});
}

static int show_forecast(struct inspection *inspection, size_t cpu, const struct slab_forecast *forecast,
			 size_t wanted)
{
	char where[48] = "";
	int status = 0;

	for (size_t i = 0; i < forecast->count && !status; i++)
		status = show_next(inspection, cpu, i, &forecast->objects[i]);
	if (status)
		return status;
	if (forecast->damage) {
		if (forecast->damaged_object)
			snprintf(where, sizeof(where), " in %#lx", (long)forecast->damaged_object);
		inspect_found(inspection);
		inspect_notice(inspection, "cpu %zu: %s%s: nothing behind it is certain; kcache --check shows more",
			       cpu, slab_damage_names[forecast->damage], where);
	} else if (forecast->count < wanted) {
		inspect_notice(inspection, "cpu %zu: %zu known; what comes then is in slabs yet to be made", cpu,
			       forecast->count);
	}
	return 0;
}

int kcache_show_next(struct inspection *inspection, struct slab_heap *heap, uint32_t cache,
		     const struct kcache_scope *scope, size_t count, struct error *err)
{
	size_t cpus = heap->kernel->cpu_count;
	bool is_in_order = true;
	int status = 0;

	if (scope->cpu != KCACHE_ALL && scope->cpu >= cpus)
		return error_set(err, -ENOENT, "no CPU %lu: there are %zu", (long)scope->cpu, cpus);
	for (size_t cpu = 0; cpu < cpus && !status; cpu++) {
		struct slab_forecast forecast = { 0 };

		if (scope->cpu != KCACHE_ALL && scope->cpu != cpu)
			continue;
		status = slab_forecast_read(heap, cache, cpu, count, &forecast, err);
		if (!status)
			is_in_order &= !kcache_order_next(heap, cache, cpu, count, &forecast);
		if (!status)
			status = show_forecast(inspection, cpu, &forecast, count);
		slab_forecast_deinit(&forecast);
	}
	if (!status && !is_in_order)
		inspect_notice(inspection, "slabs of nodes' lists are shown in these lists' order, which is not quite the CPUs'");
	return status;
}
