# What the scheduler is going to do (queue --plan), and what has become of mail
# that is no longer in the queue (the history).
. "$(dirname "$0")/lib.sh"

zones() {
	echo "dead.example A 127.0.0.9"
}

one_site
q=$T/emc/spool/queue

plan() {		# SPAN: to $T/plan
	timeout 60 "$FACTEUR" -C "$T/emc" queue --plan "$1" >"$T/plan" 2>"$T/err"
}

deferred() {
	grep -q ' next=' "$q/"*
}

queued() {		# what the spool holds, byte by byte
	cat "$q/"* | cksum
	ls "$T/emc/spool" "$q"
}

ok "an empty queue has an empty plan" plan 6h
has "and says so" "$T/plan" '^0 attempts in 6h'
message "$T/m" <<END
Nobody will get this.
END
ok "sendmail takes a message to a host that is down" \
    "$B/bin/sendmail" -C "$T/emc" -f jean-bob@emc.fr x@dead.example <"$T/m"
ok "it is deferred" wait_for 10 deferred
before=$(queued)
ok "the plan is made while the queue manager is at work" plan 6h
is "nothing in the spool has changed" "$(queued)" "$before"
next=$(sed -n 's/.* next=\([0-9T:-]*\).*/\1/p' "$q/"* | tail -n 1)
is "the next attempt is planned for when the file says" \
    "$(sed -n '1s/Z .*//p' "$T/plan")" "${next%.*}"
has "it is the second, for one recipient" "$T/plan" \
    ' 1 recipient dead.example attempt 2$'
has "and there are more" "$T/plan" ' dead.example attempt 5$'
has "none is delivered" "$T/plan" ' 0 delivered, 0 given up'
ok "in five minutes there is one at most" plan 4m
is "and not the third" "$(grep -c 'attempt 3' "$T/plan")" 0
plan 0h
is "a span of nothing is refused" $? 64
plan yesterday
is "and so is a word" $? 64

message "$T/m2" <<END
Marie gets this.
END
ok "a message to a mailbox" \
    "$B/bin/sendmail" -C "$T/emc" -f jean-bob@emc.fr marie@emc.fr <"$T/m2"
told() {		# PATTERN: in the history
	grep -q -e "$1" "$T/emc/spool/history/"*
}
ok "is in the history" wait_for 10 told \
    ' done to=marie@emc.fr from=jean-bob@emc.fr arrived=.* attempts=1'
rm -f "$q/"*
ok "what is removed by hand is in it too" wait_for 10 told ' gone "'
done_testing
