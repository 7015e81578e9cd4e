# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# Builds tests/programs/*: ground-truth programs. Each file says in its first lines, by comments, how it is built:
#   /* cflags: … */  /* ldflags: … */  /* cc: … */  /* static: no */  /* shared: yes */
# A program is built twice: as users build theirs, and statically for the guests that have no C library.

program_sources := $(wildcard tests/programs/*.c tests/programs/*.cc)
program_names := $(basename $(notdir $(program_sources)))
# $(call directive,FILE,WORD): what the file says after `WORD:`.
directive = $(shell sed -n '1,12s|^/\* $(2): \(.*\) \*/$$|\1|p' $(1))
program_flags := -O2 -g -Wall -Wextra -Werror -pthread

define program_rule
$(eval src := $(1))
$(eval name := $(basename $(notdir $(1))))
$(eval cc := $(or $(call directive,$(1),cc),$(if $(filter %.cc,$(1)),g++,gcc)))
$(eval is_shared := $(call directive,$(1),shared))
$(eval target := $(O)/tests/programs/$(if $(is_shared),lib$(name).so,$(name)))
$(eval flags := $(program_flags) $(call directive,$(1),cflags))
$(eval ldflags := $(call directive,$(1),ldflags))
$(eval program_targets += $(target))
$(target): $(src) $(wildcard tests/programs/*.h) $(O)/flags
	@mkdir -p $$(@D)
	$(cc) $(flags) -MMD -MP $(if $(is_shared),-shared -fPIC) -o $$@ $$< $(ldflags)
$(if $(is_shared)$(filter no,$(call directive,$(1),static)),,
$(eval program_targets += $(O)/tests/programs-static/$(name))
$(O)/tests/programs-static/$(name): $(src) $(wildcard tests/programs/*.h) $(O)/flags
	@mkdir -p $$(@D)
	$(cc) $(flags) -MMD -MP -static -o $$@ $$< $(filter-out -ldl,$(ldflags)))
endef
# What says `static: no` because it is static anyway goes to the guests as it is.
define static_copy_rule
$(if $(findstring -static,$(call directive,$(1),ldflags)),
$(eval program_targets += $(O)/tests/programs-static/$(basename $(notdir $(1))))
$(O)/tests/programs-static/$(basename $(notdir $(1))): $(O)/tests/programs/$(basename $(notdir $(1)))
	@mkdir -p $$(@D)
	cp $$< $$@)
endef
$(foreach source,$(program_sources),$(if $(filter no,$(call directive,$(source),static)),$(eval $(call static_copy_rule,$(source)))))
$(foreach source,$(program_sources),$(eval $(call program_rule,$(source))))

programs: $(program_targets) $(O)/examples/leak
$(O)/examples/leak: examples/leak.c
	@mkdir -p $(@D)
	gcc -O2 -g -pthread -o $@ $<
.PHONY: programs
