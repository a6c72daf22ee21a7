#!/bin/sh
# 90-kill - kill -9 of each program, at work: nothing acknowledged is lost.
. "$(dirname "$0")/lib.sh"

two_sites
billy=billy@yahoo.co.uk
sent=0			# messages that were acknowledged

# One message with a number of its own; counts if the server said 250.
send_one() {
	i=$((i + 1))
	echo "number $i" | message "$T/out/$i" "n$i"
	if submit "$T/out/$i" jean-bob@emc.fr $billy 2>/dev/null; then
		sent=$((sent + 1))
		echo "n$i" >>"$T/acknowledged"
	fi
}
i=0 kills=0
mkdir "$T/out"
: >"$T/acknowledged"

all_there() {
	cat "$(maildir yahoo $billy)"/new/* "$(maildir yahoo $billy)"/cur/* \
	    2>/dev/null | sed -n 's/^Subject: //p' | sort -u >"$T/there"
	sort -u "$T/acknowledged" | comm -23 - "$T/there" >"$T/missing"
	[ ! -s "$T/missing" ]
}

# pushed: what was put off is tried now; true when all are there.
pushed() {
	"$FACTEUR" -C "$T/emc" retry --all
	"$FACTEUR" -C "$T/yahoo" retry --all
	all_there
}

for program in smtpd tlsd inject queue remote resolve authd launch; do
	for site in emc yahoo; do
		n=0
		for pid in $(pids_of $site $program); do
			send_one
			kill -9 "$pid" 2>/dev/null && kills=$((kills + 1))
			send_one
			# a program has many processes: three kills are enough
			n=$((n + 1))
			[ $n -lt 3 ] || break
		done
	done
	ok "$program was killed: what was acknowledged arrives" \
	    wait_for 40 pushed
done
ok "each was there to be killed, on both sites" test "$kills" -ge 16
ok "in between most were accepted" test "$sent" -ge "$kills"

# The whole site at once, with mail in its queue.
site_stop yahoo
for k in 1 2 3 4 5; do
	send_one
done
old=$(pids_of emc queue; pids_of emc smtpd; pids_of emc inject)
kill -9 "$(site_pid emc)"
all_dead() {
	for p in $old; do
		dead "$p" || return 1
	done
}
ok "its programs end with the supervisor" wait_for 10 all_dead
site_start emc
site_start yahoo
ok "after the restart all arrive" wait_for 40 pushed
ok "the queue is empty" wait_for 20 queue_empty emc

done_testing
