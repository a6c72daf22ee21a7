#!/bin/sh
# queue.sh - a queue of a million deferred messages: what the start costs, and
# whether new mail waits meanwhile.  COUNT=N for fewer.
#
# usage: B=BUILDDIR sh bench/queue.sh       (called by `make bench-queue`)
# Everything lies on a tmpfs (/dev/shm), about 5 GB of it, and goes at the end.
set -u
count=${COUNT:-1000000}
TMPDIR=/dev/shm
export TMPDIR
. "$(dirname "$0")/../tests/flow/lib.sh"

zones() {
	echo "dead.example A 127.0.0.9"
}

ms() {
	echo $(($(date +%s%N) / 1000000))
}

new_mail() {		# marie has this many messages
	[ "$(ls "$maildir/new" 2>/dev/null | wc -l)" -ge "$1" ]
}

deliver() {		# NTH: milliseconds from the call of sendmail to the Maildir
	t=$(ms)
	"$B/bin/sendmail" -C "$T/emc" -f jean-bob@emc.fr marie@emc.fr <"$T/m" ||
	    return 1
	wait_for 120 new_mail "$1" && echo $(($(ms) - t))
}

cpu() {			# of the queue manager, in ticks of 10 ms
	awk '{ print $14 + $15 }' "/proc/$(pids_of emc queue)/stat"
}

memory() {
	sed -n "s/^$1:[^0-9]*\([0-9]*\).*/\1/p" "/proc/$(pids_of emc queue)/status"
}

one_site
echo "From: jean-bob@emc.fr" >"$T/m"
first() {
	[ -n "$(find "$T/emc" -path '*marie*/new/*' -type f)" ]
}
"$B/bin/sendmail" -C "$T/emc" -f jean-bob@emc.fr marie@emc.fr <"$T/m"
wait_for 20 first || bail "no delivery"
maildir=$(find "$T/emc" -type d -path '*marie*' -name new | head -n 1)
maildir=${maildir%/new}
deliver 2 >"$T/alone"
echo "empty queue: a new message is delivered after $(cat "$T/alone") ms"
site_stop emc
t=$(ms)
"$B/tests/fill_queue" "$T/emc/spool/queue" "$count" || bail "fill_queue"
echo "$count messages made in $(($(ms) - t)) ms"
site_start emc
t=$(ms)
echo "first new message after $(deliver 3) ms, a second one after $(deliver 4) ms"
before=-1
while now=$(cpu); [ "$now" -gt $((before + 5)) ]; do
	before=$now
	sleep 0.5
done
echo "all files looked at within $(($(ms) - t)) ms, $now ticks of 10 ms of CPU"
echo "memory: $(memory VmHWM) KB at most, $(memory VmRSS) KB now"
echo "then a new message is delivered after $(deliver 5) ms"
before=$(cpu)
sleep "${IDLE:-60}"
echo "an idle ${IDLE:-60} s costs $(($(cpu) - before)) ticks of 10 ms"
