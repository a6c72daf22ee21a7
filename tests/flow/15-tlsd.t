#!/bin/sh
# 15-tlsd - a session that wants TLS goes on in tlsd, and smtpd still counts it
# (way 1).
. "$(dirname "$0")/lib.sh"

one_site "connections_per_address = 3"
marie=marie@emc.fr

libraries() {
	ldd "$B/libexec/facteur/$1" | grep -oE 'lib(ssl|crypto)\.' | sort -u |
	    tr '\n' ' '
}
is "there is no OpenSSL in smtpd" "$(libraries smtpd)" ""
is "it is in tlsd" "$(libraries tlsd)" "libcrypto. libssl. "

acceptor() {		# PROGRAM: the one that the supervisor has started
	for p in $(pids_of emc "$1"); do
		grep -q "^PPid:	$(site_pid emc)\$" "/proc/$p/status" &&
		    echo "$p"
	done
}
children() {		# PROGRAM: its children that have a client
	for p in $(pids_of emc "$1"); do
		grep -q "+$" "/proc/$p/comm" && continue
		grep -q "^PPid:	$(acceptor "$1")\$" "/proc/$p/status" &&
		    echo "$p"
	done
}
others() {		# PROGRAM: all but those that wait for a client
	for p in $(pids_of emc "$1"); do
		grep -q "+$" "/proc/$p/comm" || echo "$p"
	done
}
count() {		# PROGRAM N
	[ "$(children "$1" | wc -l)" -eq "$2" ]
}
is "smtpd and tlsd are there" "$(acceptor smtpd; acceptor tlsd)" \
    "$(others smtpd; others tlsd)"

# held NAME [PORT OPTION...]: a session that stays open while we look on.
held() {
	name=$1
	shift
	[ $# -gt 0 ] || set -- "$SUB" -starttls smtp
	port=$1
	shift
	mkfifo "$T/$name.in"
	timeout 60 openssl s_client -quiet -connect "$EMC:$port" "$@" \
	    <"$T/$name.in" >"$T/$name.out" 2>&1 &
	eval "$name=\$!"
	PIDS="$PIDS $!"
}
says() {		# NAME FD COMMAND ANSWER
	printf '%s\r\n' "$3" >&"$2"
	wait_for 10 grep -q "^$4" "$T/$1.out"
}
held one
exec 7>"$T/one.in"
ok "a session with TLS is in tlsd" wait_for 10 count tlsd 1
ok "smtpd keeps its place" count smtpd 1
first_tls=$(children tlsd) first=$(children smtpd)
held two "$SUBS"
exec 8>"$T/two.in"
ok "another one has another" wait_for 10 count tlsd 2
ok "port 465: tlsd says the banner" wait_for 10 grep -q '^220 ' "$T/two.out"
is "after STARTTLS there is none" "$(grep -c '^220 ' "$T/one.out")" 0

ok "what was said in the clear is forgotten" says one 7 "MAIL FROM:<>" "503 5.5.1 one message"
says one 7 "EHLO mua.emc.fr" "250 ENHANCED"
says one 7 "AUTH PLAIN $(printf '\0jean-bob@emc.fr\0%s' "$PASS" | base64)" 235
ok "AUTH is asked of authd" grep -q '^235 ' "$T/one.out"
says one 7 "MAIL FROM:<jean-bob@emc.fr>" "250 2.1.0"
says one 7 "RCPT TO:<$marie>" "250 2.1.5"
says one 7 "DATA" 354
ok "a message is taken" says one 7 "$(printf 'Subject: x\r\n\r\nHi\r\n.')" "250 2.0.0 ok"
ok "it arrives" wait_for 10 arrived emc $marie 1
has "its trace tells TLS and the login" "$(newest emc $marie)" \
    "with ESMTPSA"
has "and the address that the client really has" "$(newest emc $marie)" \
    "\[127\.0\.0\.1\]"
has "so does the log, by tlsd" "$T/emc.log" \
    'accepted .*by=tlsd.* ip=127\.0\.0\.1 .*with=ESMTPSA tls=TLSv1'

banner() {		# the first line on the port for our own users
	curl -sS -m 2 "telnet://$EMC:$SUB" </dev/null 2>/dev/null |
	    head -n 1 | cut -c 1-3
}
if have curl; then
	is "a third session of this address is served" "$(banner)" 220
	ok "it has ended" wait_for 10 count smtpd 2
	held three
	exec 9>"$T/three.in"
	ok "three sessions with TLS" wait_for 10 count tlsd 3
	is "count as three: the fourth is turned away" "$(banner)" 421
	says three 9 QUIT 221
	exec 9>&-
	ok "the place is given back" wait_for 10 count smtpd 2
	is "and somebody else has it" "$(banner)" 220
fi

kill -9 "$first_tls"
ok "when its tlsd is killed the client's connection ends" \
    wait_for 10 dead "$one"
ok "and so does what kept its place" wait_for 10 dead "$first"
ok "the other one goes on" says two 8 NOOP "250 2.0.0 ok"
exec 7>&-

kill -9 "$(acceptor smtpd)"
ok "when smtpd is killed a session with TLS goes on" \
    says two 8 HELP "214 "
restarted() {
	[ -n "$(acceptor smtpd)" ]
}
ok "smtpd is started again" wait_for 10 restarted
tlsd=$(acceptor tlsd)
kill -9 "$tlsd"
ok "with tlsd it ends" wait_for 10 dead "$two"
exec 8>&-
held four
exec 7>"$T/four.in"
ok "a tlsd that was killed is started again, and nobody waits long" \
    says four 7 NOOP "250 2.0.0 ok"
ok "it is another one" [ "$(acceptor tlsd)" != "$tlsd" ]
ok "the site ends in time, with a session that is not over" site_stop emc
ok "and that with it" wait_for 10 dead "$four"
exec 7>&-
done_testing
