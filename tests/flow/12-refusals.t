#!/bin/sh
# 12-refusals - what the front door does not take (way 1).
. "$(dirname "$0")/lib.sh"

one_site

# said NAME PATTERN SWAKS-ARGUMENTS...: the dialogue holds the pattern.
said() {
	what=$1 pattern=$2
	shift 2
	swaks --server "$EMC" --helo mua.emc.fr --timeout 30 "$@" \
	    >"$T/dialogue" 2>&1
	has "$what" "$T/dialogue" "$pattern"
}

if have swaks; then
	me=jean-bob@emc.fr
	said "submission wants a login" '<.* 530 ' \
	    -p "$SUB" -tls -f $me -t marie@emc.fr
	said "submission wants a login in the clear too" '<.* 530 ' \
	    -p "$SUB" -f $me -t marie@emc.fr
	said "port 25 does not relay" '<.* 550 5.7.1' \
	    -p "$SMTP" -f $me -t billy@yahoo.co.uk
	said "an unknown recipient is refused at RCPT" '<.* 550 5.1.1' \
	    -p "$SMTP" -f x@example.org -t nobody@emc.fr
	said "a known one is accepted" '<.* 250 2.0.0' \
	    -p "$SMTP" -f x@example.org -t marie@emc.fr
	said "port 25 offers no AUTH" 'did not advertise\|not.*AUTH' \
	    -p "$SMTP" -a PLAIN -au $me -ap "$PASS" -f $me -t marie@emc.fr
	said "nobody sends as somebody else" '<.* 553 5.7.1' \
	    -p "$SUB" -tls -a PLAIN -au $me -ap "$PASS" -f marie@emc.fr \
	    -t marie@emc.fr

	begin=$(date +%s%N)
	said "a wrong password is refused" '<.* 535 5.7.8' \
	    -p "$SUB" -tls -a PLAIN -au $me -ap wrong -f $me -t marie@emc.fr
	took=$((($(date +%s%N) - begin) / 1000000))
	ok "and the answer is held back for a second" test $took -ge 1000
	said "so is an unknown user" '<.* 535 5.7.8' \
	    -p "$SUB" -tls -a PLAIN -au no@emc.fr -ap wrong -f $me \
	    -t marie@emc.fr
	has "the log says who failed" "$T/emc.log" \
	    'auth-failed.*user="jean-bob@emc.fr"'
	ok "but never a password" not grep -q "$PASS" "$T/emc.log"

	"$FACTEUR" -C "$T/emc" passwd marie@emc.fr <<-END >/dev/null 2>&1
	noisette
	END
	said "a new password counts at once" '<.* 235 ' \
	    -p "$SUB" -tls -a PLAIN -au marie@emc.fr -ap noisette \
	    -f marie@emc.fr -t marie@emc.fr
	ok "facteur passwd -d" "$FACTEUR" -C "$T/emc" passwd -d marie@emc.fr
	# resolve may remember her for a second.
	unknown() {
		swaks --server "$EMC" --helo mua.emc.fr --timeout 30 \
		    -p "$SMTP" -f x@example.org -t marie@emc.fr \
		    --quit-after RCPT 2>&1 | grep -q '<.* 550 5.1.1'
	}
	ok "a user who was deleted gets no mail" wait_for 20 unknown
fi

# A bare LF inside DATA: smuggling.  The message must not be taken.
smuggle() {
	{
		printf 'EHLO x\r\nMAIL FROM:<x@example.org>\r\n'
		printf 'RCPT TO:<jean-bob@emc.fr>\r\nDATA\r\n'
		printf 'Subject: x\r\n\r\nx\n.\r\nMAIL FROM:<y@z.org>\r\n'
		printf '.\r\nQUIT\r\n'
	} | timeout 20 "$B/libexec/facteur/smtpd" -C "$T/emc" >"$T/smuggle"
	grep -q '^354' "$T/smuggle" && grep -q '^5[0-9][0-9] ' "$T/smuggle" &&
	    ! grep -q '^250 2.0.0.*[0-9a-z]\{16\}' "$T/smuggle"
}
ok "a bare LF refuses the message" smuggle

done_testing
