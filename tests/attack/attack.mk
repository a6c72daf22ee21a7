# Programs that attack their own walls: the ordinary objects, but for the
# sandbox, which then calls attack.c.  For tests/flow/06-attack.t; never
# part of `make` or `make install`.
attacked = $(patsubst $(B)/%,$(B)/attack/%,$(1))
ATTACK   = lib/sandbox.c lib/sandbox_seccomp.c tests/attack/attack.c

$(B)/attack/obj/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(CPPFLAGS) -DFACTEUR_ATTACK $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/attack/libexec/facteur/launch: $(B)/pop3d.a

define attacker
$(call attacked,$(call prog,$(1))): $(call attacked,$(call objs,$(ATTACK))) $(call objs,$(1)) $(B)/$(firstword $(subst /, ,$(1))).a $(B)/lib.a
	@mkdir -p $$(@D)
	$$(CC) $$(ALL_LDFLAGS) -o $$@ $$(filter %.o,$$^) $$(filter-out $(B)/lib.a,$$(filter %.a,$$^)) $(B)/lib.a $$(LIBS)
endef
$(foreach m,$(wildcard $(MAINS)),$(eval $(call attacker,$(m))))

tests: $(call attacked,$(PROGRAMS))
