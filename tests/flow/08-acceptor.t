#!/bin/sh
# 08-acceptor - a session that crashes costs itself only, and its acceptor is
# renewed; a flood from one address leaves room for everybody else.
. "$(dirname "$0")/lib.sh"

if ! have bash; then
	done_testing
	exit 0
fi
one_site "connections = 40" "connections_per_address = 10"
log=$T/emc.log

# talk NAME ADDR PORT: a client who is refused a recipient, so that the log
# says which process he talks to, and says NOOP when $T/NAME.ask is written.
talk() {
	mkfifo "$T/$1.ask"
	bash -c 'exec 3<>"/dev/tcp/$2/$3" || exit
	    read -r line <&3
	    for verb in "HELO ${1##*/}" "MAIL FROM:<>" "RCPT TO:<a@far.example>"; do
		printf "%s\r\n" "$verb" >&3; read -r line <&3
	    done
	    echo "$line" >"$1.hello"
	    read -r word <"$1.ask"
	    printf "NOOP\r\nQUIT\r\n" >&3
	    read -r line <&3; echo "$line" >"$1.noop"' \
	    bash "$T/$1" "$2" "$3" &
	PIDS="$PIDS $!"
	wait_for 10 test -s "$T/$1.hello"
}
session_of() {		# NAME: who is talking to him
	sed -n "s/.* by=smtpd\[\([0-9]*\)\] .*helo=$1 .*/\1/p" "$log"
}
acceptor() {
	for p in $(pids_of emc smtpd); do
		[ "$(cat "/proc/$p/comm")" = smtpd ] && echo "$p"
	done
}
count() {		# PATTERN: lines of the log
	grep -ac -e "$1" "$log"
}
renewals() {
	[ "$(count 'renewed .*program=smtpd')" -ge "$1" ]
}

if grep -aq sandbox-missing "$log"; then
	skip "renewal" "$(grep -a sandbox-missing "$log" | head -n 1)"
else
	old=$(acceptor)
	talk victim "$EMC" "$SMTP"
	victim=$(session_of victim)
	talk other "$EMC" "$SMTP"
	kill -SEGV $victim
	ok "a session that crashes renews its acceptor" wait_for 10 renewals 1
	has "the crash is logged" "$log" "session-killed .*pid=$victim signal=11"
	ok "the new one answers" talk next "$EMC" "$SMTP"
	ok "it is another process" sh -c "[ '$(acceptor | tail -n 1)' != '$old' ]"
	ok "the old one is there for its session" alive "$old"
	echo go >"$T/other.ask"
	ok "a session of the old one goes on" wait_for 10 \
	    grep -q ^250 "$T/other.noop"
	ok "with its last session the old one ends" wait_for 10 dead "$old"
	kill -SEGV $(session_of next)
	ok "another crash is logged" wait_for 10 sh -c \
	    "[ \$(grep -ac 'session-killed' '$log') = 2 ]"
	ok "the service goes on" talk again "$EMC" "$SMTP"
	is "but it is renewed once a minute only" \
	    "$(count 'renewed .*program=smtpd')" 1
	echo go >"$T/again.ask"
fi

# A thousand connections from 127.0.0.1, all held.
mkfifo "$T/flood.go" "$T/flood.end"
bash -c 'ulimit -n 1100
    for i in $(seq 1000); do exec {fd}<>"/dev/tcp/$2/$3"; done 2>/dev/null
    echo up >"$1.go"; read -r word <"$1.end"' bash "$T/flood" "$EMC" "$SMTP" &
PIDS="$PIDS $!"
read -r word <"$T/flood.go"
is "a thousand connections are made" "$word" up
echo Hello | message "$T/m"
crlf "$T/m" >"$T/m.crlf"
ok "a submission from elsewhere gets its slot" curl -sS --ssl-reqd -k \
    --max-time 30 --interface 127.0.0.9 --url "smtp://$EMC:$SUB/mua.emc.fr" \
    --user "jean-bob@emc.fr:$PASS" --mail-from jean-bob@emc.fr \
    --mail-rcpt marie@emc.fr -T "$T/m.crlf"
ok "and its message arrives" wait_for 10 arrived emc marie@emc.fr 1
ok "so does one to port 25 from elsewhere" curl -sS --max-time 30 \
    --interface 127.0.0.8 --url "smtp://$EMC:$SMTP/mx.yahoo.co.uk" \
    --mail-from billy@yahoo.co.uk --mail-rcpt marie@emc.fr -T "$T/m.crlf"
has "the flood is told to wait" "$log" "busy .*socket=smtp ip=127.0.0.1"
echo end >"$T/flood.end"
ok "the site stops" site_stop emc
done_testing
