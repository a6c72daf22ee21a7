#!/bin/sh
# 93-clock - the clock is set while mail waits: nothing bounces, nothing is
# stuck (way 4 to 7).  Attack list, section D, number 73.
#
# The programs see another time of day (clock.c), by way of ld.so.preload in a
# copy of /etc, in a mount namespace of its own.
if [ -z "${CLOCK_NAMESPACE:-}" ]; then
	B=${B:-$(dirname "$0")/../../build}
	if [ "$(id -u)" -ne 0 ]; then
		why="only root can put a clock before the programs"
	elif ! unshare -m true 2>/dev/null; then
		why="no right to a mount namespace here"
	elif ! command -v "${CC:-cc}" >/dev/null 2>&1; then
		why="no compiler here"
	elif grep -q __asan_init "$B/bin/facteur"; then
		why="AddressSanitizer wants to be loaded first"
	else
		CLOCK_NAMESPACE=1 exec unshare -m sh "$0"
	fi
	printf '1..1\nok 1 - D73 the clock # SKIP %s\n' "$why"
	exit 0
fi
. "$(dirname "$0")/lib.sh"
marie=marie@emc.fr
billy=billy@yahoo.co.uk

# Time for the programs: set_clock SECONDS [STILL].
set_clock() {
	perl -e 'print pack("q2", @ARGV)' -- "$1" "${2:-0}" |
	    dd of="$T/clock" conv=notrunc 2>/dev/null
}
DAY=86400
YEARS=$((30 * 365 * DAY))
set_clock 0
mkdir "$T/etc"
mount -t tmpfs etc "$T/etc" && cp -a /etc/. "$T/etc" &&
    mount --bind "$T/etc" /etc || bail "cannot make an /etc of our own"
trap 'st=$?; umount -l /etc "$T/etc" 2>/dev/null; (exit $st)
    clean_up' EXIT
"${CC:-cc}" -shared -fPIC -O1 -DPAGE="\"$T/clock\"" -o "$T/clock.so" \
    "$(dirname "$0")/clock.c" || bail "cannot compile clock.c"

# A delay notice may come early then: it bounces nothing, but would be counted.
one_site "delay_notice = 0"
site_stop emc
echo "$T/clock.so" >/etc/ld.so.preload
site_start emc

n=0
passes() {		# a message for someone here is delivered at once
	n=$((n + 1))
	echo x | message "$T/m" "pass$n"
	submit "$T/m" jean-bob@emc.fr $marie 2>&1 &&
	    wait_for 10 arrived emc $marie $n
}
attempts() {
	grep -ac "deferred.*$billy" "$T/emc.log"
}
more_than() {
	[ "$(attempts)" -gt "$1" ]
}
retried() {		# by an administrator's wish
	before=$(attempts)
	"$FACTEUR" -C "$T/emc" retry --all >/dev/null &&
	    wait_for 10 more_than "$before"
}
restarted() {		# at that time: tried by itself
	before=$(attempts)
	site_stop emc
	set_clock "$1"
	# Sites that rest are remembered; here the message's own time counts.
	rm -f "$T/emc/spool/sites"
	site_start emc
	wait_for 10 more_than "$before"
}
year() {		# the last line of the log says
	tail -n 1 "$T/emc.log" | sed -n 's/.* t=\([0-9]*\)-.*/\1/p'
}
this=$(date +%Y)

ok "today: mail passes" passes
echo x | message "$T/m" "far"
ok "a message for a site that is down" submit "$T/m" jean-bob@emc.fr $billy
ok "waits" wait_for 10 more_than 0

set_clock -$DAY
ok "D73 back by a day: mail passes" passes
ok "D73 back by a day: what waits is tried" retried
set_clock 0
ok "D73 and on again: mail passes" passes
ok "D73 and on again: what waits is tried" retried
ok "D73 started a day back: tried at once, its time is too far off" \
    restarted -$DAY

set_clock $YEARS
ok "D73 on by thirty years: mail passes" passes
ok "D73 the programs believe it" test "$(year)" -ge $((this + 29))
ok "D73 on by thirty years: what waits is tried" retried
ok "D73 on by thirty years: and again" retried
ok "D73 started today: not stuck for thirty years" restarted 0
ok "D73 started thirty years on: tried at once" restarted $YEARS
set_clock -$DAY
ok "D73 back from there: mail passes" passes

ok "D73 started in 1970: what waits is tried" restarted -$(($(date +%s) - 10))
ok "D73 1970: mail passes" passes
ok "D73 the right time again: tried at once" restarted 0
ok "D73 the right time again: mail passes" passes

set_clock 0 $(date +%s)
for k in 1 2 3 4 5; do
	ok "D73 a clock that stands still: message $k passes" passes
done
ok "D73 a clock that stands still: what waits is tried" retried
is "D73 nothing bounced" "$(messages emc jean-bob@emc.fr) $(grep -acE \
    '^[0-9a-z]{16} (bounced|failed|not-bounced) ' "$T/emc.log")" "0 0"
is "D73 nothing was damaged" "$(ls "$T/emc/spool/bad" | wc -l)" 0
is "D73 nothing came twice" "$(cat "$(maildir emc $marie)"/new/* |
    grep -a '^Subject: pass' | sort | uniq -d | wc -l)" 0
is "D73 what waited still waits" "$(ls "$T/emc/spool/queue" | wc -l)" 1

site_stop emc
done_testing
