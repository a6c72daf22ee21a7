# powercut.mk - the tools of the power-cut suite.  Without libfuse3 the one
# that needs it is left out, and the suite says so.
PCUT     := $(B)/tests/powercut
POWERCUT := $(PCUT)/load $(PCUT)/cut $(PCUT)/verify $(PCUT)/mutant.so
FUSE3    := $(wildcard /usr/include/fuse3/fuse.h)
POWERCUT += $(if $(FUSE3),$(PCUT)/powercutfs)

$(B)/obj/tests/powercut/powercutfs.o: CPPFLAGS += -isystem /usr/include/fuse3

$(PCUT)/load $(PCUT)/cut $(PCUT)/verify $(PCUT)/powercutfs: \
    $(PCUT)/%: $(B)/obj/tests/powercut/%.o $(B)/lib.a
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(if $(findstring fs,$*),-lfuse3) $(LIBS)

# Loaded into programs that may be built otherwise: no sanitizer here.
$(PCUT)/mutant.so: tests/powercut/mutant.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) $(CSTD) $(OPT) $(WARN) -fPIC -shared -o $@ $<

tests: $(POWERCUT)

# Suite 3 of `make crash`.
powercut: all $(POWERCUT)
	sh tests/powercut/powercut.sh full $(B)

crash: powercut
.PHONY: powercut crash
