#!/bin/sh
# 60-two-sites - from emc.fr by the MX in DNS to yahoo.co.uk (way 1 to 7).
. "$(dirname "$0")/lib.sh"

two_sites
billy=billy@yahoo.co.uk

printf 'Dear Billy,\n.\n..two dots\nna\xc3\xafve\nYours, Jean-Bob\n' |
    message "$T/m" "The whole way"
ok "Jean-Bob submits" submit "$T/m" jean-bob@emc.fr $billy
ok "Billy has it" wait_for 20 arrived yahoo $billy 1
got=$(newest yahoo $billy)
ok "byte for byte" ends_with "$got" "$T/m"
has "Return-Path first" "$got" '^Return-Path: <jean-bob@emc.fr>'
has "Delivered-To" "$got" "^Delivered-To: $billy"
is "two Received lines" "$(grep -c '^Received:' "$got")" 2
has "the MX was asked for" "$T/dns.log" 'MX yahoo.co.uk: ok'
ok "it went over TLS" sh -c "sed -n '/^Received/,/;/p' '$got' |
    grep -q 'with ESMTPS '"
ok "emc's queue is empty" wait_for 5 queue_empty emc
ok "yahoo's queue is empty" wait_for 5 queue_empty yahoo

ok "one message for two sites" submit "$T/m" jean-bob@emc.fr \
    $billy jean-bob@emc.fr
ok "Billy has it too" wait_for 20 arrived yahoo $billy 2
ok "Jean-Bob's copy is here" wait_for 20 arrived emc jean-bob@emc.fr 1

# Nobody there: a bounce comes back.
ok "to nobody" submit "$T/m" jean-bob@emc.fr nobody@yahoo.co.uk
ok "the bounce is there" wait_for 20 arrived emc jean-bob@emc.fr 2
dsn=$(newest emc jean-bob@emc.fr)
has "from the null sender" "$dsn" '^Return-Path: <>'
has "a report" "$dsn" 'multipart/report'
has "says who" "$dsn" '^Final-Recipient: rfc822; *nobody@yahoo.co.uk'
has "says why" "$dsn" '^Status: 5.1.1'
ok "to a domain that is not" submit "$T/m" jean-bob@emc.fr x@nowhere.example
ok "bounces as well" wait_for 20 arrived emc jean-bob@emc.fr 3

# Yahoo is down: the message waits, and an administrator may push it.
site_stop yahoo
ok "yahoo is down: accepted all the same" \
    submit "$T/m" jean-bob@emc.fr $billy
deferred() {
	grep -aq '^defer 1 ' "$T"/emc/spool/queue/*
}
ok "it waits in the queue" wait_for 20 deferred
ok "facteur ls shows it" sh -c "'$FACTEUR' -C '$T/emc' ls | grep -q $billy"
site_start yahoo
ok "facteur retry --all" "$FACTEUR" -C "$T/emc" retry --all
ok "now Billy has it" wait_for 20 arrived yahoo $billy 3
ok "nothing is left" wait_for 5 queue_empty emc

site_stop emc
is "SIGTERM ends a site with 0" $? 0

done_testing
