# The administrator's eyes and hands, with a site that answers, one that is
# down, and one that rests: do the tools and the directory tell the same story?
. "$(dirname "$0")/lib.sh"

zones() {
	cat <<-END
	emc.fr MX 10 mx.emc.fr
	mx.emc.fr A $EMC
	yahoo.co.uk MX 10 mx.yahoo.co.uk
	mx.yahoo.co.uk A $YAHOO
	dead.example A 127.0.0.9
	rest.example A 127.0.0.10
	END
}

two_sites
q=$T/emc/spool/queue
hold=$T/emc/spool/hold

tool() {		# ARG...: its output is $T/out; how it ended
	timeout 20 "$FACTEUR" -C "$T/emc" "$@" >"$T/out" 2>&1 </dev/null
}

clean() {		# nothing in the output that a terminal would obey
	[ -s "$T/out" ] && ! LC_ALL=C tr -d '\n' <"$T/out" |
	    LC_ALL=C grep -q '[[:cntrl:]]'
}

send() {		# SENDER TO...
	from=$1
	shift
	"$B/bin/sendmail" -C "$T/emc" -f "$from" "$@" <"$T/m"
}

tried() {		# GLOB N: so many of them have been tried and put off
	tool ls --recipient "$1" && [ "$(grep -c deferred "$T/out")" -ge "$2" ]
}

rests() {
	tool sites rest.example && grep -q 'rests for' "$T/out"
}

# parser: every line is one JSON object; prints what the expression makes of it
parse() {		# JQ-EXPRESSION
	jq -r "$1" <"$T/out" | sort | tr '\n' ' '
}

listed() {		# DIR: the IDs that lie there
	ls "$1" | cut -d. -f1 | sort | tr '\n' ' '
}

message "$T/m" <<END
Nobody will get this.
END
ok "a message for a host that is down" send jean-bob@emc.fr x@dead.example
ok "a second one, from somebody else" send marie@emc.fr 'y$(id)@dead.example'
ok "it is tried, and put off" wait_for 10 tried '*@dead.example' 2
for i in 1 2 3 4 5 6 7 8; do
	send jean-bob@emc.fr "r$i@rest.example"
done
ok "after five failed connections a site rests" wait_for 15 rests
has "sites tells its last error" "$T/out" 'last error: .*Connection refused'
ok "sites --json" tool sites --json
is "is JSON, and knows it too" \
    "$(parse 'select(.site == "rest.example") | .rest_ms > 200000')" "true "

# ---- eyes ----
ok "ls --json" tool ls --json
is "lists what lies in the directory, and nothing else" "$(parse .id)" \
    "$(listed "$q")"
ok "--recipient finds one" tool ls --json --recipient 'x@*'
is "by its address" "$(parse '.recipients[0].address')" 'x@dead.example '
ok "--sender, in any case" tool ls --json --sender MARIE@emc.fr
is "finds hers" "$(parse .sender)" 'marie@emc.fr '
ok "--site" tool ls --json --site 'dead.*'
is "finds both" "$(parse .id | wc -w)" 2
ok "--reason" tool ls --json --reason 'connection REFUSED' --site dead.example
is "finds both" "$(parse .id | wc -w)" 2
ok "--age <1h" tool ls --json --age '<1h'
is "finds all" "$(parse .id | wc -w)" 10
ok "--age >1h" tool ls --age '>1h'
has "finds none" "$T/out" 'No message matches'
tool ls --age soon
is "an age that is none is a mistake" $? 64

tool ls --json --recipient 'x@*'
id=$(parse .id)
id=${id% }
ok "why ID" tool why "$id"
has "tells where it is" "$T/out" 'It is in the queue'
has "what happened" "$T/out" 'put off: .*Connection refused'
next=$(sed -n 's/.*next=\([^ ]*\)\..*/\1/p' "$q/$id".* | tail -n 1)
has "what happens next, as the file has it" "$T/out" \
    "Next: an attempt \(is due \)*at $next"
has "and what to do" "$T/out" 'What to do: .*port'
ok "without a control byte" clean
ok "why ADDRESS" tool why x@dead.example
has "finds the message" "$T/out" "^$id,"
ok "why SITE" tool why rest.example
has "tells that it rests" "$T/out" 'rests until'
has "and how many wait" "$T/out" 'wait'
rested() {		# N: so many rests have begun, or gone on
	[ "$(grep -c 'site-rests .*site="rest.example"' "$T/emc.log")" -ge "$1" ]
}
tool ls --json --recipient 'r2@*'
ok "retry ends the rest with a probe" tool retry "$(parse .id | tr -d ' ')"
ok "which fails" wait_for 10 rested 2
tool sites --json rest.example
is "and the site rests as long as it would have, no longer" \
    "$(parse '.rest_ms > 100000 and .rest_ms <= 300000')" "true "
site_stop emc
sed -i "/rest.example/s/rests-until=[^ ]*/rests-until=$(date -u \
    -d '+30 min' +%FT%TZ)/" "$T/emc/spool/sites"
site_start emc
rests_long() {
	tool sites --json rest.example &&
	    [ "$(parse '.rest_ms > 1700000')" = "true " ]
}
ok "a restart forgets no rest" wait_for 10 rests_long
tool ls --json --recipient 'r1@*'
early=$(parse .id)
ok "why ID, of one that is due before its site's rest ends" \
    tool why "${early% }"
has "does not promise an attempt" "$T/out" 'but it has to wait for its site'
tool ls --json --recipient 'r8@*'
parked=$(parse .id)
ok "why ID, of one that waits for a site" tool why "${parked% }"
has "tells for which, and why it rests" "$T/out" 'rest.example rests until'
tool why 2222222222222222
is "what was never here is not explained" $? 65

# ---- hands ----
ok "hold -n" tool hold -n --site dead.example
has "counts" "$T/out" '^2 messages found'
has "and does nothing" "$T/out" 'Nothing has been done'
is "not a thing" "$(listed "$hold")" ''
ok "hold" tool hold "$id"
is "moves the file" "$(listed "$hold")" "$id "
ok "ls --held" tool ls --json --held
is "finds it" "$(parse .id)" "$id "
ok "why" tool why "$id"
has "tells what ends that" "$T/out" "until .facteur release $id"
tool retry "$id"
is "what is held is not tried" $? 65
ok "mv by hand is a release" mv "$hold/$(ls "$hold")" "$q/"
tool release "$id"
is "which is then refused" $? 65
ok "hold by filter" tool hold --recipient 'x@*'
ok "release by filter" tool release --all
has "says how many" "$T/out" '^1 message released'
is "nothing is held" "$(listed "$hold")" ''
if script -qec true /dev/null >/dev/null 2>&1; then
	script -qec "$FACTEUR -C $T/emc rm --site dead.example" /dev/null \
	    >"$T/out" 2>&1 </dev/null
	has "a filter on a terminal wants --yes" "$T/out" 'add --yes'
	is "and nothing was removed" "$(ls "$q" | wc -l)" 10
else
	skip "a filter on a terminal wants --yes" "no script(1)"
fi
tool rm
is "rm alone removes nothing" $? 64
for option in --id --site --sender --recipient --reason; do
	tool rm $option ""
	is "nor does rm $option with an empty variable" $? 64
done
tool rm --sender 'nobody@*' --sender '*'
is "a filter that is given twice is a mistake" $? 64
tool rm --site 'dead.*' --age '<0s'
is "and so is an age that would count for nothing" $? 64
for option in --al --hel --sen=marie@emc.fr --reci=x --dry; do
	tool rm $option
	is "half an option, $option, removes nothing" $? 64
done
tool rm --al
has "and is told what may be meant" "$T/out" '--al: not an option; is --all'
one=$(listed "$q" | cut -c1-16)
tool rm -n "$one" "$one"
has "who is named twice is meant once" "$T/out" '^1 message,'
for verb in ls show why sites stats retry hold release rm bounce reroute; do
	tool $verb --help
	is "$verb --help is no mistake" "$? $(grep -c '^usage:' "$T/out")" "0 1"
done
"$FACTEUR" -C "$T/emc" ls --help 2>"$T/err" | grep -q recipient
is "it goes where output goes, and tells the filters" "$? $(cat "$T/err")" "0 "
"$FACTEUR" -C "$T/emc" ls 2>"$T/err" | true
is "who reads no further is not complained about" "$(cat "$T/err")" ""

before=$(messages emc marie@emc.fr)
ok "rm" tool rm --sender 'marie@*'
has "says that nobody is told" "$T/out" '^1 message removed; nobody is told'
is "one is gone" "$(ls "$q" | wc -l)" 9
is "from hold/, too, which it went through" "$(listed "$hold")" ''
tool why 'y$@dead.example'		# (id) was a comment
has "why knows that it was taken away, and for whom it was" "$T/out" \
    'from <marie@emc.fr> to <y$@dead.example>  taken out of queue/ by hand'

bounced() {
	[ "$(messages emc jean-bob@emc.fr)" -ge 1 ]
}
gone() {
	! ls "$q/$1".* 2>/dev/null | grep -q . &&
	    ! ls "$hold/$1".* 2>/dev/null | grep -q .
}
ok "hold it" tool hold "$id"
tool hold --text x "$id"
is "--text is for bounce alone" $? 64
tool bounce --text "$(printf 'two\nlines')" "$id"
is "and one line" $? 64
tool bounce --text "$(printf '%401s' x)" "$id"
is "of 400 bytes at most" $? 64
is "it is still there" "$(listed "$hold")" "$id "
ok "bounce takes what is held, too" tool bounce \
    --text 'Please write to "info@emc.fr" (%s) \x1b; café' "$id"
ok "and tells the sender" wait_for 10 bounced
ok "in words" grep -q 'an administrator of mx.emc.fr has stopped trying' \
    "$(newest emc jean-bob@emc.fr)"
tr -d '\n' <"$(newest emc jean-bob@emc.fr)" | tr -s ' ' >"$T/words"
ok "in the administrator's" grep -qF \
    ': Please write to "info@emc.fr" (%s) \x1b; café; the last' "$T/words"
ok "in the machine's part, too, as ASCII" grep -qaF \
    'Please write to "info@emc.fr" (%s) \x1b; caf??; the last' "$T/words"
ok "and in the log" grep -q "^$id failed .*: Please write to " "$T/emc.log"
ok "with what the host had said" grep -q 'Connection refused' \
    "$(newest emc jean-bob@emc.fr)"
ok "the message leaves" wait_for 10 gone "$id"
if [ -d "$T/emc/spool/history" ]; then
	ok "why still knows" tool why "$id"
	has "that it failed" "$T/out" 'failed for good'
else
	skip "why still knows" "this build keeps no history"
fi
is "nobody was told of what rm removed" "$(messages emc marie@emc.fr)" "$before"

tool ls --json --recipient 'r1@*'
one=$(parse .id)
one=${one% }
tool reroute "$one" 'x;y'
is "reroute wants HOST:PORT" $? 64
has "and says so" "$T/out" 'not HOST:PORT'
ok "reroute to a host that answers" tool reroute "$one" "$YAHOO:$SMTP"
refused() {		# for it is no relay: but it was asked, and nobody else
	grep -q "^$one failed .*host=[^ ]*\[$YAHOO\] .*550" "$T/emc.log"
}
ok "is followed at once, past the site that rests" wait_for 10 refused

# ---- a live site that takes one message a minute ----
site_stop emc
printf '%s rate=1/m\n' yahoo.co.uk mx.yahoo.co.uk >"$T/emc/sites"
site_start emc
slowly() {		# the last one waits for its turn
	tool ls --json --recipient 'billy@*'
	last=$(parse .id | tr ' ' '\n' | tail -n 1)
	[ -n "$last" ] && tool why "$last" &&
	    grep -q 'waits for its turn at [a-z.]*yahoo.co.uk' "$T/out"
}
for i in 1 2 3 4 5 6 7 8 9; do
	send jean-bob@emc.fr billy@yahoo.co.uk
done
ok "why says that it waits for its turn" wait_for 15 slowly
has "and the pace" "$T/out" 'at most 1 message a minute'
n=$(messages yahoo billy@yahoo.co.uk)
left() {		# ID: the queue manager has let go of it
	grep -q "^$1 gone .*from=queue" "$T/emc.log"
}
ok "hold takes it out of the line" tool hold "$last"
ok "at once" wait_for 5 left "$last"
ok "reroute takes what is held" tool reroute "$last" "$YAHOO:$SMTP"
is "and leaves it there" "$(listed "$hold")" "$last "
ok "release" tool release "$last"
ok "it goes the new way, past those that wait" wait_for 10 gone "$last"
ok "and arrives" arrived yahoo billy@yahoo.co.uk $((n + 1))
ok "another one waits" wait_for 5 slowly
ok "rm by hand" rm "$q/${last:-none}".*
ok "takes it out of the line as well" wait_for 5 left "$last"
ok "one more waits" wait_for 5 slowly
ok "reroute takes what is at work" tool reroute "$last" "$YAHOO:$SMTP"
ok "and it arrives" wait_for 10 gone "$last"
ok "rm takes the rest" tool rm --recipient 'billy@*'

# ---- the old ways ----
ok "mailq" "$B/bin/mailq" -C "$T/emc"
"$B/bin/mailq" -C "$T/emc" >"$T/out"
has "has a head as scripts expect it" "$T/out" '^-*Queue ID-* --Size--'
has "counts as they expect it" "$T/out" '^-- [0-9]* Kbytes in 7 Requests\.$'
is "lists what lies in the directory" \
    "$(sed -n 's/^\([0-9a-z]\{16\}\).*/\1/p' "$T/out" | sort | tr '\n' ' ')" \
    "$(listed "$q")"
flush() {		# OPTION: on a terminal, where it says what it does
	script -qec "'$B/bin/sendmail' -C '$T/emc' $1" /dev/null \
	    >"$T/out" 2>&1 </dev/null
}
"$B/bin/sendmail" -C "$T/emc" -q >"$T/out" 2>&1
is "sendmail -q has nothing to say to cron" "$? $(cat "$T/out")" "0 "
if command -v script >/dev/null; then
	flush -qRr2@rest
	is "sendmail -qR" $? 0
	has "tries those" "$T/out" '^1 message will be tried now'
	flush -qSnobody
	has "sendmail -qS tries none if none is meant" "$T/out" \
	    '^0 messages found'
	flush "-qI$(listed "$q" | cut -c1-16)"
	has "sendmail -qI one" "$T/out" '^1 message '
else
	skip "sendmail -qR, -qS, -qI" "no script(1)"
fi

# ---- what only a report is owed for ----
run=$(cat "$T/emc.run")
postponed() {
	[ "$(grep -c ' report-postponed ' "$T/emc.log")" -ge "$1" ]
}
queue=$(pids_of emc queue)
kill -STOP "$queue"
send jean-bob@emc.fr nobody@emc.fr
"$B/bin/sendmail" -C "$T/emc" -N success -f jean-bob@emc.fr jean-bob@emc.fr <"$T/m"
mv "$run/inject" "$run/inject.away"
kill -CONT "$queue"
ok "two reports that inject does not take" wait_for 10 postponed 2
tool ls
has "ls says that the sender is to be told of the failure" "$T/out" \
    '<nobody@emc.fr>  failed; the report to the sender is to be handed in'
has "and of the success" "$T/out" \
    '<jean-bob@emc.fr>  delivered; the report to the sender is to be handed in'
ok "ls --json" tool ls --json
is "says what is owed" "$(parse 'select(.recipients[0].owed).recipients[0]
    | .state, .owed')" 'delivered done '
tool why nobody@emc.fr
has "why says the same" "$T/out" \
    'Next: the sender is told, if there is one.* handed in at .*(in '
tool why jean-bob@emc.fr
has "of both" "$T/out" 'delivered; the report to the sender is to be handed in'
"$B/bin/mailq" -C "$T/emc" >"$T/out"
has "mailq lists whom it is about" "$T/out" '^ *jean-bob@emc.fr$'
mv "$run/inject.away" "$run/inject"
inject=$(pids_of emc inject)
kill -STOP $inject
tool ls --json --recipient nobody@emc.fr
id=$(parse .id)
id=${id% }
tool retry "$id"
at_work() {
	"$B/bin/mailq" -C "$T/emc" >"$T/out" && grep -q "^$id[*]" "$T/out"
}
ok "mailq marks what is at work" wait_for 5 at_work
has "and nothing else" "$T/out" '^[0-9a-z]\{16\} '
tool why "$id"
has "why: it is told at this moment" "$T/out" 'It is .*being worked on'
other=$(listed "$q" | cut -c1-16)
tool hold "$other"
"$B/bin/mailq" -C "$T/emc" >"$T/out"
has "and what is held" "$T/out" "^$other!"
tool release "$other"
kill -CONT $inject
ok "then the sender is told" wait_for 10 gone "$id"
tool retry --all
owing() {
	tool ls --recipient 'jean-bob*' && grep -q delivered "$T/out"
}
ok "of the success, too" wait_for 10 not owing

# ---- without a queue manager ----
ok "the site ends" site_stop emc
ok "ls, with nobody running" tool ls
has "lists" "$T/out" '^7 messages'
other=$(listed "$q" | cut -c1-16)
ok "why" tool why "$other"
has "tells whom it could not ask" "$T/out" 'cannot be asked'
gone_lines() {
	cat "$T"/emc/spool/history/* | grep -c "$other gone"
}
n=$(gone_lines)
ok "hold needs nobody" tool hold "$other"
is "the history knows" "$(gone_lines)" $((n + 1))
ok "rm neither" tool rm "$other"
ok "and it is gone" gone "$other"
is "what was held is not told twice" "$(gone_lines)" $((n + 1))
other=$(listed "$q" | cut -c1-16)
printf torn >>"$(ls "$T"/emc/spool/history/2* | tail -1)"
ok "rm in one go" tool rm "$other"
ok "is told, too" tool why "$other"
has "with whom it was for" "$T/out" "$other from <.*> to <.*taken out of queue"
tool retry --all
is "retry does" $? 75
mkdir "$T/new"
echo 'hostname = new.example' >"$T/new/facteur.conf"
"$FACTEUR" -C "$T/new" ls >"$T/out" 2>&1
is "ls where nothing has run yet" $? 75
has "says so" "$T/out" 'new/spool: there is no spool yet; nothing has run here'
done_testing
