#!/bin/sh
# 04-activation - the other ways to start: each program by systemd's sockets,
# by inetd, and `facteur run` as process 1 of a container (way 0).
. "$(dirname "$0")/lib.sh"

billy=jean-bob@emc.fr
# background LOG COMMAND...: our child, until the end.
background() {
	log=$T/$1.log
	shift
	"$@" >>"$log" 2>&1 </dev/null &
	PIDS="$PIDS $!"
}
# on_socket NAME "SOCKET..." FDNAMES COMMAND...: by systemd-socket-activate,
# which gives its program no environment but what it is told to.
on_socket() {
	name=$1 listen=
	for l in $2; do
		listen="$listen -l $l"
	done
	fdnames=$3
	shift 3
	background "$name" systemd-socket-activate -E FACTEUR_SINGLE_UID=1 \
	    $listen --fdname="$fdnames" "$@"
	wait_for 10 grep -q Listening "$T/$name.log" ||
	    bail "systemd-socket-activate: $(cat "$T/$name.log")"
}
stop_all() {
	for pid in $PIDS; do
		[ "$pid" = "$dns" ] || kill -TERM "$pid" 2>/dev/null
	done
	for pid in $PIDS; do
		[ "$pid" = "$dns" ] || wait_for 12 dead "$pid" || return 1
	done
	PIDS=$dns
}
greets() {		# PORT: somebody is there
	printf 'QUIT\r\n' | curl -sS --max-time 20 "telnet://$EMC:$1"
}
stranger() {		# hands $T/m over on port 25
	crlf "$T/m" | curl -sS --max-time 60 --mail-from a@x.example \
	    --mail-rcpt $billy --url "smtp://$EMC:$SMTP/x.example" -T -
}
pop3() {
	curl -sS --ssl-reqd -k --max-time 60 --user "$billy:$PASS" \
	    "pop3://$EMC:$POP/1" >"$T/got" && grep -q '^Subject: By' "$T/got"
}
walks() {		# WAY: a message in and out again
	n=$(messages emc $billy)
	echo "by $1" | message "$T/m" "By $1"
	ok "$1: a message is taken" submit "$T/m" $billy $billy
	ok "$1: it lies in the Maildir" wait_for 20 arrived emc $billy \
	    $((n + 1))
	ok "$1: POP3 gives it" pop3
}

no_listeners() {	# the ports are somebody else's
	sed -i 's/^\(listen_[a-z0-9]*\) = .*/\1 = none/' "$T/emc/facteur.conf"
}

ports_choose
zones >"$T/zone"
dns_start
dns=${PIDS# }
site_new emc emc.fr "$EMC" "run = $T/r"
user_new emc $billy "$PASS"
P=$B/libexec/facteur

# ---- systemd: each program for itself ----

if have systemd-socket-activate; then
	(umask 077 && mkdir -p "$T/r/net" "$T/emc/spool/queue" "$T/emc/spool/hold" \
	    "$T/emc/spool/bad" "$T/emc/mail")
	on_socket inject "$T/r/inject $T/r/net/inject" inject:net-inject \
	    "$P/inject" -C "$T/emc"
	on_socket resolve "$T/r/net/resolve" resolve "$P/resolve" -C "$T/emc"
	on_socket authd "$T/r/net/authd" authd "$P/authd" -C "$T/emc"
	on_socket launch "$T/r/launch" launch "$P/launch" -C "$T/emc"
	on_socket remote "$T/r/remote" remote "$P/remote" -C "$T/emc"
	[ ! -x "$P/keyd" ] ||
	    on_socket keyd "$T/r/net/keyd" keyd "$P/keyd" -C "$T/emc"
	on_socket tlsd "$T/r/net/tlsd" tlsd "$P/tlsd" -C "$T/emc"
	on_socket smtpd "$EMC:$SMTP $EMC:$SUB" smtp:submission \
	    "$P/smtpd" -C "$T/emc"
	on_socket pop3d "$EMC:$POP" pop3 "$P/pop3d" -C "$T/emc"
	background queue "$P/queue" -C "$T/emc"
	walks "systemd sockets"
	ok "port 25 takes mail for here" stranger
	ok "it arrives" wait_for 20 arrived emc $billy 2
	ok "SIGTERM ends them all" stop_all
	rm -rf "$T/r"

	# The same, one process for each connection (Accept=yes); the rest
	# under `facteur run`.
	no_listeners
	site_start emc
	on_socket smtpd-a "$EMC:$SUB" connection --inetd -a \
	    "$P/smtpd" -C "$T/emc" -r submission
	on_socket pop3d-a "$EMC:$POP" connection --inetd -a \
	    "$P/pop3d" -C "$T/emc"
	walks "systemd, Accept=yes"
	ok "SIGTERM ends them all" stop_all
fi

# ---- inetd, as our example says ----

inetd_conf() {		# our example, for this machine
	sed -e '/^#/d' -e '/tcp6/d' -e "s,/etc/facteur,$T/emc," \
	    -e "s,/usr/local/libexec/facteur,$P," \
	    -e "s/facteur-net/$(id -un)/" \
	    -e "s/^smtp /$EMC:$SMTP /" -e "s/^submission /$EMC:$SUB /" \
	    -e "s/^pop3 /$EMC:$POP /" "$TOP/admin/examples/inetd.conf"
}
inetd=/usr/sbin/inetd
if [ ! -x "$inetd" ]; then
	skip "inetd" "openbsd-inetd is not installed (make deps)"
elif ! dpkg -s openbsd-inetd >/dev/null 2>&1; then
	skip "inetd" "this one is not openbsd-inetd (make deps)"
else
	no_listeners
	inetd_conf >"$T/inetd.conf"
	is "the example has three services" "$(grep -c . "$T/inetd.conf")" 3
	site_start emc
	background inetd "$inetd" -d -E "$T/inetd.conf"
	ok "inetd listens" wait_for 10 greets "$SMTP"
	walks "inetd"
	ok "port 25 takes mail for here" stranger
	ok "SIGTERM ends them all" stop_all
fi

# ---- process 1 ----

container="unshare --pid --fork --kill-child=KILL --mount-proc"
inside() {		# COMMAND...: in the container of process $ONE
	nsenter -t "$ONE" -p -m -- "$@"
}
zombies() {
	inside sh -c 'cat /proc/[0-9]*/stat' 2>/dev/null |
	    sed 's/.*) //' | grep -c '^Z'
}
no_zombies() {
	[ "$(zombies)" -eq 0 ]
}
# The supervisor's number outside: the child of unshare.
one() {
	ONE=$(cat "/proc/$1/task/$1/children" 2>/dev/null)
	ONE=${ONE%% *}
	[ -n "$ONE" ]
}
if ! $container true >/dev/null 2>&1; then
	skip "process 1" "no right to make a pid namespace, as uid $(id -u)"
else
	mkfifo "$T/one.ready"
	$container "$FACTEUR" run -C "$T/emc" >"$T/one.ready" \
	    2>"$T/one.log" &
	outer=$!
	PIDS="$PIDS $outer"
	is "process 1 says ready on stdout" \
	    "$(timeout 20 head -n 1 "$T/one.ready")" ready
	one "$outer" || bail "no process 1"
	is "it is process 1" "$(sed -n 's/^NSpid:.*[^0-9]//p' \
	    "/proc/$ONE/status")" 1
	has "it logs to stderr" "$T/one.log" ' ready t=.* confdir='
	# Whose parent is gone is process 1's child; it ends and is buried.
	exec 9<>"$T/one.ready"
	inside sh -c '(read x <&9) &'
	sleepers() {
		inside sh -c 'cat /proc/[0-9]*/stat' | grep -c '(sh) S 1 '
	}
	orphan() {
		[ "$(sleepers)" -eq 1 ]
	}
	ok "an orphan is process 1's child" wait_for 10 orphan
	echo go >&9
	exec 9>&-
	gone() {
		[ "$(sleepers)" -eq 0 ] && no_zombies
	}
	ok "and is buried when it ends" wait_for 10 gone
	children=$(cat "/proc/$ONE/task/$ONE/children")
	kill -TERM "$ONE"
	wait_for 15 dead "$outer" || kill -KILL "$ONE"
	wait "$outer"
	is "SIGTERM ends the container with 0" $? 0
	for pid in $children; do
		alive "$pid" && echo "$pid"
	done >"$T/left"
	is "nobody is left" "$(cat "$T/left")" ""
	has "all were told in order" "$T/one.log" stopping
fi

done_testing
