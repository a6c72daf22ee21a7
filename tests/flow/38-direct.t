#!/bin/sh
# 38-direct - mail for mailboxes of this host reaches them while its sender
# waits, and lies in the queue only where that does not end well (ways 3, 4).
. "$(dirname "$0")/lib.sh"
JEAN=jean-bob@emc.fr MARIE=marie@emc.fr
one_site "trusted = 127.0.0.0/8"
log=$T/emc.log
q=$T/emc/spool/queue

# smtp FILE TO...: through port 25.  With PAUSE=NAME it stops before DATA: it
# makes $T/NAME and waits until that has gone.  With NOTIFY=X for reports.
cat >"$T/smtp.pl" <<'END'
use IO::Socket::INET;
my ($addr, $file, @to) = @ARGV;
my $s = IO::Socket::INET->new(PeerAddr => $addr, Timeout => 20) or die "$@\n";
sub say_it {
	my ($line, $want) = @_;
	print $s "$line\r\n" if defined $line;
	my $got;
	do { $got = <$s> // die "it hung up\n" } while $got =~ /^\d{3}-/;
	$got =~ /^$want/ or die "$line: $got";
}
$s->autoflush(1);
say_it(undef, 220);
say_it("EHLO mua.emc.fr", 250);
say_it("MAIL FROM:<jean-bob\@emc.fr>", 250);
my $notify = $ENV{NOTIFY} ? " NOTIFY=$ENV{NOTIFY}" : "";
say_it("RCPT TO:<$_>$notify", 250) for @to;
if (my $pause = $ENV{PAUSE}) {
	open(my $f, '>', $pause) or die; close $f;
	select(undef, undef, undef, 0.02) while -e $pause;
}
say_it("DATA", 354);
open(my $f, '<', $file) or die;
while (<$f>) { chomp; print $s "$_\r\n"; }
say_it(".", 250);
say_it("QUIT", 221);
END
smtp() {
	timeout 60 perl "$T/smtp.pl" "$EMC:$SMTP" "$@"
}
has_n() {		# ADDRESS N
	[ "$(messages emc "$1")" -eq "$2" ]
}
count() {		# PATTERN: lines of the log
	grep -ac "$1" "$log"
}
lines() {		# PATTERN N
	[ "$(count "$1")" -eq "$2" ]
}
# What launch has become for the owner of the mailboxes.
workers() {
	for p in $(pids_of emc launch); do
		grep -q "^PPid:	$(site_pid emc)\$" "/proc/$p/status" &&
		    cat "/proc/$p/task/$p/children"
	done
}
new_user() {		# NAME, with a home of his own
	mkdir "$T/$1"
	echo "$1@emc.fr:*:$(id -u):$(id -g)::$T/$1" >>"$T/emc/users"
}
echo hello | message "$T/m"

# ---- as it should be ----
ok "mail for a mailbox is accepted" smtp "$T/m" $JEAN
is "and is in it when the sender hears so" "$(messages emc $JEAN)" 1
ok "as it was sent" ends_with "$(newest emc $JEAN)" "$T/m"
has "the log says how" "$log" ' delivered .* direct=yes'
is "it was not queued" "$(count ' queued ')" 0
id=$(sed -n 's/^\([^ ]*\) delivered .*/\1/p' "$log")
"$FACTEUR" -C "$T/emc" why "$id" >"$T/why" 2>&1
has "why knows it by its ID" "$T/why" 'delivered'
ok "one for two mailboxes" smtp "$T/m" $JEAN $MARIE
is "is in the first" "$(messages emc $JEAN)" 2
is "and in the second" "$(messages emc $MARIE)" 1
ok "the queue is empty" queue_empty emc
new_user paul
ok "one for mailboxes of two owners" smtp "$T/m" $MARIE paul@emc.fr
is "is in the one" "$(messages emc $MARIE)" 2
is "and in the other" "$(ls "$T/paul/Maildir/new" | wc -l)" 1
is "nothing was queued" "$(count ' queued ')" 0
is "nothing is wrong" "$(count 'not-recorded')" 0

# ---- what goes another way is queued ----
yes 'a line of some length, again and again' | head -c 100000 |
    message "$T/large"
ok "a large one" smtp "$T/large" $JEAN
ok "is queued" lines ' queued ' 1
ok "and arrives" wait_for 10 has_n $JEAN 3
ok "one that asks for a report" env NOTIFY=SUCCESS perl "$T/smtp.pl" \
    "$EMC:$SMTP" "$T/m" $MARIE
is "is in the mailbox at once" "$(messages emc $MARIE)" 3
ok "and the report comes" wait_for 10 has_n $JEAN 4
ok "with nothing left" wait_for 10 queue_empty emc

# ---- one of two mailboxes is out of order ----
M=$(maildir emc $MARIE)
mv "$M" "$M.away"
: >"$M"
ok "mail for it and another is accepted" smtp "$T/m" $JEAN $MARIE
is "the other one has it" "$(messages emc $JEAN)" 5
is "it is queued once" "$(ls "$q" | wc -l)" 1
ok "with what is known" grep -aq '^done 1 ' "$q"/*
id=$(ls "$q" | sed 's/\..*//')
"$FACTEUR" -C "$T/emc" why "$id" >"$T/why" 2>&1
has "why tells the reason" "$T/why" 'Not a directory'
rm "$M"
mv "$M.away" "$M"
"$FACTEUR" -C "$T/emc" retry "$id" >/dev/null
ok "mended, it arrives" wait_for 10 has_n $MARIE 4
ok "and leaves the queue" wait_for 10 queue_empty emc
is "the other one has it once" "$(messages emc $JEAN)" 5
is "and was served once" "$(count "^$id delivered .*rcpt=\"$JEAN\"")" 1

# ---- the recipient has become an alias meanwhile ----
PAUSE=$T/pause smtp "$T/m" $MARIE 2>"$T/smtp.out" &
client=$!
wait_for 10 test -e "$T/pause" || bail "no client"
echo "marie: billy@yahoo.co.uk, jean-bob" >"$T/emc/aliases"
rm "$T/pause"
ok "mail for what has become an alias is accepted" wait $client
is "it lies in the queue for another host" "$(ls "$q" | wc -l)" 1
ok "as what it was expanded to" grep -aq '^rcpt 2 <billy@yahoo.co.uk>.*parent=1' \
    "$q"/*
ok "the mailbox behind it has it" wait_for 10 has_n $JEAN 6
: >"$T/emc/aliases"
"$FACTEUR" -C "$T/emc" rm "$(ls "$q" | sed 's/\..*//')" >"$T/out" 2>&1

# ---- a worker that hangs ----
smtp "$T/m" $MARIE || bail "smtp"
has_n $MARIE 5 || bail "marie"
hung=$(workers)
kill -STOP $hung
ok "mail for a mailbox that hangs is accepted" smtp "$T/m" $MARIE
ok "after a while" lines ' direct-left ' 1
is "it is queued" "$(ls "$q" | wc -l)" 1
ok "the next one" smtp "$T/m" $MARIE
ok "does not wait for it" lines ' direct-left ' 1
ok "and passes it" wait_for 10 has_n $MARIE 6
id=$(ls "$q" | sed 's/\..*//')
kill -CONT $hung
ok "it goes on and delivers" wait_for 10 has_n $MARIE 7
ok "the queue is empty" wait_for 20 queue_empty emc
is "the hung one is told of once" "$(count "^$id delivered ")" 1
is "in its history, too" "$(cat "$T/emc/spool/history/"* | grep -c " $id done ")" 1
is "each came once" "$(messages emc $MARIE)" 7

# ---- an administrator, meanwhile ----
# Nobody has been kept waiting, and none of the others is left alone.
anew() {		# ADDRESS, whose worker is there then, and stopped
	site_stop emc
	site_start emc
	smtp "$T/m" "$1" || bail "smtp"
	hung=$(workers)
	kill -STOP $hung
}
was_direct() {		# at first
	grep -aq "^$id direct-lost " "$log"
}
hang() {		# ADDRESS: leaves ID, which hangs at its mailbox
	anew "$1"
	smtp "$T/m" "$1" || bail "smtp"
	id=$(ls "$q" | sed 's/\..*//')
	was_direct || bail "$id was not direct"
}
told() {		# ID WHAT: what the history says of it
	cat "$T/emc/spool/history/"* | awk -v id="$1" '$2 == id { print $3 }' |
	    tr '\n' ' '
}
hang paul@emc.fr
"$FACTEUR" -C "$T/emc" bounce "$id" >"$T/out" 2>&1
kill -CONT $hung
ok "a bounce that comes too late" wait_for 20 queue_empty emc
is "is none" "$(told "$id")" "done "
is "and sends no report" "$(messages emc $JEAN)" 6
new_user luc
hang luc@emc.fr
"$FACTEUR" -C "$T/emc" rm "$id" >"$T/out" 2>&1
kill -CONT $hung
gone() {
	[ "$(told "$id")" = "done gone " ]
}
ok "a removed one is told of as gone" wait_for 10 gone

# What is known of one that is held goes along.
new_user eve
hang eve@emc.fr
"$FACTEUR" -C "$T/emc" hold "$id" >"$T/out" 2>&1
kill -CONT $hung
ok "a held one is told of as gone" wait_for 10 gone
ok "with its outcome" grep -aq '^done 1 ' "$T/emc/spool/hold/$id".*
"$FACTEUR" -C "$T/emc" release "$id" >"$T/out" 2>&1
ok "released, it leaves the queue" wait_for 10 queue_empty emc
is "and was delivered once" "$(count "^$id delivered ")" 1

# ---- the answer comes first, and nobody is there to hear it ----
new_user max
anew max@emc.fr
manager=$(pids_of emc queue)
smtp "$T/m" max@emc.fr 2>"$T/smtp.out" &
client=$!
running() {
	"$FACTEUR" -C "$T/emc" sites | grep -q '^mailboxes of .*: 1 of '
}
wait_for 10 running || bail "no delivery is under way"
kill -STOP "$manager"
kill -CONT $hung
ok "mail is accepted while all stand still" wait $client
id=$(ls "$q" | sed 's/\..*//')
was_direct || bail "$id was not direct"
kill -CONT "$manager"
ok "it leaves the queue" wait_for 20 queue_empty emc
is "told of once" "$(told "$id")" "done "
is "in the mailbox once" "$(ls "$T/max/Maildir/new" | wc -l)" 2

# ---- the queue manager stops, or dies ----
site_stop emc
site_start emc
manager=$(pids_of emc queue)
kill -STOP "$manager"
ok "mail is accepted without a queue manager that answers" smtp "$T/m" $JEAN
is "it is queued" "$(ls "$q" | wc -l)" 1
kill -CONT "$manager"
ok "and delivered when he is back" wait_for 20 queue_empty emc
ok "once" has_n $JEAN 7
anew $JEAN
manager=$(pids_of emc queue)
smtp "$T/m" $JEAN 2>"$T/smtp.out" &
client=$!
wait_for 10 running || bail "no delivery is under way"
kill -KILL "$manager"
kill -CONT $hung
ok "it is when he dies in the middle of it" wait $client
has "who had it in hand" "$log" " direct-lost .*reset by peer"
ok "and comes" wait_for 20 has_n $JEAN 9
ok "the queue is empty" wait_for 20 queue_empty emc
is "it came once" "$(messages emc $JEAN)" 9

# ---- a worker dies in the middle of it ----
anew $JEAN
smtp "$T/m" $JEAN 2>"$T/smtp.out" &
client=$!
wait_for 10 running || bail "no delivery is under way"
kill -KILL $hung
ok "mail is accepted when a worker dies in the middle of it" wait $client
is "it is queued" "$(ls "$q" | wc -l)" 1
ok "with what is known" grep -aq '^defer 1 .*ended without an answer' "$q"/*
ok "to be looked for" grep -aq '^arrived .* tried=yes$' "$q"/*
"$FACTEUR" -C "$T/emc" retry --all >/dev/null
ok "and comes" wait_for 10 has_n $JEAN 11
ok "the queue is empty" wait_for 20 queue_empty emc
is "it came once" "$(messages emc $JEAN)" 11

# ---- nonsense ----
cat >"$T/nonsense.pl" <<'END'
use IO::Socket::UNIX;
for my $text ("deliver id=25x3xlx80yf03d4x size=5\n", "deliver\n", "hello\n",
    "x" x 40000, "deliver id=../../etc/passwd size=5\n") {
	my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$!\n";
	$SIG{PIPE} = 'IGNORE';
	syswrite $s, $text;
	defined(my $got = <$s>) and die "it answered $got";
}
END
manager=$(pids_of emc queue)
ok "nonsense is hung up on" timeout 20 perl "$T/nonsense.pl" \
    "$(cat "$T/emc.run")/direct"
is "and ends nobody" "$(pids_of emc queue)" "$manager"
ok "mail goes on" smtp "$T/m" $JEAN
is "at once" "$(messages emc $JEAN)" 12
done_testing
