#!/bin/sh
# check.sh - runs all tests of a build: unit tests, fuzz corpora, flows, hosts.
#
# usage: sh tests/check.sh BUILDDIR      (called by `make check`)
# One line for each program; the output of what fails; every skip with its
# reason; and last, alone on its line: N passed, N failed, N skipped.
# ONLY="test_buf 10-" in the environment runs what begins so.
set -u

top=$(cd "$(dirname "$0")/.." && pwd) || exit 1
B=$(cd "${1:-$top/build}" && pwd) || exit 1
base=${TMPDIR:-/tmp}
work=$(mktemp -d "$base/facteur-check.XXXXXX") || exit 1
chmod 711 "$work"	# some tests become an ordinary user below it
export B TOP="$top" TMPDIR="$work" FACTEUR_CHECK="$work"
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1}"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT HUP TERM
passed=0 failed=0 skipped=0
out=$work/output

wanted() {		# NAME
	[ -n "${ONLY:-}" ] || return 0
	for w in $ONLY; do
		case $1 in "$w"*) return 0 ;; esac
	done
	return 1
}

show() {		# what a failed program said
	sed 's/^/    | /' "$out"
}

# Counts the TAP lines of $out; a program that ended badly, or before its
# plan was done, has failed once more.
count_tap() {		# NAME STATUS
	p=$(grep -a '^ok ' "$out" | grep -acv '# SKIP')
	s=$(grep -aEc '^(not )?ok .*# SKIP' "$out")
	f=$(grep -a '^not ok' "$out" | grep -acv '# SKIP')
	plan=$(sed -n 's/^1\.\.\([0-9][0-9]*\).*/\1/p' "$out" | head -n 1)
	why=
	if [ "$2" -eq 124 ] || [ "$2" -eq 137 ]; then
		why="took too long"
	elif [ -z "$plan" ] || [ "$plan" -ne $((p + s + f)) ]; then
		why="planned ${plan:-nothing}, ran $((p + s + f)), exit status $2"
	elif [ "$2" -ne 0 ] && [ "$f" -eq 0 ]; then
		why="exit status $2"
	fi
	[ -z "$why" ] || f=$((f + 1))
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	if [ "$f" -eq 0 ]; then
		echo "ok      $1 ($p)"
	else
		echo "FAILED  $1 ($f of $((p + f)))${why:+: $why}"
		show
	fi
	# cmocka's skips bring no reason along: the test's source has it
	itself="by the test itself, as uid $(id -u): tests/unit/$1.c"
	sed -nE -e "s|^(not )?ok [0-9]*( -)? ?# SKIP ?(.*)|\\3: $itself|" \
	    -e 's/^(not )?ok [0-9]*( -)? ?(.+) # SKIP ?(.*)/\3: \4/' \
	    -e 'ta' -e d -e ':a' -e 's/^/skipped /p' "$out"
}

run_unit() {
	for t in "$B"/tests/test_*; do
		[ -x "$t" ] && wanted "${t##*/}" || continue
		CMOCKA_MESSAGE_OUTPUT=TAP timeout -k 5 120 "$t" \
		    >"$out" 2>&1 </dev/null
		count_tap "${t##*/}" $?
	done
}

run_fuzz() {
	for t in "$B"/tests/fuzz_*; do
		[ -x "$t" ] && wanted "${t##*/}" || continue
		if timeout -k 5 120 "$t" "$top/tests/fuzz/corpus/${t##*/fuzz_}" \
		    >"$out" 2>&1 </dev/null; then
			passed=$((passed + 1))
			echo "ok      ${t##*/} ($(tail -n 1 "$out"))"
		else
			failed=$((failed + 1))
			echo "FAILED  ${t##*/}"
			show
		fi
	done
}

run_flows() {
	for t in "$top"/tests/flow/[0-9]*.t; do
		[ -e "$t" ] && wanted "${t##*/}" || continue
		timeout -k 10 240 sh "$t" >"$out" 2>&1 </dev/null
		count_tap "${t##*/}" $?
	done
}

run_hosts() {
	for t in "$top"/tests/netns/*.sh; do
		[ -e "$t" ] && wanted "${t##*/}" || continue
		timeout -k 10 400 sh "$t" >"$out" 2>&1 </dev/null
		count_tap "${t##*/}" $?
	done
}

# Processes that a test left behind: they name our directory somewhere.
leftovers() {
	for p in /proc/[0-9]*; do
		pid=${p#/proc/}
		[ "$pid" != $$ ] || continue
		case $(readlink "$p/cwd" 2>/dev/null) in
		"$work"*)
			;;
		*)
			tr '\0' '\n' 2>/dev/null <"$p/environ" |
			    grep -qF "FACTEUR_CHECK=$work" 2>/dev/null ||
			tr '\0' '\n' 2>/dev/null <"$p/cmdline" |
			    grep -qF "$work" 2>/dev/null || continue
			;;
		esac
		# our own subshells share our environment
		ppid=$(sed -n 's/^PPid:[^0-9]*//p' "$p/status" 2>/dev/null)
		[ -n "$ppid" ] && [ "$ppid" != $$ ] || continue
		echo "$pid $(tr '\0' ' ' 2>/dev/null <"$p/cmdline")"
	done
}

run_unit
run_fuzz
run_flows
run_hosts

left=$(leftovers 2>/dev/null)
if [ -n "$left" ]; then
	failed=$((failed + 1))
	echo "FAILED  processes are left behind:"
	echo "$left" | sed 's/^/    | /'
	echo "$left" | while read -r pid rest; do kill -9 "$pid"; done
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
