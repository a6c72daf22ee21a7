#!/bin/sh
# 80-pop3 - Billy's mail programs fetch his mail (way 8).
. "$(dirname "$0")/lib.sh"

ports_choose
zones >"$T/zone"
dns_start
site_new yahoo yahoo.co.uk "$YAHOO"
billy=billy@yahoo.co.uk
user_new yahoo $billy "$PASS"
site_start yahoo
export FACTEUR_CONF="$T/yahoo"

# Three messages, of which one is difficult.
printf '.\n..\nna\xc3\xafve\n\n.\n' | message "$T/m1" one
message "$T/m2" two </dev/null
head -c 100000 /dev/urandom | base64 | message "$T/m3" three
for m in 1 2 3; do
	ok "message $m is in" sh -c "'$B/libexec/facteur/inject' \
	    -f jean-bob@emc.fr $billy <'$T/m$m'"
	ok "message $m is delivered" wait_for 10 arrived yahoo $billy $m
done
Maildir=$(maildir yahoo $billy)
stored() {		# N: its file
	ls "$Maildir"/new/* | sed -n "$1p"
}
for m in 1 2 3; do
	cp "$(stored $m)" "$T/stored$m"
done

# same N FILE: FILE is message N with these line ends.
same() {
	cmp "$T/stored$1" "$2"
}

if have curl; then
	curl_get() {		# URL OPTIONS...
		url=$1
		shift
		curl -sS -k --max-time 30 --user "$billy:$PASS" "$@" "$url"
	}
	for m in 1 2 3; do
		crlf "$T/stored$m" >"$T/wire$m"
		curl_get "pop3s://$YAHOO:$POPS/$m" >"$T/got$m" 2>"$T/err"
		ok "curl, port 995: message $m" cmp "$T/wire$m" "$T/got$m"
		curl_get "pop3://$YAHOO:$POP/$m" --ssl-reqd >"$T/got$m"
		ok "curl, STLS: message $m" cmp "$T/wire$m" "$T/got$m"
	done
	curl_get "pop3s://$YAHOO:$POPS/" >"$T/list" 2>&1
	is "LIST tells the octets on the wire" \
	    "$(tr -d '\r' <"$T/list")" "$(for m in 1 2 3; do
		echo "$m $(wc -c <"$T/wire$m")"; done)"
	ok "a wrong password is refused" not curl -sS -k --max-time 30 \
	    --user "$billy:wrong" "pop3s://$YAHOO:$POPS/"
fi

if have mpop; then
	mkdir -p "$T/mpop/new" "$T/mpop/cur" "$T/mpop/tmp"
	ok "mpop" mpop -C /dev/null --host="$YAHOO" --port="$POP" \
	    --user=$billy --passwordeval="echo $PASS" --auth=plain --tls=on \
	    --tls-starttls=on --tls-certcheck=off --received-header=off \
	    --keep=on --uidls-file="$T/mpop.uidls" \
	    --delivery="maildir,$T/mpop"
	is "mpop has three" "$(ls "$T/mpop/new" | wc -l)" 3
	for m in 1 2 3; do
		f=$(grep -laF "<m$m.$$@" "$T"/mpop/new/*)
		ok "mpop: message $m" same $m "${f:-/}"
	done
fi

if have getmail; then
	mkdir "$T/getmail"
	# Its own Maildir delivery refuses to run as root, a command may.
	cat >"$T/getmailrc" <<-END
	[retriever]
	type = SimplePOP3SSLRetriever
	server = $YAHOO
	port = $POPS
	username = $billy
	password = $PASS
	[destination]
	type = MDA_external
	path = /bin/sh
	arguments = ("-c", "cat >\"\$(mktemp $T/getmail/XXXXXX)\"")
	allow_root_commands = true
	[options]
	delete = false
	delivered_to = false
	received = false
	END
	ok "getmail" getmail --getmaildir "$T" --rcfile getmailrc
	is "getmail has three" "$(ls "$T/getmail" | wc -l)" 3
	# getmail writes a Return-Path of its own; behind it all is ours
	for m in 1 2 3; do
		f=$(grep -laF "<m$m.$$@" "$T"/getmail/*)
		ok "getmail: message $m" ends_with "${f:-/}" "$T/m$m"
	done
fi

if have fetchmail; then
	cat >"$T/fetchmailrc" <<-END
	poll $YAHOO protocol POP3 service $POP auth password
	  user "$billy" password "$PASS" ssl sslproto "" sslcertck no
	  fetchall nokeep no rewrite mimedecode off
	  mda "cat >>$T/fetched"
	END
	sed -i -e "s/service $POP /service $POPS /" -e 's/ sslproto ""//' \
	    -e 's/sslcertck no/no sslcertck/' -e 's/mimedecode off//' \
	    "$T/fetchmailrc"
	chmod 600 "$T/fetchmailrc"
	ok "fetchmail" env FETCHMAILHOME="$T" fetchmail --nosyslog --invisible \
	    -f "$T/fetchmailrc" --pidfile "$T/fetchmail.pid"
	cat "$T/stored1" "$T/stored2" "$T/stored3" >"$T/wanted"
	ok "fetchmail: all three" cmp "$T/wanted" "$T/fetched"
	is "and it has deleted them" "$(messages yahoo $billy)" 0
fi

done_testing
