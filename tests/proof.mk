# proof.mk -- measurements, fuzzing and what else looks for mistakes that no test was written for. Included by the Makefile.

.PHONY: benches bench fuzzers fuzz soak analyze coverage mutation show-flags

bench_src  := $(wildcard tests/bench/*.c)
benches  := $(patsubst %.c,$(B)/%,$(bench_src))
fuzz_src := $(wildcard tests/fuzz/fuzz-*.c)
fuzzers  := $(patsubst %.c,$(B)/%,$(fuzz_src))

# ---- measuring ----

$(B)/tests/bench/%: $(B)/tests/bench/%.o $(B)/libpostern.a
	echo '  LD   $@'
	$(CC) $(all_ld) -o $@ $^ $(bench_libs) $(libs_shared)
$(B)/tests/bench/bench-verify: private bench_libs := -ljwt
$(B)/tests/bench/null-responder: private bench_libs := -lfcgi

benches: $(benches) $(B)/tests/unit/token/test_timing

# BENCH=servers names one, ROUNDS=20 asks for more rounds.
bench:	## BENCH=name: measure against the floor and the alternatives: a table, and build/bench.json
	@scripts/install-deps --bench
	+@$(build) SAN= all benches
	@POSTERN_BUILD=$(call tree) ROUNDS=$(ROUNDS) tests/bench/run.py $(BENCH)

# ---- fuzzing ----

# A fuzz target, driven by libFuzzer where that is among the sanitizers, else run on its corpus by replay.c.
fuzz_main := $(if $(findstring fuzzer,$(SAN)),,$(call obj,tests/fuzz/replay.c))
fuzz_target = $(addprefix $(B)/tests/fuzz/fuzz-,$(1))
$(B)/tests/fuzz/fuzz-%: $(B)/tests/fuzz/fuzz-%.o $(call obj,tests/fuzz/fuzz.c tests/fuzz/gate.c tests/fuzz/upstream.c tests/fuzz/vault.c $(testlib_src)) $(fuzz_main) $(B)/libpostern.a
	echo '  LD   $@'
	$(CC) $(all_ld) $(if $(fuzz_main),,-fsanitize=fuzzer) -o $@ $(filter %.o,$^) $(B)/libpostern.a $(fuzz_libs) $(libs_shared)

$(call fuzz_target,request fastcgi worker): $(call obj,$(filter-out %/main.c,$(fcgi_src)))
$(call fuzz_target,request fastcgi worker): private fuzz_libs = $(libs_fcgi)
$(call fuzz_target,console filter): $(call obj,$(filter-out %/main.c,$(tui_src)))
$(call fuzz_target,console filter): private fuzz_libs = $(libs_tui)
$(call fuzz_target,cli): $(call obj,$(filter-out %/main.c,$(cli_src))) $(B)/tests/fuzz/cli-main.o
$(call fuzz_target,connectd): $(call obj,$(filter-out %/main.c,$(connectd_src)))
$(call fuzz_target,connectd): private fuzz_libs = $(libs_connectd) -Wl,--wrap=upstream_call,--wrap=credentials_ready

# Answers what independent implementations are asked too: tests/fuzz/test_*.py.
$(B)/tests/fuzz/oracle: $(B)/tests/fuzz/oracle.o $(call obj,tests/fuzz/fuzz.c $(testlib_src)) $(B)/libpostern.a
	echo '  LD   $@'
	$(CC) $(all_ld) -o $@ $(filter %.o,$^) $(B)/libpostern.a $(libs_shared)

# The command line's main() under another name.
$(B)/tests/fuzz/cli-main.o: console/cli/main.c $(B)/flags
	echo '  CC   $@'
	mkdir -p $(@D)
	$(CC) $(all_c) -Wno-missing-prototypes -Dmain=cli_main -MMD -MP -c -o $@ $<

fuzzers: $(fuzzers) $(if $(fuzz_main),$(B)/tests/fuzz/oracle)

# Instrumented whole, in a tree of its own. FUZZ=name runs one target, each for FUZZ_SECONDS (60).
fuzz:	## run each fuzz target for FUZZ_SECONDS (FUZZ=name: that one); what was found is kept in build-fuzz/
	@scripts/install-deps --all
	+@$(build) B=build-fuzz CC=clang SAN=fuzzer-no-link,address,undefined $(if $(FUZZ),build-fuzz/tests/fuzz/fuzz-$(FUZZ),fuzzers)
	@tests/fuzz/run build-fuzz $(FUZZ)

# ---- everything at once ----

# SOAK_RATE=N: so many requests a second; POSTERN_SEED=N: the same choices again.
soak:	## SOAK_SECONDS=600: workers, console, exports, prune, checkpoints and keys at once, and then the books
	@scripts/install-deps
	+@$(build) SAN= all
	@SOAK_SECONDS=$(or $(SOAK_SECONDS),600) /usr/bin/python3 -B -m pytest -q tests/soak/test_soak.py -k long

# ---- reading the code, and the tests ----

analyze:	## gcc -fanalyzer and clang's scan-build over the product; what is excepted is in .analyze-exceptions
	@scripts/install-deps --all
	@$(MAKE) --no-print-directory $(B)/reserved-domains.inc
	@scripts/analyze

show-flags:
	@echo '$(filter-out -Werror,$(all_c))'

coverage:	## lines and branches the tests reach, per folder, also in build-coverage/: at least 90 % of the lines of shared/
	@scripts/install-deps --all
	+@$(build) COVERAGE=1 all units shims
	@scripts/coverage $(patsubst %,build-coverage/%,$(unit_src:.c=)) tests/cli tests/http tests/connect tests/console tests/faults

mutation: all units	## seed the faults of tests/mutation one at a time: each must be caught (MUTATION=token: these)
	@tests/mutation/run $(MUTATION)
