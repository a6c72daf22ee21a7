#!/bin/sh
# 14-keyd - the private key is with keyd alone, and a renewed one needs no
# restart (ways 1 and 8).
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

ok "the site ends in time" site_stop emc

cp "$T/first.key" "$T/emc/key.pem"
ok "a key of another certificate: the site does not start" \
    not "$FACTEUR" run -C "$T/emc"
has "and says why" "$T/ok.out" 'does not belong to the certificate'
done_testing
