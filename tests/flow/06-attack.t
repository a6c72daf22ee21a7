#!/bin/sh
# 06-attack - an intruder inside each program gets nowhere.  The programs of
# build/attack play him themselves, once they are in their sandbox; here they
# run under one uid, so what holds is Landlock and seccomp alone.
. "$(dirname "$0")/lib.sh"
FACTEUR=$B/attack/bin/facteur

[ -x "$FACTEUR" ] || bail "there is no $FACTEUR: make tests"
log=$T/emc.log
# As on a host: a rule for the configuration would open what lies below it.
one_site "spool = $T/vault/spool" "mail = $T/vault/mail"
if grep -aq 'sandbox-missing.*sanitizer' "$log"; then
	skip "attacks" "a sanitizer build has no sandbox"
	done_testing
	exit 0
fi
if grep -aq sandbox-missing "$log"; then
	skip "attacks" "$(grep -a sandbox-missing "$log" | head -n 1)"
	done_testing
	exit 0
fi
mkdir "$T/vault/mail/neighbour"
echo secret >"$T/vault/mail/neighbour/secret"

# Mail goes the whole way, so every program is met, and lives on.
echo Hello | message "$T/m"
ok "a message goes in" submit "$T/m" jean-bob@emc.fr marie@emc.fr \
    billy@yahoo.co.uk
ok "it reaches marie" wait_for 10 \
    sh -c "ls '$T'/vault/mail/emc.fr/marie/Maildir/new/*"
ok "marie fetches it" curl -sS -k --max-time 30 --user "marie@emc.fr:$PASS" \
    -o "$T/got" "pop3s://$EMC:$POPS/1"
ok "an agent tries to reach yahoo" wait_for 10 grep -aq \
    'program=remote:agent try=executable-memory' "$log"

attempts=$(sed -n 's/^	{ "\([a-z0-9_-]*\)", .*/\1/p' \
    "$TOP/tests/attack/attack.c")
n=$(echo "$attempts" | wc -l)
for program in smtpd smtpd:session tlsd tlsd:session pop3d pop3d:session \
    inject inject:worker queue remote remote:agent resolve launch local \
    pop3:mailbox authd authd:hash keyd; do
	grep -a " program=$program " "$log" >"$T/tries"
	missing=
	for a in $attempts; do
		grep -q " try=$a result=" "$T/tries" ||
		    missing="$missing $a"
	done
	is "$program: all $n attacks are played" "$missing" ""
	is "$program: none gets anywhere" \
	    "$(sed -n 's/.* try=\([^ ]*\) result=BREACH.*/\1/p' "$T/tries" |
	    sort -u)" ""
done

# What only some may do is theirs indeed: the attacks are real.
may() {			# PROGRAM TRY
	grep -aq " program=$1 try=$2 result=granted" "$log"
}
ok "inject writes the spool" may inject:worker write-spool
ok "remote reaches others" may remote:agent inet-socket
ok "authd reads users" may authd open-users
ok "keyd reads the key" may keyd open-key
ok "smtpd forks" may smtpd fork
ok "tlsd forks" may tlsd fork

# What an administrator sees of it.
"$FACTEUR" -C "$T/emc" sandbox >"$T/shown" 2>&1
for program in smtpd tlsd pop3d inject inject:worker queue remote resolve \
    launch authd authd:hash keyd; do
	has "facteur sandbox shows $program" "$T/shown" \
	    "^$program\[[0-9]*\], child of"
done
ok "each of them is filtered" not grep -q "NO SECCOMP\|IS MISSING\|MAY GAIN" \
    "$T/shown"
has "and where it may write" "$T/shown" "files  *rw $T/vault/spool"
site_stop emc
ok "when nothing runs it says so" not "$FACTEUR" -C "$T/emc" sandbox
done_testing
