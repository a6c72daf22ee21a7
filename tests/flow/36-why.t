#!/bin/sh
# 36-why - what `facteur why` says of each fate, compared with what happened:
# the queue file, the log and the history tell the same (way 4 to 7).
. "$(dirname "$0")/lib.sh"
zones() {
	cat <<-END
	dead.example A 127.0.0.9
	fake.example A $YAHOO
	nomx.example TXT x
	null.example MX 0 .
	badmx.example MX 10 nowhere.example
	servfail.example servfail
	rest.example A 127.0.0.10
	END
}
ports_choose
zones >"$T/zone"
dns_start
site_new emc emc.fr "$EMC"
user_new emc jean-bob@emc.fr "$PASS"
user_new emc marie@emc.fr "$PASS"
cat >"$T/emc/aliases" <<END
pair: jean-bob, marie
list: tmp1@fake.example, marie
loop: loop2
loop2: loop
END
site_start emc
q=$T/emc/spool/queue

# A host whose answer to RCPT is in the address.
cat >"$T/fake.pl" <<'END'
use IO::Socket::INET;
$SIG{PIPE} = 'IGNORE';
$SIG{CHLD} = 'IGNORE';
my %say = (tmp => '450 4.3.0 database is away',
    grey => '451 4.7.1 Greylisted, please come back',
    full => '552 5.2.2 Mailbox full', tfull => '452 4.2.2 Mailbox full',
    unknown => '550 5.1.1 User unknown', evil => "450 \e[31m\"red\" %n\xff");
my $l = IO::Socket::INET->new(LocalAddr => $ARGV[0], LocalPort => $ARGV[1],
    Listen => 50, ReuseAddr => 1) or die;
open(my $f, '>', $ARGV[2]);
while (my $c = $l->accept) {
	next if fork;
	$c->autoflush(1);
	print $c "220 fake\r\n";
	while (<$c>) {
		if (/^RCPT TO:<([a-z]+)/i) {
			exit 0 if $1 eq 'drop';
			next if $1 eq 'hang';	# and not a word more
			print $c ($say{$1} // '250 2.1.5 ok') . "\r\n";
		} elsif (/^DATA/i) {
			print $c "354 go\r\n";
			while (<$c>) { last if /^\.\r?$/ }
			print $c "250 2.0.0 taken as 7FA\r\n";
		} elsif (/^QUIT/i) {
			print $c "221 bye\r\n";
			exit 0;
		} else {
			print $c "250 fake\r\n";
		}
	}
	exit 0;
}
END
perl "$T/fake.pl" "$YAHOO" "$SMTP" "$T/listens" &
PIDS="$PIDS $!"
wait_for 10 test -e "$T/listens" || bail "no fake host"

tool() {
	timeout 20 "$FACTEUR" -C "$T/emc" "$@" >"$T/out" 2>&1 </dev/null
}
message "$T/m" <<END
x
END
send() {
	"$B/bin/sendmail" -C "$T/emc" -f jean-bob@emc.fr "$@" <"$T/m"
}
says() {		# PATTERN, in the answer of why
	tool why "$to" && grep -q -e "$1" "$T/out"
}
# fate ADDRESS EVENT PATTERN...: the log has the event for it, and why says all.
fate() {
	to=$1 event=$2
	shift 2
	send "$to"
	ok "$to: $event" wait_for 10 grep -q " $event .*rcpt=\"$to\"" \
	    "$T/emc.log"
	for p in "$@"; do
		ok "  $p" wait_for 5 says "$p"
	done
}

# ---- put off: attempt, reply, next attempt as in the file, what to do ----
fate x@dead.example deferred 'put off: dead.example\[127.0.0.9\]: "4.4.1 .*refused"' \
    'What to do: The host is there'
next=$(cat "$q"/* | sed -n 's/^defer .*next=\([^.]*\)\..*dead.*/\1/p')
has "  the next attempt is the file's" "$T/out" "Next: an attempt at ${next}Z (in "
fate tmp@fake.example deferred 'fake.example\[127.0.0.3\] said "450 4.3.0 database' \
    'What to do: The host is in trouble itself'
fate grey@fake.example deferred 'said "451 4.7.1 Greylisted' \
    'What to do: The host wants to see us come back'
fate tfull@fake.example deferred 'said "452 4.2.2 Mailbox full"' \
    'What to do: The mailbox is full'
fate evil@fake.example deferred 'said "450 .*?\[31m\\"red\\" %n'
is "  not a byte that a terminal obeys" \
    "$(LC_ALL=C tr -d '\n -~' <"$T/out" | wc -c)" 0
fate drop@fake.example deferred '4.4.2 the host closed the connection' \
    'What to do: The conversation broke off'
fate x@badmx.example deferred 'nowhere.example has no address' \
    "What to do: The domain's MX records lead to no address"
fate x@servfail.example deferred '4.4.3 ' 'What to do: DNS gave no usable'
# ---- given up: what, whom the report went to ----
fate full@fake.example failed 'failed for good: .*said "552 5.2.2 Mailbox full"' \
    'What to do: The mailbox is full' 'reported to the sender: by the message'
dsn=$(sed -n 's/.*by the message \([0-9a-z]*\)$/\1/p' "$T/out")
ok "  that report is known, too" tool why "$dsn"
has "  where it lies" "$T/out" 'to <jean-bob@emc.fr>  delivered: .*Maildir/new'
fate unknown@fake.example failed 'What to do: That host knows no such address'
fate x@nomx.example failed 'neither MX nor address' 'has published no way for mail'
fate x@null.example failed '5.1.10 ' 'that it takes no mail'
fate x@nxdomain.example failed '5.1.2 ' 'a spelling mistake'
fate nobody@emc.fr failed '5.1.1 no such mailbox' 'No mailbox or alias of ours'
fate loop@emc.fr failed '5.4.6 ' 'the alias that leads in a circle'
# ---- delivered, and sent on ----
fate good@fake.example delivered 'without TLS, said "250 2.0.0 taken as 7FA"'
fate marie@emc.fr delivered 'delivered: "2.0.0 delivered as Maildir/new/'
fate pair@emc.fr delivered 'sent on to the addresses behind it'
id=$(sed -n 's/.*`facteur why \([0-9a-z]*\)`.*/\1/p' "$T/out")
to=$id
ok "  why ID: to whom" says "$id from .* to <marie@emc.fr>  delivered:"
fate list@emc.fr delivered 'sent on to the addresses behind it' \
    '^To <tmp1@fake.example>, which <list@emc.fr> leads to: not delivered yet' \
    'said "450 4.3.0 database is away"'
# ---- a rest, a hold, another way, an end ----
for i in 1 2 3 4 5 6 7; do
	send "r$i@rest.example"
done
to=r7@rest.example
ok "parked: for which site, until when" wait_for 10 says \
    'rest.example rests until .*because it could not be reached'
ok "  as the log says" grep -q ' site-rests .*site="rest.example" seconds=300' \
    "$T/emc.log"
to=rest.example
ok "  how to list them" says "facteur ls --site 'rest.example'"
tool hold --recipient 'grey@*'
to=grey@fake.example
ok "held" says 'It is held: nothing happens until'
ok "  no attempt is promised" not grep -q 'Next:' "$T/out"
tool reroute --recipient 'tmp@*' 127.0.0.9:1
to=tmp@fake.example
ok "rerouted" wait_for 10 says 'an administrator sent it to "127.0.0.9:1"'
ok "  and tried there" wait_for 10 says '127.0.0.9\[127.0.0.9\]: .*port 1: '
tool bounce --recipient x@dead.example --text 'That host is no more'
to=x@dead.example
ok "given up by hand" wait_for 10 says \
    'failed for good: "5.0.0 an administrator .*: That host is no more; '
tool rm --recipient drop@fake.example
to=drop@fake.example
ok "removed" wait_for 10 says 'taken out of queue/ by hand'
# ---- an address with more mail than anybody reads ----
busy=busy@emc.fr
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22; do
	"$B/bin/sendmail" -C "$T/emc" -f $busy grey@fake.example <"$T/m"
done
tool ls --sender $busy
sed -n 's/^\([0-9a-z]\{16\}\) .*/\1/p' "$T/out" >"$T/all"
shown() {		# the messages told of, in this order
	sed -n 's/^\([0-9a-z]\{16\}\), .*/\1/p' "$T/out"
}
tool why $busy
is "the latest 20 are told of, oldest first" "$(shown)" "$(tail -n 20 "$T/all")"
is "and how to see the others" "$(tail -n 1 "$T/out")" \
    "2 older messages in the queue: \`facteur why --all $busy\` tells of all."
tool why --all $busy
is "that does" "$(shown)" "$(cat "$T/all")"
gone_now() {
	tool why --all $busy && [ "$(grep -c 'taken out of queue/' "$T/out")" = 22 ]
}
tool rm --sender $busy
ok "removed" wait_for 10 gone_now
cp "$T/out" "$T/all"
tool why $busy
has "none is left" "$T/out" "^No message from or to \"$busy\" is in the queue"
is "of the past the latest, too" "$(grep 'taken out' "$T/out")" \
    "$(tail -n 20 "$T/all")"
has "and the rest in a line" "$T/out" '^2 older lines in the history: '
ok "an address that is nowhere is not found" not tool why no@where.example
tool why no@where.example
is "as an ID is not" "$?" 65
has "and it says where it was not found" "$T/out" \
    'in queue/ or hold/, and the history (history_days = [0-9]*) knows of none'

# ---- no room for one more ----
site_stop emc
echo 'remote_concurrency = 1' >>"$T/emc/facteur.conf"
site_start emc
send hang@fake.example
to=hang@fake.example
ok "under way" wait_for 10 says 'it is being delivered at this moment, to '
send room@dead.example
to=room@dead.example
ok "no room: whose turn it is not, though the site is open" wait_for 10 says \
    'As many .* as may run at once are under way (remote_concurrency = 1)'
done_testing
