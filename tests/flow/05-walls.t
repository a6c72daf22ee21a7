#!/bin/sh
# 05-walls - a host as root runs it: each program under its own uid, and what
# a taken-over front or a user of the host can do then (way 0 to 8).
#
# In a mount namespace of its own: /etc is a copy, /mnt is ours, and both are
# gone with the last process.
if [ -z "${WALLS_NAMESPACE:-}" ]; then
	if [ "$(id -u)" -ne 0 ]; then
		why="only root can give programs uids of their own"
	elif ! unshare -m true 2>/dev/null; then
		why="no right to a mount namespace here"
	else
		WALLS_NAMESPACE=1 exec unshare -m sh "$0"
	fi
	printf '1..1\nok 1 - the walls # SKIP %s\n' "$why"
	exit 0
fi
. "$(dirname "$0")/lib.sh"
unset FACTEUR_SINGLE_UID

W=/mnt/w
mount -t tmpfs -o mode=755 walls /mnt && mkdir -p $W/tree $W/conf $W/home &&
    cp -a /etc $W/etc && mount --bind "$B" $W/tree &&
    mount --bind $W/etc /etc || bail "cannot make a root of our own"
chmod 755 $W $W/conf $W/home
for u in net queue lookup remote auth keys mail; do
	userdel "facteur-$u" 2>/dev/null
done
FACTEUR=$W/tree/bin/facteur
INTRUDER=$W/tree/tests/intruder
export FACTEUR_CONF=$W/conf
# What a process that nobody may look into leaks cannot be asked of it.
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0"

# fails STATUS WORDS COMMAND...: with that exit status, saying that.
fails() {
	want=$1 words=$2
	shift 2
	"$@" >"$T/said" 2>&1
	got=$?
	cat "$T/said"
	[ $got -eq "$want" ] && grep -qF -e "$words" "$T/said"
}

uid() {
	getent passwd "$1" | cut -d: -f3
}

# ---- the users ----

mkdir -p /etc/facteur
ok "without users the host does not start, and says how to make them" \
    fails 78 "facteur setup --users" "$FACTEUR" -C /etc/facteur run
rmdir /etc/facteur 2>/dev/null
ok "setup makes them" "$FACTEUR" setup --users
ok "setup again changes nothing" fails 0 "facteur-mail is there" \
    "$FACTEUR" setup --users
is "each has a uid of its own" "$(for u in net queue lookup remote auth keys \
    mail; do uid facteur-$u; done | sort -u | wc -l)" 7
mkdir -p $W/scratch/etc
ok "setup in a scratch root" "$FACTEUR" setup --users --root $W/scratch
is "has them there" "$(grep -c '^facteur-' $W/scratch/etc/passwd)" 7

useradd -m -d $W/home/jean -s /usr/sbin/nologin jean
echo "jean:$PASS" | chpasswd
useradd -m -d $W/home/eve eve
echo "eve:$PASS" | chpasswd
useradd -m -d $W/home/paul paul
[ ! -e /etc/pam.d/common-auth ] || cp "$TOP/auth/pam.d/facteur" /etc/pam.d/

# ---- owners and modes ----

set -- $("$B/tests/ports" 3 "$EMC") && [ $# -eq 3 ] || bail "no free ports"
SMTP=$1 SUB=$2 POP=$3
cat >$W/conf/facteur.conf <<END
hostname = mx.emc.fr
domains = emc.fr
spool = $W/spool
run = $W/run
mail = $W/mail
listen_smtp = $EMC:$SMTP
listen_submission = $EMC:$SUB
listen_submissions = none
listen_pop3 = $EMC:$POP
listen_pop3s = none
remote_port = $SMTP
resolver = 127.0.0.1:$SMTP
system_users = yes
END
echo "$PASS" | "$FACTEUR" passwd marie@emc.fr >/dev/null 2>&1
hash=$(sed -n 's/^marie@emc.fr:\([^:]*\).*/\1/p' $W/conf/users)
echo "paul@emc.fr:$hash:$(uid paul):$(id -g paul)::$W/home/paul" \
    >>$W/conf/users
echo "trap@emc.fr:$hash:$(uid facteur-queue):$(uid facteur-queue)::$W/spool" \
    >>$W/conf/users

host_start() {
	rm -f "$T/ready"
	mkfifo "$T/ready"
	"$FACTEUR" run >"$T/ready" 2>>"$T/host.log" &
	RUN=$!
	PIDS="$PIDS $RUN"
	line=$(timeout 20 head -n 1 "$T/ready")
	[ "$line" = ready ] || bail "the host did not start: $line"
}

ok "check-install knows of the mailbox of a program" \
    fails 78 "trap@emc.fr has the uid" "$FACTEUR" check-install
host_start
ok "it starts and stops" sh -c "kill -TERM $RUN"
wait "$RUN"
is "with exit status 0" $? 0

# mended WHAT COMMAND: after COMMAND nothing starts, and what is told mends it.
mended() {
	eval "$2"
	ok "$1: refused" fails 77 "mend it with" "$FACTEUR" run
	fix=$(sed -n 's/.*mend it with: //p' "$T/said" | sort -u)
	ok "$1: check-install says the same" fails 78 "$fix" \
	    "$FACTEUR" check-install
	ok "$1: mended by: $fix" sh -c "$fix"
	ok "$1: and nothing is left" not fails 78 "$fix" \
	    "$FACTEUR" check-install
}
mended "others may write users" "chmod 666 $W/conf/users"
mended "users of somebody else" "chown jean $W/conf/users"
mended "users that authd cannot read" \
    "chown root $W/conf/users; chmod 600 $W/conf/users"
mended "others may look into the spool" "chmod 755 $W/spool/queue"
mended "the spool is root's" "chown root $W/spool"
mended "others may write mail" "chmod 777 $W/mail"
mended "mail is a user's" "chown jean $W/mail"
mended "the jail is a program's" "chown facteur-net $W/run/net"
mended "others may write run" "chmod 1777 $W/run"
mended "nobody can read facteur.conf" "chmod 600 $W/conf/facteur.conf"
mended "the way to it is closed" "chmod 700 $W/conf"

# Figures that cannot be written stop nobody, but check-install tells.
mkdir -m 755 $W/figures
echo "stats_file = $W/figures/facteur.prom" >>$W/conf/facteur.conf
fix="chgrp facteur-queue $W/figures && chmod g+wx $W/figures"
ok "figures need a directory of the queue's" fails 78 "$fix" \
    "$FACTEUR" check-install
ok "which is mended" sh -c "$fix"
ok "and then nothing is left" not fails 78 stats_file "$FACTEUR" check-install

# ---- the uids ----

host_start
ok "the figures are there" wait_for 10 test -s $W/figures/facteur.prom
is "for everybody to read" \
    "$(stat -c '%a %U' $W/figures/facteur.prom)" "644 facteur-queue"
ok "root may ask for them" "$FACTEUR" stats
ok "and look on" "$FACTEUR" top --once
ok "check-install finds nothing about ports while it runs" \
    not fails 78 "in use" "$FACTEUR" check-install

# pids NAME [UID]: our processes of that name (all are the supervisor's).
pids() {
	for p in /proc/[0-9]*; do
		# A launch that is a session calls itself something else.
		[ "$(readlink "$p/exe")" = "$W/tree/libexec/facteur/$1" ] ||
		    continue
		[ $# -lt 2 ] || grep -q "^Uid:	$2	$2	$2	$2\$" \
		    "$p/status" 2>/dev/null || continue
		echo "${p#/proc/}"
	done
}
# shut PID: no group, no capability, no new privileges, not dumpable.
shut() {
	sed -n -e 's/^Groups:[	 ]*/Groups:/p' -e '/^Cap/p' \
	    -e '/^NoNewPrivs/p' "/proc/$1/status" | tr '\t' ' ' >"$T/status"
	cat "$T/status"
	[ "$(grep -c '^Cap[A-Z][a-z]*: 0000000000000000$' "$T/status")" -eq 5 ] &&
	    grep -qx 'Groups:' "$T/status" &&
	    grep -qx 'NoNewPrivs: 1' "$T/status" &&
	    grep -q '^Max core file size *0 *0 ' "/proc/$1/limits" &&
	    [ "$(stat -c %u "/proc/$1/environ")" = 0 ]
}
all_shut() {		# NAME UID
	list=$(pids "$1" "$2")
	[ -n "$list" ] && [ "$list" = "$(pids "$1")" ] || {
		echo "$1: not all under uid $2: $(pids "$1")"
		return 1
	}
	for pid in $list; do
		shut "$pid" || return 1
	done
}
for pair in smtpd:net tlsd:net pop3d:net inject:queue queue:queue \
    remote:remote resolve:lookup keyd:keys; do
	ok "${pair%:*} runs as facteur-${pair#*:}, and that is all" \
	    all_shut "${pair%:*}" "$(uid "facteur-${pair#*:}")"
done
child=$(pids authd 0)
is "authd has one child that is root" "$(echo $child | wc -w)" 1
for pid in $(pids authd); do
	[ "$pid" = "$child" ] || ok "authd is shut" shut "$pid"
done
is "that child holds a socket and the log" \
    "$(ls "/proc/${child:-none}/fd" | tr '\n' ' ')" "0 1 2 3 "
for p in smtpd tlsd pop3d; do
	for pid in $(pids $p); do
		readlink "/proc/$pid/root"
	done | sort -u >$T/roots
	is "$p is in its jail, and so are those that wait for a client" \
	    "$(cat $T/roots)" $W/run/net
done
# The table of known mailboxes: whose mapping is it, what may it do, may it
# ever be more; and who holds a descriptor of it?
table() {
	for program in smtpd tlsd pop3d inject queue remote resolve keyd authd \
	    launch; do
		for pid in $(pids $program); do
			sed -n "s/^[^ ]* \([^ ]*\) .*memfd:known.*/$program \1/p" \
			    "/proc/$pid/maps"
			ls -l "/proc/$pid/fd" | sed -n \
			    "s/.*memfd:known.*/$program has a descriptor/p"
		done
	done | sort -u
}
is "smtpd and tlsd read the table of known mailboxes, resolve alone writes it" \
    "$(table)" "resolve rw-s
smtpd r--s
tlsd r--s"
for p in smtpd tlsd; do
	for pid in $(pids $p); do
		sed -n '/memfd:known/,/VmFlags/s/^VmFlags://p' \
		    "/proc/$pid/smaps"
	done | tr ' ' '\n' | grep -x -e rd -e mw | sort -u >$T/flags
	is "and $p's mapping can never be made writable" "$(cat $T/flags)" rd
done
modes() {
	stat -c '%a %U:%G %n' $W/run $W/run/net $W/run/net/* $W/run/inject \
	    $W/run/launch $W/run/remote $W/run/control $W/run/notice \
	    $W/run/direct \
	    $W/spool $W/spool/queue $W/mail | sed "s,$W/,,"
}
is "owners and modes" "$(modes)" "\
755 root:root run
711 root:root run/net
660 facteur-lookup:facteur-net run/net/authd
600 facteur-net:facteur-net run/net/inject
660 facteur-remote:facteur-net run/net/keyd
660 facteur-queue:facteur-net run/net/resolve
600 facteur-net:facteur-net run/net/tlsd
666 root:root run/inject
660 facteur-queue:facteur-auth run/launch
600 facteur-queue:facteur-queue run/remote
600 facteur-queue:facteur-queue run/control
600 facteur-queue:facteur-queue run/notice
600 facteur-queue:facteur-queue run/direct
700 facteur-queue:facteur-queue spool
700 facteur-queue:facteur-queue spool/queue
711 facteur-mail:facteur-mail mail"

# ---- mail ----

send() {		# TO: as marie, by submission
	printf 'Subject: to %s\n\nhello\n' "$1" | sed 's/$/\r/' |
	    curl -sS --max-time 30 --url "smtp://$EMC:$SUB/mua" \
	    --user "marie@emc.fr:$PASS" --login-options AUTH=PLAIN \
	    --mail-from marie@emc.fr --mail-rcpt "$1" -T -
}
came() {		# DIRECTORY OWNER: one message, and it is his
	[ "$(stat -c '%U %a' "$1"/Maildir/new/* 2>&1)" = "$2 600" ]
}
fetch() {		# LOGIN
	curl -sS --max-time 30 --user "$1:$PASS" "pop3://$EMC:$POP/1" |
	    grep -q '^hello'
}
while read -r who kind home owner; do
	ok "mail for $who ($kind) is taken" send "$who"
	ok "and is $owner's" wait_for 10 came "$home" "$owner"
	ok "who fetches it by POP3" fetch "$who"
done <<END
marie@emc.fr virtual $W/mail/emc.fr/marie facteur-mail
paul@emc.fr own-uid $W/home/paul paul
jean@emc.fr system $W/home/jean jean
END
ok "a system user may log in by his name alone" fetch jean
for who in root daemon facteur-mail; do
	ok "mail for $who is refused" not send "$who@emc.fr"
done
ok "anybody may call sendmail" setpriv --reuid="$(uid eve)" \
    --regid="$(id -g eve)" --clear-groups sh -c \
    "echo hi | $W/tree/bin/sendmail paul@emc.fr"
ok "who sent it is written down" wait_for 10 \
    grep -rqF "(local uid $(uid eve))" $W/home/paul/Maildir/new

# ---- POP3: who holds what ----

"$INTRUDER" "$(uid eve)" "$(id -g eve)" - hold "$EMC" "$POP" \
    "USER jean@emc.fr" "PASS $PASS" >"$T/pop.out" 2>&1 &
client=$!
PIDS="$PIDS $client"
wait_for 20 grep -q '+OK [0-9]* messages' "$T/pop.out"
has "a session is open" "$T/pop.out" '+OK [0-9]* messages'
holds() {		# PID: what of the mailboxes
	ls -l "/proc/$1/fd" | grep -F -e $W/home -e $W/mail
}
# A worker that has delivered to him is a launch of his uid, too.
find_session() {
	for pid in $(pids launch "$(uid jean)"); do
		session=$pid
		! holds "$pid" || return 0
	done
	return 1
}
session=none
ok "it holds the mailbox" wait_for 10 find_session
for pid in $(pids launch "$(uid jean)"); do
	ok "what runs as the owner is shut" shut "$pid"
done
for pid in $(pids pop3d); do
	ok "a front holds nothing of it" not holds "$pid"
done
ok "its owner cannot look into it" not setpriv --reuid="$(uid jean)" \
    --regid="$(id -g jean)" --clear-groups ls "/proc/${session:-none}/fd"
kill "$client"

# ---- a front that was taken over ----

net() {			# as facteur-net, in the jail
	"$INTRUDER" "$(uid facteur-net)" "$(id -g facteur-net)" $W/run/net "$@"
}
for path in /etc/passwd /proc/self/status "../../conf/users" / \
    ../../spool; do
	ok "the jail: no $path" not [ "$(net open "$path")" = opened ]
done
for s in launch control remote notice direct ../launch ../control lock; do
	ok "the jail: no socket $s" fails 0 "connect: No such file" net ask "$s"
done
said() {		# WANTED SOCKET FRAME...
	want=$1
	shift
	got=$(net ask "$@")
	echo "$got"
	[ "$got" = "$want" ]
}
ok "authd: no who" said closed authd "who address=marie@emc.fr"
for f in "pop3 address=marie@emc.fr" "local address=marie@emc.fr" \
    "retry all=yes" "resolve address=marie@emc.fr" \
    "message sender=a@b" "job id=x"; do
	ok "authd: no ${f%% *}" said closed authd "$f"
done
for f in "who address=marie@emc.fr" "auth user=marie@emc.fr pass=$PASS"; do
	ok "resolve: no ${f%% *}" said closed resolve "$f"
	ok "inject: no ${f%% *}" said closed inject "$f"
	ok "tlsd: no ${f%% *}" said closed tlsd "$f"
done
ok "authd: no name without its password" said \
    "fail text=wrong%20user%20or%20password" authd \
    "auth user=marie@emc.fr pass=guess ip=192.0.2.1 service=smtp"
ok "with it, yes: that is what a front is for" said \
    "ok user=marie@emc.fr" authd \
    "auth user=marie@emc.fr pass=$PASS ip=192.0.2.1 service=smtp"
ok "tlsd: it may ask what smtpd asks" said "no
closed" tlsd able
ok "tlsd: no TLS without a client" said closed tlsd "tls role=smtp"
outside() {		# the same uid outside the jail, and a user of the host
	"$INTRUDER" "$(uid "$1")" "$(id -g "$1")" - ask "$W/run/$2" x
}
for s in launch control remote direct; do
	ok "facteur-net may not connect to $s" fails 0 \
	    "connect: Permission denied" outside facteur-net $s
done
for s in launch control remote direct net/authd net/resolve net/inject net/tlsd; do
	ok "a user may not connect to $s" fails 0 \
	    "connect: Permission denied" outside eve $s
done
ok "authd may not ask launch to deliver" [ "$("$INTRUDER" \
    "$(uid facteur-auth)" "$(id -g facteur-auth)" - ask $W/run/launch \
    "local address=marie@emc.fr")" = closed ]
ok "the queue may not open a POP3 session" [ "$("$INTRUDER" \
    "$(uid facteur-queue)" "$(id -g facteur-queue)" - ask $W/run/launch \
    "pop3 address=marie@emc.fr")" = closed ]

# ---- Maildirs full of traps (attack list F 103 to 106) ----

eve=$W/home/eve
deferred() {		# WORDS
	grep -F 'rcpt="eve@emc.fr"' "$T/host.log" | grep -qF "$1"
}
trap_for_eve() {	# NAME WORDS: deferred, and delivered once it is gone
	ok "$1: taken" send eve@emc.fr
	ok "$1: waits" wait_for 10 deferred "$2"
}
mkdir -m 700 "$eve/elsewhere"
chown eve: "$eve/elsewhere"
ln -s $W/home/jean/Maildir "$eve/Maildir"
trap_for_eve "Maildir is a link to another's" "Maildir: Too many levels"
rm "$eve/Maildir"
for sub in new tmp cur; do
	mkdir -m 700 "$eve/Maildir"
	ln -s "$eve/elsewhere" "$eve/Maildir/$sub"
	chown -h eve: "$eve/Maildir" "$eve/Maildir/$sub"
	trap_for_eve "$sub is a link" "Maildir/$sub: Too many levels"
	rm -r "$eve/Maildir"
done
install -d -m 700 -o jean "$eve/Maildir"
trap_for_eve "Maildir is another's" "Maildir: "
rm -r "$eve/Maildir"
chmod 777 "$eve"
trap_for_eve "everybody may write at home" "everyone may write there"
chmod 1755 "$eve"
trap_for_eve "the home is sticky" "sticky"
chmod 755 "$eve"
is "nothing of eve's came to jean" "$(ls $W/home/jean/Maildir/new | wc -l)" 1
is "nothing went elsewhere" "$(ls "$eve/elsewhere")" ""
# Hard links, and names that will be: never opened, never written.
mkdir -p "$eve/Maildir/new" "$eve/Maildir/tmp" "$eve/Maildir/cur"
echo mine >"$eve/precious"
ln "$eve/precious" "$eve/Maildir/new/1.Q0R1.mx.emc.fr"
ln "$eve/precious" "$eve/Maildir/tmp/1.Q0R1.mx.emc.fr"
mkfifo "$eve/Maildir/new/2.fifo"
ln -s /etc/shadow "$eve/Maildir/new/3.link"
chown -R -h eve: "$eve/Maildir"
ok "retry" "$FACTEUR" retry --all
all_there() {
	[ "$(find "$eve/Maildir/new" -name '*,S=*' | wc -l)" -eq 7 ]
}
ok "all seven arrive when the traps are gone" wait_for 20 all_there
is "what had another link is as it was" "$(cat "$eve/precious")" mine
curl -sS --max-time 30 --user "eve@emc.fr:$PASS" "pop3://$EMC:$POP/" \
    >"$T/list" 2>&1
is "POP3 shows no link and no pipe" "$(wc -l <"$T/list")" 8
ok "the mailbox of a program is nobody's" send trap@emc.fr
ok "and waits" wait_for 10 grep -qF "a program of ours" "$T/host.log"

# ---- the end ----

kill -TERM "$RUN"
wait "$RUN"
is "it ends with 0" $? 0
is "and nothing of it is left" "$(for p in smtpd tlsd pop3d inject queue \
    remote resolve authd keyd launch; do pids $p; done)" ""
grep -aqF "$PASS" "$T/host.log"
is "no password is in the log" $? 1
done_testing
