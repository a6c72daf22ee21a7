#!/bin/sh
# demo.sh - the whole way of one message, shown as it happens.
#
# usage: make demo [KEEP=1]     (sh tests/demo.sh [--keep])
# Two complete sites on loopback, emc.fr and yahoo.co.uk, and a DNS server for
# their zones, in a directory of their own below $TMPDIR or /tmp.  Needs no
# root, no network, and touches nothing else.
set -u
unset MAKEFLAGS MFLAGS MAKELEVEL 2>/dev/null

keep=
[ "${1:-}" = --keep ] && keep=1
top=$(cd "$(dirname "$0")/.." && pwd) || exit 1
cd "$top" || exit 1
B=${B:-build}
D=$(mktemp -d "${TMPDIR:-/tmp}/facteur-demo.XXXXXX") || exit 1
JEAN=jean-bob@emc.fr JEAN_PW=ecureuil
BILLY=billy@yahoo.co.uk BILLY_PW=noisette
EMC=127.0.0.2 YAHOO=127.0.0.3
export FACTEUR_SINGLE_UID=1
unset FACTEUR_CONF 2>/dev/null
pids=

if [ -t 1 ]; then
	bold=$(printf '\033[1m') dim=$(printf '\033[2m') plain=$(printf '\033[m')
else
	bold= dim= plain=
fi

# ---- telling ----

step() {
	printf '\n%s%s%s\n' "$bold" "$*" "$plain"
}
say() {
	echo "  $*"
}
quote() {		# lines that somebody else wrote
	sed -e "s|$D|\$D|g" -e "s/^/    $dim/" -e "s/\$/$plain/"
}
die() {
	echo "demo: $*" >&2
	for log in "$D"/*.log; do
		[ -s "$log" ] && { echo "--- $log"; tail -n 20 "$log"; } >&2
	done
	exit 1
}

# wait_for SECONDS COMMAND...
wait_for() {
	end=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt "$end" ] || return 1
		sleep 0.05
	done
}

gone() {		# PID has ended (a zombie has)
	! grep -qs '^State:[^A-Z]*[^ZX]' "/proc/$1/status"
}

clean_up() {
	status=$?
	trap '' INT TERM HUP
	[ -z "${stopped:-}" ] || kill -CONT "$stopped" 2>/dev/null
	[ -z "$pids" ] || kill -TERM $pids 2>/dev/null
	for p in $pids; do
		wait_for 12 gone "$p" || kill -KILL "$p" 2>/dev/null
	done
	for d in $(cat "$D"/*.run 2>/dev/null); do
		rm -rf "$d"
		rmdir "$(dirname "$d")" 2>/dev/null	# if it is the last
	done
	rm -rf "$D"
	exit $status
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# ---- building ----

complete() {
	for p in bin/facteur bin/sendmail tests/dnsd tests/ports; do
		[ -x "$B/$p" ] || return 1
	done
	for p in smtpd tlsd inject queue remote resolve launch pop3d authd \
	    keyd passwd qadmin; do
		[ -x "$B/libexec/facteur/$p" ] || return 1
	done
}

# In a tree that somebody else built, as it is; in one we may not write to,
# a build of our own.
build() {
	if [ -e "$B" ] && [ ! -w "$B" ] && complete; then
		return
	fi
	sh tests/deps.sh demo || exit 1
	if [ -e "$B" ] && [ ! -w "$B" ] || [ ! -e "$B" ] && [ ! -w . ]; then
		B=$D/build
	fi
	echo "Building (in $B) ..."
	make -s -j2 B="$B" all "$B/tests/dnsd" "$B/tests/ports" \
	    >"$D/make.log" 2>&1 || {
		cat "$D/make.log" >&2
		exit 1
	}
}

# ---- two sites and a DNS ----

site_new() {		# NAME DOMAIN ADDR USER PASSWORD
	mkdir "$D/$1"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
	    -nodes -days 30 -subj "/CN=mx.$2" \
	    -addext "subjectAltName=DNS:mx.$2,DNS:localhost,IP:$3" \
	    -keyout "$D/$1/key.pem" -out "$D/$1/cert.pem" \
	    2>"$D/openssl.log" || die "openssl cannot make a certificate"
	cat >"$D/$1/facteur.conf" <<-END
	hostname = mx.$2
	domains = $2
	listen_smtp = $3:$smtp
	listen_submission = $3:$sub
	listen_submissions = $3:$subs
	listen_pop3 = $3:$pop
	listen_pop3s = $3:$pops
	resolver = 127.0.0.1:$dns
	remote_port = $smtp
	tls_cert = $D/$1/cert.pem
	tls_key = $D/$1/key.pem
	END
	echo "$5" | "$FACTEUR" -C "$D/$1" passwd "$4" >"$D/passwd.log" 2>&1 ||
	    die "facteur passwd: $(cat "$D/passwd.log")"
}

site_start() {		# NAME
	mkfifo "$D/ready"
	${keep:+setsid} "$FACTEUR" run -C "$D/$1" >"$D/ready" 2>"$D/$1.log" \
	    </dev/null &
	pid=$!
	pids="$pids $pid"
	line=$(timeout 20 head -n 1 "$D/ready")
	rm -f "$D/ready"
	[ "$line" = ready ] || return 1
	"$FACTEUR" -C "$D/$1" config 2>/dev/null |
	    sed -n 's/^run[ =]*\(\/[^ ]*\).*/\1/p' >"$D/$1.run"
}

dns_start() {
	cat >"$D/zone" <<-END
	emc.fr MX 10 mx.emc.fr
	mx.emc.fr A $EMC
	yahoo.co.uk MX 10 mx.yahoo.co.uk
	mx.yahoo.co.uk A $YAHOO
	2.0.0.127.in-addr.arpa PTR mx.emc.fr
	3.0.0.127.in-addr.arpa PTR mx.yahoo.co.uk
	END
	mkfifo "$D/ready"
	${keep:+setsid} "$B/tests/dnsd" ${keep:+-k} -v "$D/zone" \
	    >"$D/ready" 2>"$D/dns.log" </dev/null &
	dns_pid=$!
	pids=" $dns_pid"
	read -r word dns <"$D/ready" && [ "$word" = ready ] ||
	    die "dnsd did not start"
	rm -f "$D/ready"
}

# A free port may be taken before we have it: then all begins again.
start_all() {
	for try in 1 2 3; do
		set -- $("$B/tests/ports" 5 $EMC $YAHOO) && [ $# -eq 5 ] ||
		    die "no free ports"
		smtp=$1 sub=$2 subs=$3 pop=$4 pops=$5
		rm -rf "$D/emc" "$D/yahoo"
		site_new emc emc.fr $EMC $JEAN $JEAN_PW
		site_new yahoo yahoo.co.uk $YAHOO $BILLY $BILLY_PW
		if site_start emc && site_start yahoo; then
			return
		fi
		[ $try -lt 3 ] || die "the sites do not start"
		for p in ${pids#" $dns_pid"}; do
			kill -TERM "$p" 2>/dev/null
			wait_for 12 gone "$p"
		done
		pids=" $dns_pid"
	done
}

# The process of a site's program.
pid_of() {		# SITE PROGRAM
	for p in /proc/[0-9]*; do
		[ "$(cat "$p/comm" 2>/dev/null)" = "$2" ] || continue
		tr '\0' '\n' <"$p/cmdline" 2>/dev/null |
		    grep -qxF -e "$D/$1" && echo "${p#/proc/}" && return
	done
}

# What curl -v shows of a dialogue, without its own remarks.
dialogue() {
	tr -d '\r' | sed -nE -e '/^[<>] /!d' \
	    -e 's/^> (AUTH PLAIN|PASS) .+/> \1 ********/' \
	    -e '/^> [A-Za-z0-9+\/]{16,}=*$/s/^> .*/> ********/' \
	    -e '/^< [A-Za-z0-9+\/]{16,}=+$/d' \
	    -e 's/^> /C: /' -e 's/^< /S: /' -e 'p'
}

# ---- the way ----

show_hosts() {
	step "Two mail hosts, on this machine, for the next few seconds"
	say "mx.emc.fr       $EMC   SMTP $smtp, submission $sub, POP3 $pop"
	say "mx.yahoo.co.uk  $YAHOO   SMTP $smtp, submission $sub, POP3 $pop"
	say "DNS             127.0.0.1   $dns, with both zones"
	say "Each is one \`facteur run -C DIR\`, with this in DIR/facteur.conf:"
	quote <"$D/emc/facteur.conf"
}

submit() {
	cat >"$D/message" <<-END
	From: Jean-Bob <$JEAN>
	To: Billy <$BILLY>
	Subject: The postman always rings
	Date: $(LC_ALL=C date -R)

	Dear Billy,
	this message shows the whole way, from my mail program to yours.
	.
	A line with a dot alone is no problem either.
	Jean-Bob
	END
	step "1  Jean-Bob's mail program submits to smtpd of emc.fr"
	say "(TLS, login, one message; the program is curl)"
	# The queue waits a moment, so that we can look at its file.
	stopped=$(pid_of emc queue)
	[ -n "$stopped" ] || die "emc.fr has no queue process"
	kill -STOP "$stopped"
	sed 's/$/\r/' "$D/message" | curl -sv --max-time 20 --ssl-reqd \
	    --cacert "$D/emc/cert.pem" --url "smtp://$EMC:$sub/laptop.emc.fr" \
	    --user "$JEAN:$JEAN_PW" --login-options AUTH=PLAIN \
	    --mail-from $JEAN --mail-rcpt $BILLY -T - \
	    >"$D/curl.log" 2>&1 || { cat "$D/curl.log" >&2; die "curl"; }
	dialogue <"$D/curl.log" | quote
}

show_queue() {
	step "2  smtpd asked the others, over sockets; it can do nothing else"
	say "authd: is this Jean-Bob's password?  resolve: whose is $BILLY?"
	grep -a ' auth-ok ' "$D/emc.log" | tail -n 1 | quote
	"$FACTEUR" -C "$D/emc" resolve $BILLY 2>&1 | quote
	step "3  inject wrote it to the queue, durably, before the 250 above"
	set -- "$D"/emc/spool/queue/*
	[ -f "$1" ] || die "there is nothing in the queue of emc.fr"
	size=${1##*.}
	say "one message, one file, its size is in the name:"
	(cd "$D/emc" && echo "$D/emc/spool/queue:" &&
	    ls -l spool/queue | sed 1d) | quote
	say "the first $size bytes are the message, and never change:"
	head -c "$size" "$1" | quote
	say "behind them stands its story, a line for each event:"
	tail -c "+$((size + 1))" "$1" | quote
}

arrived() {
	set -- "$D"/yahoo/mail/yahoo.co.uk/billy/Maildir/new/*
	[ -f "$1" ]
}

transfer() {
	step "4  queue gives it to remote, 5 remote asks DNS for the MX"
	kill -CONT "$stopped"
	stopped=
	wait_for 20 arrived || die "the message does not arrive"
	grep 'yahoo' "$D/dns.log" | quote
	step "6  remote speaks SMTP with smtpd of yahoo.co.uk, over TLS"
	say "what mx.emc.fr says about it, and mx.yahoo.co.uk:"
	wait_for 5 grep -aq ' done ' "$D/emc.log"
	grep -aE "$BILLY| connect" "$D/emc.log" | grep -av "auth-" |
	    quote
	grep -aE "$BILLY|accepted" "$D/yahoo.log" | quote
	step "7  done: the queue of emc.fr is empty again"
	"$FACTEUR" -C "$D/emc" ls 2>&1 | quote
	set -- "$D"/yahoo/mail/yahoo.co.uk/billy/Maildir/new/*
	say "and at yahoo.co.uk, local has put it into Billy's Maildir:"
	echo "$1" | quote
	quote <"$1"
}

fetch() {
	step "8  Billy's mail program fetches it from pop3d of yahoo.co.uk"
	curl -sv --max-time 20 --ssl-reqd --cacert "$D/yahoo/cert.pem" \
	    --user "$BILLY:$BILLY_PW" "pop3://$YAHOO:$pop/1" \
	    >"$D/fetched" 2>"$D/curl.log" ||
	    { cat "$D/curl.log" >&2; die "curl"; }
	dialogue <"$D/curl.log" | quote
	say "Is what Billy got what Jean-Bob wrote, to the byte?"
	sed 's/$/\r/' "$D/message" >"$D/wire"
	if tail -c "$(wc -c <"$D/wire")" "$D/fetched" | cmp -s - "$D/wire"; then
		say "Yes.  Below the lines of the postmen it is the same:"
		tr -d '\r' <"$D/fetched" | sed -n '/^From:/,$p' | quote
	else
		die "no: see $D/fetched"
	fi
}

stay() {
	cat >"$D/stop" <<-END
	#!/bin/sh
	# Stops the demo and takes its directory away.
	kill -TERM $pids
	for p in $pids; do
		while grep -qs '^State:[^A-Z]*[^ZX]' /proc/\$p/status; do
			sleep 0.1
		done
	done
	rm -rf $(cat "$D"/*.run | tr '\n' ' ')$D
	END
	step "Both sites stay.  Try any mail program:"
	say "user $JEAN   password $JEAN_PW   server $EMC"
	say "user $BILLY   password $BILLY_PW   server $YAHOO"
	say "submission $sub (STARTTLS) or $subs (TLS);" \
	    "POP3 $pop (STLS) or $pops (TLS)"
	say "The certificates are self-signed: $D/{emc,yahoo}/cert.pem"
	say "Look around:"
	say "  export FACTEUR_SINGLE_UID=1"
	say "  $FACTEUR -C $D/emc ls"
	say "  $FACTEUR -C $D/yahoo config"
	say "  tail -f $D/emc.log"
	say "Stop:  sh $D/stop"
	trap - EXIT INT TERM HUP
}

build
B=$(cd "$B" && pwd)
FACTEUR=$B/bin/facteur
dns_start
start_all
show_hosts
submit
show_queue
transfer
fetch
if [ -n "$keep" ]; then
	stay
else
	step "That was the whole way.  (make demo KEEP=1 leaves both running.)"
fi
