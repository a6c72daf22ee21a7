# ---- figures: `make bench`, `make bench-profile`, `make bench-queue` --------
# The tools lie in $(B)/bench, and so do the peers' packages and the disk, which
# are made once.  ROWS, PEERS, RUNS...: see bench/README.md.
BENCH = $(patsubst %,$(B)/bench/%,load sink arrivals raw)

$(B)/bench/load: $(call objs,bench/tools/load.c bench/tools/load_io.c bench/tools/load_smtp.c)
$(B)/bench/sink: $(call objs,bench/tools/sink.c)
$(B)/bench/arrivals: $(call objs,bench/tools/arrivals.c)
$(B)/bench/raw: $(call objs,bench/tools/raw.c)
$(BENCH):
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ -lm $(LIBS)

bench-tools: all $(BENCH)
tests: $(BENCH)			# for tests/flow/97-bench.t

bench: bench-tools
	python3 bench/bench.py $(B) $(if $(ROWS),--rows '$(ROWS)') $(if $(PEERS),--peers '$(PEERS)') \
	    $(if $(RUNS),--runs $(RUNS)) $(if $(OWNERS),--owners $(OWNERS)) $(if $(SCALE),--scale $(SCALE)) $(if $(OUT),--out '$(OUT)')

# The second tree is for valgrind, which (as the sanitizers) cannot work in a sandbox.
bench-profile: bench-tools $(B)/tests/fill_queue
	$(MAKE) B=$(B)/bench/plain CFLAGS='$(CFLAGS) -D__SANITIZE_ADDRESS__' all
	python3 bench/cost.py $(B) $(if $(ROWS),--rows '$(ROWS)') $(if $(PEERS),--peers '$(PEERS)') \
	    $(if $(WAITING),--waiting $(WAITING)) $(if $(OWNERS),--owners $(OWNERS)) $(if $(OUT),--out '$(OUT)')

# A million queued messages: start, memory, new mail meanwhile (minutes; 5 GB of /dev/shm).
bench-queue: all tests
	B=$(B) sh bench/queue.sh
.PHONY: bench bench-tools bench-profile bench-queue
