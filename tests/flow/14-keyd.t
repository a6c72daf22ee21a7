#!/bin/sh
# 14-keyd - the private key is with keyd alone, a renewed one needs no
# restart, and smtpd has TLS from tlsd (ways 1 and 8).
. "$(dirname "$0")/lib.sh"

one_site

# What the world sees: the certificate's fingerprint.
print_of() {		# FILE
	openssl x509 -noout -fingerprint -sha256 -in "$1" 2>/dev/null
}
seen() {		# PORT S_CLIENT-OPTION...
	port=$1
	shift
	timeout 20 openssl s_client -connect "$EMC:$port" "$@" \
	    </dev/null 2>/dev/null >"$T/shown" && print_of "$T/shown"
}
shows() {		# FILE: on every port, in both versions
	wanted=$(print_of "$1")
	for v in -tls1_2 -tls1_3; do
		[ "$(seen "$SUB" -starttls smtp $v)" = "$wanted" ] &&
		[ "$(seen "$SUBS" $v)" = "$wanted" ] &&
		[ "$(seen "$POP" -starttls pop3 $v)" = "$wanted" ] &&
		[ "$(seen "$POPS" $v)" = "$wanted" ] || return 1
	done
}
pair() {		# NAME KEY-OPTION...
	name=$1
	shift
	openssl req -x509 -nodes -days 30 -subj "/CN=mx.emc.fr" "$@" \
	    -keyout "$T/$name.key" -out "$T/$name.crt" 2>"$T/openssl.out" ||
	    bail "openssl: $(cat "$T/openssl.out")"
}
pair rsa -newkey rsa:2048
pair ed -newkey ed25519
cp "$T/emc/cert.pem" "$T/first.crt"
cp "$T/emc/key.pem" "$T/first.key"
# acceptors: those the supervisor has started, and no children of theirs.
acceptors() {
	for p in $(pids_of emc smtpd) $(pids_of emc tlsd); do
		grep -q "^PPid:	$(site_pid emc)\$" "/proc/$p/status" &&
		    echo "$p"
	done
}
before=$(acceptors)
is "smtpd and tlsd are there" "$(echo $before | wc -w)" 2

ok "smtpd and pop3d show the certificate" shows "$T/first.crt"
rm "$T/emc/key.pem"
ok "the key file is of no use to them" shows "$T/first.crt"
has "keyd has noticed" "$T/emc.log" 'key-gone .*by=keyd'

cp "$T/rsa.crt" "$T/emc/cert.pem"
cp "$T/first.key" "$T/emc/key.pem"
ok "a new certificate without its key: the old pair serves on" \
    shows "$T/first.crt"
cp "$T/rsa.key" "$T/emc/key.pem"
ok "with its key it is shown at once" shows "$T/rsa.crt"
has "and the log says so" "$T/emc.log" 'key-read .*by=keyd'
cp "$T/ed.key" "$T/emc/key.pem"
ok "a new key without its certificate: the old pair serves on" \
    shows "$T/rsa.crt"
cp "$T/ed.crt" "$T/emc/cert.pem"
ok "with its certificate it is used at once" shows "$T/ed.crt"
is "nothing was restarted" "$(acceptors)" "$before"

keyd=$(pids_of emc keyd)
kill -9 "$keyd"
ok "a keyd that was killed is started again, and nobody waits long" \
    shows "$T/ed.crt"
ok "it is another one" [ "$(pids_of emc keyd)" != "$keyd" ]

# OpenSSL is in tlsd; a session in the clear has nothing of either.
libraries() {
	ldd "$B/libexec/facteur/$1" | grep -oE 'lib(ssl|crypto)\.' | sort -u |
	    tr '\n' ' '
}
is "there is no OpenSSL in smtpd" "$(libraries smtpd)" ""
is "it is in tlsd" "$(libraries tlsd)" "libcrypto. libssl. "

# held NAME S_CLIENT-OPTION...: a session that stays open while we look on.
held() {
	name=$1
	shift
	mkfifo "$T/$name.in"
	timeout 60 openssl s_client -quiet -connect "$EMC:$SUB" -starttls smtp \
	    "$@" <"$T/$name.in" >"$T/$name.out" 2>&1 &
	eval "$name=\$!"
	PIDS="$PIDS $!"
}
children() {		# PROGRAM: its children of now
	for p in $(pids_of emc "$1"); do
		grep -q "^PPid:	$(site_pid emc)\$" "/proc/$p/status" ||
		    echo "$p"
	done
}
count() {		# PROGRAM N
	[ "$(children "$1" | wc -l)" -eq "$2" ]
}
answers() {		# NAME FD
	printf 'NOOP\r\n' >&"$2"
	wait_for 10 grep -q '^250 2.0.0' "$T/$1.out"
}
ok "the sessions from before are over" wait_for 20 count tlsd 0
held one
exec 7>"$T/one.in"
ok "a session with TLS has a process of tlsd" wait_for 10 count tlsd 1
victim=$(children tlsd)
session=$(children smtpd)
held two
exec 8>"$T/two.in"
ok "another one has another" wait_for 10 count tlsd 2
ok "the first one talks" answers one 7
kill -9 "$victim"
ok "when its tlsd is killed the session ends" wait_for 10 dead "$session"
ok "and so does the client's connection" wait_for 10 dead "$one"
ok "the other one goes on" answers two 8
exec 7>&- 8>&-
tlsd=$(acceptors | tail -n 1)
kill -9 "$tlsd"
ok "a tlsd that was killed is started again, and nobody waits long" \
    shows "$T/ed.crt"
ok "it is another one" [ "$(acceptors | tail -n 1)" != "$tlsd" ]
ok "the site ends in time" site_stop emc

cp "$T/first.key" "$T/emc/key.pem"
ok "a key of another certificate: the site does not start" \
    not "$FACTEUR" run -C "$T/emc"
has "and says why" "$T/ok.out" 'does not belong to the certificate'
done_testing
