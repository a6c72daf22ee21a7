#!/bin/sh
# 70-bytes - messages of all shapes go the whole way byte for byte (way 1 to 8).
. "$(dirname "$0")/lib.sh"

two_sites
billy=billy@yahoo.co.uk

head_of() {		# SUBJECT
	printf 'From: <jean-bob@emc.fr>\nTo: <%s>\nSubject: %s\n' $billy "$1"
	printf 'Date: Mon, 23 Nov 2026 03:19:00 +0000\n'
	printf 'Message-ID: <%s.%s@emc.fr>\n' "$1" $$
}
repeat() {		# TEXT N
	yes "$1" | head -n "$2" | tr -d '\n'
}

mkdir "$T/in"
{ head_of 8bit; printf '\nna\xc3\xafve \xe9\xff\x80\n'; } >"$T/in/8bit"
{ head_of empty; printf '\n'; } >"$T/in/empty"
{ head_of dots; printf '\n.\n..\n...\n.a\n\n.\n'; } >"$T/in/dots"
{ head_of long; printf '\n%s\n' "$(repeat x 998)"; } >"$T/in/long"
{ head_of blank; printf '\n\n\n\n'; } >"$T/in/blank"
{ head_of tabs; printf '\n\t x \n \n'; } >"$T/in/tabs"
{ head_of folded; printf 'X-Long: a\n b\n\tc\n\nbody\n'; } >"$T/in/folded"
{
	head_of big
	echo
	head -c 15000000 /dev/urandom | base64
} >"$T/in/big"

for m in 8bit empty dots long blank tabs folded big; do
	ok "$m: accepted" submit "$T/in/$m" jean-bob@emc.fr $billy
done
ok "all have arrived" wait_for 60 arrived yahoo $billy 8

at_billys() {		# SUBJECT: its file
	grep -laE "^Subject: $1\$" "$(maildir yahoo $billy)"/new/*
}
for m in 8bit empty dots long blank tabs folded big; do
	got=$(at_billys $m)
	ok "$m: in the Maildir byte for byte" ends_with "${got:-/}" "$T/in/$m"
done

# No final newline: it gains one.
nofinal() {
	{ head_of nofinal; printf '\nthe end'; } >"$T/in/nofinal"
	sed 's/$/\r/' "$T/in/nofinal" | head -c -1 >"$T/in/nofinal.wire"
	curl -sS --ssl-reqd -k --url "smtp://$EMC:$SUB/mua.emc.fr" \
	    --user "jean-bob@emc.fr:$PASS" --mail-from jean-bob@emc.fr \
	    --mail-rcpt $billy -T "$T/in/nofinal.wire"
}
ok "no final newline: accepted" nofinal
ok "no final newline: arrived" wait_for 20 arrived yahoo $billy 9
echo >>"$T/in/nofinal"
ok "no final newline: gained one" ends_with "$(at_billys nofinal)" \
    "$T/in/nofinal"

# Many at once, from several clients.
many() {
	for c in 1 2 3 4; do
		(
			i=0
			while [ $i -lt 25 ]; do
				i=$((i + 1))
				submit "$T/in/8bit" jean-bob@emc.fr $billy ||
				    exit 1
			done
		) &
		eval "p$c=\$!"
	done
	wait "$p1" && wait "$p2" && wait "$p3" && wait "$p4"
}
ok "100 messages from 4 clients" many
ok "all are there" wait_for 60 arrived yahoo $billy 109
is "and no more" "$(messages yahoo $billy)" 109

done_testing
