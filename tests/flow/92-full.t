#!/bin/sh
# 92-full - a disk without room, a log that nobody reads: what is here leaves,
# what comes is told the truth (way 2 to 7).  D and a number: the attack list,
# section D.
#
# In a mount namespace of its own: its small disks go with its last process.
if [ -z "${FULL_NAMESPACE:-}" ] && [ "$(id -u)" -eq 0 ] &&
    unshare -m true 2>/dev/null; then
	FULL_NAMESPACE=1 exec unshare -m sh "$0"
fi
. "$(dirname "$0")/lib.sh"
marie=marie@emc.fr
billy=billy@yahoo.co.uk
S=$T/emc/spool

got() {			# SUBJECT: marie has it, once
	[ "$(cat "$(maildir emc $marie)"/new/* 2>/dev/null |
	    grep -ac "^Subject: $1\$")" -eq 1 ]
}

# try SIZE BYTES: a message announced as SIZE; the server's words in $T/talk.
try() {
	{
		echo "Subject: try$1"
		echo
		head -c "$2" /dev/zero | tr '\0' x | fold -w 72
		echo
	} >"$T/m"
	crlf "$T/m" | timeout 60 curl -sSv --ssl-reqd -k --max-time 60 \
	    --url "smtp://$EMC:$SUB/mua.emc.fr" --user "jean-bob@emc.fr:$PASS" \
	    --mail-from "jean-bob@emc.fr" --mail-rcpt $marie \
	    -T - >"$T/talk" 2>&1
}
# announce SIZE: what is said to DATA when MAIL announced that many bytes.
announce() {
	{
		printf 'EHLO x\r\nMAIL FROM:<a@b.example> SIZE=%s\r\n' "$1"
		printf 'RCPT TO:<%s>\r\nDATA\r\nQUIT\r\n' $marie
	} | timeout 20 "$B/libexec/facteur/smtpd" -C "$T/emc" >"$T/talk" 2>&1
	tr -d '\r' <"$T/talk" | grep -a '^[1-5]' | tail -n 2 | head -n 1 |
	    cut -c 1-9
}
# unannounced: what is said to a small message at its end.
unannounced() {
	{
		printf 'EHLO x\r\nMAIL FROM:<a@b.example>\r\n'
		printf 'RCPT TO:<%s>\r\nDATA\r\nSubject: x\r\n\r\n.\r\n' $marie
		printf 'QUIT\r\n'
	} | timeout 20 "$B/libexec/facteur/smtpd" -C "$T/emc" >"$T/talk" 2>&1
	tr -d '\r' <"$T/talk" | grep -a '^[1-5]' | tail -n 2 | head -n 1 |
	    cut -c 1-9
}
pad=1			# bytes of the body
shell() {		# SUBJECT RCPT...: by inject itself, needs no server
	subject=$1
	shift
	printf 'Subject: %s\n\n%0*d\n' "$subject" $pad 0 |
	    "$B/libexec/facteur/inject" -C "$T/emc" -f jean-bob@emc.fr "$@" \
	    >"$T/shell" 2>&1
}

# ---- the disk of the spool ----

if [ -z "${FULL_NAMESPACE:-}" ]; then
	skip "D65, D66 the full disk" "only root can mount a small one"
else
	# They would be in the way of rm.
	trap 'st=$?; umount -l "$S" "$T/emc/mail" 2>/dev/null; (exit $st)
	    clean_up' EXIT
	one_site
	site_stop emc
	small() {		# OPTIONS: a spool on a disk like that
		umount "$S" 2>/dev/null
		mount -t tmpfs -o "mode=700,$1" small "$S" ||
		    bail "cannot mount a small disk"
	}
	small size=16m
	site_start emc
	is "D65 room for it: go ahead" "$(announce 1000000)" "354 go ah"
	is "D65 announced too big for the disk: told before the content" \
	    "$(announce 10000000)" "452 4.3.1"
	ok "D65 a small one is taken" try 100 100
	ok "D65 and delivered" wait_for 10 got try100

	# Not a byte left: two recipients, one here, one that waits.
	site_stop emc
	shell both $marie $billy
	# So long that no line fits into the last page behind it.
	pad=$((pad + 4090 - $(cat "$S"/queue/* | wc -c)))
	rm "$S"/queue/*
	shell both $marie $billy
	pad=1
	is "a message is in the queue" "$(ls "$S/queue" | wc -l)" 1
	dd if=/dev/zero of="$S/filler" bs=64k >/dev/null 2>&1
	dd if=/dev/zero of="$S/filler2" bs=1 >/dev/null 2>&1
	is "the disk is full" "$(df --output=avail "$S" | tail -n 1 |
	    tr -d ' ')" 0
	site_start emc
	ok "D65 mail that is here is delivered" wait_for 10 got both
	lost() {
		grep -aq 'outcome-not-recorded' "$T/emc.log"
	}
	ok "D65 no mark can be made" wait_for 5 lost
	rm "$(maildir emc $marie)"/new/*
	tries() {
		grep -ac "deferred.*$billy" "$T/emc.log"
	}
	for again in 2 3 4; do
		"$FACTEUR" -C "$T/emc" retry --all >/dev/null
		more() {
			[ "$(tries)" -ge $again ]
		}
		ok "D65 attempt $again for the other one" wait_for 10 more
	done
	ok "D65 who has it does not get it again" not got both
	ok "D65 new mail is refused" not try 200 200
	has "D65 with 452 4.3.1" "$T/talk" '^< 452 4\.3\.1'
	is "D65 also when nothing was announced" "$(unannounced)" "452 4.3.1"
	shell x $marie
	is "D65 inject says try again" $? 75
	rm "$S/filler" "$S/filler2"
	"$FACTEUR" -C "$T/emc" retry --all >/dev/null
	recorded() {
		grep -aq '^done 1 ' "$S"/queue/* &&
		    grep -aq '^defer 2 ' "$S"/queue/*
	}
	ok "D65 with room again all is written down" wait_for 10 recorded
	ok "D65 and new mail is taken" try 300 300
	ok "D65 and delivered" wait_for 10 got try300
	ok "D65 who had it did not get it again" not got both
	is "D65 nothing unfinished lies in the spool" \
	    "$(ls "$S/queue" | wc -l) $(ls "$S/bad" | wc -l)" "1 0"

	# A disk that has no inode left, and bytes enough.
	site_stop emc
	small size=64m,nr_inodes=300
	site_start emc
	ok "D66 a disk with inodes takes mail" try 400 400
	ok "D66 and delivers" wait_for 10 got try400
	shell later $billy
	mkdir "$S/filler"
	i=0
	while [ $i -lt 300 ] && touch "$S/filler/$i" 2>/dev/null; do
		i=$((i + 1))
	done
	is "D66 without inodes: told before the content" \
	    "$(announce 2000000)" "452 4.3.1"
	is "D66 a small one is refused at its end" "$(unannounced)" "452 4.3.1"
	"$FACTEUR" -C "$T/emc" retry --all >/dev/null
	tried() {
		[ "$(grep -ac "deferred.*$billy" "$T/emc.log")" -gt "$1" ]
	}
	before=$(tries)
	"$FACTEUR" -C "$T/emc" retry --all >/dev/null
	ok "D66 what is here is tried all the same" wait_for 10 tried "$before"
	rm -r "$S/filler"
	ok "D66 with inodes again it goes on" try 500 500
	ok "D66 delivered" wait_for 10 got try500
	site_stop emc

	# The disk of the mailbox.
	M=$T/emc/mail
	mount -t tmpfs -o mode=711,size=1m small "$M" || bail "mount"
	dd if=/dev/zero of="$M/filler" bs=4k >/dev/null 2>&1
	site_start emc
	ok "the mailbox's disk is full: taken" try 600 60000
	waits() {
		grep -aq '^defer 1 .*4\.3\.1\|^defer 1 .*[Nn]o space' "$S"/queue/*
	}
	ok "and put off, not lost" wait_for 10 waits
	is "nothing half lies in the Maildir" "$(find "$M" -type f |
	    grep -vc filler)" 0
	rm "$M/filler"
	"$FACTEUR" -C "$T/emc" retry --all >/dev/null
	ok "with room it is delivered" wait_for 10 got try600
	site_stop emc
	umount "$S" "$M"
	rm -rf "$T/emc"
fi

# ---- the log ----

rm -f "$T"/*.ready
one_site
site_stop emc
# site_loud NAME: as site_start, with its log on descriptor 9.
site_loud() {
	mkfifo "$T/$1.ready2" || bail mkfifo
	"$FACTEUR" run -C "$T/$1" >"$T/$1.ready2" 2>&9 9>&- &
	SITE_PID=$!
	PIDS="$PIDS $SITE_PID"
	line=$(timeout 20 head -n 1 "$T/$1.ready2")
	rm "$T/$1.ready2"
	echo "$SITE_PID" >"$T/$1.pid"
	[ "$line" = ready ]
}
exec 9>/dev/full
ok "the disk of the log is full: it starts" site_loud emc
ok "and takes mail" try 700 700
ok "and delivers" wait_for 10 got try700
site_stop emc
is "and ends" $? 0
exec 9>&-

mkfifo "$T/log"
sleep 600 <"$T/log" &	# has it open, and never reads
reader=$!
PIDS="$PIDS $reader"
exec 9>"$T/log"
timeout 2 dd if=/dev/zero bs=4096 count=16 >&9 2>/dev/null
ok "nobody reads the log: it starts" site_loud emc
ok "and takes mail" try 800 800
ok "and delivers" wait_for 10 got try800
kill $reader
wait $reader 2>/dev/null
ok "the reader has died: it takes mail" try 900 900
ok "and delivers" wait_for 10 got try900
site_stop emc
is "and ends" $? 0
exec 9>&-

done_testing
