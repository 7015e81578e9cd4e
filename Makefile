# SPDX-License-Identifier: LGPL-2.1-or-later OR BSD-2-Clause
# The whole build of dill, non-recursive. `make help` lists what can be made.
#
# Directories are picked up by wildcard: a new command, library file, test or test program needs no edit here.
# O=DIR builds elsewhere (make O=build/asan SANITIZE=address,undefined); STATIC=1 links one static file.

O ?= build
ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang
LLVM_STRIP ?= llvm-strip
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
CFLAGS ?= -O2 -g
PREFIX ?= /usr/local
VERSION := 0.1.0

.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules
.DEFAULT_GOAL := all

# Ours are kept apart from the caller's CFLAGS, so that `make CFLAGS=-O0` drops none of them.
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror
ALL_CFLAGS := -std=gnu17 -D_GNU_SOURCE -DDILL_VERSION='"$(VERSION)"' $(WARNINGS) -fPIC -MMD -MP
ALL_CFLAGS += $(CFLAGS) $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer)
ALL_LDFLAGS := $(LDFLAGS) $(if $(SANITIZE),-fsanitize=$(SANITIZE)) $(if $(STATIC),-static)
BPF_CFLAGS := -target bpf -mcpu=v2 -O2 -g -D__TARGET_ARCH_x86 -Wall -Wextra -Wno-unused-parameter -Werror \
	-Ibpf -Ilib -Ilib/kernel -Icmd -isystem /usr/include/$(shell $(CC) -print-multiarch 2>/dev/null)
STATIC_LIBS := -lbz2
# Debian has no static libkdumpfile; without it dill reads all dumps but the compressed ones.
KDUMPFILE := $(if $(STATIC),,$(wildcard /usr/include/libkdumpfile/kdumpfile.h /usr/local/include/libkdumpfile/kdumpfile.h))
ALL_CFLAGS += $(if $(KDUMPFILE),-DHAVE_LIBKDUMPFILE)
LIBS := $(if $(KDUMPFILE),-lkdumpfile) -lbpf -ldw -lelf -liberty -lcap -ljansson -llzma -lz $(if $(STATIC),$(STATIC_LIBS)) -lzstd -lm -ldl -lpthread

# May use: view, lib and slub nothing of ours, cmd lib + view + bpf and slub's model, gdb all of them. The -I lists enforce it.
LIB_FOLDERS := lib lib/kernel lib/stub lib/heap
INCLUDES_lib := $(LIB_FOLDERS:%=-I%) -Islub/inspection -I$(O)/lib/kernel
INCLUDES_view := -Iview
INCLUDES_cmd := -Icmd $(LIB_FOLDERS:%=-I%) -Iview -Ibpf -Islub -Islub/model -I$(O)/cmd
INCLUDES_gdb := -Igdb $(INCLUDES_cmd)
INCLUDES_slub := -Islub -Islub/inspection

lib_objects := $(patsubst %.c,$(O)/%.o,$(filter-out %.bpf.c,$(wildcard $(LIB_FOLDERS:%=%/*.c))))
view_objects := $(patsubst %.c,$(O)/%.o,$(wildcard view/*.c))
cmd_objects := $(patsubst %.c,$(O)/%.o,$(filter-out %.bpf.c,$(wildcard cmd/*.c)))
gdb_objects := $(patsubst %.c,$(O)/%.o,$(wildcard gdb/*.c))
slub_objects := $(patsubst %.c,$(O)/%.o,$(wildcard slub/*.c))
slub_preload_objects := $(patsubst %.c,$(O)/%.o,$(wildcard slub/preload/*.c))
# In gdb's process; main.o would be in the way. The rest of gdb/ is the tracer's, which is a process of its own.
gdb_library_objects := $(filter $(O)/gdb/plugin%.o $(O)/gdb/control.o $(O)/gdb/trace_grammar.o $(O)/gdb/interpose.o,$(gdb_objects)) \
	$(filter-out $(O)/cmd/main.o,$(cmd_objects))
skeletons := $(patsubst %.bpf.c,$(O)/%.skel.h,$(wildcard cmd/*.bpf.c))
lib_skeletons := $(patsubst %.bpf.c,$(O)/%.skel.h,$(wildcard lib/kernel/*.bpf.c))
unit_tests := $(patsubst tests/unit/%.c,$(O)/tests/unit/%,$(wildcard tests/unit/test_*.c))
fuzz_replays := $(patsubst tests/fuzz/%.c,$(O)/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

all: $(O)/dill $(O)/libslub.so $(O)/libslub.a $(O)/libslub-malloc.so $(O)/gdb/libdill-gdb.so $(O)/gdb/dill-tracer $(O)/gdb/dill.py $(O)/gdb/dill_session.py

help:
	@echo 'make           build/dill, the one executable'
	@echo 'make static    build/static/dill, which runs in an initramfs or on another distribution'
	@echo 'make demo      find a leak in a running program (installs what is missing, as root)'
	@echo 'make lab       a Debian kernel in QEMU for gdb: KERNEL=6.12 SMP=1 KASLR=off DEBUG=1 BACKGROUND=1; lab-end'
	@echo 'make check     all tests: unit, command line, live, real kernels in QEMU'
	@echo 'make check-unit  the quick ones; also check-cli, check-live, check-vm'
	@echo 'make bench     side by side with other tools; bench-slub: with other allocators; bench-slub-model; fuzz: libFuzzer targets'
	@echo 'make install   DESTDIR= PREFIX=$(PREFIX) GDB_START=/etc/gdb/gdbinit.d'

# A change of flags rebuilds: the stamp changes only when the text does.
$(O)/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(subst ','\'',$(ALL_CFLAGS)) | $(ALL_LDFLAGS) | $(CLANG) $(BPF_CFLAGS) | $(LIBS)' >$@.new
	@if cmp -s $@ $@.new; then rm $@.new; else mv $@.new $@; fi
FORCE:

$(O)/lib/%.o: lib/%.c $(O)/flags | $(lib_skeletons)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(INCLUDES_lib) -c -o $@ $<
$(O)/view/%.o: view/%.c $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(INCLUDES_view) -c -o $@ $<
$(O)/cmd/%.o: cmd/%.c $(O)/flags | $(skeletons)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(INCLUDES_cmd) -c -o $@ $<
$(O)/gdb/%.o: gdb/%.c $(O)/flags | $(skeletons)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(INCLUDES_gdb) -c -o $@ $<

# Only what slub.h declares is seen from outside.
$(O)/slub/%.o: slub/%.c $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -fvisibility=hidden $(INCLUDES_slub) -c -o $@ $<

# BPF: source → object → skeleton. No vmlinux.h: bpf/kernel_types.h holds the few fields in use, relocated by CO-RE.
define compile_bpf
@mkdir -p $(@D)
$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF $(@:.o=.d) -MT $@ -c -o $@ $<
$(LLVM_STRIP) -g $@
endef
$(O)/cmd/%.bpf.o: cmd/%.bpf.c $(O)/flags
	$(compile_bpf)
$(O)/lib/kernel/%.bpf.o: lib/kernel/%.bpf.c $(O)/flags
	$(compile_bpf)
$(O)/%.skel.h: $(O)/%.bpf.o
	$(BPFTOOL) gen skeleton $< name $(notdir $*)_bpf >$@ 2>$@.log || { cat $@.log >&2; exit 1; }

$(O)/libdill.a: $(lib_objects)
	@rm -f $@
	ar rcs $@ $^
$(O)/libview.a: $(view_objects)
	@rm -f $@
	ar rcs $@ $^
# The same source as a model of itself, without threads: the machine is model.c.
slub_model_sources := $(filter-out $(patsubst %,slub/%.c,percpu machine fork lock),$(wildcard slub/*.c)) $(wildcard slub/model/*.c)
$(O)/slub-model/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -DSLUB_MODEL $(INCLUDES_slub) -Islub/model -c -o $@ $<
$(O)/libslub-model.a: $(patsubst %.c,$(O)/slub-model/%.o,$(slub_model_sources))
	@rm -f $@
	ar rcs $@ $^
$(O)/libslub.a: $(slub_objects)
	@rm -f $@
	ar rcs $@ $^
# It stays when it is dlclose()d: objects live on, and threads' struct rseq may point to a sequence of it.
$(O)/libslub.so: $(slub_objects)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -shared $(if $(SANITIZE),,-Wl,-z,defs) -Wl,-z,now -Wl,-z,nodelete -Wl,-soname,libslub.so.1 -o $@ $^ -lpthread
	@ln -sf libslub.so $@.1
# For LD_PRELOAD: the same allocator behind malloc().
$(O)/libslub-malloc.so: $(slub_preload_objects) $(slub_objects)
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -shared $(if $(SANITIZE),,-Wl,-z,defs) -Wl,-z,now -Wl,-z,nodelete -o $@ $^ -lpthread
# For the tracer and tests: whatever of cmd/ and gdb/ they need.
$(O)/libcmd.a: $(cmd_objects) $(gdb_objects)
	@rm -f $@
	ar rcs $@ $^
$(O)/dill: $(cmd_objects) $(O)/libview.a $(O)/libdill.a $(O)/libslub-model.a
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

# In gdb's process. Commands that trace are linked in, for the table of commands, but not offered.
$(O)/gdb/libdill-gdb.so: $(gdb_library_objects) $(O)/libview.a $(O)/libdill.a $(O)/libslub-model.a gdb/plugin.map
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -shared -Wl,--version-script=gdb/plugin.map $(if $(SANITIZE),,-Wl,-z,defs) \
		-o $@ $(filter-out %.map,$^) $(LIBS)
$(O)/gdb/dill-tracer: $(O)/gdb/tracer.o $(O)/libcmd.a $(O)/libview.a $(O)/libdill.a $(O)/libslub-model.a
	$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)
# Beside its library, where it looks for it.
$(O)/gdb/%.py: gdb/%.py
	@mkdir -p $(@D)
	cp $< $@

static:
	$(MAKE) O=$(O)/static STATIC=1 $(O)/static/dill

# Tests ---------------------------------------------------------------------------------------------------------
$(patsubst tests/%.c,$(O)/tests/%,$(wildcard tests/unit/test_slub_model*.c)): $(O)/tests/unit/%: tests/unit/%.c $(O)/libslub-model.a $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -DSLUB_MODEL $(INCLUDES_slub) -Islub/model $(filter-out -static,$(ALL_LDFLAGS)) -o $@ $< \
		$(O)/libslub-model.a -lcmocka
# The same source with the library and with its model, to be compared.
$(O)/tests/unit/slub_trace: tests/unit/slub_trace.c $(O)/libslub.a $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(INCLUDES_slub) $(filter-out -static,$(ALL_LDFLAGS)) -o $@ $< $(O)/libslub.a -lpthread
$(O)/tests/unit/slub_trace_model: tests/unit/slub_trace.c $(O)/libslub-model.a $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -DSLUB_MODEL $(INCLUDES_slub) -Islub/model $(filter-out -static,$(ALL_LDFLAGS)) -o $@ $< $(O)/libslub-model.a
$(O)/tests/unit/test_slub_same: $(O)/tests/unit/slub_trace $(O)/tests/unit/slub_trace_model
# libslub's tests see nothing of the rest, as libslub does. This one has its malloc().
$(O)/tests/unit/test_slub_malloc: tests/unit/test_slub_malloc.c $(slub_preload_objects) $(O)/libslub.a $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(INCLUDES_slub) $(filter-out -static,$(ALL_LDFLAGS)) -o $@ $< $(slub_preload_objects) \
		$(O)/libslub.a -lcmocka -lpthread
$(O)/tests/unit/test_slub_storms: $(O)/libslub.so
# Functions of libslub that a test stands in front of, to do what another thread would do just then.
slub_test_wraps_views := slub_percpu_begin_at slub_percpu_commit slub_percpu_end
slub_test_wraps_forks := slub_machine_seed syscall
$(O)/tests/unit/test_slub_%: tests/unit/test_slub_%.c $(O)/libslub.a $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(INCLUDES_slub) $(filter-out -static,$(ALL_LDFLAGS)) -o $@ $< $(O)/libslub.a \
		$(slub_test_wraps_$*:%=-Wl,--wrap=%) -lcmocka -lpthread
# Looks into a process that it is itself, with libslub in it.
$(O)/tests/unit/test_slab_process: tests/unit/test_slab_process.c $(O)/libdill.a $(O)/libslub.a $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(INCLUDES_lib) -Islub $(filter-out -static,$(ALL_LDFLAGS)) -o $@ $< \
		$(O)/libdill.a $(O)/libslub.a -lcmocka $(LIBS)
$(O)/tests/unit/%: tests/unit/%.c $(O)/libcmd.a $(O)/libview.a $(O)/libdill.a $(O)/libslub-model.a $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LIB_FOLDERS:%=-I%) -Iview -Ibpf -Icmd -Igdb $(filter-out -static,$(ALL_LDFLAGS)) -o $@ $< \
		-lcmocka $(O)/libcmd.a $(O)/libview.a $(O)/libdill.a $(O)/libslub-model.a $(LIBS)
$(O)/tests/fuzz/fuzz_slub: tests/fuzz/fuzz_slub.c $(O)/libslub.a $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -DFUZZ_REPLAY $(INCLUDES_slub) -Itests/unit -o $@ $< $(O)/libslub.a -lpthread
$(O)/tests/fuzz/fuzz_slub_model: tests/fuzz/fuzz_slub_model.c $(O)/libslub-model.a $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -DFUZZ_REPLAY -DSLUB_MODEL $(INCLUDES_slub) -Islub/model -Itests/unit -o $@ $< $(O)/libslub-model.a -lpthread
$(O)/tests/fuzz/fuzz_slub_state: tests/fuzz/fuzz_slub_state.c $(O)/libcmd.a $(O)/libview.a $(O)/libdill.a $(O)/libslub-model.a $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -DFUZZ_REPLAY $(INCLUDES_cmd) -Itests/unit -o $@ $< $(O)/libcmd.a $(O)/libview.a $(O)/libdill.a $(O)/libslub-model.a $(LIBS)
$(O)/tests/fuzz/%: tests/fuzz/%.c $(O)/libcmd.a $(O)/libview.a $(O)/libdill.a $(O)/libslub-model.a $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -DFUZZ_REPLAY $(LIB_FOLDERS:%=-I%) -Iview -Ibpf -Icmd -Itests/unit -o $@ $< \
		$(O)/libcmd.a $(O)/libview.a $(O)/libdill.a $(O)/libslub-model.a $(LIBS)

# What tests on the host ask the library with.
vm_tools := $(patsubst tests/vm/host/%.c,$(O)/tests/vm/%,$(wildcard tests/vm/host/*.c))
$(O)/tests/vm/%: tests/vm/host/%.c $(O)/libdill.a $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(INCLUDES_lib) -o $@ $< $(O)/libdill.a $(LIBS)

$(O)/bench/%: bench/%.c $(O)/libdill.a $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(INCLUDES_lib) -o $@ $< $(O)/libdill.a $(LIBS)

$(O)/bench/slub_loops: bench/slub_loops.c $(O)/libslub.so $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(INCLUDES_slub) -o $@ $< $(O)/libslub.so -Wl,-rpath,'$$ORIGIN/..' -lpthread

# With the cache calls inline.
$(O)/bench/slub_loops_inline: bench/slub_loops.c $(O)/libslub.so $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -DWITH_INLINE $(INCLUDES_slub) -o $@ $< $(O)/libslub.so -Wl,-rpath,'$$ORIGIN/..' -lpthread
# Nodes are pretended: see the file's head. It looks into the structures, so it is linked with the archive.
slub_stress_objects := $(patsubst %.c,$(O)/%.o,$(wildcard bench/slub_stress*.c))
$(slub_stress_objects): $(O)/%.o: %.c $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(INCLUDES_slub) -Itests/unit -c -o $@ $<
$(O)/bench/slub_stress: $(slub_stress_objects) $(O)/libslub.a
	$(CC) $(ALL_CFLAGS) $(filter-out -static,$(ALL_LDFLAGS)) -o $@ $^ -Wl,--wrap=slub_node,--wrap=slub_machine_nodes,--wrap=slub_machine_has_cmpxchg_double -lpthread
$(O)/bench/slub_model: bench/slub_model.c $(O)/libslub-model.a $(O)/flags
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -DSLUB_MODEL $(INCLUDES_slub) -Islub/model -o $@ $< $(O)/libslub-model.a

# For the guests, where CPUs come and go.
$(O)/tests/programs-static/slub_stress: $(slub_stress_objects) $(O)/libslub.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -static -o $@ $^ -Wl,--wrap=slub_node,--wrap=slub_machine_nodes,--wrap=slub_machine_has_cmpxchg_double -lpthread

include tests/programs.mk

check: deps-check
	tests/check
unit-tests: $(unit_tests) $(fuzz_replays) $(O)/gdb/dill-tracer
check-unit: unit-tests
	tests/run $(unit_tests) tests/fuzz/replay.test
check-cli: $(O)/dill
	tests/run $(wildcard tests/cli/*.test)
programs: $(O)/bench/slub_stress $(O)/tests/programs-static/slub_stress $(O)/libslub-malloc.so $(if $(SANITIZE),,$(O)/tsan/bench/slub_stress)
check-live: $(O)/dill programs
	tests/run -j 1 $(wildcard tests/live/*.test)
vm-tools: $(vm_tools)
check-vm: all static programs vm-tools
	tests/vm/run

fuzz: $(lib_skeletons)
	tests/fuzz/run

# Set-up, demo, install -----------------------------------------------------------------------------------------
deps:
	scripts/install-deps build
deps-check:
	scripts/install-deps build check
deps-lab:
	scripts/install-deps build lab
# KERNEL=6.12 SMP=1 KASLR=on DEBUG=0 BACKGROUND=0 LAB=build/lab
LAB_PROGRAMS := crowd kernel_allocs churn
lab: deps-lab
	@$(MAKE) --no-print-directory -s all $(LAB_PROGRAMS:%=$(O)/tests/programs-static/%)
	@O=$(O) scripts/lab $(or $(KERNEL),6.12) $(if $(SMP),--smp $(SMP)) $(if $(filter off,$(KASLR)),--no-kaslr) \
		$(if $(filter 1 on yes,$(DEBUG)),--debug) $(if $(filter 1 on yes,$(BACKGROUND)),--background) \
		$(LAB:%=--folder %)
lab-end:
	@O=$(O) scripts/lab --end $(LAB:%=--folder %)
demo: deps
	@$(MAKE) --no-print-directory -s all
	scripts/demo
bench: $(O)/dill programs $(O)/bench/empty_probes $(O)/bench/empty_tracepoints
	bench/memleak
	bench/trace

# Everything at once against an oracle: SECONDS=3600 SEED=n. TSan sees what is done without restartable sequences.
stress: $(O)/bench/slub_stress $(O)/libslub-malloc.so
	LD_PRELOAD=$(O)/libslub-malloc.so $(O)/bench/slub_stress $(or $(SECONDS),60) $(SEED)
$(O)/tsan/bench/slub_stress: FORCE
	-@$(MAKE) --no-print-directory -s O=$(O)/tsan SANITIZE=thread $(O)/tsan/bench/slub_stress
tsan: $(O)/tsan/bench/slub_stress
	GLIBC_TUNABLES=glibc.pthread.rseq=0 TSAN_OPTIONS=die_after_fork=0 setarch -R $(O)/tsan/bench/slub_stress $(or $(SECONDS),10) $(SEED)

bench-slub: $(O)/bench/slub_loops $(O)/bench/slub_loops_inline $(O)/libslub-malloc.so
	bench/slub
bench-slub-model: $(O)/bench/slub_model
	$(O)/bench/slub_model

# Start files of gdb's, so that `gdb vmlinux` has dill at once. GDB_START= leaves them alone.
GDB_START ?= $(shell gdb --configuration 2>/dev/null | sed -n 's/.*--with-system-gdbinit-dir=\([^ ]*\).*/\1/p')
install: all
	install -D -m 755 $(O)/dill $(DESTDIR)$(PREFIX)/bin/dill
	install -d $(DESTDIR)$(PREFIX)/lib/dill
	install -m 755 $(O)/gdb/libdill-gdb.so $(O)/gdb/dill-tracer $(DESTDIR)$(PREFIX)/lib/dill
	install -m 644 gdb/dill.py gdb/dill_session.py gdb/autoload.py $(DESTDIR)$(PREFIX)/lib/dill
	install -D -m 755 $(O)/libslub.so $(DESTDIR)$(PREFIX)/lib/libslub.so.1
	ln -sf libslub.so.1 $(DESTDIR)$(PREFIX)/lib/libslub.so
	install -m 755 $(O)/libslub-malloc.so $(DESTDIR)$(PREFIX)/lib/libslub-malloc.so
	install -m 644 $(O)/libslub.a $(DESTDIR)$(PREFIX)/lib/libslub.a
	install -D -m 644 -t $(DESTDIR)$(PREFIX)/include slub/slub.h slub/slub_inline.h
	@scripts/install-gdb-start gdb/autoload.py '$(PREFIX)/lib/dill' '$(DESTDIR)' '$(GDB_START)'
	for page in docs/*.[138]; do install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}; done

clean:
	rm -rf $(O)

.PHONY: all help static check unit-tests check-unit check-cli check-live vm-tools check-vm fuzz deps deps-check deps-lab lab lab-end demo bench bench-slub bench-slub-model stress tsan install clean FORCE

-include $(shell find $(O)/lib $(O)/view $(O)/cmd $(O)/gdb $(O)/slub $(O)/slub-model $(O)/bench $(O)/tests -name '*.d' 2>/dev/null)
