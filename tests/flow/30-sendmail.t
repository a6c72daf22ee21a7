#!/bin/sh
# 30-sendmail - mail from the shell: sendmail, inject, mailq (way 3).
. "$(dirname "$0")/lib.sh"

one_site
export FACTEUR_CONF="$T/emc"
SENDMAIL=$B/bin/sendmail
n=0

sent() {		# NAME COMMAND...
	what=$1
	shift
	n=$((n + 1))
	ok "$what: accepted" "$@"
	ok "$what: delivered" wait_for 10 arrived emc marie@emc.fr $n
}

plain() {
	printf 'Subject: plain\n\nbody\n.\nnot this\n' |
	    "$SENDMAIL" -f jean-bob@emc.fr marie@emc.fr
}
dots() {
	printf 'Subject: dots\n\nbody\n.\nthis too\n' |
	    "$SENDMAIL" -oi -f jean-bob@emc.fr marie@emc.fr
}
headers() {
	printf 'To: Marie <marie@emc.fr>\nBcc: jean-bob@emc.fr\n\nbody\n' |
	    "$SENDMAIL" -t -i -f jean-bob@emc.fr
}
crlf_input() {
	printf 'Subject: crlf\r\n\r\nbody\r\n' |
	    "$SENDMAIL" -i -f jean-bob@emc.fr marie@emc.fr
}
filter() {
	printf 'Subject: filter\n\nno newline at the end' |
	    "$B/libexec/facteur/inject" -f jean-bob@emc.fr marie@emc.fr
}
qmail() {
	printf 'Fjean-bob@emc.fr\0Tmarie@emc.fr\0\0' >"$T/envelope"
	printf 'Subject: qmail\n\nbody\n' |
	    "$B/libexec/facteur/inject" -q 1<"$T/envelope"
}
bs() {
	{
		printf 'HELO x\r\nMAIL FROM:<jean-bob@emc.fr>\r\n'
		printf 'RCPT TO:<marie@emc.fr>\r\nDATA\r\n'
		printf 'Subject: bs\r\n\r\nx\r\n.\r\nQUIT\r\n'
	} | "$SENDMAIL" -bs >"$T/bs"
	grep -q '^250.*[0-9a-z]\{16\}' "$T/bs"
}
last_line_is() {
	[ "$(tail -n 1 "$(newest emc marie@emc.fr)")" = "$1" ]
}

sent "sendmail" plain
ok "a dot alone ends it" last_line_is body
sent "sendmail -oi" dots
ok "with -oi it does not" last_line_is "this too"
sent "sendmail -t" headers
ok "Bcc is taken away" not grep -qi ^bcc "$(newest emc marie@emc.fr)"
ok "but gets its copy" wait_for 10 arrived emc jean-bob@emc.fr 1
sent "CRLF input" crlf_input
ok "is stored with LF" not grep -q "$(printf '\r')" "$(newest emc marie@emc.fr)"
sent "inject as a filter" filter
ok "the last line is ended" last_line_is "no newline at the end"
sent "inject -q, the way of qmail-queue" qmail
sent "sendmail -bs" bs

ok "mailq shows an empty queue" "$B/bin/mailq"
ok "the queue is empty" wait_for 5 queue_empty emc
ok "sendmail without the system says try again" sh -c "
	printf 'Subject: x\n\n' | '$SENDMAIL' -C /nonexistent marie@emc.fr
	[ \$? -ne 0 ]"

done_testing
