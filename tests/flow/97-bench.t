#!/bin/sh
# 97-bench - the bench itself, in small: its private world comes up, Facteur
# carries mail in it as root would run it, to Maildirs, by TLS, to a sink and to
# many at once, and nothing of it is left behind.
TOP=$(cd "$(dirname "$0")/../.." && pwd)
B=$(cd "${B:-$TOP/build}" && pwd) || exit 1
tests=0

skip_all() {		# REASON
	echo "1..1"
	echo "ok 1 - the bench # SKIP $1"
	exit 0
}

result() {		# STATUS NAME
	tests=$((tests + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tests - $2"
	else
		echo "not ok $tests - $2"
		tail -n 30 "$T/out" | sed 's/^/# /'
	fi
}

[ "$(id -u)" -eq 0 ] || skip_all "needs root"
command -v python3 >/dev/null || skip_all "python3 is not installed"
command -v losetup >/dev/null || skip_all "losetup is not installed"
[ -e /dev/loop-control ] || skip_all "there are no loop devices"
unshare -mpn true 2>/dev/null || skip_all "namespaces are forbidden"
[ -x "$B/bench/load" ] || skip_all "make bench-tools has not been run"
! grep -q __asan_init "$B/bench/load" || skip_all "built with a sanitizer"

T=$(mktemp -d "${TMPDIR:-/tmp}/flow.XXXXXX") || exit 1
chmod 711 "$T"		# each uid passes through
trap 'rm -rf "$T"' EXIT
trap 'exit 143' INT TERM HUP

bench() {		# ROWS...
	TMPDIR=$T timeout -k 5 60 python3 "$TOP/bench/bench.py" "$B" \
	    --store "$T/store" --disk-mb 64 --scale 0.02 \
	    --runs 1 --peers "facteur raw" --rows "$*" >"$T/out" 2>&1
}

bench kept2 fresh2-tls relay2 many1 rate20 idle5
result $? "Facteur carries every kind of load"
grep -q '^| facteur | ' "$T/out"
result $? "the tables have its figures"
! grep -q incomplete "$T/out"
result $? "each run is complete"
bench kept0
[ $? -eq 2 ] && grep -q "no row is called kept0" "$T/out"
result $? "an unknown row is refused by its name"

ls "$T" | grep -v -e '^out$' -e '^store$' >"$T/out"
[ ! -s "$T/out" ]
result $? "no world is left behind"
losetup -l -n -O BACK-FILE | grep "$T" >"$T/out"
[ ! -s "$T/out" ]
result $? "no loop device is left behind"
for group in /sys/fs/cgroup/facteur-bench-* /sys/fs/cgroup/*/facteur-bench-*
do			# of those who are still there it is no business of ours
	[ ! -d "$group" ] || [ -d "/proc/${group##*-}" ] || echo "$group"
done >"$T/out"
[ ! -s "$T/out" ]
result $? "no control group is left behind"
echo "1..$tests"
