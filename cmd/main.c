// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Finds the command, parses its options, opens the view, runs it, and turns the outcome into an exit code. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cleanup.h"
#include "command.h"
#include "escape.h"
#include "inspect.h"
#include "run.h"
#include "view.h"

static const struct option_spec output_options[] = {
	{ 0, "json", NULL, OPTION_FLAG, offsetof(struct output_settings, is_json), NULL,
	  "one JSON object a line, raw units" },
	{ 0, "color", "WHEN", OPTION_TEXT, offsetof(struct output_settings, colour), NULL,
	  "auto (default), always or never" },
	{ 'q', "quiet", NULL, OPTION_FLAG, offsetof(struct output_settings, is_quiet), NULL,
	  "results only: no headings, no notices" },
	{ 'v', "verbose", NULL, OPTION_FLAG, offsetof(struct output_settings, is_verbose), NULL,
	  "say what is done, with libbpf's and the verifier's words" },
	{ 'h', "help", NULL, OPTION_FLAG, offsetof(struct output_settings, wants_help), NULL, "this text" },
};

void print_error(const char *name, const char *message)
{
	char escaped[2048];

	escape_string(escape_form_of_terminal(), message, escaped, sizeof(escaped));
	fprintf(stderr, "dill%s%s: %s\n", name ? " " : "", name ? name : "", escaped);
}

static void print_overview(FILE *out)
{
	fprintf(out, "dill: where did memory go, who holds it, and is it damaged?\n\n"
		     "usage: dill COMMAND [OPTIONS]\n\n");
	for (size_t i = 0; commands[i]; i++)
		fprintf(out, "  %-12s %s\n", commands[i]->name, commands[i]->summary);
	fprintf(out, "\ndill help COMMAND tells more; dill --version prints the version.\n"
		     "Exit codes: 0 clean, 1 findings, 2 usage, 3 cannot run here or incomplete.\n");
}

/* What the options of the command's kind are stored in. */
struct kind_settings {
	struct trace_settings trace;
	struct inspect_settings inspect;
};

/* Up to three groups: the command's own, those of its kind, those of every command. */
static size_t option_groups(const struct command *command, void *settings, struct kind_settings *kind,
			    struct output_settings *output, struct option_group *ret_groups)
{
	size_t count = 0;

	if (command->option_count)
		ret_groups[count++] = (struct option_group){ "Options", command->options, command->option_count, settings };
	if (command->tracer)
		ret_groups[count++] = (struct option_group){ "Options of all tracing commands", trace_options,
							     trace_option_count, &kind->trace };
	if (command->inspector)
		ret_groups[count++] = (struct option_group){ "Options of all inspecting commands", inspect_options,
							     inspect_option_count, &kind->inspect };
	ret_groups[count++] = (struct option_group){ "Options of every command", output_options,
						     sizeof(output_options) / sizeof(*output_options), output };
	return count;
}

static void print_help(const struct command *command)
{
	struct option_group groups[3];
	struct kind_settings kind;
	size_t count = option_groups(command, NULL, &kind, NULL, groups);
	const char *line = command->usage;

	printf("dill %s: %s\n\n", command->name, command->summary);
	for (const char *lead = "usage:"; *line; lead = "      ") {
		int length = strcspn(line, "\n");

		printf("%s dill %s %.*s\n", lead, command->name, length, line);
		line += length + (line[length] == '\n');
	}
	printf("\n%s\n", command->description);
	options_help(groups, count, stdout);
}

static int flush_stdout(void)
{
	return fflush(stdout) ? EXIT_INCOMPLETE : EXIT_CLEAN;
}

static int unknown_command(const char *word)
{
	const char *names[128];
	const char *near;
	char message[256];
	size_t count = 0;

	for (size_t i = 0; commands[i] && count < 126; i++)
		names[count++] = commands[i]->name;
	names[count++] = "help";
	names[count] = NULL;
	near = nearest_name(word, names);
	if (near)
		snprintf(message, sizeof(message), "unknown command '%s': did you mean '%s'?", word, near);
	else
		snprintf(message, sizeof(message), "unknown command '%s': see dill help", word);
	print_error(NULL, message);
	return EXIT_USAGE;
}

/*
 * Before 5.11, where memory cgroups took over, BPF memory counts as locked memory of the user, that of
 * another dill too. Where the limit can't be raised, and there matters, loading fails and says so.
 */
static void raise_locked_memory(struct rlimit *ret_before)
{
	struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };

	getrlimit(RLIMIT_MEMLOCK, ret_before);
	setrlimit(RLIMIT_MEMLOCK, &none);
}

static int run_by_kind(struct invocation *invocation, struct kind_settings *kind, struct error *err)
{
	if (invocation->command->tracer)
		return run_tracer(invocation, &kind->trace, err);
	if (invocation->command->inspector)
		return run_inspector(invocation, &kind->inspect, err);
	return invocation->command->run(invocation, err);
}

static int run_command(struct invocation *invocation, struct kind_settings *kind)
{
	const struct command *command = invocation->command;
	struct view_options options = { .is_json = invocation->output.is_json,
					.is_quiet = invocation->output.is_quiet };
	struct error err = { 0 };
	int code, status;

	for (size_t i = 0; command->records && command->records[i]; i++) {
		if (!view_record_check(command->records[i], err.text, sizeof(err.text)))
			continue;
		print_error(command->name, err.text);
		return EXIT_INCOMPLETE;
	}
	if (invocation->output.colour && colour_parse(invocation->output.colour, &options.colour)) {
		print_error(command->name, "--color wants auto, always or never");
		return EXIT_USAGE;
	}
	raise_locked_memory(&invocation->locked_memory);
	status = view_open(&options, &invocation->view);
	if (status) {
		print_error(command->name, strerror(-status));
		return EXIT_INCOMPLETE;
	}
	code = run_by_kind(invocation, kind, &err);
	status = view_close(invocation->view);
	if (code < 0) {
		print_error(command->name, err.text[0] ? err.text : strerror(-code));
		return code == -EINVAL ? EXIT_USAGE : EXIT_INCOMPLETE;
	}
	if (status && status != -EPIPE) {
		snprintf(err.text, sizeof(err.text), "cannot write the output: %s", strerror(-status));
		print_error(command->name, err.text);
		return EXIT_INCOMPLETE;
	}
	return code;
}

static int call_command(const struct command *command, int argc, char **argv)
{
	CLEANUP(free) void *settings = calloc(1, command->settings_size + 1);
	struct kind_settings kind = { 0 };
	struct invocation invocation = { .command = command, .settings = settings };
	struct option_group groups[3];
	struct error err = { 0 };
	size_t count;
	int rest, code;

	if (!settings)
		return EXIT_INCOMPLETE;
	if (command->tracer)
		kind.trace.interval_ns = command->tracer->interval_ns;
	if (command->defaults)
		memcpy(settings, command->defaults, command->settings_size);
	count = option_groups(command, settings, &kind, &invocation.output, groups);
	if (options_parse(groups, count, argc, argv, &rest, &invocation.has_dashes, &err)) {
		print_error(command->name, err.text);
		return EXIT_USAGE;
	}
	if (invocation.output.wants_help) {
		print_help(command);
		return flush_stdout();
	}
	invocation.words = argv + rest;
	invocation.word_count = argc - rest;
	code = run_command(&invocation, &kind);
	trace_settings_deinit(&kind.trace);
	return code;
}

int main(int argc, char **argv)
{
	const struct command *command;
	const char *word = argc > 1 ? argv[1] : "help";

	if (!strcmp(word, "--version") || !strcmp(word, "version")) {
		printf("dill %s\n", DILL_VERSION);
		return flush_stdout();
	}
	if (!strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h")) {
		if (argc < 3) {
			print_overview(stdout);
			return flush_stdout();
		}
		command = command_find(argv[2]);
		if (!command)
			return unknown_command(argv[2]);
		print_help(command);
		return flush_stdout();
	}
	command = command_find(word);
	if (!command)
		return unknown_command(word);
	return call_command(command, argc - 1, argv + 1);
}
