#!/bin/sh
# 94-hands - an administrator's hands in the queue, repeats after a crash, too
# few descriptors, endless recipients, bounces of bounces (way 4 to 7).  D and
# a number: the attack list, section D.
if [ -z "${HANDS_NAMESPACE:-}" ] && [ "$(id -u)" -eq 0 ] &&
    unshare -m true 2>/dev/null; then
	HANDS_NAMESPACE=1 exec unshare -m sh "$0"
fi
. "$(dirname "$0")/lib.sh"
marie=marie@emc.fr
billy=billy@yahoo.co.uk
Q=$T/emc/spool/queue
HOLD=$T/emc/spool/hold
M=

inject() {		# SUBJECT RCPT...
	subject=$1
	shift
	printf 'Subject: %s\n\nx\n' "$subject" | "$B/libexec/facteur/inject" \
	    -C "$T/emc" -f "${FROM-jean-bob@emc.fr}" "$@" >"$T/inject" 2>&1
}
copies() {		# SUBJECT: how many marie has, read or not
	cat "$M"/new/* "$M"/cur/* 2>/dev/null | grep -ac "^Subject: $1\$"
}
got() {
	[ "$(copies "$1")" -eq "${2:-1}" ]
}
logged() {		# PATTERN
	grep -aEq -e "$1" "$T/emc.log"
}
count_of() {
	grep -aEc -e "$1" "$T/emc.log"
}
the_one() {		# the name in queue/
	ls "$Q"
}

one_site
M=$(maildir emc $marie)

# ---- D79: mv, cp and rm while it is delivered ----

site_stop emc
i=0
while [ $i -lt 40 ]; do
	i=$((i + 1))
	inject "d79-$i" $marie
done
site_start emc
(
	round=0
	while [ $round -lt 15 ]; do
		round=$((round + 1))
		for f in "$Q"/*; do
			n=${f##*/}
			mv "$f" "$HOLD/$n"
			cp "$HOLD/$n" "$Q/x$round"
			mv "$Q/x$round" "$HOLD/copy"
			mv "$HOLD/$n" "$f"
			rm "$HOLD/copy"
		done
	done
) 2>/dev/null
mv "$HOLD"/* "$Q" 2>/dev/null
all_79() {
	[ "$(cat "$M"/new/* | grep -a '^Subject: d79-' | sort -u | wc -l)" \
	    -eq 40 ]
}
ok "D79 hold and back during delivery: all arrive" wait_for 20 all_79
is "D79 none twice" "$(cat "$M"/new/* | grep -a '^Subject: d79-' | sort |
    uniq -d | wc -l)" 0
ok "D79 the queue is empty" wait_for 10 queue_empty emc
is "D79 nothing was taken for damage" "$(ls "$T/emc/spool/bad" | wc -l)" 0

# ---- D76, D79: while the other side has not answered yet ----

cat >"$T/slow.pl" <<'END'
# An SMTP server that says 250 to a message when it may read from a pipe.
use IO::Socket::INET;
$SIG{PIPE} = 'IGNORE';
$l = IO::Socket::INET->new(LocalAddr => $ARGV[0], LocalPort => $ARGV[1],
    Listen => 5, ReuseAddr => 1) or die;
open($f, '>', "$ARGV[2]/listens"); close $f;
while ($c = $l->accept) {
	$c->autoflush(1);
	print $c "220 slow\r\n";
	while (defined($_ = <$c>)) {
		if (/^DATA/i) {
			print $c "354 go\r\n";
			while (defined($_ = <$c>)) { last if /^\.\r?$/; }
			open($f, '>', "$ARGV[2]/there"); close $f;
			open($f, '<', "$ARGV[2]/may"); <$f>; close $f;
			print $c "250 ok\r\n";
		} elsif (/^QUIT/i) {
			print $c "221 bye\r\n"; last;
		} else {
			print $c "250 ok\r\n";
		}
	}
	close $c;
}
END
mkfifo "$T/may"
perl "$T/slow.pl" "$YAHOO" "$SMTP" "$T" 2>"$T/slow.out" &
PIDS="$PIDS $!"
wait_for 10 test -e "$T/listens" || bail "$(cat "$T/slow.out")"
# in_flight SUBJECT: billy's server has it all, and has not answered.
in_flight() {
	rm -f "$T/there"
	FROM= inject "$1" $billy
	msg=$(the_one)
	wait_for 20 test -e "$T/there"
}
may() {
	timeout 20 sh -c "echo >'$T/may'"
}
one_outcome() {
	[ "$(count_of "^${msg%.*} (delivered|deferred|failed) ")" -eq 1 ]
}
ok "a message is on its way" in_flight removed
rm "$Q/$msg"
ok "D76 removed in flight: the other side takes it" may
ok "D76 removed in flight: exactly one outcome" wait_for 10 one_outcome
ok "a message is on its way" in_flight held
mv "$Q/$msg" "$HOLD"
ok "D79 held in flight: the other side takes it" may
ok "D79 held in flight: exactly one outcome" wait_for 10 one_outcome
written() {
	grep -aq '^done 1 ' "$HOLD/$msg"
}
ok "D79 it stands in the held file" wait_for 5 written
rm -f "$T/there"
mv "$HOLD/$msg" "$Q"
ok "D79 released: it is done, and goes" wait_for 10 queue_empty emc
is "D79 it was not sent again" "$(test -e "$T/there" && echo again)" ""
ok "a message is on its way" in_flight replaced
cp "$Q/$msg" "$T/copy"
touch -d '2 hours ago' "$T/copy"
mv "$T/copy" "$Q/$msg"
rm -f "$T/there"
ok "D79 replaced in flight: the other side takes it" may
ok "D79 replaced: what is there now is not removed with it" \
    wait_for 10 test -e "$T/there"
ok "D79 and is sent" may
ok "D79 and goes" wait_for 10 queue_empty emc

# ---- a repeat after a crash ----

site_stop emc
inject repeat $marie
msg=$(the_one)
cp -p "$Q/$msg" "$T/before"	# as it is found if the `done` was lost
site_start emc
ok "it is delivered" wait_for 10 got repeat
ok "and gone" wait_for 5 queue_empty emc
read=$(grep -al '^Subject: repeat' "$M"/new/*)
mv "$read" "$M/cur/${read##*/}:2,FS"
site_stop emc
cp -p "$T/before" "$Q/$msg"
site_start emc
known() {
	[ "$(count_of "^${msg%.*} delivered .*was delivered before as Maildir/cur")" \
	    -eq "$1" ]
}
ok "given again after a crash: found, though it was read and flagged" \
    wait_for 10 known 1
ok "it is gone" wait_for 5 queue_empty emc
cp -p "$T/before" "$T/again"
mv "$T/again" "$Q/$msg"
ok "moved back into a running queue: found" wait_for 10 known 2
is "one copy" "$(copies repeat)" 1

# ---- D76: too old; D77: bounces ----

site_stop emc
echo "queue_lifetime = 1s" >>"$T/emc/facteur.conf"
site_start emc
inject old x@[127.0.0.1]
waits() {
	grep -aq '^defer 1 ' "$Q"/*
}
ok "D76 a message waits" wait_for 10 waits
msg=$(the_one)
older() {			# than the second it may live
	[ $(($(date +%s) - $(stat -c %Y "$Q/$msg"))) -ge 2 ]
}
ok "D76 time passes" wait_for 10 older
"$FACTEUR" -C "$T/emc" retry --all >/dev/null
bounced() {
	[ "$(messages emc jean-bob@emc.fr)" -eq 1 ]
}
ok "D76 too old at the end of an attempt: its sender is told" \
    wait_for 10 bounced
is "D76 after a real attempt, and once" "$(count_of "^${msg%.*} failed ") \
$(count_of "^${msg%.*} bounced ")" "1 1"
# Nobody to tell: postmaster hears of it once, and of that nobody.
to_postmaster() {
	[ "$(count_of 'bounced .*to="postmaster@')" -eq "$1" ]
}
FROM= inject none nobody@nowhere.example
ok "D77 a bounce that cannot be delivered goes to postmaster" \
    wait_for 10 to_postmaster 1
FROM=nobody@emc.fr inject none nobody@nowhere.example
ok "D77 a bounce for nobody does too, once" wait_for 10 to_postmaster 2
ok "D77 no loop: the queue is empty" wait_for 10 queue_empty emc
unset FROM

# ---- D75: endless recipients ----

i=0 many=
while [ $i -lt 1001 ]; do
	i=$((i + 1))
	many="$many u$i@emc.fr"
done
inject many $many
status=$?
ok "D75 a thousand recipients are the most" test $status -ne 0
ok "D75 and nothing of it is queued" queue_empty emc

# ---- D68: few descriptors ----

before=$(wc -l <"$T/emc.log")
queue=$(pids_of emc queue)
held=$(ls "/proc/$queue/fd" 2>/dev/null | wc -l)
if [ "$held" -eq 0 ]; then
	skip "D68 six descriptors" "only root may count what the queue holds"
elif have prlimit; then
	prlimit --pid "$queue" --nofile=$((held + 6))
	kill -STOP "$queue"	# so that it finds them all at once
	i=0
	while [ $i -lt 60 ]; do
		i=$((i + 1))
		inject "d68-$i" $marie
	done
	kill -CONT "$queue"
	all_68() {
		[ "$(cat "$M"/new/* | grep -a '^Subject: d68-' | sort -u |
		    wc -l)" -eq 60 ]
	}
	ok "D68 six descriptors for sixty messages: all arrive" \
	    wait_for 60 all_68
	ok "D68 the queue is empty" wait_for 20 queue_empty emc
	ok "D68 it ran short, and said so" \
	    logged ' (postponed|agent-unreachable|job-open) '
	ok "D68 it was not busy complaining" \
	    test $(($(wc -l <"$T/emc.log") - before)) -lt 1000
fi
site_stop emc

# ---- D81: a file system of layers ----

if [ -z "${HANDS_NAMESPACE:-}" ]; then
	skip "D81 overlayfs" "only root can mount it"
else
	mkdir "$T/layers"
	trap 'st=$?; umount -l "$T/emc/spool" "$T/layers" 2>/dev/null
	    (exit $st)
	    clean_up' EXIT
	mount -t tmpfs layers "$T/layers" && mkdir "$T/layers/upper" \
	    "$T/layers/work" || bail "tmpfs"
	inject lower $marie
	if mount -t overlay -o "lowerdir=$T/emc/spool,upperdir=$T/layers/upper,\
workdir=$T/layers/work" overlay "$T/emc/spool" 2>/dev/null; then
		site_start emc
		ok "D81 overlayfs: what lies below is delivered" \
		    wait_for 10 got lower
		inject upper $marie
		ok "D81 overlayfs: what comes is delivered" \
		    wait_for 10 got upper
		ok "D81 overlayfs: and goes" wait_for 10 queue_empty emc
		site_stop emc
	else
		skip "D81 overlayfs" "this kernel mounts none here"
	fi
fi

done_testing
