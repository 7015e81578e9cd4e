// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Looks at packets from left to right; whatever is not as expected is "plain" or "no". */
#include "stub_words.h"

#include <stdio.h>
#include <string.h>

static bool begins(const char *body, size_t size, const char *word)
{
	size_t length = strlen(word);

	return size >= length && memcmp(body, word, length) == 0;
}

static enum stub_word word_of_v(const char *body, size_t size)
{
	if (begins(body, size, "vCont;"))
		return STUB_WORD_RESUME;
	return begins(body, size, "vKill") ? STUB_WORD_KILL : STUB_WORD_PLAIN;
}

static enum stub_word word_of_query(const char *body, size_t size)
{
	if (begins(body, size, "qRcmd,"))
		return STUB_WORD_MONITOR;
	if (begins(body, size, "Qqemu.PhyMemMode:"))
		return STUB_WORD_PHYSICAL;
	if (begins(body, size, "QStartNoAckMode"))
		return STUB_WORD_NO_ACK;
	return begins(body, size, "QNonStop:") ? STUB_WORD_NON_STOP : STUB_WORD_PLAIN;
}

enum stub_word stub_word_of(const char *body, size_t size)
{
	switch (size ? body[0] : '\0') {
	case 'c':
	case 's':
	case 'C':
	case 'S':
		return STUB_WORD_RESUME;
	case 'b':
		return size == 2 && (body[1] == 'c' || body[1] == 's') ? STUB_WORD_RESUME_BACK : STUB_WORD_PLAIN;
	case 'v':
		return word_of_v(body, size);
	case 'q':
	case 'Q':
		return word_of_query(body, size);
	case 'Z':
	case 'z':
		return STUB_WORD_TRAP;
	case 'H':
		if (size < 2 || (body[1] != 'g' && body[1] != 'c'))
			return STUB_WORD_PLAIN;
		return body[1] == 'g' ? STUB_WORD_SELECT : STUB_WORD_SELECT_RUN;
	case '?':
		return STUB_WORD_STATUS;
	case 'D':
		return STUB_WORD_DETACH;
	case 'k':
	case 'R':
		return STUB_WORD_KILL;
	case 'F':
		return STUB_WORD_FILE_ANSWER;
	default:
		return STUB_WORD_PLAIN;
	}
}

/* Hexadecimal, perhaps negative, all of [text, end). */
static bool number(const char *text, const char *end, int64_t *ret_value)
{
	bool is_negative = text < end && *text == '-';
	uint64_t value = 0;

	text += is_negative;
	if (text == end || end - text > 16)
		return false;
	for (; text < end; text++) {
		const char *digits = "0123456789abcdef", *at = memchr(digits, *text | 0x20, 16);

		if (!at || *text == '\0')
			return false;
		value = value << 4 | (uint64_t)(at - digits);
	}
	*ret_value = is_negative ? -(int64_t)value : (int64_t)value;
	return true;
}

bool stub_thread_parse(const char *text, size_t size, struct stub_thread *ret_thread)
{
	const char *end = text + size, *dot;
	struct stub_thread thread = { 0, -1 };

	if (size == 0 || *text != 'p') {
		thread.process = 0;
		if (!number(text, end, &thread.thread))
			return false;
	} else {
		dot = memchr(text, '.', size);
		if (!number(text + 1, dot ? dot : end, &thread.process) ||
		    (dot && !number(dot + 1, end, &thread.thread)))
			return false;
	}
	*ret_thread = thread;
	return true;
}

bool stub_thread_matches(const struct stub_thread *pattern, const struct stub_thread *thread)
{
	return (pattern->process <= 0 || thread->process == 0 || pattern->process == thread->process) &&
	       (pattern->thread <= 0 || pattern->thread == thread->thread);
}

static bool take_watch(struct stub_stop_reply *reply, const char *name, size_t length, const char *value,
		       const char *end)
{
	static const struct {
		const char *name;
		enum stub_trap_kind kind;
	} watches[] = { { "watch", STUB_WATCH_WRITE }, { "rwatch", STUB_WATCH_READ }, { "awatch", STUB_WATCH_ACCESS } };
	int64_t address;

	for (size_t i = 0; i < sizeof(watches) / sizeof(watches[0]); i++) {
		if (strlen(watches[i].name) != length || memcmp(watches[i].name, name, length) != 0 ||
		    !number(value, end, &address))
			continue;
		reply->has_watch = true;
		reply->trap = watches[i].kind;
		reply->address = (uint64_t)address;
		return true;
	}
	return false;
}

/* n1:r1;n2:r2;… of a T reply. */
static void take_pairs(struct stub_stop_reply *reply, const char *at, const char *end)
{
	while (at < end) {
		const char *stop = memchr(at, ';', (size_t)(end - at)), *colon;

		stop = stop ? stop : end;
		colon = memchr(at, ':', (size_t)(stop - at));
		if (colon && !take_watch(reply, at, (size_t)(colon - at), colon + 1, stop) && colon - at == 6 &&
		    memcmp(at, "thread", 6) == 0 && stop - colon - 1 < STUB_THREAD_TEXT)
			snprintf(reply->thread, sizeof(reply->thread), "%.*s", (int)(stop - colon - 1), colon + 1);
		at = stop + 1;
	}
}

bool stub_stop_parse(const char *body, size_t size, struct stub_stop_reply *ret_reply)
{
	struct stub_stop_reply reply = { 0 };
	int64_t signal;

	if (size < 3 || !memchr("TSWX", body[0], 4) || !number(body + 1, body + 3, &signal) || signal < 0)
		return false;
	reply.is_end = body[0] == 'W' || body[0] == 'X';
	reply.signal = (unsigned)signal;
	if (body[0] == 'T')
		take_pairs(&reply, body + 3, body + size);
	*ret_reply = reply;
	return true;
}

bool stub_trap_parse(const char *body, size_t size, bool *ret_is_set, struct stub_trap *ret_trap)
{
	const char *end = body + size, *comma, *stop;
	int64_t address, length;

	if (size < 5 || (body[0] != 'Z' && body[0] != 'z') || body[1] < '0' || body[1] > '4' || body[2] != ',')
		return false;
	comma = memchr(body + 3, ',', size - 3);
	if (!comma)
		return false;
	stop = memchr(comma, ';', (size_t)(end - comma));
	if (!number(body + 3, comma, &address) || !number(comma + 1, stop ? stop : end, &length) || length < 0 ||
	    length > UINT32_MAX)
		return false;
	*ret_is_set = body[0] == 'Z';
	*ret_trap = (struct stub_trap){ .kind = (enum stub_trap_kind)(body[1] - '0'),
					.address = (uint64_t)address,
					.size = (uint32_t)length };
	return true;
}

static char plain_action(char word)
{
	return word == 'C' ? 'c' : word == 'S' ? 's' : word;
}

char stub_resume_action(const char *body, size_t size, const struct stub_thread *selected,
			const struct stub_thread *thread)
{
	const char *at = body + strlen("vCont"), *end = body + size;
	char rest = 0;

	if (size == 0)
		return 0;
	if (body[0] != 'v') /* s steps the selected thread; c is for all */
		return plain_action(body[0]) == 'c' || !stub_thread_matches(selected, thread) ? 'c' :
											       plain_action(body[0]);
	while (at + 1 < end) {
		const char *action = at + 1, *stop = memchr(action, ';', (size_t)(end - action)), *colon;
		struct stub_thread pattern;

		stop = stop ? stop : end;
		colon = memchr(action, ':', (size_t)(stop - action));
		if (!colon && !rest && action < stop)
			rest = plain_action(*action);
		if (colon && stub_thread_parse(colon + 1, (size_t)(stop - colon - 1), &pattern) &&
		    stub_thread_matches(&pattern, thread))
			return plain_action(*action);
		at = stop;
	}
	return rest;
}

size_t stub_resume_again(const char *body, size_t size, char *again, size_t capacity)
{
	const char *at = body, *end = body + size;
	size_t to = 0;

	if (size + 1 > capacity)
		return 0;
	if (size && body[0] != 'v') {
		again[0] = plain_action(body[0]);
		again[1] = '\0';
		return 1;
	}
	while (at < end) {
		const char *stop = memchr(at, ';', (size_t)(end - at)), *colon;

		stop = stop ? stop : end;
		if (at > body && (*at == 'C' || *at == 'S')) {
			colon = memchr(at, ':', (size_t)(stop - at));
			again[to++] = plain_action(*at);
			at = colon ? colon : stop;
		}
		stop += stop < end;
		memcpy(again + to, at, (size_t)(stop - at));
		to += (size_t)(stop - at);
		at = stop;
	}
	again[to] = '\0';
	return to;
}
