#!/bin/sh
# 10-submission - Jean-Bob's mail programs hand their mail in (way 1 to 3).
. "$(dirname "$0")/lib.sh"

one_site
n=0

# sent NAME COMMAND...: it succeeds, and one more message reaches marie.
sent() {
	what=$1
	shift
	n=$((n + 1))
	ok "$what: accepted" "$@"
	ok "$what: in marie's Maildir" wait_for 10 arrived emc marie@emc.fr $n
}

if have swaks; then
	swaks_to() {
		swaks --hide-all --server "$EMC" --helo mua.emc.fr \
		    --from jean-bob@emc.fr --to marie@emc.fr \
		    --auth-user jean-bob@emc.fr --auth-password "$PASS" "$@"
	}
	sent "swaks, STARTTLS, AUTH PLAIN" swaks_to -p "$SUB" -tls -a PLAIN
	sent "swaks, STARTTLS, AUTH LOGIN" swaks_to -p "$SUB" -tls -a LOGIN
	sent "swaks, port 465" swaks_to -p "$SUBS" -tlsc -a PLAIN
	has "the trace tells the login and TLS" "$(newest emc marie@emc.fr)" \
	    "with ESMTPSA"
fi

if have msmtp; then
	msmtp_to() {
		printf 'Subject: by msmtp\nTo: marie@emc.fr\n\nHello\n' |
		    msmtp -C /dev/null --host="$EMC" --auth=on \
		    --user=jean-bob@emc.fr --passwordeval="echo $PASS" \
		    --tls=on --tls-certcheck=off \
		    --from=jean-bob@emc.fr "$@" marie@emc.fr
	}
	sent "msmtp, STARTTLS" msmtp_to --port="$SUB" --tls-starttls=on
	sent "msmtp, port 465" msmtp_to --port="$SUBS" --tls-starttls=off
	has "Date and Message-ID are added where missing" \
	    "$(newest emc marie@emc.fr)" "^Message-ID: <.*@"
fi

if have curl; then
	echo Hello | message "$T/m" "by curl"
	sent "curl, STARTTLS" submit "$T/m" jean-bob@emc.fr marie@emc.fr
	ok "curl's message is there byte for byte" \
	    ends_with "$(newest emc marie@emc.fr)" "$T/m"
fi

if have s-nail; then
	snail() {
		echo Hello | s-nail -:/ -S v15-compat -S tls-verify=ignore \
		    -S smtp-use-starttls -S smtp-auth=plain \
		    -S "mta=smtp://jean-bob%40emc.fr:$PASS@$EMC:$SUB" \
		    -S from=jean-bob@emc.fr -S sendwait -s "by s-nail" \
		    marie@emc.fr
	}
	sent "s-nail, STARTTLS" snail
fi

done_testing
