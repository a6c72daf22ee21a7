#!/bin/sh
# 38-pressure - more mail comes than is taken up: clients are slowed, in the
# end refused, and nothing is lost (way 3, 4).
. "$(dirname "$0")/lib.sh"
marie=marie@emc.fr
FROM=1000 REFUSE=100000		# as in queue/pressure.h
P=$T/emc/spool/pressure

# A flood: CLIENTS sessions, each sends the next message as soon as it is heard,
# for SECONDS.  Prints one line for each message that was taken: ms.
cat >"$T/flood.pl" <<'END'
use IO::Socket::INET;
use Time::HiRes 'time';
my ($host, $port, $clients, $seconds, $max) = @ARGV;
$| = 1;
my $end = time + $seconds;
for my $n (1 .. $clients) {
	next if fork;
	my $c = IO::Socket::INET->new(PeerAddr => $host, PeerPort => $port)
	    or die;
	$c->autoflush(1);
	my $say = sub {
		print $c $_[0];
		for (1 .. $_[1]) {
			my $l;
			do { $l = <$c> // exit 1 } while $l =~ /^\d\d\d-/;
			$l =~ /^[23]/ or exit 1;
		}
	};
	$say->("", 1);
	$say->("EHLO flood\r\n", 1);
	for (my $i = 0; time < $end && $i < $max; $i++) {
		my $t = time;
		$say->("MAIL FROM:<a\@b.example>\r\n" .
		    "RCPT TO:<marie\@emc.fr>\r\nDATA\r\n", 3);
		$say->("Subject: $n.$i\r\n\r\nx\r\n.\r\n", 1);
		syswrite STDOUT, sprintf("%d\n", 1000 * (time - $t));
	}
	exit 0;
}
my $bad = 0;
while (wait != -1) { $bad++ if $? }
exit $bad;
END
flood() {
	timeout 120 perl "$T/flood.pl" "$EMC" "$SMTP" "$@" >"$T/flood"
}
taken() {
	wc -l <"$T/flood"
}
# What an administrator reads.
waiting() {
	sed -n 's/^waiting 0*\([0-9]\)/\1/p' "$P"
}
none() {
	[ "$(waiting)" = 0 ]
}
tell() {		# WAITING SECONDS-AGO: as if the queue manager had
	perl -MTime::HiRes=clock_gettime,CLOCK_MONOTONIC -e \
	    'printf "waiting %08d\nclock   %08d\n", $ARGV[0],
	    clock_gettime(CLOCK_MONOTONIC) - $ARGV[1]' "$1" "$2" >"$T/p"
	cat "$T/p" >"$P"
}
slowest() {
	sort -n "$T/flood" | tail -n 1
}

zones() {
	:
}
one_site "connections_per_address = 200" "local_concurrency = 4"
ok "a site at rest: nothing waits" wait_for 10 none

# ---- nobody delivers ----

launch=$(pids_of emc launch)
kill -STOP $launch
flood 40 4 100000
n=$(taken)
w=$(waiting)
echo "# nothing is delivered for 4 s: 40 clients, $n taken, $w wait, the last" \
    "of them delayed by $(slowest) ms or less"
if [ "$n" -gt $((FROM + 200)) ]; then
	has "the administrator is told" "$T/emc.log" 'intake-slowed .*waiting=1'
	ok "the clients are slowed" test "$(slowest)" -ge 50
	ok "so that the backlog stays near the threshold" \
	    test "$w" -le $((3 * FROM))
else
	skip "the clients are slowed" "this host takes only $n in 4 s"
fi
ok "and says how many wait, as a file" test "$w" -ge $((n - 400)) -a \
    "$w" -le "$n"
kill -CONT $launch
all() {
	[ "$(messages emc $marie)" -ge "$n" ]
}
ok "what was taken is delivered" wait_for 120 all
ok "the queue is empty" wait_for 20 queue_empty emc
is "each once" "$(cat "$(maildir emc $marie)"/new/* | grep -a '^Subject:' |
    sort | uniq | wc -l)" "$n"
is "and no more" "$(messages emc $marie)" "$n"
low() {
	[ "$(waiting)" -lt $((FROM / 2)) ]
}
ok "nothing waits any more" wait_for 5 low

# ---- what the file says counts ----

tell 3000 0
flood 1 60 4
is "at 3,000 mail is taken" "$(taken)" 4
ok "half a second late" test "$(sort -n "$T/flood" | head -n 1)" -ge 450
tell $REFUSE 0
printf 'x\r\n' >"$T/m"
flood 1 60 1
is "at $REFUSE it is not taken" "$(taken)" 0
tell $REFUSE 0
curl -sS --url "smtp://$EMC:$SMTP/x" --mail-from a@b.example --mail-rcpt $marie \
    -T "$T/m" -v >"$T/curl" 2>&1
has "but refused for now" "$T/curl" '^< 452 4\.3\.1 too much mail waits here'
tell $REFUSE 0
"$B/bin/sendmail" -C "$T/emc" -f jean-bob@emc.fr $marie <"$T/m" 2>"$T/out"
is "from the command too" $? 75
tell $REFUSE 20
wait_for 5 flood 1 60 20		# a worker believes what it read for 0.2 s
is "a queue manager that is away: mail is taken" "$(taken)" 20
ok "at full speed" test "$(slowest)" -lt 450
tell 0 0
wait_for 5 flood 1 60 1
is "and again when it is over" "$(taken)" 1

# ---- a worker that waits is told to end ----

tell 5000 0
timeout 120 perl "$T/flood.pl" "$EMC" "$SMTP" 5 60 3 >"$T/flood" &
flooding=$!
held() {
	[ "$(taken)" -ge 5 ]
}
ok "five clients wait" wait_for 30 held
t=$(date +%s)
site_stop emc
ok "the site ends at once" test $(($(date +%s) - t)) -le 6
wait "$flooding"
n=$((n + 4 + 20 + 1 + $(taken)))
site_start emc
ok "the file is made new" wait_for 10 none
all_or_more() {		# a message whose 250 got lost may be there, too
	[ "$(messages emc $marie)" -ge "$n" ]
}
ok "nothing that was taken is lost" wait_for 60 all_or_more
done_testing
