# The queue manager's figures: `facteur stats`, and the file for node_exporter.
. "$(dirname "$0")/lib.sh"

zones() {
	cat <<-END
	emc.fr MX 10 mx.emc.fr
	mx.emc.fr A $EMC
	dead.example A 127.0.0.9
	END
}

mkdir "$T/figures"
one_site "stats_file = $T/figures/facteur.prom"
prom=$T/figures/facteur.prom

stats() {		# what it prints is $T/out
	timeout 20 "$FACTEUR" -C "$T/emc" stats >"$T/out" 2>&1
}

tells() {		# LINE: a whole line of it
	stats && grep -qxF -e "$1" "$T/out"
}

line() {		# FILE NAME: the figure of that name
	sed -n "s/^$2 //p" "$1"
}

# ---- figures ----

ok "a file is written at the start" wait_for 10 test -s "$prom"
is "for everybody to read" "$(stat -c %a "$prom")" 644
started=$(line "$prom" facteur_start_time_seconds)
ok "it tells when the queue manager started" \
    test "$(($(date +%s) - ${started%.*}))" -lt 60
ok "stats prints figures" stats
is "of a queue that is empty" \
    "$(line "$T/out" facteur_oldest_message_age_seconds)" 0

message "$T/m" <<END
Counted.
END
for n in 1 2 3; do
	"$B/bin/sendmail" -C "$T/emc" -f jean-bob@emc.fr marie@emc.fr \
	    <"$T/m" || bail "sendmail"
done
"$B/bin/sendmail" -C "$T/emc" -f jean-bob@emc.fr x@dead.example nobody@emc.fr \
    <"$T/m" || bail "sendmail"
ok "three recipients are done" wait_for 20 tells \
    'facteur_outcomes_total{kind="local",outcome="done"} 4'
ok "one is deferred" wait_for 20 tells \
    'facteur_outcomes_total{kind="remote",outcome="defer"} 1'
has "one failed without an agent" "$T/out" \
    '^facteur_outcomes_total{kind="none",outcome="fail"} 1$'
ok "and was reported" wait_for 20 tells \
    'facteur_reports_total{kind="failed"} 1'
ok "four messages came, and the report" wait_for 20 tells \
    'facteur_accepted_messages_total 5'
is "with six recipients" \
    "$(line "$T/out" facteur_accepted_recipients_total)" 6
is "no host has replied" \
    "$(line "$T/out" 'facteur_replies_total{code="none"}')" 1
ok "one message is left, which waits" wait_for 20 tells \
    'facteur_queue_messages{state="waiting"} 1'
has "as mailq says" "$T/out" '^facteur_queue_messages{state="active"} 0$'
for h in facteur_accept_latency_seconds_count \
    'facteur_delivery_latency_seconds_count{kind="local"}' \
    'facteur_queue_time_seconds_count{kind="local"}'; do
	ok "$h has counted" test "$(line "$T/out" "$h")" -ge 3
done
tot=$(cat "$(newest emc marie@emc.fr)" | wc -c)
ok "bytes are those of the messages" test \
    "$(line "$T/out" 'facteur_delivered_bytes_total{kind="local"}')" -gt "$tot"

# hold and release: no message that was there before is a new one
id=$(ls "$T/emc/spool/queue")
"$FACTEUR" -C "$T/emc" hold "${id%%.*}" >"$T/out" 2>&1 || bail "hold"
ok "a held one is not in the queue" wait_for 20 tells \
    'facteur_queue_messages{state="waiting"} 0'
"$FACTEUR" -C "$T/emc" release "${id%%.*}" >"$T/out" 2>&1 || bail "release"
ok "released, it is" wait_for 20 tells \
    'facteur_queue_messages{state="waiting"} 1'
has "and is no new one" "$T/out" '^facteur_accepted_messages_total 5$'

# ---- the file ----

replaced() {		# INODE: by another one
	[ "$(stat -c %i "$prom")" != "$1" ]
}
counts() {
	grep -qx 'facteur_accepted_messages_total 5' "$prom"
}
exec 8<"$prom"		# so that its inode is not used again
inode=$(stat -c %i "$prom")
ok "the file is replaced within 15 seconds" wait_for 20 replaced "$inode"
is "who read the old one has all of it" \
    "$(tail -n 1 <&8 | cut -c1-7)" facteur
exec 8<&-
ok "it tells the same" wait_for 20 counts
is "nothing else lies there" "$(ls -A "$T/figures")" facteur.prom

mv "$T/figures" "$T/away"
not_written() {
	grep -aq stats-not-written "$T/emc.log"
}
ok "without its directory the log says so" wait_for 20 not_written
"$FACTEUR" -C "$T/emc" check-install >"$T/out" 2>&1
is "check-install fails" $? 78
has "and says why, and what to do" "$T/out" 'stats_file: .*figures.*mkdir'
"$B/bin/sendmail" -C "$T/emc" -f jean-bob@emc.fr marie@emc.fr <"$T/m"
ok "mail goes on" wait_for 20 tells 'facteur_accepted_messages_total 6'

site_stop emc
is "the line stood there once" "$(grep -ac stats-not-written "$T/emc.log")" 1
stats
is "without a queue manager: try again" $? 75
has "and a reason" "$T/out" 'facteur run'
done_testing
