#!/bin/sh
# 62-reports - what a sender is told: delivered, relayed, expanded, failed,
# delayed; and what nobody is told (way 7; RFC 3461, RFC 3464).
. "$(dirname "$0")/lib.sh"

jb=jean-bob@emc.fr marie=marie@emc.fr billy=billy@yahoo.co.uk
other=other.example
if ! command -v python3 >/dev/null 2>&1; then
	skip "reports on delivery" "python3 is not installed (make deps)"
	done_testing
	exit 0
fi

# ---- other people's programs ----

# A report as Python's own mail parser reads it: one line for each recipient.
cat >"$T/parse.py" <<'END'
import email, email.policy, sys
m = email.message_from_binary_file(open(sys.argv[1], 'rb'),
    policy=email.policy.default)
parts = list(m.iter_parts())
defects = [d for p in [m] + parts for d in p.defects]
assert not defects, defects
assert m.get_content_type() == 'multipart/report', m.get_content_type()
kinds = [p.get_content_type() for p in parts]
assert len(kinds) == 3 and kinds[0] == 'text/plain', kinds
assert kinds[1] == 'message/' + m.get_param('report-type'), kinds
assert m['Auto-Submitted'] == 'auto-replied'
status = parts[1].get_payload()
if kinds[1] != 'message/delivery-status':
    text = parts[1].get_payload(decode=True)
    if text is None:        # taken for a message: its first block is the header
        text = parts[1].as_bytes().split(b'\n\n', 1)[1]
    status = [email.message_from_string(b) for b in
        text.decode().strip().split('\n\n')]
assert 'Reporting-MTA' in status[0]
for r in status[1:]:
    print(r['Action'], r['Final-Recipient'].split(';')[1].strip(),
        r['Status'], 'orcpt=' + str(r['Original-Recipient']),
        'envid=' + str(status[0]['Original-Envelope-Id']), kinds[2])
END

# The same as a list manager's bounce parser reads it: "ADDRESS STATUS REASON".
cat >"$T/bounces.pl" <<'END'
use Mail::DeliveryStatus::BounceParser;
local $/;
my $b = Mail::DeliveryStatus::BounceParser->new(scalar <STDIN>);
print join(" ", $_->get("email"), $_->get("status"), $_->get("std_reason")),
    "\n" for $b->reports;
print "no bounce\n" unless $b->is_bounce;
END
perl -MMail::DeliveryStatus::BounceParser -e 1 2>/dev/null && parser=yes ||
    parser=
bounces() {		# NAME WANTED: what it makes of $dsn
	if [ -z "$parser" ]; then
		skip "$1" "no Mail::DeliveryStatus::BounceParser (make deps)"
		return
	fi
	is "$1" "$(perl "$T/bounces.pl" <"$dsn" 2>&1 | sort)" "$2"
}

# A client that says what it is told to: ADDRESS PORT USER PASSWORD FILE LINE...
cat >"$T/smtp.py" <<'END'
import smtplib, ssl, sys
source, port, user, password, message = sys.argv[1:6]
s = smtplib.SMTP('127.0.0.2', int(port), 'mua.emc.fr', timeout=30,
    source_address=(source, 0))
s.command_encoding = 'utf-8'
s.ehlo()
if user:
    s.starttls(context=ssl._create_unverified_context())
    s.ehlo()
    s.login(user, password)
if not s.has_extn('dsn'):
    sys.exit('no DSN')
for line in sys.argv[6:]:
    code, text = s.docmd(line)
    if code != 250:
        sys.exit('%s: %d %s' % (line, code, text))
code, text = s.data(open(message, 'rb').read().replace(b'\n', b'\r\n'))
s.quit()
if code != 250:
    sys.exit('%d %s' % (code, text))
END

# A host that has never heard of DSN, and of few recipients: ADDRESS PORT.
cat >"$T/other.py" <<'END'
import socketserver, sys
class Session(socketserver.StreamRequestHandler):
    def say(self, line):
        self.wfile.write(line.encode() + b'\r\n')
    def handle(self):
        self.say('220 other')
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b'EHLO':
                self.say('250-other\r\n250-8BITMIME\r\n250 SMTPUTF8')
            elif b'RCPT TO:<full' in line:
                self.say('552 5.2.2 %s mailbox full' %
                    line.split()[1][3:].decode('utf-8', 'replace'))
            elif b'RCPT TO:<later' in line:
                self.say('451 4.2.0 not now')
            elif verb == b'DATA':
                self.say('354 go')
                while self.rfile.readline() not in (b'.\r\n', b''):
                    pass
                self.say('250 2.0.0 got it')
            elif verb == b'QUIT':
                return self.say('221 bye')
            else:
                sys.stderr.write(line.decode('utf-8', 'replace'))
                self.say('250 ok')
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
server = Server((sys.argv[1], int(sys.argv[2])), Session)
print('ready', flush=True)
server.serve_forever()
END

# ---- the sites ----

OTHER=127.0.0.4
ports_choose
{
	zones
	echo "$other MX 10 mx.$other"
	echo "mx.$other A $OTHER"
} >"$T/zone"
dns_start
mkfifo "$T/other.ready"
python3 "$T/other.py" $OTHER "$SMTP" >"$T/other.ready" 2>"$T/other.log" &
PIDS="$PIDS $!"
read -r word <"$T/other.ready" && [ "$word" = ready ] ||
    bail "the other host did not start: $(cat "$T/other.log")"
site_new emc emc.fr "$EMC" "trusted = 127.0.0.8" "delay_notice = 1s" \
    "queue_lifetime = 3s" "bounce_lifetime = 3s"
site_new yahoo yahoo.co.uk "$YAHOO"
user_new emc $jb "$PASS"
user_new emc $marie "$PASS"
user_new yahoo $billy "$PASS"
cat >"$T/emc/aliases" <<END
one: $billy
both: $marie, ok@$other
boss: full-secret@$other, later-secret@$other
team: full-one@$other, full-two@$other, $marie
list: $billy, full@$other
owner-list: $marie
postmaster: $marie
END
site_start emc
site_start yahoo

printf 'na\xc3\xafve\n' | message "$T/m" "the report's subject"
smtp() {		# LINE...: as Jean-Bob
	python3 "$T/smtp.py" 127.0.0.1 "$SUB" $jb "$PASS" "$T/m" "$@"
}
trusted() {		# LINE...: without a name, from a network of ours
	python3 "$T/smtp.py" 127.0.0.8 "$SMTP" "" "" "$T/m" "$@"
}
stranger() {
	python3 "$T/smtp.py" 127.0.0.1 "$SMTP" "" "" "$T/m" "$@"
}

n_jb=0 n_marie=0
# told NAME WANTED: Jean-Bob has one report more, and that is in it.
told() {
	n_jb=$((n_jb + 1))
	ok "$1: a report comes" wait_for 20 arrived emc $jb $n_jb
	dsn=$(newest emc $jb)
	is "$1" "$(python3 "$T/parse.py" "$dsn" 2>&1 | sort)" "$2"
}
idle() {
	queue_empty emc && queue_empty yahoo
}
# untold NAME: all is done, and nothing came.
untold() {
	ok "$1: all is done" wait_for 20 idle
	is "$1: and no report" "$(messages emc $jb)" $n_jb
}
H=text/rfc822-headers

# ---- success ----

ok "to Marie, here" smtp "MAIL FROM:<$jb> ENVID=QQ+2B314 RET=FULL BODY=8BITMIME" \
    "RCPT TO:<$marie> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;marie+2Bx@emc.fr"
told delivered \
    "delivered $marie 2.0.0 orcpt=rfc822;marie+x@emc.fr envid=QQ+314 $H"
bounces "a report of success is no bounce" "no bounce"
has "delivered: from the null sender" "$dsn" '^Return-Path: <>'
has "delivered: in plain words" "$dsn" '^    was delivered'
has "delivered: the subject is there" "$dsn" "^Subject: the report's subj"
is "delivered: not the body" "$(grep -ac '^na.*ve' "$dsn")" 0
has "delivered: beside its message" "$dsn" '^In-Reply-To: <m\..*@emc.fr>'

ok "to a host without DSN" smtp "MAIL FROM:<$jb>" \
    "RCPT TO:<ok@$other> NOTIFY=SUCCESS"
told relayed "relayed ok@$other 2.0.0 orcpt=None envid=None $H"
has "relayed: to whom" "$dsn" "^Remote-MTA: dns; mx.$other"

ok "to a host with DSN" smtp "MAIL FROM:<$jb> ENVID=over" \
    "RCPT TO:<$billy> NOTIFY=SUCCESS ORCPT=rfc822;b@y.example"
untold "Yahoo does not know Jean-Bob's network"

ok "to an alias of two" smtp "MAIL FROM:<$jb>" \
    "RCPT TO:<both@emc.fr> NOTIFY=SUCCESS"
told expanded "expanded both@emc.fr 2.0.0 orcpt=None envid=None $H"
is "expanded: nobody behind it is named" \
    "$(sed '/^Return-Path/d' "$dsn" | grep -aEc "marie@|$other")" 0

ok "to an alias of one" smtp "MAIL FROM:<$jb>" \
    "RCPT TO:<one@emc.fr> NOTIFY=SUCCESS"
untold "the only target answers for an alias"

ok "to a list" smtp "MAIL FROM:<$jb> ENVID=mine" \
    "RCPT TO:<list@emc.fr> NOTIFY=SUCCESS,FAILURE"
told list "delivered list@emc.fr 2.0.0 orcpt=None envid=mine $H"
n_marie=$(messages emc $marie)
has_owner() {
	grep -aqs "Final-Recipient: rfc822; full@$other" \
	    "$(maildir emc $marie)"/new/*
}
ok "list: its owner hears of a failure" wait_for 20 has_owner
is "list: without what the sender said" "$(grep -alr \
    "Final-Recipient: rfc822; full@" "$(maildir emc $marie)/new" |
    xargs grep -ac 'Original-Envelope-Id')" 0

ok "from a trusted network" trusted "MAIL FROM:<$jb>" \
    "RCPT TO:<$marie> NOTIFY=SUCCESS"
told trusted "delivered $marie 2.0.0 orcpt=None envid=None $H"
ok "from a stranger" stranger "MAIL FROM:<$jb>" \
    "RCPT TO:<$marie> NOTIFY=SUCCESS"
ok "from a stranger, to an alias" stranger "MAIL FROM:<$jb>" \
    "RCPT TO:<one@emc.fr> NOTIFY=SUCCESS"
untold "strangers do not hear of success"

# ---- failure ----

ok "two fail, one does not care, one arrives" \
    smtp "MAIL FROM:<$jb> ENVID=x" "RCPT TO:<full@$other> ORCPT=rfc822;f@f" \
    "RCPT TO:<full2@$other> NOTIFY=FAILURE" \
    "RCPT TO:<full3@$other> NOTIFY=NEVER" \
    "RCPT TO:<full4@$other> NOTIFY=SUCCESS,DELAY" "RCPT TO:<$marie>"
told "failed together" \
"failed full2@$other 5.2.2 orcpt=None envid=x message/rfc822
failed full@$other 5.2.2 orcpt=rfc822;f@f envid=x message/rfc822"
bounces "a bounce parser finds both, and why" \
"f@f 5.2.2 over_quota
full2@$other 5.2.2 over_quota"
untold "one report for both"
is "failed: nothing of the others" "$(grep -aEc 'full[34]@|marie@' "$dsn")" 0
has "failed: what was said" "$dsn" 'said: 552 5.2.2 <full@'
has "failed: what to do" "$dsn" 'The mailbox is full'
has "failed: all of the message" "$dsn" '^na.*ve'
{
	sed '/^$/q' "$T/m"
	head -c 60000 /dev/zero | tr '\0' x | fold -w 72
	echo
} >"$T/big"
cp "$T/m" "$T/small" && cp "$T/big" "$T/m"
ok "a large one fails" smtp "MAIL FROM:<$jb> RET=FULL" "RCPT TO:<full@$other>"
told "a large one" "failed full@$other 5.2.2 orcpt=None envid=None $H"
cp "$T/small" "$T/m"
ok "headers are enough" smtp "MAIL FROM:<$jb> RET=HDRS" "RCPT TO:<full@$other>"
told "RET=HDRS" "failed full@$other 5.2.2 orcpt=None envid=None $H"

# Aliases: who writes to one does not learn where it leads; who runs it does.
nowhere() {		# NAME WORD: not in the report
	is "$1" "$(sed '/^Return-Path/d' "$dsn" | grep -aic "$2")" 0
}
ok "to an alias that fails" smtp "MAIL FROM:<$jb>" \
    "RCPT TO:<boss@emc.fr> ORCPT=rfc822;b@emc.fr NOTIFY=FAILURE"
told alias "failed boss@emc.fr 5.2.2 orcpt=rfc822;b@emc.fr envid=None message/rfc822"
nowhere "alias: not whom it is for" secret
nowhere "alias: nor where" "$other"
has "alias: what was said" "$dsn" 'another mail server said: 552 5.2.2 <boss@emc'
has "alias: that not all is lost" "$dsn" '(some of the addresses behind it)'
bounces "a bounce parser finds the alias" "b@emc.fr 5.2.2 over_quota"
"$FACTEUR" -C "$T/emc" why boss@emc.fr >"$T/why"
has "the administrator sees it all" "$T/why" \
    "To <full-secret@$other>, which <boss@emc.fr> leads to: failed"
has "and what was said" "$T/why" "<full-secret@$other> mailbox full"
ok "the other one is not needed any more" \
    "$FACTEUR" -C "$T/emc" rm --recipient later-secret@$other
ok "to an alias of which two fail" smtp "MAIL FROM:<$jb>" \
    "RCPT TO:<team@emc.fr>"
told "an alias of three" \
    "failed team@emc.fr 5.2.2 orcpt=None envid=None message/rfc822"
ok "to an alias that takes longer" smtp "MAIL FROM:<$jb>" \
    "RCPT TO:<boss@emc.fr> NOTIFY=DELAY"
told "an alias, delayed" \
    "delayed boss@emc.fr 4.2.0 orcpt=None envid=None $H"
nowhere "delay: not whom it is for" secret
ok "nor is that one" \
    "$FACTEUR" -C "$T/emc" rm --recipient later-secret@$other

# A name that is not ASCII: RFC 6533.
ok "to a name in UTF-8" smtp "MAIL FROM:<$jb> SMTPUTF8" \
    "RCPT TO:<fullé@$other> ORCPT=utf-8;\\x{E9}@f"
told "UTF-8" \
    "failed fullé@$other 5.2.2 orcpt=utf-8;é@f envid=None message/global"

# ---- what happens to reports ----

reports_here() {	# PATTERN: Marie, who is the postmaster, has it
	grep -aqs -e "$1" "$(maildir emc $marie)"/new/*
}
ok "from nobody to nobody" trusted "MAIL FROM:<full-sender@$other>" \
    "RCPT TO:<full@$other>"
ok "a report that fails is for postmaster" wait_for 20 reports_here \
    "^Final-Recipient: rfc822; full-sender@$other"
has "it says so" "$(grep -al "Final-Recipient: rfc822; full-sender" \
    "$(maildir emc $marie)"/new/*)" '^To: <postmaster@mx.emc.fr>'
sed -i "s/^postmaster:.*/postmaster: full@$other/" "$T/emc/aliases"
ok "and if postmaster cannot have it" trusted "MAIL FROM:<full-x@$other>" \
    "RCPT TO:<full@$other>"
given_up() {
	grep -aq ' not-bounced .*sender=""' "$T/emc.log"
}
ok "that is only logged" wait_for 20 given_up
untold "nothing goes round"

# ---- delay and expiry ----

ok "one waits, one waits and does not care" smtp "MAIL FROM:<$jb> RET=FULL" \
    "RCPT TO:<later@$other>" "RCPT TO:<later2@$other> NOTIFY=FAILURE"
told delay "delayed later@$other 4.2.0 orcpt=None envid=None $H"
has "delay: until when" "$dsn" '^Will-Retry-Until: '
has "delay: nothing to do" "$dsn" 'You need not do anything'
ok "delay: it is in the file" grep -aq '^delayed ' "$T"/emc/spool/queue/*
"$FACTEUR" -C "$T/emc" why $jb >"$T/why"
is "why says so of the one that was reported, not of the other" \
    "$(grep -a 'To <later\|takes longer' "$T/why" | sed 's/.*Z  //; s/:.*//')" \
    "To <later@$other>
the sender was told that it takes longer
To <later2@$other>"
late() {
	"$FACTEUR" -C "$T/emc" retry --all >/dev/null
	arrived emc $jb $((n_jb + 1))
}
ok "expiry: it fails in the end" wait_for 20 late
told expiry \
"failed later2@$other 5.4.7 orcpt=None envid=None message/rfc822
failed later@$other 5.4.7 orcpt=None envid=None message/rfc822"
has "expiry: the last words" "$dsn" '^Diagnostic-Code: smtp; 451 4.2.0 not now'
untold "no second delay notice"

# ---- and through another's client ----

if have msmtp; then
	ok "msmtp --dsn-notify" sh -c "msmtp --host=$EMC --port=$SUB --tls=on \
	    --tls-certcheck=off --auth=plain --user=$jb \
	    --passwordeval='echo $PASS' --from=$jb --dsn-notify=success \
	    --dsn-return=headers $marie <'$T/m'"
	told msmtp "delivered $marie 2.0.0 orcpt=None envid=None $H"
fi

site_stop emc
is "SIGTERM ends a site with 0" $? 0
done_testing
