# Postern. `make help` lists what one can ask for.

ifeq ($(origin CC),default)
CC      := gcc
endif
SAN     ?=
COVERAGE ?=
CFLAGS  ?= $(if $(COVERAGE),-O0,$(if $(SAN),-O1,-O2)) -g
WERROR  ?=
comma   := ,

# A sanitizer, another compiler or counting coverage builds in a tree of its own: make SAN=address,undefined check-unit
clang    = $(if $(filter clang%,$(notdir $(CC))),-clang)
tree     = build$(if $(1),-$(subst $(comma),-,$(1)))$(clang)
B       := $(if $(COVERAGE),build-coverage,$(call tree,$(SAN)))

warnings := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wpointer-arith \
            -Wwrite-strings -Wformat=2 -Wundef -Wimplicit-fallthrough $(if $(WERROR),-Werror)
hardening := -fstack-protector-strong $(if $(SAN)$(COVERAGE),,-D_FORTIFY_SOURCE=2) -fPIE
all_c  := -std=c11 -D_GNU_SOURCE -Ishared -I. -I$(B) $(warnings) $(hardening) \
          $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=all)$(if \
          $(COVERAGE), --coverage -fprofile-update=atomic) -pthread $(CFLAGS)
all_ld := -pie -Wl,-z,relro,-z,now $(if $(SAN),-fsanitize=$(SAN))$(if $(COVERAGE), --coverage) -pthread $(LDFLAGS)

# Where `make install` puts it; DESTDIR goes before all of it. Debian's own packages have units elsewhere.
PREFIX  ?= /usr/local
UNITDIR ?= $(PREFIX)/lib/systemd/system
VERSION := $(shell sed -n 's/^#define POSTERN_VERSION "\(.*\)"/\1/p' shared/base/version.h)

# What each program links; only the console knows curses, only the worker FastCGI, only postern-connectd libmicrohttpd.
libs_shared := -ljansson -llmdb -lcrypto -lidn2 -lpcre2-8 -lz -lm -lcurl
libs_fcgi   := -lfcgi
libs_tui    := -lncursesw -ltinfo
libs_connectd := -lmicrohttpd

shared_src := $(wildcard shared/*/*.c)
cli_src    := $(wildcard console/cli/*.c)
tui_src    := $(wildcard console/tui/*.c)
fcgi_src   := $(wildcard fcgi-app/*.c)
connectd_src := $(wildcard fcgi-app/connectd/*.c) fcgi-app/listen.c fcgi-app/option-table.c
unit_src   := $(wildcard tests/unit/*/test_*.c)
testlib_src := $(wildcard tests/lib/*.c)

# make from here, with a job for each processor unless the caller has said how many.
build    = $(MAKE) --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$$(nproc))

obj = $(patsubst %.c,$(B)/%.o,$(1))
programs := $(B)/postern $(B)/postern-fcgi $(B)/postern-connectd $(B)/postern-console
units    := $(patsubst %.c,$(B)/%,$(unit_src))
shims    := $(patsubst %.c,$(B)/%.so,$(wildcard tests/faults/shim-*.c))

.PHONY: all units shims unit check-unit check check-all check-trees tidy cppcheck screens install-deps install uninstall deb demo serve clean help FORCE
.DELETE_ON_ERROR:
.SECONDARY:

# One short line a step; `make V=1` shows the commands.
ifndef V
.SILENT:
endif

all: $(programs)	## build the programs into build/

# ---- building ----

$(B)/postern: $(call obj,$(cli_src)) $(B)/libpostern.a
	echo '  LD   $@'
	$(CC) $(all_ld) -o $@ $^ $(libs_shared)

$(B)/postern-fcgi: $(call obj,$(fcgi_src)) $(B)/libpostern.a
	echo '  LD   $@'
	$(CC) $(all_ld) -o $@ $^ $(libs_fcgi) $(libs_shared)

$(B)/postern-connectd: $(call obj,$(connectd_src)) $(B)/libpostern.a
	echo '  LD   $@'
	$(CC) $(all_ld) -o $@ $^ $(libs_connectd) $(libs_shared)

$(B)/postern-console: $(call obj,$(tui_src)) $(B)/libpostern.a
	echo '  LD   $@'
	$(CC) $(all_ld) -o $@ $^ $(libs_tui) $(libs_shared)

$(B)/libpostern.a: $(call obj,$(shared_src))
	echo '  AR   $@'
	rm -f $@
	$(AR) rcs $@ $^

# The console's screens are tested without its terminal.
$(B)/tests/unit/tui/%: $(B)/tests/unit/tui/%.o $(call obj,$(testlib_src) $(filter-out %/main.c,$(tui_src))) $(B)/libpostern.a
	echo '  LD   $@'
	$(CC) $(all_ld) -o $@ $(filter %.o,$^) $(B)/libpostern.a -lcmocka $(libs_tui) $(libs_shared)

$(B)/tests/unit/connectd/%: $(B)/tests/unit/connectd/%.o $(call obj,$(testlib_src) $(filter-out %/main.c,$(connectd_src))) $(B)/libpostern.a
	echo '  LD   $@'
	$(CC) $(all_ld) -o $@ $(filter %.o,$^) $(B)/libpostern.a -lcmocka $(libs_connectd) $(libs_shared)

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(call obj,$(testlib_src)) $(B)/libpostern.a
	echo '  LD   $@'
	$(CC) $(all_ld) -o $@ $(filter %.o,$^) $(B)/libpostern.a -lcmocka $(libs_shared)

$(B)/%.o: %.c $(B)/flags
	echo '  CC   $@'
	mkdir -p $(@D)
	$(CC) $(all_c) -MMD -MP -c -o $@ $<

# Preloaded into the programs under test; itself never sanitized.
$(B)/tests/faults/%.so: tests/faults/%.c tests/faults/shim.h $(B)/flags
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE -I. $(warnings) -O2 -g -fPIC -shared -o $@ $<

# The name lists of design 5 are data; the compiler sees them as strings.
$(B)/reserved-domains.inc: data/reserved-domains.txt
	@mkdir -p $(@D)
	sed -n -e 's/[[:space:]]*#.*//' -e '/^[a-z]/s/\([^ ]*\) \(.*\)/X(\1, "\2")/p' $< > $@
$(call obj,$(wildcard shared/identity/*.c)): $(B)/reserved-domains.inc

# Where the demo's files will be; another PREFIX makes the one object anew.
$(B)/prefix: FORCE
	@mkdir -p $(B); echo '$(PREFIX)' | cmp -s - $@ || echo '$(PREFIX)' > $@
$(B)/console/cli/demo.o: $(B)/prefix
$(B)/console/cli/demo.o: private all_c += -DPOSTERN_DATADIR='"$(PREFIX)/share/postern/demo"'

# New flags rebuild; -Werror changes no object.
$(B)/flags: FORCE
	@mkdir -p $(B); echo '$(CC) $(filter-out -Werror,$(all_c))' | cmp -s - $@ || echo '$(CC) $(filter-out -Werror,$(all_c))' > $@

# ---- checking ----

units: $(units)
shims: $(shims)

unit: $(filter $(B)/tests/unit/$(UNIT)/%,$(units))	## UNIT=token: build and run one module's unit tests
	@for t in $^; do echo "== $$t"; $$t || exit 1; done

check-unit: units	## build and run all unit tests, of this tree (SAN=address,undefined: of that one)
	@scripts/run-tests POSTERN_BUILD=$(B) $(units)

# The suites of one tree: its unit tests, and the programs behind a real web server and on the command line.
suites = POSTERN_BUILD=$(call tree,$(1)) $(patsubst %,$(call tree,$(1))/%,$(unit_src:.c=)) tests/cli tests/http \
         tests/connect tests/console tests/faults tests/soak
# Once is enough for these: the shipped files, with the programs as they ship.
once   = tests/docs tests/machine tests/package tests/servers tests/signers
# ThreadSanitizer sees what runs; the console is one thread, and the slow tests show it nothing more.
threads = POSTERN_SLOW=0 $(filter-out tests/console,$(call suites,thread)) POSTERN_SLOW=1
# Minutes each, of what their shorter neighbours do too.
long_under_valgrind = $(patsubst %,tests/unit/%.c,audit/test_budget audit/test_flood audit/test_index base/test_tree tui/test_panel_live)
checks = POSTERN_BUILD=$(call tree) $(sort $(wildcard scripts/check-*)) $(call suites) $(once) $(call suites,address$(comma)undefined) \
         $(patsubst %.c,$(call tree,address$(comma)undefined)/%,$(fuzz_src)) tests/fuzz

check:	## everything: unit, HTTP and CLI tests, also under the sanitizers, and the scripts/check-*
	@scripts/install-deps
	@$(MAKE) --no-print-directory check-trees
	@scripts/run-tests $(checks)

check-all:	## make check in both trees whole, the tests marked slow, analyze, ThreadSanitizer, clang's build, unit tests under valgrind
	@scripts/install-deps --all
	@$(MAKE) --no-print-directory check-trees
	+@$(build) WERROR=1 CC=clang SAN= all units
	+@$(build) WERROR=1 SAN=thread all units shims
	@scripts/run-tests POSTERN_SLOW=1 $(checks) scripts/analyze $(threads) POSTERN_BUILD=build-clang $(unit_src:%.c=build-clang/%) \
		POSTERN_UNDER='valgrind -q --error-exitcode=99 --suppressions=tests/valgrind.supp' \
		$(patsubst %.c,$(call tree)/%,$(filter-out $(long_under_valgrind),$(unit_src)))

check-trees:
	+@$(build) WERROR=1 SAN= all units shims
	+@$(build) WERROR=1 SAN=address,undefined all units shims fuzzers

# clang-tidy looks again at a file only when its object was made anew. .clang-tidy says what is looked for.
$(B)/%.tidy: %.c $(B)/%.o .clang-tidy
	@clang-tidy --quiet --warnings-as-errors='*' $< -- $(filter-out -Werror,$(all_c)) 2>$@.log || { cat $@.log; exit 1; }
	@mv $@.log $@
tidy: $(patsubst %.c,$(B)/%.tidy,$(shared_src) $(cli_src) $(tui_src) $(fcgi_src) $(connectd_src))

cppcheck:
	@mkdir -p $(B)/cppcheck
	@cppcheck --quiet --error-exitcode=1 --enable=warning,performance,portability --inline-suppr \
		--suppressions-list=.cppcheck-suppressions --library=posix --library=.cppcheck.cfg --std=c11 \
		-D_GNU_SOURCE -D__linux__ -Ishared -I. -I$(B) \
		--cppcheck-build-dir=$(B)/cppcheck -j2 shared console fcgi-app

screens: $(patsubst %.c,$(B)/%,$(wildcard tests/unit/tui/test_screens*.c))	## write the console's screens anew: their golden files, and those in the README
	@for t in $^; do POSTERN_WRITE_GOLDEN=1 $$t >$(B)/screens.log 2>&1 || { cat $(B)/screens.log; exit 1; }; done
	@scripts/check-docs --write

# ---- installing ----

share := $(DESTDIR)$(PREFIX)/share
put   := install -D -m 644
# $(call put_tree,DIR): a folder of data/ and all below it, scripts as scripts; packaging and what tests leave stays here.
put_tree = cd data && find $(1) -type f ! -path 'deploy/debian/*' ! -path 'deploy/sysusers.d/*' ! -path 'deploy/tmpfiles.d/*' ! -path 'deploy/systemd/postern*' \
	! -path '*/__pycache__/*' ! -path '*/node_modules/*' | while read -r f; do \
	install -D -m $$(test -x "$$f" && echo 755 || echo 644) "$$f" "$(share)/postern/$$f" || exit 1; done
# Units name programs by the default PREFIX.
put_unit = install -d $(DESTDIR)$(UNITDIR); for u in $(wildcard data/deploy/systemd/postern*); do \
	sed 's|/usr/local/|$(PREFIX)/|' $$u > $(DESTDIR)$(UNITDIR)/$${u\#\#*/} && chmod 644 $(DESTDIR)$(UNITDIR)/$${u\#\#*/} || exit 1; done
manuals  := $(wildcard data/man/*.[1-8])
man_of    = $(PREFIX)/share/man/man$(subst .,,$(suffix $(1)))/$(notdir $(1))

install: all	## install below $(DESTDIR)$(PREFIX), by default /usr/local; then: postern init
	echo '  INSTALL $(DESTDIR)$(PREFIX)'
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/bin $(B)/postern $(B)/postern-console
	install -D -m 755 -t $(DESTDIR)$(PREFIX)/sbin $(B)/postern-fcgi $(B)/postern-connectd
	$(call put_tree,$(notdir $(wildcard data/demo data/deploy data/examples data/signers)))
	$(put) -t $(share)/postern $(wildcard data/openapi.yaml) data/audit-line.schema.json
	$(foreach m,$(manuals),$(put) $(m) $(DESTDIR)$(call man_of,$(m)) &&) true
	install -d $(share)/bash-completion/completions
	$(B)/postern completion > $(share)/bash-completion/completions/postern
	chmod 644 $(share)/bash-completion/completions/postern
	$(put_unit)
	$(put) -t $(DESTDIR)$(PREFIX)/lib/sysusers.d data/deploy/sysusers.d/postern.conf
	$(put) -t $(DESTDIR)$(PREFIX)/lib/tmpfiles.d data/deploy/tmpfiles.d/postern.conf

uninstall:	## remove what make install put there; the data stays
	rm -f $(addprefix $(DESTDIR)$(PREFIX)/,bin/postern bin/postern-console sbin/postern-fcgi sbin/postern-connectd \
		lib/sysusers.d/postern.conf lib/tmpfiles.d/postern.conf share/bash-completion/completions/postern)
	rm -f $(foreach m,$(manuals),$(DESTDIR)$(call man_of,$(m)))
	rm -f $(patsubst data/deploy/systemd/%,$(DESTDIR)$(UNITDIR)/%,$(wildcard data/deploy/systemd/postern*))
	rm -rf $(share)/postern

deb:	## build/postern_VERSION_ARCH.deb; install it with apt-get install ./build/postern_...
	@scripts/install-deps --deb
	@scripts/make-deb $(VERSION)

# ---- for people ----

install-deps:	## install the Debian packages that are missing, if any
	@scripts/install-deps

demo:	## build, and replay the demo site's story behind a real web server
	@scripts/install-deps
	+@$(build) all
	@scripts/demo

serve:	## the demo site, left running to try by hand
	@scripts/install-deps
	+@$(build) all
	@scripts/demo --serve

clean:	## remove everything that was built
	rm -rf build build-*

help:	## this list
	@sed -n 's/^\([a-z-]*\):[^#]*## *\(.*\)/\1|\2/p' Makefile tests/proof.mk | awk -F'|' '{ printf "  make %-13s %s\n", $$1, $$2 }'

include tests/proof.mk
-include $(shell find $(B) -name '*.d' 2>/dev/null)
