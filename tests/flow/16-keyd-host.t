#!/bin/sh
# 16-keyd-host - keyd on a host with walls: a key that only root can read, and
# how it is renewed (ways 1 and 8).
#
# In a mount namespace of its own, like 05-walls: /etc is a copy, /mnt is ours.
if [ -z "${WALLS_NAMESPACE:-}" ]; then
	if [ "$(id -u)" -ne 0 ]; then
		why="only root can give programs uids of their own"
	elif ! unshare -m true 2>/dev/null; then
		why="no right to a mount namespace here"
	else
		WALLS_NAMESPACE=1 exec unshare -m sh "$0"
	fi
	printf '1..1\nok 1 - keyd on a host # SKIP %s\n' "$why"
	exit 0
fi
. "$(dirname "$0")/lib.sh"
unset FACTEUR_SINGLE_UID

W=/mnt/w
mount -t tmpfs -o mode=755 walls /mnt && mkdir -p $W/tree $W/conf &&
    cp -a /etc $W/etc && mount --bind "$B" $W/tree &&
    mount --bind $W/etc /etc || bail "cannot make a root of our own"
chmod 755 $W $W/conf
FACTEUR=$W/tree/bin/facteur
export FACTEUR_CONF=$W/conf
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0"
"$FACTEUR" setup --users >"$T/setup" 2>&1 || bail "$(cat "$T/setup")"

set -- $("$B/tests/ports" 2 "$EMC") && [ $# -eq 2 ] || bail "no free ports"
SMTP=$1 POPS=$2
cat >$W/conf/facteur.conf <<END
hostname = mx.emc.fr
spool = $W/spool
run = $W/run
mail = $W/mail
listen_smtp = $EMC:$SMTP
listen_submission = none
listen_submissions = none
listen_pop3 = none
listen_pop3s = $EMC:$POPS
tls_cert = cert.pem
tls_key = key.pem
END
CERT=$W/conf/cert.pem KEY=$W/conf/key.pem

# renew NAME: a new pair; the key as openssl leaves it, for root alone.
renew() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
	    -nodes -days 30 -subj "/CN=$1" -keyout "$T/key" -out "$T/$1.crt" \
	    2>"$T/openssl.out" || bail "openssl: $(cat "$T/openssl.out")"
	rm -f "$KEY" "$CERT"
	install -m 0600 "$T/key" "$KEY"
	install -m 0644 "$T/$1.crt" "$CERT"
}
shows() {		# NAME
	for o in "$SMTP -starttls smtp" "$POPS"; do
		timeout 20 openssl s_client -connect "$EMC:"$o </dev/null \
		    2>/dev/null | openssl x509 -noout -subject |
		    grep -q "CN *= *$1\$" || return 1
	done
}
# Another run of these tests may be on the machine: only our own children.
of() {			# PROGRAM USER: its processes that are that user's
	for p in /proc/[0-9]*; do
		[ "$(readlink "$p/exe")" = "$W/tree/libexec/facteur/$1" ] &&
		grep -q "^PPid:	$RUN\$" "$p/status" &&
		[ "$(sed -n 's/^Uid:	\([0-9]*\)	.*/\1/p' \
		    "$p/status")" = "$(id -u "$2")" ] && echo "${p#/proc/}"
	done
}

renew first
mkfifo "$T/ready"
"$FACTEUR" run >"$T/ready" 2>>"$T/host.log" &
RUN=$!
PIDS="$PIDS $RUN"
line=$(timeout 20 head -n 1 "$T/ready")
[ "$line" = ready ] || bail "the host did not start: $(cat "$T/host.log")"

ok "a key that only root can read serves" shows first
is "keyd is facteur-keys" "$(of keyd facteur-keys | wc -w)" 1
is "and nothing of it is root" "$(of keyd root)" ""
is "tlsd is facteur-net" "$(of tlsd facteur-net | wc -w)" 1
has "keyd says at once that it could not read it again" "$T/host.log" \
    "key-unreadable .*chgrp facteur-keys $KEY && chmod 0640 $KEY"
"$FACTEUR" check-install >"$T/check" 2>&1
has "check-install says the same" "$T/check" \
    "chgrp facteur-keys $KEY && chmod 0640 $KEY"

renew second
ok "a new key that it cannot read: the old pair serves on" shows first
has "and the log says so" "$T/host.log" "key-error .*old=serves-on"
fix=$(sed -n 's/.*key-unreadable .*: \(chgrp [^"]*\)".*/\1/p' "$T/host.log" |
    tail -n 1)
ok "mended by what the log says: $fix" sh -c "${fix:-false}"
ok "the new one is shown, in both jails, without a restart" shows second
"$FACTEUR" check-install >"$T/check" 2>&1
ok "check-install is content" not grep -q "$KEY" "$T/check"

# Who has taken a front over is facteur-net.
as() {			# USER COMMAND...
	user=$1
	shift
	setpriv --reuid "$user" --regid "$user" --clear-groups "$@"
}
ok "facteur-net cannot read the key" not as facteur-net cat "$KEY"
ok "facteur-net cannot look into keyd" not as facteur-net \
    cat "/proc/$(of keyd facteur-keys)/environ"
ok "nor into tlsd, which is facteur-net" not as facteur-net \
    cat "/proc/$(of tlsd facteur-net)/environ"
kill -TERM "$RUN"
wait "$RUN"
is "it ends with 0" $? 0
done_testing
