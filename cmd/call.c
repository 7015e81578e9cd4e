// SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
/* Finds the command, parses its options, opens the view, runs it, and turns the outcome into an exit code. */
#include "call.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cleanup.h"
#include "command.h"
#include "escape.h"
#include "inspect.h"
#include "run.h"
#include "units.h"
#include "view.h"

#define GROUPS_MAX 3

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

static void write_error(FILE *out, const char *name, const char *message)
{
	char escaped[2048];

	escape_string(escape_form_of_terminal(), message, escaped, sizeof(escaped));
	fprintf(out, "dill%s%s: %s\n", name ? " " : "", name ? name : "", escaped);
	fflush(out);
}

void complain(const struct invocation *invocation, const char *message)
{
	write_error(invocation->caller->errors, invocation->command->name, message);
}

static bool is_offered(const struct caller *caller, const struct command *command)
{
	return caller->owns_process || command->inspector;
}

static const struct command *find_offered(const struct caller *caller, const char *name)
{
	const struct command *command = command_find(name);

	return command && is_offered(caller, command) ? command : NULL;
}

static void write_overview(const struct caller *caller)
{
	FILE *out = caller->out;

	fprintf(out, "dill: where did memory go, who holds it, and is it damaged?\n\n"
		     "usage: dill COMMAND [OPTIONS]\n\n");
	for (size_t i = 0; commands[i]; i++)
		if (is_offered(caller, commands[i]))
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
static size_t option_groups(const struct command *command, bool has_target, void *settings,
			    struct kind_settings *kind, struct output_settings *output,
			    struct option_group ret_groups[GROUPS_MAX])
{
	size_t count = 0;

	if (command->option_count)
		ret_groups[count++] = (struct option_group){ "Options", command->options, command->option_count,
							     settings };
	if (command->tracer)
		ret_groups[count++] = (struct option_group){ "Options of all tracing commands", trace_options,
							     trace_option_count, &kind->trace };
	if (command->inspector && !command->inspector->begins_with_process)
		ret_groups[count++] = (struct option_group){
			"Options of all inspecting commands",
			has_target ? inspect_options_of_debugger : inspect_options,
			inspect_option_count, &kind->inspect
		};
	ret_groups[count++] = (struct option_group){ "Options of every command", output_options,
						     sizeof(output_options) / sizeof(*output_options), output };
	return count;
}

void call_write_help(const struct caller *caller, const struct command *command, FILE *out)
{
	struct option_group groups[GROUPS_MAX];
	struct kind_settings kind;
	size_t count = option_groups(command, caller->open, NULL, &kind, NULL, groups);
	const char *line = command->usage;
	char interval[UNITS_TEXT_MAX];

	fprintf(out, "dill %s: %s\n\n", command->name, command->summary);
	for (const char *lead = "usage:"; *line; lead = "      ") {
		int length = strcspn(line, "\n");

		fprintf(out, "%s dill %s %.*s\n", lead, command->name, length, line);
		line += length + (line[length] == '\n');
	}
	fprintf(out, "\n%s\n", command->description);
	if (command->tracer && command->tracer->interval_ns)
		fprintf(out, "Reports come every %s unless -i says otherwise.\n",
			units_format_duration(command->tracer->interval_ns, interval));
	options_help(groups, count, out);
}

const char *call_option_name(const struct command *command, size_t n)
{
	struct option_group groups[GROUPS_MAX];
	struct kind_settings kind;
	size_t count = option_groups(command, false, NULL, &kind, NULL, groups);

	for (size_t i = 0; i < count; n -= groups[i].count, i++)
		if (n < groups[i].count)
			return groups[i].specs[n].name;
	return NULL;
}

static int flush(FILE *out)
{
	return fflush(out) ? EXIT_INCOMPLETE : EXIT_CLEAN;
}

static int unknown_command(const struct caller *caller, const char *word)
{
	const char *names[128];
	const char *near;
	char message[256];
	size_t count = 0;

	for (size_t i = 0; commands[i] && count < 126; i++)
		if (is_offered(caller, commands[i]))
			names[count++] = commands[i]->name;
	names[count++] = "help";
	names[count] = NULL;
	near = nearest_name(word, names);
	if (near)
		snprintf(message, sizeof(message), "unknown command '%s': did you mean '%s'?", word, near);
	else
		snprintf(message, sizeof(message), "unknown command '%s': see dill help", word);
	write_error(caller->errors, NULL, message);
	return EXIT_USAGE;
}

static int run_by_kind(struct invocation *invocation, struct kind_settings *kind, struct error *err)
{
	if (invocation->command->tracer)
		return run_tracer(invocation, &kind->trace, err);
	if (invocation->command->inspector)
		return run_inspector(invocation, &kind->inspect, err);
	return invocation->command->run(invocation, err);
}

static int open_view(struct invocation *invocation)
{
	const struct caller *caller = invocation->caller;
	struct view_options options = { .out = caller->out,
					.is_json = invocation->output.is_json,
					.is_quiet = invocation->output.is_quiet,
					.colour = caller->colour,
					.is_terminal = caller->terminal_columns != 0,
					.terminal_columns = caller->terminal_columns };
	int status;

	if (invocation->output.colour && colour_parse(invocation->output.colour, &options.colour)) {
		complain(invocation, "--color wants auto, always or never");
		return EXIT_USAGE;
	}
	status = view_open(&options, &invocation->view);
	if (!status)
		return EXIT_CLEAN;
	complain(invocation, strerror(-status));
	return EXIT_INCOMPLETE;
}

static int run_command(struct invocation *invocation, struct kind_settings *kind)
{
	const struct command *command = invocation->command;
	struct error err = { 0 };
	int code, status;

	for (size_t i = 0; command->records && command->records[i]; i++) {
		if (!view_record_check(command->records[i], err.text, sizeof(err.text)))
			continue;
		complain(invocation, err.text);
		return EXIT_INCOMPLETE;
	}
	code = open_view(invocation);
	if (code)
		return code;
	code = run_by_kind(invocation, kind, &err);
	status = view_close(invocation->view);
	if (code < 0) {
		complain(invocation, err.text[0] ? err.text : strerror(-code));
		return code == -EINVAL ? EXIT_USAGE : EXIT_INCOMPLETE;
	}
	if (status && status != -EPIPE) {
		snprintf(err.text, sizeof(err.text), "cannot write the output: %s", strerror(-status));
		complain(invocation, err.text);
		return EXIT_INCOMPLETE;
	}
	return code;
}

/* Lists that options were gathered in, and that nobody took. */
static void free_lists(const struct option_group *groups, size_t count)
{
	for (size_t g = 0; g < count; g++) {
		for (size_t i = 0; i < groups[g].count; i++) {
			const struct option_spec *spec = &groups[g].specs[i];

			if (spec->kind == OPTION_TEXTS)
				text_list_deinit((void *)((char *)groups[g].settings + spec->offset));
		}
	}
}

/* Words between @first and "--", which stands at @dashes, mean something to some tracers only. */
static int take_words(struct invocation *invocation, int argc, char **argv, int first, int dashes, struct error *err)
{
	const struct tracer *tracer = invocation->command->tracer;
	int behind = dashes < argc ? dashes + 1 : argc;

	invocation->has_dashes = dashes < argc;
	invocation->words = argv + (invocation->has_dashes ? behind : first);
	invocation->word_count = argc - (int)(invocation->words - argv);
	if (tracer && tracer->takes_arguments) {
		invocation->arguments = argv + first;
		invocation->argument_count = dashes - first;
		invocation->words = argv + behind;
		invocation->word_count = argc - behind;
	} else if (invocation->has_dashes && first != dashes) {
		return error_set(err, -EINVAL, "'%s' before -- is no option", argv[first]);
	}
	return 0;
}

static int call_command(const struct caller *caller, const struct command *command, int argc, char **argv)
{
	CLEANUP(free) void *settings = calloc(1, command->settings_size + 1);
	struct kind_settings kind = { 0 };
	struct invocation invocation = { .caller = caller, .command = command, .settings = settings };
	struct option_group groups[GROUPS_MAX];
	struct error err = { 0 };
	size_t count;
	int rest, dashes, code;

	if (!settings)
		return EXIT_INCOMPLETE;
	if (command->tracer)
		kind.trace.interval_ns = command->tracer->interval_ns;
	if (command->defaults)
		memcpy(settings, command->defaults, command->settings_size);
	count = option_groups(command, caller->open, settings, &kind, &invocation.output, groups);
	if (options_parse(groups, count, argc, argv, &rest, &dashes, &err)) {
		complain(&invocation, err.text);
		code = EXIT_USAGE;
	} else if (invocation.output.wants_help) {
		call_write_help(caller, command, caller->out);
		code = flush(caller->out);
	} else if (take_words(&invocation, argc, argv, rest, dashes, &err)) {
		complain(&invocation, err.text);
		code = EXIT_USAGE;
	} else {
		code = run_command(&invocation, &kind);
	}
	free_lists(groups, count);
	return code;
}

int call_words(const struct caller *caller, int argc, char **argv)
{
	const struct command *command;
	const char *word = argc > 0 ? argv[0] : "help";

	if (!strcmp(word, "--version") || !strcmp(word, "version")) {
		fprintf(caller->out, "dill %s\n", DILL_VERSION);
		return flush(caller->out);
	}
	if (!strcmp(word, "help") || !strcmp(word, "--help") || !strcmp(word, "-h")) {
		if (argc < 2) {
			write_overview(caller);
			return flush(caller->out);
		}
		command = find_offered(caller, argv[1]);
		if (!command)
			return unknown_command(caller, argv[1]);
		call_write_help(caller, command, caller->out);
		return flush(caller->out);
	}
	command = find_offered(caller, word);
	if (!command)
		return unknown_command(caller, word);
	return call_command(caller, command, argc, argv);
}
