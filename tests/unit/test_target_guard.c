// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* What a process that was killed has said to its target. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "target_guard.h"

enum life { DIES, ENDS_GUARD, RELEASES_GUARD, DECIDES, DECIDES_NOTHING };

/* A process that starts a guard and dies. Returns what the peer got, which said @words. */
static size_t farewell_of(enum life life, const char *cue, const char *words, char *text, size_t size)
{
	int pair[2];
	pid_t child;
	size_t got = 0;
	ssize_t part;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	child = fork();
	if (child == 0) {
		struct target_guard guard;

		close(pair[1]);
		if (target_guard_start(pair[0], "#00$D#44", cue, &guard, NULL))
			_exit(1);
		if (life == ENDS_GUARD)
			target_guard_end(&guard);
		if (life == RELEASES_GUARD)
			target_guard_release(&guard);
		if (life == DECIDES || life == DECIDES_NOTHING)
			target_guard_decide(&guard, life == DECIDES ? "other" : "");
		raise(SIGKILL);
	}
	close(pair[0]);
	if (send(pair[1], words, strlen(words), MSG_NOSIGNAL) < 0)
		return 0; /* it has ended already */
	while (got < size && (part = read(pair[1], text + got, size - got)) > 0)
		got += (size_t)part;
	close(pair[1]);
	waitpid(child, NULL, 0);
	return got;
}

static void a_killed_process_says_farewell(void **state)
{
	char text[32];

	(void)state;
	assert_int_equal(farewell_of(DIES, NULL, "", text, sizeof(text)), 8);
	assert_memory_equal(text, "#00$D#44", 8);
	assert_int_equal(farewell_of(RELEASES_GUARD, NULL, "", text, sizeof(text)), 8);
	assert_int_equal(farewell_of(ENDS_GUARD, NULL, "", text, sizeof(text)), 0);
}

static void until_it_is_decided_the_farewell_waits_for_its_cue(void **state)
{
	char text[32];

	(void)state;
	assert_int_equal(farewell_of(DIES, "$T", "+$T02thread:01;#04", text, sizeof(text)), 8);
	assert_int_equal(farewell_of(DIES, "$T", "$OK#9a", text, sizeof(text)), 0);
	assert_int_equal(farewell_of(DECIDES, "$T", "$OK#9a", text, sizeof(text)), 5);
	assert_memory_equal(text, "other", 5);
	assert_int_equal(farewell_of(DECIDES_NOTHING, "$T", "$T02#00", text, sizeof(text)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_killed_process_says_farewell),
		cmocka_unit_test(until_it_is_decided_the_farewell_waits_for_its_cue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
