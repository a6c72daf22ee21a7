#!/bin/sh
# 61-many-hosts - a letter to thirty hosts, and to ten domains of one provider
# (way 5 and 6): nobody waits for another one's idle connection, nor for hosts
# that say nothing.
. "$(dirname "$0")/lib.sh"

ports_choose
hosts=$(seq -f 'h%g.example' 30)
domains=$(seq -f 'd%g.example' 10)
{
	zones
	for d in $hosts; do
		echo "$d MX 10 mx.$d"
		echo "mx.$d A $YAHOO"
	done
	for d in $domains; do
		echo "$d MX 10 mx.provider.example"
	done
	echo "mx.provider.example A $YAHOO"
	for i in 1 2 3 4; do
		echo "s$i.example MX 10 mx.s$i.example"
		echo "mx.s$i.example A 127.0.0.9"
	done
	echo "new.example MX 10 mx.new.example"
	echo "mx.new.example A $YAHOO"
} >"$T/zone"
dns_start
site_new emc emc.fr "$EMC" "remote_concurrency = 2"
site_new yahoo yahoo.co.uk "$YAHOO"
user_new emc jean-bob@emc.fr "$PASS"
user_new yahoo billy@yahoo.co.uk "$PASS"
# The host is everybody's: one Billy in each domain.
sed -i "s/^domains = .*/& $(echo $hosts $domains) new.example/" "$T/yahoo/facteur.conf"
for d in $hosts $domains new.example; do
	sed -n "s/^billy@yahoo.co.uk:/billy@$d:/p" "$T/yahoo/users"
done >"$T/users"
cat "$T/users" >>"$T/yahoo/users"
site_start emc
site_start yahoo

everybody() {		# DOMAIN...: each Billy has his
	for d in "$@"; do
		arrived yahoo "billy@$d" 1 || return 1
	done
}

agents() {
	pids_of emc remote | wc -l
}

# The parent and two agents: the next host's mail ends an idle one.
few_agents() {
	[ "$(agents)" -le 3 ]
}

echo "Dear all" | message "$T/m" "To many"
ok "a letter to thirty hosts" submit "$T/m" jean-bob@emc.fr \
    $(for d in $hosts; do echo "billy@$d"; done)
ok "they have it" wait_for 30 everybody $hosts
ok "no more agents are left than may run" wait_for 3 few_agents

ok "a letter to ten domains of one provider" submit "$T/m" jean-bob@emc.fr \
    $(for d in $domains; do echo "billy@$d"; done)
ok "they have it too" wait_for 30 everybody $domains
n=$(grep -c ' connect .*host="mx.provider.example"' "$T/emc.log")
ok "over the connections of one site ($n)" [ "$n" -le 3 ]
ok "the queue is empty" wait_for 5 queue_empty emc

# Four slots, four hosts that take the connection and say nothing.
site_stop emc
sed -i 's/^remote_concurrency.*/remote_concurrency = 4/' "$T/emc/facteur.conf"
mkfifo "$T/silent.ready"
perl -MIO::Socket::INET -e '
	my $l = IO::Socket::INET->new(LocalAddr => $ARGV[0],
	    LocalPort => $ARGV[1], Listen => 50, ReuseAddr => 1) or die $!;
	open(my $f, ">", $ARGV[2]); print $f "ready\n"; close $f;
	my @c; while (my $c = $l->accept) { push @c, $c }
' 127.0.0.9 "$SMTP" "$T/silent.ready" &
silent=$!
PIDS="$PIDS $silent"
read -r word <"$T/silent.ready"
site_start emc
ok "a letter to four silent hosts" submit "$T/m" jean-bob@emc.fr \
    $(for i in 1 2 3 4; do echo "x@s$i.example"; done)
all_busy() {
	"$FACTEUR" -C "$T/emc" stats |
	    grep -q '^facteur_agents_running{kind="remote"} 4$'
}
ok "they have all slots" wait_for 10 all_busy
ok "one to a host that nobody knows" submit "$T/m" jean-bob@emc.fr \
    billy@new.example
ok "does not wait for them" wait_for 10 arrived yahoo billy@new.example 1
ok "who are still silent" all_busy
kill $silent

site_stop emc
is "SIGTERM ends a site with 0" $? 0

done_testing
