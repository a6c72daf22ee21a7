# Facteur.  `make deps && make` builds; `make demo` shows; `make check` proves.
#
# Every folder but lib/ is a family of programs.  A family's .c files go into
# build/FOLDER.a, except the mains named below; a program is its main, its
# family, and lib.  Tests link the same archives.

# program -> main; a program lies in build/libexec/facteur unless it is in BIN
MAINS   = smtpd/smtpd.c smtpd/tlsd.c queue/inject.c queue/queue.c queue/sendmail.c \
          queue/qadmin.c queue/plan.c remote/remote.c local/resolve.c local/launch.c \
          local/local.c pop3d/pop3d.c auth/authd.c auth/keyd.c auth/passwd.c \
          admin/facteur.c $(TOP)
# the one program that draws; without ncurses there is no `facteur top`
TOP     = $(if $(wildcard /usr/include/ncurses.h),queue/top.c)
BIN     = facteur sendmail mailq

CC     ?= cc
B       = build
CSTD    = -std=gnu11
OPT    ?= -O2 -g
WARN    = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
          -Wpointer-arith -Wwrite-strings -Wvla -Wformat=2 -Wundef
ifdef DEV
WARN   += -Werror -Wcast-qual -Wimplicit-fallthrough -Wnull-dereference \
          -Wdouble-promotion -Wold-style-definition
endif
has     = $(shell echo 'int x;' | $(CC) -Werror $(1) -xc -c -o /dev/null - 2>/dev/null && echo '$(1)')
HARDEN := -fstack-protector-strong -fPIE $(call has,-fstack-clash-protection) \
          $(call has,-ftrivial-auto-var-init=zero) $(call has,-fcf-protection)
ifndef SAN
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
# libbsd through its overlay: <string.h> then has strlcpy and friends
CPPFLAGS += -D_GNU_SOURCE -DLIBBSD_OVERLAY -isystem /usr/include/bsd -Ilib
ALL_CFLAGS = $(CSTD) $(OPT) $(WARN) $(HARDEN) $(SAN) $(CFLAGS)
ALL_LDFLAGS = -pie -Wl,-z,relro,-z,now $(SAN) $(LDFLAGS)
# PAM, where it is there, for the passwords of system users; else shadow(5)
ifneq ($(wildcard /usr/include/security/pam_appl.h),)
CPPFLAGS += -DHAVE_PAM
PAM     = -lpam
endif
# libbsd and libmd go into the programs, where they can: each library that is
# mapped is paid for at each fork, and there are two for a stranger with TLS
BSD    := $(if $(filter /%,$(shell $(CC) -print-file-name=libbsd.a)),-l:libbsd.a -l:libmd.a,-lbsd -lmd)
LIBS    = -Wl,--as-needed -lssl -lcrypto -lresolv -lcrypt -lz $(BSD) $(PAM)

FOLDERS = smtpd queue remote local pop3d auth admin
lib_src    := $(wildcard lib/*.c)
family_src  = $(filter-out $(MAINS) queue/top.c,$(wildcard $(1)/*.c))
objs        = $(patsubst %.c,$(B)/obj/%.o,$(1))
name        = $(basename $(notdir $(1)))
prog        = $(if $(filter $(call name,$(1)),$(BIN)),$(B)/bin/,$(B)/libexec/facteur/)$(call name,$(1))
PROGRAMS := $(foreach m,$(wildcard $(MAINS)),$(call prog,$(m)))

.DELETE_ON_ERROR:
.SECONDARY:
.PHONY: all deps check demo asan fuzz clean install uninstall deb

all: $(PROGRAMS) $(B)/bin/mailq

$(B)/bin/mailq: $(B)/bin/sendmail
	ln -sf sendmail $@

$(B)/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/lib.a: $(call objs,$(lib_src))
	@rm -f $@
	$(AR) rcs $@ $^

define family
$(B)/$(1).a: $(call objs,$(call family_src,$(1)))
	@mkdir -p $$(@D)
	@rm -f $$@
	$$(AR) rcs $$@ $$^
endef
$(foreach f,$(FOLDERS),$(eval $(call family,$(f))))

# launch *is* the POP3 session once it has become the mailbox owner
$(B)/libexec/facteur/launch: $(B)/pop3d.a

$(B)/libexec/facteur/top $(B)/attack/libexec/facteur/top: LIBS += -lncursesw -ltinfo

define program
$(call prog,$(1)): $(call objs,$(1)) $(B)/$(firstword $(subst /, ,$(1))).a $(B)/lib.a
	@mkdir -p $$(@D)
	$$(CC) $$(ALL_LDFLAGS) -o $$@ $$(filter %.o,$$^) $$(filter-out $(B)/lib.a,$$(filter %.a,$$^)) $(B)/lib.a $$(LIBS)
endef
$(foreach m,$(wildcard $(MAINS)),$(eval $(call program,$(m))))

include tests/attack/attack.mk

# ---- a host -------------------------------------------------------------
# Units, sysusers.d and tmpfiles.d are found by systemd below /usr/local too.
# What names a program names it below /usr/local; sed puts PREFIX there.
PREFIX  ?= /usr/local
MANDIR  ?= $(PREFIX)/share/man
UNITDIR ?= $(PREFIX)/lib/systemd/system
DOCDIR  ?= $(PREFIX)/share/doc/facteur
D       := $(DESTDIR)
UNITS   := $(wildcard admin/systemd/facteur*)
MAN     := $(wildcard $(foreach f,$(FOLDERS),$(foreach n,1 5 8,$(f)/*.$(n))))
LIBEXEC  = $(filter $(B)/libexec/%,$(PROGRAMS))
man_path = $(MANDIR)/man$(patsubst .%,%,$(suffix $(1)))/$(patsubst aliases.5,facteur-aliases.5,$(notdir $(1)))
relocate = sed 's,/usr/local/,$(PREFIX)/,g' $(1) >$(D)$(2) && chmod 644 $(D)$(2)
place    = $(call relocate,$(1),$(2)/$(notdir $(1)))

# The configuration is an administrator's: never written over.
install: all
	install -d $(D)$(PREFIX)/bin $(D)$(PREFIX)/sbin $(D)$(PREFIX)/libexec/facteur \
	    $(D)$(DOCDIR)/examples $(D)$(UNITDIR) $(D)$(PREFIX)/lib/sysusers.d \
	    $(D)$(PREFIX)/lib/tmpfiles.d $(D)/etc/facteur $(D)/etc/pam.d $(sort $(dir $(foreach m,$(MAN),$(D)$(call man_path,$(m)))))
	install -m 755 $(B)/bin/facteur $(B)/bin/sendmail $(D)$(PREFIX)/bin
	ln -sf sendmail $(D)$(PREFIX)/bin/mailq
	ln -sf sendmail $(D)$(PREFIX)/bin/newaliases
	ln -sf ../bin/sendmail $(D)$(PREFIX)/sbin/sendmail
	ln -sf ../bin/sendmail $(D)$(PREFIX)/lib/sendmail
	install -m 755 $(LIBEXEC) $(D)$(PREFIX)/libexec/facteur
	$(foreach m,$(MAN),install -m 644 $(m) $(D)$(call man_path,$(m)) &&) :
	ln -sf sendmail.1 $(D)$(MANDIR)/man1/mailq.1
	ln -sf sendmail.1 $(D)$(MANDIR)/man1/newaliases.1
	install -m 644 README.md INTERNALS.md INSTALL $(D)$(DOCDIR)
	$(foreach f,$(wildcard admin/examples/*),$(call place,$(f),$(DOCDIR)/examples) &&) :
	$(foreach u,$(UNITS),$(call place,$(u),$(UNITDIR)) &&) :
	$(call relocate,admin/systemd/sysusers.conf,$(PREFIX)/lib/sysusers.d/facteur.conf)
	$(call relocate,admin/systemd/tmpfiles.conf,$(PREFIX)/lib/tmpfiles.d/facteur.conf)
	test -e $(D)/etc/pam.d/facteur || \
	    install -m 644 auth/pam.d/facteur $(D)/etc/pam.d
	test -e $(D)/etc/facteur/facteur.conf || \
	    install -m 644 admin/examples/facteur.conf $(D)/etc/facteur

# Leaves /etc/facteur and /etc/pam.d/facteur, the queue, the mail and the users.
uninstall:
	rm -f $(addprefix $(D)$(PREFIX)/,bin/facteur bin/sendmail bin/mailq bin/newaliases sbin/sendmail lib/sendmail)
	rm -f $(foreach m,$(MAN),$(D)$(call man_path,$(m))) $(D)$(MANDIR)/man1/mailq.1 $(D)$(MANDIR)/man1/newaliases.1
	rm -f $(addprefix $(D)$(UNITDIR)/,$(notdir $(UNITS)))
	rm -f $(D)$(PREFIX)/lib/sysusers.d/facteur.conf $(D)$(PREFIX)/lib/tmpfiles.d/facteur.conf
	rm -rf $(D)$(PREFIX)/libexec/facteur $(D)$(DOCDIR)

deb: all
	sh debian/build.sh $(B)

# ---- tests -------------------------------------------------------------
# tests/unit/test_X.c: the first lines may say "link: smtpd remote" (families)
# and "wrap: fsync linkat" (system calls the test replaces).
UNIT  := $(patsubst tests/unit/%.c,$(B)/tests/%,$(wildcard tests/unit/test_*.c))
FUZZ  := $(patsubst tests/fuzz/%.c,$(B)/tests/%,$(wildcard tests/fuzz/fuzz_*.c))
TOOLS := $(patsubst tests/tools/%.c,$(B)/tests/%,$(wildcard tests/tools/*.c))
tagged = $(shell sed -n '1,12s/^ \* $(2): *//p' $(1))

define test
$(B)/tests/$(call name,$(1)): $(call objs,$(1)) $(patsubst %,$(B)/%.a,$(call tagged,$(1),link)) $(B)/lib.a
	@mkdir -p $$(@D)
	$$(CC) $$(ALL_LDFLAGS) $(patsubst %,-Wl$(comma)--wrap=%,$(call tagged,$(1),wrap)) -o $$@ $$(filter %.o,$$^) \
	    $$(filter-out $(B)/lib.a,$$(filter %.a,$$^)) $(B)/lib.a $(if $(findstring unit/,$(1)),-lcmocka) $$(LIBS)
endef
comma := ,
$(foreach t,$(wildcard tests/unit/test_*.c tests/tools/*.c),$(eval $(call test,$(t))))

# A fuzz target has LLVMFuzzerTestOneInput(); replay.c gives it a main that
# feeds it the files of its corpus.  `make fuzz` (clang) really fuzzes.
define fuzz
$(B)/tests/$(call name,$(1)): $(call objs,$(1) tests/fuzz/replay.c) $(patsubst %,$(B)/%.a,$(call tagged,$(1),link)) $(B)/lib.a
	@mkdir -p $$(@D)
	$$(CC) $$(ALL_LDFLAGS) -o $$@ $$(filter %.o,$$^) $$(filter-out $(B)/lib.a,$$(filter %.a,$$^)) $(B)/lib.a $$(LIBS)
endef
$(foreach t,$(wildcard tests/fuzz/fuzz_*.c),$(eval $(call fuzz,$(t))))

include tests/powercut/powercut.mk

include tests/crash/crash.mk

tests: $(UNIT) $(FUZZ) $(TOOLS)
.PHONY: tests

deps:
	sh tests/deps.sh

check: all tests
	sh tests/check.sh $(B)

include bench/bench.mk

demo:
	sh tests/demo.sh $(if $(KEEP),--keep)

# The whole of `make check` under AddressSanitizer and UBSan, in a tree of its own.
asan:
	$(MAKE) check B=build/asan OPT='-O1 -g' \
	    SAN='-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer'

fuzz:
	sh tests/fuzz/run.sh $(B) $(SECONDS_EACH)

clean:
	rm -rf $(B)

-include $(shell find $(B) -type f -name '*.d' 2>/dev/null)
