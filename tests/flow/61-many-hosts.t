#!/bin/sh
# 61-many-hosts - a letter to thirty hosts, and to ten domains of one provider
# (way 5 and 6): nobody waits for another one's idle connection.
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
} >"$T/zone"
dns_start
site_new emc emc.fr "$EMC" "remote_concurrency = 2"
site_new yahoo yahoo.co.uk "$YAHOO"
user_new emc jean-bob@emc.fr "$PASS"
user_new yahoo billy@yahoo.co.uk "$PASS"
# The host is everybody's: one Billy in each domain.
sed -i "s/^domains = .*/& $(echo $hosts $domains)/" "$T/yahoo/facteur.conf"
for d in $hosts $domains; do
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

site_stop emc
is "SIGTERM ends a site with 0" $? 0

done_testing
