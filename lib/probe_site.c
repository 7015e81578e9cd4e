// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Walks the straight line from a function's entry and keeps track of what the probe needs; then makes sure
 * that nothing in the body jumps in between.
 *
 *	entry   test %rdi,%rdi     stepped
 *	  +3    je   null          emulated, on every path: a site
 *	  +9    push %rbp          emulated, missed only by free(NULL): a better site where that is allowed
 */
#include "probe_site.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "error.h"

/* Longer than any prologue that still has its arguments in place. */
#define WALK_MAX_INSNS 16

#define JE 4
#define NO_ARGUMENT (-1)

static const uint8_t argument_registers[PROBE_SITE_MAX_ARGS] = { INSN_RDI, INSN_RSI, INSN_RDX, INSN_RCX };

struct walk {
	const struct probe_need *need;
	uint64_t offset;
	int8_t holds[INSN_REGISTER_COUNT]; /* the argument that is in a register, or NO_ARGUMENT */
	int64_t sp_change;                 /* since the entry */
	bool sp_is_known;
	bool zf_is_arg0_zero;              /* ZF says whether argument 0 is zero */
	bool skips_zero_arg0;
	/* Found sites, best last: a later one is there only because it skips free(NULL). */
	struct probe_site sites[2];
	unsigned int site_count;
	enum probe_site_reason obstacle;   /* why there is none */
};

static void walk_init(struct walk *walk, const struct probe_need *need)
{
	*walk = (struct walk){
		.need = need,
		.sp_is_known = true,
		.obstacle = PROBE_SITE_NONE_IN_REACH,
	};
	memset(walk->holds, NO_ARGUMENT, sizeof(walk->holds));
	for (unsigned int i = 0; i < PROBE_SITE_MAX_ARGS; i++)
		walk->holds[argument_registers[i]] = (int8_t)i;
}

/* The register that holds @argument here, its own one first; INSN_NO_REGISTER when it is lost. */
static uint8_t find_argument(const struct walk *walk, unsigned int argument)
{
	if (walk->holds[argument_registers[argument]] == (int8_t)argument)
		return argument_registers[argument];
	if (!walk->need->may_move_args)
		return INSN_NO_REGISTER;
	for (uint8_t i = 0; i < INSN_REGISTER_COUNT; i++) {
		if (walk->holds[i] == (int8_t)argument)
			return i;
	}
	return INSN_NO_REGISTER;
}

static void init_site(const struct walk *walk, const struct insn_x86 *insn, struct probe_site *site)
{
	*site = (struct probe_site){
		.offset = walk->offset,
		.is_emulated = insn->uprobe == INSN_UPROBE_EMULATED,
		.skips_zero_arg0 = walk->skips_zero_arg0,
		.reason = walk->offset ? PROBE_SITE_MOVED : PROBE_SITE_ENTRY_IS_EMULATED,
		.insn = *insn,
	};
	memcpy(site->arg_register, argument_registers, sizeof(site->arg_register));
}

/* Take the instruction as a site if it is emulated and all that is needed holds. */
static void consider(struct walk *walk, const struct insn_x86 *insn)
{
	struct probe_site site;

	if (insn->uprobe != INSN_UPROBE_EMULATED)
		return;
	init_site(walk, insn, &site);
	for (unsigned int i = 0; i < walk->need->args; i++) {
		site.arg_register[i] = find_argument(walk, i);
		if (site.arg_register[i] == INSN_NO_REGISTER) {
			walk->obstacle = PROBE_SITE_ARGUMENT_LOST;
			return;
		}
	}
	if (walk->need->needs_return_address && (!walk->sp_is_known || walk->sp_change != 0)) {
		walk->obstacle = PROBE_SITE_STACK_MOVED;
		return;
	}
	walk->sites[walk->site_count++] = site;
}

static void follow_registers(struct walk *walk, const struct insn_x86 *insn)
{
	int8_t copied = insn->copy_from < INSN_REGISTER_COUNT ? walk->holds[insn->copy_from] : NO_ARGUMENT;

	for (unsigned int i = 0; i < INSN_REGISTER_COUNT; i++) {
		if (insn->writes & (1u << i))
			walk->holds[i] = NO_ARGUMENT;
	}
	if (insn->copy_to < INSN_REGISTER_COUNT)
		walk->holds[insn->copy_to] = copied;
	walk->sp_is_known &= insn->sp_is_known;
	walk->sp_change += insn->sp_change;
	if (insn->tests_zero < INSN_REGISTER_COUNT)
		walk->zf_is_arg0_zero = walk->holds[insn->tests_zero] == 0;
	else
		walk->zf_is_arg0_zero &= insn->keeps_flags;
}

static bool is_allowed_skip(const struct walk *walk, const struct insn_x86 *insn)
{
	return walk->need->zero_arg0_is_noop && walk->zf_is_arg0_zero && insn->condition == JE;
}

/* Step over @insn. False when nothing behind it can be a site. */
static bool pass(struct walk *walk, const struct insn_x86 *insn)
{
	enum probe_site_reason obstacle = PROBE_SITE_NONE_IN_REACH;

	if (is_allowed_skip(walk, insn)) {
		walk->skips_zero_arg0 = true;
	} else if (insn->flow != INSN_FLOW_NEXT || insn->stores) {
		if (insn->flow == INSN_FLOW_BRANCH)
			obstacle = PROBE_SITE_PATHS_PART;
		else if (insn->flow == INSN_FLOW_NEXT || insn->flow == INSN_FLOW_CALL)
			obstacle = PROBE_SITE_EFFECT_BEFORE;
		if (walk->obstacle == PROBE_SITE_NONE_IN_REACH)
			walk->obstacle = obstacle;
		return false;
	}
	follow_registers(walk, insn);
	walk->offset += insn->length;
	return true;
}

/*
 * One site is enough, unless it is the je that free(NULL) takes: then one more behind it is looked for.
 */
static void walk_line(struct walk *walk, const uint8_t *code, size_t size)
{
	for (unsigned int i = 0; i < WALK_MAX_INSNS; i++) {
		struct insn_x86 insn;
		unsigned int before = walk->site_count;
		int r;

		r = insn_x86_decode(code + walk->offset, size - walk->offset, &insn);
		if (r < 0) {
			walk->obstacle = PROBE_SITE_BODY_UNKNOWN;
			return;
		}
		consider(walk, &insn);
		if (walk->site_count > before && (before == 1 || !is_allowed_skip(walk, &insn)))
			return;
		if (!pass(walk, &insn))
			return;
	}
}

/*
 * The lowest place behind the entry to which a direct branch in the body goes; @size when there is none. A
 * body that can't be decoded to its very end gives 0: every place may be a target.
 */
static uint64_t lowest_target(const uint8_t *code, size_t size)
{
	uint64_t lowest = size;
	struct insn_x86 insn;

	for (uint64_t offset = 0; offset < size; offset += insn.length) {
		if (insn_x86_decode(code + offset, size - offset, &insn) < 0)
			return 0;
		if (!insn.has_target)
			continue;
		/* A target in front of the entry wraps and is bigger than any @size. */
		uint64_t target = offset + (uint64_t)insn.target;

		if (target > 0 && target < lowest)
			lowest = target;
	}
	return lowest;
}

/* The best of the found sites into which nothing jumps; false, and why, when there is none. */
static bool take_site(struct walk *walk, const uint8_t *code, size_t size, struct probe_site *ret_site)
{
	uint64_t target = walk->sites[0].offset == 0 ? size : lowest_target(code, size);

	walk->obstacle = target ? PROBE_SITE_JUMPED_INTO : PROBE_SITE_BODY_UNKNOWN;
	for (unsigned int i = walk->site_count; i-- > 0;) {
		if (walk->sites[i].offset < target) {
			*ret_site = walk->sites[i];
			return true;
		}
	}
	return false;
}

int probe_site_choose(const uint8_t *code, size_t size, const struct probe_need *need,
		      struct probe_site *ret_site, struct error *err)
{
	struct insn_x86 entry;
	struct probe_site site;
	struct walk walk;
	int r;

	if (need->args > PROBE_SITE_MAX_ARGS)
		return error_set(err, -EINVAL, "%u probe arguments, %u at most", need->args,
				 PROBE_SITE_MAX_ARGS);
	r = insn_x86_decode(code, size, &entry);
	if (r < 0)
		return error_set(err, r, "the first instruction is %s",
				 r == -ENODATA ? "cut off" : "not valid x86-64");
	walk_init(&walk, need);
	init_site(&walk, &entry, &site);
	walk_line(&walk, code, size);

	if (walk.site_count > 0 && take_site(&walk, code, size, ret_site))
		return 0;
	if (entry.uprobe == INSN_UPROBE_REFUSED)
		return error_set(err, -EOPNOTSUPP, "the kernel refuses a uprobe on the first instruction");
	site.reason = walk.obstacle;
	*ret_site = site;
	return 0;
}

static const char *reason_text(enum probe_site_reason reason)
{
	switch (reason) {
	case PROBE_SITE_ENTRY_IS_EMULATED:
	case PROBE_SITE_MOVED:
		return "emulated";
	case PROBE_SITE_NONE_IN_REACH:
		return "nothing emulated follows it";
	case PROBE_SITE_ARGUMENT_LOST:
		return "an argument is lost further on";
	case PROBE_SITE_STACK_MOVED:
		return "the stack is moved further on";
	case PROBE_SITE_EFFECT_BEFORE:
		return "memory is changed further on";
	case PROBE_SITE_PATHS_PART:
		return "paths part further on";
	case PROBE_SITE_JUMPED_INTO:
		return "the body jumps to where it would be emulated";
	case PROBE_SITE_BODY_UNKNOWN:
		return "the body is not all known";
	}
	return "?";
}

/* Add to a text of @size bytes, @used of which are taken; what doesn't fit is cut. Returns the new @used. */
__attribute__((format(printf, 4, 5))) static size_t append(char *text, size_t size, size_t used,
							   const char *format, ...)
{
	va_list args;
	int n;

	if (used >= size)
		return used;
	va_start(args, format);
	n = vsnprintf(text + used, size - used, format, args);
	va_end(args);
	return n < 0 ? used : used + (size_t)n;
}

void probe_site_describe(const struct probe_site *site, const char *function, char *ret_text, size_t size)
{
	size_t used = 0;
	char name[32];

	insn_x86_name(&site->insn, name, sizeof(name));
	used = append(ret_text, size, used, "%s", function);
	if (site->offset)
		used = append(ret_text, size, used, "+%llu", (unsigned long long)site->offset);
	used = append(ret_text, size, used, ", %s: ", name);
	if (!site->is_emulated)
		used = append(ret_text, size, used, "single-stepped, ");
	used = append(ret_text, size, used, "%s", reason_text(site->reason));
	if (site->skips_zero_arg0)
		used = append(ret_text, size, used, ", skips NULL");
	for (unsigned int i = 0; i < PROBE_SITE_MAX_ARGS; i++) {
		if (site->arg_register[i] != argument_registers[i])
			used = append(ret_text, size, used, ", argument %u in %s", i,
				      insn_x86_register_name(site->arg_register[i]));
	}
}
