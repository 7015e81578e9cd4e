// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* control: both ends in one process, with the tracer's in a thread where both must move. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "control.h"
#include "target_socket.h"

enum { LONG_MS = 30000 };

/* What the tracer's end does with the requests that come. */
struct tracer {
	int fds[2]; /* gdb's, the tracer's */
	pthread_t thread;
	int requests;      /* to answer before it ends */
	int late_requests; /* of them, those that wait for their cancellation first */
	size_t text_size;  /* of the answer; 0: the words themselves */
	char seen[1024];   /* of the last request */
};

static char *joined(const struct control_received *received, char *to, size_t size)
{
	size_t at = snprintf(to, size, "%s|%u|%d", received->request.directory, received->request.columns,
			     received->request.is_coloured);

	for (size_t i = 0; i < received->request.word_count && at < size; i++)
		at += snprintf(to + at, size - at, "|%s", received->request.words[i]);
	return to;
}

static void *trace(void *context)
{
	struct tracer *tracer = context;
	char *text = malloc(tracer->text_size + 1);

	memset(text, 'x', tracer->text_size);
	for (int i = 0; i < tracer->requests; i++) {
		struct control_received received = { 0 };

		while (control_receive(tracer->fds[1], &received, NULL) == -EAGAIN)
			target_wait(tracer->fds[1], POLLIN, target_now_ms() + LONG_MS);
		if (!received.bytes)
			break;
		joined(&received, tracer->seen, sizeof(tracer->seen));
		while (i < tracer->late_requests && !control_is_cancelled(tracer->fds[1]))
			usleep(1000);
		if (tracer->text_size)
			control_answer(tracer->fds[1], received.sequence, 3, text, tracer->text_size,
				       "too bad");
		else
			control_answer(tracer->fds[1], received.sequence, 0, tracer->seen,
				       strlen(tracer->seen), NULL);
		control_received_deinit(&received);
	}
	free(text);
	return NULL;
}

static void tracer_start(struct tracer *tracer)
{
	assert_int_equal(control_pair(tracer->fds, NULL), 0);
	assert_int_equal(pthread_create(&tracer->thread, NULL, trace, tracer), 0);
}

static void tracer_join(struct tracer *tracer)
{
	pthread_join(tracer->thread, NULL);
	close(tracer->fds[0]);
	close(tracer->fds[1]);
}

static struct control_request request_of(const char *const *words)
{
	struct control_request request = {
		.words = words, .directory = "/tmp", .columns = 80, .is_coloured = true
	};

	while (words[request.word_count])
		request.word_count++;
	return request;
}

static const char *const few[] = { "filter", "add", "", "a b\n", NULL };

static void words_arrive_as_they_were_said(void **state)
{
	struct tracer tracer = { .requests = 1 };
	struct control_request request = request_of(few);
	struct control_answer answer;
	struct control_asker asker;

	(void)state;
	tracer_start(&tracer);
	asker = (struct control_asker){ .fd = tracer.fds[0] };
	assert_int_equal(control_ask(&asker, &request, NULL, LONG_MS, &answer, NULL), 0);
	assert_string_equal(answer.text, "/tmp|80|1|filter|add||a b\n");
	assert_int_equal(answer.size, strlen(answer.text));
	assert_string_equal(answer.complaint, "");
	assert_int_equal(answer.exit_code, 0);
	control_answer_deinit(&answer);
	tracer_join(&tracer);
}

static void a_long_answer_comes_whole_with_its_complaint(void **state)
{
	struct tracer tracer = { .requests = 1, .text_size = 5 * 1000 * 1000 };
	struct control_request request = request_of(few);
	struct control_answer answer;
	struct control_asker asker;

	(void)state;
	tracer_start(&tracer);
	asker = (struct control_asker){ .fd = tracer.fds[0] };
	assert_int_equal(control_ask(&asker, &request, NULL, LONG_MS, &answer, NULL), 0);
	assert_int_equal(answer.size, tracer.text_size);
	assert_int_equal(strspn(answer.text, "x"), tracer.text_size);
	assert_string_equal(answer.complaint, "too bad");
	assert_int_equal(answer.exit_code, 3);
	control_answer_deinit(&answer);
	tracer_join(&tracer);
}

static int looks;
static int third_look(void)
{
	return ++looks >= 3;
}

static void an_interrupt_reaches_the_tracer_and_the_next_answer_is_its_own(void **state)
{
	static const char *const next[] = { "status", NULL };
	struct tracer tracer = { .requests = 2, .late_requests = 1 };
	struct control_request request = request_of(few);
	struct control_answer answer = { .exit_code = 77 };
	struct control_asker asker;
	struct error err = { 0 };

	(void)state;
	looks = 0;
	tracer_start(&tracer);
	asker = (struct control_asker){ .fd = tracer.fds[0] };
	assert_int_equal(control_ask(&asker, &request, third_look, LONG_MS, &answer, &err), -EINTR);
	assert_string_equal(err.text, "interrupted");
	assert_int_equal(answer.exit_code, 77);
	request = request_of(next);
	assert_int_equal(control_ask(&asker, &request, NULL, LONG_MS, &answer, NULL), 0);
	assert_string_equal(answer.text, "/tmp|80|1|status");
	control_answer_deinit(&answer);
	tracer_join(&tracer);
}

static void silence_ends_the_wait_and_a_late_answer_is_dropped(void **state)
{
	static const char *const next[] = { "status", NULL };
	struct tracer tracer = { .requests = 2, .late_requests = 1 };
	struct control_request request = request_of(few);
	struct control_answer answer;
	struct control_asker asker;

	(void)state;
	tracer_start(&tracer);
	asker = (struct control_asker){ .fd = tracer.fds[0] };
	/* The tracer answers the first request when that is given up, and not before. */
	assert_int_equal(control_ask(&asker, &request, NULL, 100, &answer, NULL), -ETIMEDOUT);
	request = request_of(next);
	assert_int_equal(control_ask(&asker, &request, NULL, LONG_MS, &answer, NULL), 0);
	assert_string_equal(answer.text, "/tmp|80|1|status");
	control_answer_deinit(&answer);
	tracer_join(&tracer);
}

static void a_tracer_that_is_gone_is_told_from_a_silent_one(void **state)
{
	struct control_request request = request_of(few);
	struct control_received received;
	struct control_answer answer;
	struct control_asker asker = { 0 };
	struct error err = { 0 };
	int fds[2];

	(void)state;
	assert_int_equal(control_pair(fds, NULL), 0);
	asker.fd = fds[0];
	assert_int_equal(control_receive(fds[1], &received, &err), -EAGAIN);
	assert_false(control_is_cancelled(fds[1]));
	close(fds[1]);
	assert_int_equal(control_ask(&asker, &request, NULL, LONG_MS, &answer, &err), -EPIPE);
	close(fds[0]);

	assert_int_equal(control_pair(fds, NULL), 0);
	close(fds[0]);
	assert_int_equal(control_receive(fds[1], &received, &err), -EPIPE);
	assert_true(control_is_cancelled(fds[1]));
	close(fds[1]);
}

static void what_does_not_fit_is_refused_before_it_is_sent(void **state)
{
	const char *many[CONTROL_WORDS_MAX + 2] = { 0 };
	struct control_received received;
	struct control_request request;
	struct control_answer answer;
	struct control_asker asker = { 0 };
	char *word = malloc(CONTROL_REQUEST_MAX + 1);
	int fds[2];

	(void)state;
	assert_int_equal(control_pair(fds, NULL), 0);
	asker.fd = fds[0];
	for (int i = 0; i <= CONTROL_WORDS_MAX; i++)
		many[i] = "w";
	request = request_of(many);
	assert_int_equal(control_ask(&asker, &request, NULL, LONG_MS, &answer, NULL), -E2BIG);
	memset(word, 'w', CONTROL_REQUEST_MAX);
	word[CONTROL_REQUEST_MAX] = '\0';
	request = request_of((const char *const[]){ word, NULL });
	assert_int_equal(control_ask(&asker, &request, NULL, LONG_MS, &answer, NULL), -E2BIG);
	assert_int_equal(control_receive(fds[1], &received, NULL), -EAGAIN);
	free(word);
	close(fds[0]);
	close(fds[1]);
}

/* Heads as control.c writes them, then: columns, coloured, words, directory, one word. */
struct raw {
	uint32_t version, kind, sequence, size, columns, is_coloured, word_count;
	char strings[8];
};

static int receive_raw(const struct raw *raw, size_t size)
{
	struct control_received received;
	int fds[2], status;

	assert_int_equal(control_pair(fds, NULL), 0);
	assert_int_equal(send(fds[0], raw, size, 0), (ssize_t)size);
	status = control_receive(fds[1], &received, NULL);
	if (!status)
		control_received_deinit(&received);
	close(fds[0]);
	close(fds[1]);
	return status;
}

static void requests_that_are_none_are_refused(void **state)
{
	const struct raw good = { 0x444c0001, 0, 1, sizeof(good) - 16, 0, 0, 3, "\0run\0x\0" };
	struct raw bad;

	(void)state;
	assert_int_equal(receive_raw(&good, sizeof(good)), 0);
	assert_int_equal(receive_raw(&good, sizeof(good) - 1), -EPROTO);
	assert_int_equal(receive_raw(&good, 15), -EPROTO);
	bad = good;
	bad.version++;
	assert_int_equal(receive_raw(&bad, sizeof(bad)), -EPROTO);
	bad = good;
	bad.kind = 4;
	assert_int_equal(receive_raw(&bad, sizeof(bad)), -EPROTO);
	bad = good;
	bad.word_count = 4; /* more than there are */
	assert_int_equal(receive_raw(&bad, sizeof(bad)), -EPROTO);
	bad.word_count = 2; /* fewer */
	assert_int_equal(receive_raw(&bad, sizeof(bad)), -EPROTO);
	bad.word_count = UINT32_MAX;
	assert_int_equal(receive_raw(&bad, sizeof(bad)), -EPROTO);
	bad = good;
	bad.strings[7] = 'x'; /* without an end */
	assert_int_equal(receive_raw(&bad, sizeof(bad)), -EPROTO);
}

static void a_cancellation_that_comes_too_late_is_no_request(void **state)
{
	const struct raw cancel = { .version = 0x444c0001, .kind = 1, .sequence = 1 };
	const struct raw good = { 0x444c0001, 0, 2, sizeof(good) - 16, 0, 0, 3, "\0run\0x\0" };
	struct control_received received;
	int fds[2];

	(void)state;
	assert_int_equal(control_pair(fds, NULL), 0);
	assert_int_equal(send(fds[0], &cancel, 16, 0), 16);
	assert_int_equal(control_receive(fds[1], &received, NULL), -EAGAIN);
	assert_int_equal(send(fds[0], &cancel, 16, 0), 16);
	assert_int_equal(send(fds[0], &good, sizeof(good), 0), (ssize_t)sizeof(good));
	assert_int_equal(control_receive(fds[1], &received, NULL), 0);
	assert_int_equal(received.sequence, 2);
	assert_string_equal(received.request.words[0], "run");
	control_received_deinit(&received);
	close(fds[0]);
	close(fds[1]);
}

static void the_tracer_waits_not_forever_for_one_who_takes_nothing(void **state)
{
	char *text = calloc(1, 8 * 1000 * 1000);
	int fds[2];

	(void)state;
	assert_int_equal(control_pair(fds, NULL), 0);
	assert_int_equal(control_answer(fds[1], 1, 0, text, 8 * 1000 * 1000, NULL), -ETIMEDOUT);
	close(fds[0]);
	assert_int_equal(control_answer(fds[1], 1, 0, text, 10, NULL), -EPIPE);
	close(fds[1]);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_arrive_as_they_were_said),
		cmocka_unit_test(a_long_answer_comes_whole_with_its_complaint),
		cmocka_unit_test(an_interrupt_reaches_the_tracer_and_the_next_answer_is_its_own),
		cmocka_unit_test(silence_ends_the_wait_and_a_late_answer_is_dropped),
		cmocka_unit_test(a_tracer_that_is_gone_is_told_from_a_silent_one),
		cmocka_unit_test(what_does_not_fit_is_refused_before_it_is_sent),
		cmocka_unit_test(requests_that_are_none_are_refused),
		cmocka_unit_test(a_cancellation_that_comes_too_late_is_no_request),
		cmocka_unit_test(the_tracer_waits_not_forever_for_one_who_takes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
