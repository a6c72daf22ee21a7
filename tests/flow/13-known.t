#!/bin/sh
# 13-known - a mailbox that resolve has just named is accepted without asking
# it again, for a second; everybody else is asked for (way 1 to 2).
. "$(dirname "$0")/lib.sh"

marie=marie@emc.fr
# What a stranger hears to RCPT: its code, or none.
cat >"$T/rcpt.pl" <<'END'
use IO::Socket::INET;
my ($host, $port, $to, $patience) = @ARGV;
$SIG{ALRM} = sub { print "none\n"; exit };
alarm 10;
my $s = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port) or die;
sub hear { local $_; while (<$s>) { return $1 if /^(\d+) /; } return 'end'; }
hear();
for ('HELO x.example', 'MAIL FROM:<>') { print $s "$_\r\n"; hear(); }
alarm $patience;
print $s "RCPT TO:<$to>\r\n";
print hear(), "\n";
END
rcpt() {		# ADDRESS [SECONDS]
	perl "$T/rcpt.pl" "$EMC" "$SMTP" "$1" "${2:-10}"
}
# What resolve says, asked as the queue manager asks.
cat >"$T/kind.pl" <<'END'
use IO::Socket::UNIX;
my $s = IO::Socket::UNIX->new(Peer => shift) or die;
print $s "resolve address=@ARGV\n";
print <$s> =~ /kind=(\w+)/;
END
kind() {		# ADDRESS [exact=yes]
	perl "$T/kind.pl" "$(cat "$T/emc.run")/net/resolve" "$@"
}
exact() {		# ADDRESS: the mailbox of that very name
	kind "$1" exact=yes
}
now() {
	date +%s%3N
}
# The supervisor's own child of that name, not a session.
main_of() {		# PROGRAM
	for p in $(pids_of emc "$1"); do
		grep -q "^PPid:.$(site_pid emc)\$" "/proc/$p/status" &&
		    echo "$p"
	done
}
stopped() {		# PID
	grep -q '^State:.*T' "/proc/$1/status"
}
# What is heard while resolve sleeps, a moment after the same question, or
# another one, was answered: it cannot have been asked.
sleeping() {		# ASKED [THEN [HOW]]
	resolve=$(main_of resolve)
	awake=$(${3:-rcpt} "$1")
	kill -STOP "$resolve"
	wait_for 5 stopped "$resolve"
	asleep=$(rcpt "${2:-$1}" 1)
	kill -CONT "$resolve"
	echo "$awake $asleep"
}
both() {		# "AWAKE ASLEEP" ASKED [THEN]
	want=$1
	shift
	[ "$(sleeping "$@")" = "$want" ]
}

ports_choose
zones >"$T/zone"
dns_start
site_new emc emc.fr "$EMC"
user_new emc jean-bob@emc.fr "$PASS"
user_new emc $marie "$PASS"
user_new emc pat@emc.fr "$PASS"
user_new emc lou@emc.fr "$PASS"
cat >"$T/emc/aliases" <<END
team: jean-bob, marie
jb: jean-bob
END
site_start emc

# A machine that is busy may need more than the second: hence several tries.
ok "a mailbox asked for twice is one question" \
    wait_for 30 both "250 250" $marie
ok "with an extension too" wait_for 30 both "250 250" jean-bob+x@emc.fr
is "another extension is a question" \
    "$(sleeping jean-bob+x@emc.fr jean-bob+y@emc.fr)" "250 none"
is "another mailbox is one" "$(sleeping $marie pat@emc.fr)" "250 none"
is "a list is always asked for" "$(sleeping team@emc.fr)" "250 none"
is "so is an alias of one mailbox" "$(sleeping jb@emc.fr)" "250 none"
is "so is who does not exist" "$(sleeping nobody@emc.fr)" "550 none"
is "so is another host" "$(sleeping billy@yahoo.co.uk)" "550 none"

is "a mailbox is accepted" "$(rcpt $marie)" 250
kill -STOP "$(main_of resolve)"
sleep 1.1
is "after a second it is a question again" "$(rcpt $marie 1)" none
kill -CONT "$(main_of resolve)"

# Whoever is taken away, or becomes an alias, is heard of in time, however
# often strangers ask; the clock has some slack for a busy machine.
refused_in_time() {	# ADDRESS
	since=$(now)
	while [ "$(rcpt "$1")" = 250 ]; do
		[ $(($(now) - since)) -lt 5000 ] || break
	done
	took=$(($(now) - since))
	echo "refused after $took ms"
	[ "$took" -lt 2000 ] && [ "$(rcpt "$1")" = 550 ]
}
is "a user is accepted" "$(rcpt pat@emc.fr)" 250
grep -v '^pat@' "$T/emc/users" >"$T/users"
cat "$T/users" >"$T/emc/users"
ok "and deleted, refused within the second" refused_in_time pat@emc.fr
# The queue manager's questions do not prolong it.
is "another is accepted" "$(rcpt lou@emc.fr)" 250
grep -v '^lou@' "$T/emc/users" >"$T/users"
cat "$T/users" >"$T/emc/users"
while [ "$(kind lou@emc.fr)" = mailbox ]; do
	:
done
is "deleted, refused as soon as resolve does not know him" \
    "$(rcpt lou@emc.fr)" 550
is "a mailbox is accepted" "$(rcpt $marie)" 250
echo "marie: ghost@emc.fr" >>"$T/emc/aliases"
ok "that is an alias for nobody now, refused within the second" \
    refused_in_time $marie
is "and never from the table" "$(sleeping $marie)" "550 none"
is "nor when the queue manager asks for the mailbox behind it" \
    "$(sleeping $marie $marie exact)" "mailbox none"
sed -i '$d' "$T/emc/aliases"
ok "and an alias no longer, known at once" test "$(rcpt $marie)" = 250

# The table outlives those who use it.
other() {		# PROGRAM PID: one that is another runs, and only it
	[ -n "$(main_of "$1")" ] && [ "$(main_of "$1")" != "$2" ]
}
for program in smtpd resolve; do
	pid=$(main_of $program)
	kill -KILL "$pid"
	ok "$program is killed and comes back" wait_for 20 other $program "$pid"
	ok "with the table" wait_for 30 both "250 250" $marie
done

# Who is not started by the supervisor asks each time, whatever is said to him.
by_hand() {		# FACTEUR_KNOWN
	printf 'HELO x.example\r\nMAIL FROM:<>\r\nRCPT TO:<%s>\r\n' $marie |
	    FACTEUR_KNOWN=$1 LISTEN_PID=1 LISTEN_FDS=1 timeout 3 \
	    "$B/libexec/facteur/smtpd" -C "$T/emc" -r smtp 2>>"$T/hand.log" |
	    grep -c '^250 2.1.5'
}
for value in "" 0 3 99 -1 x; do
	is "by hand it works, FACTEUR_KNOWN=$value" "$(by_hand "$value")" 1
done
is "a mailbox is accepted" "$(rcpt $marie)" 250
kill -STOP "$(main_of resolve)"
is "by hand it is asked for all the same" "$(by_hand 3)" 0
kill -CONT "$(main_of resolve)"
ok "the site stops" site_stop emc
done_testing
