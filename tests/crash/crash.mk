# crash.mk - the crash suites 1 and 2: a program that meddles with system
# calls, and programs with a mistake, which it must notice.
# tests/crash/mutants/X.c says which main it is linked to and which functions
# it replaces; the other programs beside it are links to the real ones.

CRASH    = $(B)/tests/crash
CRASH_C := $(patsubst %,tests/crash/%.c,crash site client sink look judge \
           filters pop3 walk fail kill load mutants tracer tamper syscalls)
MUTANTS := $(patsubst tests/crash/mutants/%.c,%,$(wildcard tests/crash/mutants/*.c))

$(CRASH): $(call objs,$(CRASH_C)) $(B)/lib.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(LIBS)

define mutant
$(B)/crash/$(1)/made: $(call objs,tests/crash/mutants/$(1).c $(2)) $(B)/$(firstword $(subst /, ,$(2))).a $(B)/lib.a $(PROGRAMS)
	@rm -rf $$(@D) && mkdir -p $$(@D)/bin $$(@D)/libexec/facteur
	@ln $(B)/bin/facteur $(B)/bin/sendmail $$(@D)/bin
	@ln $(B)/libexec/facteur/* $$(@D)/libexec/facteur
	@rm $$(@D)/libexec/facteur/$(call name,$(2))
	$$(CC) $$(ALL_LDFLAGS) $(patsubst %,-Wl$(comma)--wrap=%,$(call tagged,tests/crash/mutants/$(1).c,wrap)) \
	    -o $$(@D)/libexec/facteur/$(call name,$(2)) $$(filter %.o,$$^) \
	    $(B)/$(firstword $(subst /, ,$(2))).a $(B)/lib.a $$(LIBS)
	@touch $$@
endef
$(foreach m,$(MUTANTS),$(eval $(call mutant,$(m),$(call tagged,tests/crash/mutants/$(m).c,program))))

tests: $(CRASH) $(MUTANTS:%=$(B)/crash/%/made)

# Every call fails; kill -9 anywhere.  In full: some minutes.
crash: crash-calls
crash-calls: all tests
	$(CRASH) $(B)
.PHONY: crash crash-calls
