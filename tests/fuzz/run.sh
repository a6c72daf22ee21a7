#!/bin/sh
# run.sh BUILDDIR [SECONDS] - really fuzzes: builds each tests/fuzz/fuzz_*.c
# with clang's libFuzzer, AddressSanitizer and UBSan and runs it for SECONDS
# (default 60) on a copy of its corpus.  What it finds lies in
# BUILDDIR/fuzz/found; a finding becomes a file of the corpus.
set -eu
cd "$(dirname "$0")/../.."
build=${1:?usage: run.sh BUILDDIR [SECONDS]}/fuzz
seconds=${2:-60}
cc=${CLANG:-clang}
checks=address,undefined

mkdir -p "$build/found"
echo 'int LLVMFuzzerTestOneInput(const char *p, unsigned long n)
{ return p == 0 && n != 0; }' >"$build/probe.c"
if ! "$cc" -fsanitize=fuzzer,$checks -o "$build/probe" "$build/probe.c" \
    2>"$build/probe.err"; then
	echo "run.sh: $cc cannot link -fsanitize=fuzzer; on Debian:" \
	    "apt-get install clang libclang-rt-14-dev" >&2
	sed 's/^/  /' "$build/probe.err" >&2
	exit 69
fi

bad=0
for source in tests/fuzz/fuzz_*.c; do
	name=$(basename "$source" .c)
	corpus=tests/fuzz/corpus/${name#fuzz_}
	families=$(sed -n '1,12s/^ \* link: *//p' "$source")
	archives=
	for f in $families; do archives="$archives $build/$f.a"; done
	object=$build/obj/tests/fuzz/$name.o

	# shellcheck disable=SC2086
	make -s B="$build" CC="$cc" OPT='-O1 -g' SAN="-fsanitize=fuzzer-no-link,$checks -fno-sanitize-recover=undefined" \
	    "$object" $archives "$build/lib.a"
	# shellcheck disable=SC2086
	"$cc" -pie -fsanitize=fuzzer,$checks -o "$build/$name" "$object" \
	    $archives "$build/lib.a" -lssl -lcrypto -lresolv -lcrypt -lz -lbsd

	mkdir -p "$build/corpus/$name"
	if [ -d "$corpus" ]; then cp -R "$corpus/." "$build/corpus/$name"; fi
	log=$build/$name.log
	if "$build/$name" -max_total_time="$seconds" -timeout=10 \
	    -print_final_stats=1 -artifact_prefix="$build/found/$name-" \
	    "$build/corpus/$name" >"$log" 2>&1; then
		echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' \
		    "$log") inputs in $seconds s, nothing found"
	else
		tail -n 40 "$log" >&2
		echo "$name: FOUND: see $log and $build/found" >&2
		bad=1
	fi
done
exit $bad
