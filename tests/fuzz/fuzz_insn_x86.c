// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/*
 * Any bytes as instructions and as a function's body: nothing may be read outside, and what the decoder says
 * must hang together. libFuzzer target; with -DFUZZ_REPLAY it runs the files named on its command line.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "error.h"
#include "fuzz.h"
#include "insn_x86.h"
#include "probe_site.h"

static void check_instruction(const struct insn_x86 *insn, size_t left)
{
	char name[8];

	CHECK(insn->length >= 1 && insn->length <= INSN_X86_MAX_BYTES && insn->length <= left);
	CHECK((insn->copy_to < INSN_REGISTER_COUNT) == (insn->copy_from < INSN_REGISTER_COUNT));
	CHECK(insn->copy_to == INSN_NO_REGISTER || insn->writes == 1u << insn->copy_to);
	CHECK(insn->writes & 1u << INSN_RSP || (insn->sp_is_known && insn->sp_change == 0));
	CHECK(insn->flow != INSN_FLOW_BRANCH || insn->has_target);
	CHECK(insn->condition == 0xff || insn->flow == INSN_FLOW_BRANCH);
	CHECK(insn->uprobe != INSN_UPROBE_NOP || (insn->flow == INSN_FLOW_NEXT && !insn->stores));
	insn_x86_name(insn, name, sizeof(name));
	CHECK(memchr(name, 0, sizeof(name)));
}

/* A copy of exactly @size bytes, so that a sanitizer sees the first byte read too many. */
static void check_decoder(const uint8_t *data, size_t size)
{
	struct insn_x86 insn, cut;
	size_t offset = 0;
	int r;

	for (; offset < size; offset += insn.length) {
		r = insn_x86_decode(data + offset, size - offset, &insn);
		CHECK(r == 0 || r == -ENODATA || r == -EBADMSG);
		CHECK(r != -ENODATA || size - offset < INSN_X86_MAX_BYTES);
		if (r)
			break;
		check_instruction(&insn, size - offset);
		/* What lies behind an instruction can't matter to it, nor can it do with less. */
		CHECK(insn_x86_decode(data + offset, insn.length, &cut) == 0);
		CHECK(cut.length == insn.length && cut.target == insn.target && cut.writes == insn.writes);
		CHECK(cut.uprobe == insn.uprobe && cut.flow == insn.flow && cut.sp_change == insn.sp_change);
		CHECK(insn_x86_decode(data + offset, insn.length - 1u, &cut) == -ENODATA);
	}
}

static void check_site(const uint8_t *data, size_t size, const struct probe_need *need)
{
	struct error err = { 0 };
	struct probe_site site;
	size_t offset = 0;
	char text[64];
	int r = probe_site_choose(data, size, need, &site, &err);

	CHECK(r == err.code);
	if (r)
		return;
	CHECK(site.offset < size && site.insn.uprobe != INSN_UPROBE_REFUSED);
	CHECK(site.is_emulated == (site.insn.uprobe == INSN_UPROBE_EMULATED));
	CHECK(site.is_emulated || site.offset == 0);
	CHECK(!site.skips_zero_arg0 || need->zero_arg0_is_noop);
	for (unsigned int i = 0; i < need->args; i++)
		CHECK(site.arg_register[i] < INSN_REGISTER_COUNT);
	/* The straight line must lead to it. */
	while (offset < site.offset) {
		struct insn_x86 insn;

		CHECK(insn_x86_decode(data + offset, size - offset, &insn) == 0 && !insn.stores);
		offset += insn.length;
	}
	CHECK(offset == site.offset);
	probe_site_describe(&site, "f", text, sizeof(text));
	CHECK(memchr(text, 0, sizeof(text)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct probe_need need;
	uint8_t *code;

	if (size < 1)
		return 0;
	need = (struct probe_need){ data[0] & 7, data[0] & 8, data[0] & 16, data[0] & 32 };
	code = malloc(size);
	CHECK(code);
	memcpy(code, data + 1, size - 1);
	code = realloc(code, size > 1 ? size - 1 : 1);
	CHECK(code);
	check_decoder(code, size - 1);
	check_site(code, size - 1, &need);
	free(code);
	return 0;
}
