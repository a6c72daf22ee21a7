#!/bin/sh
# 37-resolve-dies - resolve ends in the middle of an alias: each target becomes
# a recipient once, and the alias is done with once (way 5).
. "$(dirname "$0")/lib.sh"
mkdir -p "$T/emc/run/net"
cat >"$T/emc/facteur.conf" <<END
hostname = emc.fr
run = $T/emc/run
listen_smtp = none
END
q=$T/emc/spool/queue

# A resolve that answers for NAME with COUNT targets, and ends behind the
# CUTth of them as often as TIMES says; all other addresses are far away.
cat >"$T/resolve.pl" <<'END'
use IO::Socket::UNIX;
my ($path, $times) = @ARGV;
my %alias = ('three@emc.fr' => [3, 2, ''], 'one@emc.fr' => [1, 0, ''],
    'list@emc.fr' => [3, 1, ' sender=owner-list@emc.fr']);
$SIG{PIPE} = 'IGNORE';
my $l = IO::Socket::UNIX->new(Local => $path, Listen => 5) or die;
my %left = map { $_ => $times } keys %alias;
CLIENT: while (my $c = $l->accept) {
	$c->autoflush(1);
	while (<$c>) {
		my ($who) = /address=(\S+)/ or last;
		my $a = $alias{$who};
		if (!$a) {
			print $c "route kind=remote domain=far.example\n";
			next;
		}
		my ($n, $cut, $sender) = @$a;
		my ($name) = split /\@/, $who;
		my $dies = $left{$who}-- > 0;
		print $c "route kind=alias count=$n$sender local=yes\n";
		for my $i (1 .. ($dies ? $cut : $n)) {
			print $c "to address=$name$i\@far.example\n";
		}
		next CLIENT if $dies;
	}
}
END
resolve() {		# TIMES
	rm -f "$T/emc/run/net/resolve"
	perl "$T/resolve.pl" "$T/emc/run/net/resolve" "$1" &
	RESOLVE=$!
	PIDS="$PIDS $RESOLVE"
	wait_for 10 test -S "$T/emc/run/net/resolve" || bail "no resolve"
}
# An agent for other hosts that ends at once: its recipients are put off, and
# all that is known by then is written down.
cat >"$T/remote.pl" <<'END'
use IO::Socket::UNIX;
my $l = IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 5) or die;
while (my $c = $l->accept) { close $c; }
END
perl "$T/remote.pl" "$T/emc/run/remote" &
PIDS="$PIDS $!"
# A message whose sender wants to hear of its success, by a session with inject.
cat >"$T/inject.pl" <<'END'
use Socket;
my ($inject, $dir, @to) = @ARGV;
socketpair(my $a, my $b, AF_UNIX, SOCK_STREAM, PF_UNSPEC) or die;
if (!fork) {
	open(STDIN, '<&', $b); open(STDOUT, '>&', $b);
	close $a; close $b;
	exec $inject, '-C', $dir or die;
}
close $b;
select((select($a), $| = 1)[0]);
print $a "message sender=jean-bob\@emc.fr\n",
    (map { "rcpt to=$_ notify=success,failure\n" } @to),
    "go\ndata len=2\nx\nend\n";
shutdown($a, 1);
print while <$a>;
END
inject() {
	timeout 20 perl "$T/inject.pl" "$B/libexec/facteur/inject" "$T/emc" \
	    "$@" >"$T/out" 2>&1
	grep -q '^ok id=' "$T/out"
}
queue_start() {
	"$B/libexec/facteur/queue" -C "$T/emc" 2>>"$T/emc.log" &
	QUEUE=$!
	PIDS="$PIDS $QUEUE"
}
queue_stop() {
	kill -TERM "$QUEUE"
	wait "$QUEUE"
}
lines() {		# PATTERN: the lines of the story that match, sorted
	cat "$q"/* | grep -a -e "$1" |
	    sed 's/ 20[^ ]*Z / /; s/^rcpt [0-9]* //' | sort
}
written() {		# PATTERN N
	[ "$(cat "$q"/* | grep -ac -e "$1")" -ge "$2" ]
}
logged() {		# PATTERN N
	[ "$(grep -ac -e "$1" "$T/emc.log")" -ge "$2" ]
}

for times in 1 2; do
	ok "a message for three aliases ($times)" \
	    inject three@emc.fr one@emc.fr list@emc.fr
	resolve "$times"
	queue_start
	ok "resolve dies in each of them, $times times" \
	    wait_for 30 logged ' resolve-lost ' $((times * 3))
	ok "each alias is done with in the end" \
	    wait_for 30 logged ' delivered .*text="2.0.0 expanded"' 3
	ok "and its targets are tried" wait_for 30 written '^defer' 7
	queue_stop
	is "in each file it is written once" "$(lines '^done')" \
'done 1 - report=expanded "2.0.0 expanded"
done 2 - "2.0.0 expanded"
done 3 - report=delivered "2.0.0 expanded"'
	is "each target is a recipient once" \
	    "$(lines 'parent=')" \
'<list1@far.example> from=<owner-list@emc.fr> parent=3
<list2@far.example> from=<owner-list@emc.fr> parent=3
<list3@far.example> from=<owner-list@emc.fr> parent=3
<one1@far.example> notify=success,failure parent=2
<three1@far.example> notify=failure parent=1
<three2@far.example> notify=failure parent=1
<three3@far.example> notify=failure parent=1'
	is "the log has it once" "$(grep -ac 'text="2.0.0 expanded"' \
	    "$T/emc.log")" 3
	kill "$RESOLVE"
	wait "$RESOLVE" 2>/dev/null
	rm -f "$q"/* "$T/emc.log"
done

# It never gets further: put off, and what it had told goes its way.
ok "a message for an alias" inject three@emc.fr
resolve 3
queue_start
ok "resolve dies three times: put off" wait_for 30 logged \
    ' deferred .*rcpt="three@emc.fr"' 1
ok "what it had told goes its way" wait_for 30 written '^defer' 3
queue_stop
is "two targets are known" "$(lines 'parent=' | wc -l)" 2
echo "retry 1 2026-11-23T00:00:00.000000Z" >>"$(echo "$q"/*)"
queue_start
ok "the next time it works" wait_for 30 written '^done 1' 1
queue_stop
is "all three are recipients, once" "$(lines 'parent=')" \
'<three1@far.example> notify=failure parent=1
<three2@far.example> notify=failure parent=1
<three3@far.example> notify=failure parent=1'
is "and it is done with once" "$(lines '^done')" \
    'done 1 - report=expanded "2.0.0 expanded"'
done_testing
