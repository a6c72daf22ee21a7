#!/bin/sh
# three-hosts - emc.fr, yahoo.co.uk and a name server, each a host with its own
# network, /etc and users; and a fourth where Jean-Bob and Billy sit.  Real
# ports, IPv4 and IPv6, nsd, curl, swaks, mpop (way 1 to 8).
#
# All of it is in pid, mount and network namespaces below this process: when
# it ends, however it ends, they go with everything in them.
if [ -z "${THREE_HOSTS:-}" ]; then
	spaces="unshare --pid --fork --kill-child=KILL --mount --net --mount-proc"
	nsd=$(PATH=$PATH:/usr/sbin command -v nsd)
	if [ "$(id -u)" -ne 0 ]; then
		why="only root can make three hosts"
	elif ! $spaces ip link add br0 type bridge 2>/dev/null; then
		why="no right to namespaces and bridges here"
	elif [ -z "$nsd" ] || ! command -v ip >/dev/null; then
		why="nsd or ip is not installed (make deps)"
	else
		mounts=$(cat /proc/self/mounts)
		links=$(ip -o link | wc -l)
		TMPDIR=$(mktemp -d "${TMPDIR:-/tmp}/hosts.XXXXXX") || exit 1
		export TMPDIR
		trap 'rm -rf "$TMPDIR"' EXIT
		trap 'exit 143' INT TERM HUP
		nsd=$nsd THREE_HOSTS=1 $spaces sh "$0"
		status=$?
		# The plan counts these two.
		[ "$mounts" = "$(cat /proc/self/mounts)" ] ||
		    printf 'not '
		echo "ok - no mount is left behind"
		[ "$links" = "$(ip -o link | wc -l)" ] || printf 'not '
		echo "ok - no network link is left behind"
		exit $status
	fi
	printf '1..1\nok 1 - three hosts # SKIP %s\n' "$why"
	exit 0
fi
. "$(dirname "$0")/../flow/lib.sh"
unset FACTEUR_SINGLE_UID

W=/mnt/w
mount --make-rprivate / && mount -t tmpfs -o mode=755 hosts /mnt &&
    mkdir -m 755 $W || bail "cannot mount"
make -s -C "$TOP" -o all B="$B" DESTDIR=$W install >"$T/install.out" 2>&1 ||
    bail "make install: $(cat "$T/install.out")"
HOSTS="emc yahoo dns mua"
address() {
	case $1 in
	emc)	echo 203.0.113.10 2001:db8::10 ;;
	yahoo)	echo 203.0.113.20 2001:db8::20 ;;
	dns)	echo 203.0.113.53 2001:db8::53 ;;
	mua)	echo 203.0.113.99 2001:db8::99 ;;
	esac
}
domain() {
	[ "$1" = emc ] && echo emc.fr || echo yahoo.co.uk
}

# ---- the hosts ----

# A process that keeps the host's namespaces: its own /etc, /usr/local, /run,
# spool and mail.
host_new() {		# NAME
	h=$W/$1
	mkdir -m 755 -p "$h/run" "$h/spool" "$h/mail" || return 1
	cp -a /etc "$h/etc" || return 1
	for u in net queue lookup remote auth keys mail; do
		userdel -P "$h" "facteur-$u" 2>/dev/null
	done
	echo "mx.$(domain "$1")" >"$h/etc/hostname"
	echo "nameserver 203.0.113.53" >"$T/resolv.conf"
	rm -f "$h/etc/resolv.conf"
	cp "$T/resolv.conf" "$h/etc/resolv.conf"
	rm -rf "$h/etc/facteur"
	cp -a $W/etc/facteur "$h/etc/facteur"
	unshare --mount --net sh -c '
		umount /etc/resolv.conf /etc/hostname /etc/hosts 2>/dev/null
		mount --bind "$1/etc" /etc &&
		mount --bind /mnt/w/usr/local /usr/local &&
		mount --bind "$1/run" /run &&
		mount --bind "$1/spool" /var/spool &&
		mount --bind "$1/mail" /var/mail &&
		ip link set lo up && echo up >"$1/up" && exec sleep infinity
	' sh "$h" &
	pid=$!
	PIDS="$PIDS $pid"
	echo $pid >"$T/$1.holder"
	wait_for 20 test -s "$h/up"
}
on() {			# HOST COMMAND...
	who=$(cat "$T/$1.holder")
	shift
	nsenter -t "$who" -m -n -- "$@"
}
wire() {		# NAME: its end is eth0, ours is in the bridge
	set -- "$1" $(address "$1")
	ip link add "v$1" type veth peer name eth0 \
	    netns "$(cat "$T/$1.holder")" &&
	    ip link set "v$1" master br0 up &&
	    on "$1" ip addr add "$2/24" dev eth0 &&
	    on "$1" ip addr add "$3/64" dev eth0 nodad &&
	    on "$1" ip link set eth0 up
}
ip link add br0 type bridge && ip link set br0 up || bail "no bridge"
for name in $HOSTS; do
	host_new "$name" && wire "$name" || bail "host $name"
done

# ---- the name server ----

zone() {		# NAME: from stdin
	{
		printf '$TTL 60\n@ SOA ns.%s. a.%s. 1 60 60 60 60\n' "$1" "$1"
		printf '@ NS ns.%s.\n' "$1"
		cat
	} >"$W/zones/$1"
	printf 'zone:\n name: %s\n zonefile: %s\n' "$1" "$1" >>$W/nsd.conf
}
mkdir $W/zones
cat >$W/nsd.conf <<END
server:
 server-count: 1
 ip-address: 203.0.113.53
 ip-address: 2001:db8::53
 zonesdir: $W/zones
 username: ""
 chroot: ""
 pidfile: ""
 database: ""
 xfrdfile: ""
 zonelistfile: "$W/zone.list"
 verbosity: 1
remote-control:
 control-enable: no
END
zone emc.fr <<'END'
@ MX 10 mx
mx A 203.0.113.10
mx AAAA 2001:db8::10
ns A 203.0.113.53
END
zone yahoo.co.uk <<'END'
@ MX 10 mx
six MX 10 mx6
four MX 10 mx4
mx A 203.0.113.20
mx AAAA 2001:db8::20
mx6 AAAA 2001:db8::20
mx4 A 203.0.113.20
ns A 203.0.113.53
END
printf '10 PTR mx.emc.fr.\n20 PTR mx.yahoo.co.uk.\n99 PTR mua.emc.fr.\n' |
    zone 113.0.203.in-addr.arpa
printf 'ns A 203.0.113.53\n' | zone example
on dns "$nsd" -d -c $W/nsd.conf >"$T/nsd.log" 2>&1 &
PIDS="$PIDS $!"
ok "nsd serves" wait_for 20 grep -q 'nsd started' "$T/nsd.log"

# ---- mail ----

host_mail() {		# NAME ADDRESS
	d=$(domain "$1")
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
	    -nodes -days 30 -subj "/CN=mx.$d" \
	    -addext "subjectAltName=DNS:mx.$d" -keyout "$W/$1/etc/mx.key" \
	    -out "$W/$1/etc/mx.pem" 2>"$T/openssl.out" || return 1
	cat >"$W/$1/etc/facteur/facteur.conf" <<-END
	hostname = mx.$d
	domains = $d six.$d four.$d
	tls_cert = /etc/mx.pem
	tls_key = /etc/mx.key
	END
	on "$1" /usr/local/bin/facteur setup --users >"$T/setup" 2>&1 &&
	    chown root:"$(on "$1" getent group facteur-keys | cut -d: -f3)" \
	    "$W/$1/etc/mx.key" && chmod 640 "$W/$1/etc/mx.key" &&
	    echo "$PASS" | on "$1" /usr/local/bin/facteur passwd "$2"
}
host_start() {		# NAME
	mkfifo "$T/$1.ready"
	on "$1" /usr/local/bin/facteur run >"$T/$1.ready" 2>"$T/$1.log" &
	PIDS="$PIDS $!"
	echo $! >"$T/$1.pid"
	[ "$(timeout 20 head -n 1 "$T/$1.ready")" = ready ]
}
ok "emc.fr is set up" host_mail emc jean-bob@emc.fr
ok "yahoo.co.uk is set up" host_mail yahoo billy@yahoo.co.uk
host_start emc || bail "emc does not start"
host_start yahoo || bail "yahoo does not start"
ok "check-install finds nothing to mend" on emc \
    /usr/local/bin/facteur check-install

# Which users the programs of a host run as: those in its network.
users_of() {		# HOST PROGRAM
	net=$(readlink "/proc/$(cat "$T/$1.holder")/ns/net")
	for p in /proc/[0-9]*; do
		[ "$(cat "$p/comm" 2>/dev/null)" = "$2" ] &&
		    [ "$(readlink "$p/ns/net")" = "$net" ] || continue
		uid=$(sed -n 's/^Uid:[^0-9]*\([0-9]*\).*/\1/p' "$p/status")
		on "$1" getent passwd "$uid" | cut -d: -f1
	done | sort -u | tr '\n' ' '
}
is "smtpd is facteur-net" "$(users_of emc smtpd)" "facteur-net "
is "tlsd is facteur-net" "$(users_of emc tlsd)" "facteur-net "
is "pop3d is facteur-net" "$(users_of emc pop3d)" "facteur-net "
is "inject is facteur-queue" "$(users_of emc inject)" "facteur-queue "
is "queue is facteur-queue" "$(users_of emc queue)" "facteur-queue "
is "resolve is facteur-lookup" "$(users_of emc resolve)" "facteur-lookup "
is "remote is facteur-remote" "$(users_of emc remote)" "facteur-remote "
[ ! -x "$B/libexec/facteur/keyd" ] ||
    is "keyd is facteur-keys" "$(users_of emc keyd)" "facteur-keys "

crowd() {		# HOST DOMAIN: its mailbox's files
	find "$W/$1/mail/facteur/$2/$3/Maildir/new" -type f 2>/dev/null
}
billy_has() {		# N
	[ "$(crowd yahoo "$1" billy | wc -l)" -ge "$2" ]
}
jean_has() {
	[ "$(crowd emc emc.fr jean-bob | wc -l)" -ge "$1" ]
}
newest_of() {		# HOST DOMAIN USER
	crowd "$@" | while read -r f; do
		echo "$(stat -c %.9Y "$f") $f"
	done | sort -n | tail -n 1 | cut -d' ' -f2-
}
by_curl() {		# URL FAMILY TO...
	url=$1 family=$2
	shift 2
	rcpts=
	for r in "$@"; do
		rcpts="$rcpts --mail-rcpt $r"
	done
	crlf "$T/m" | on mua curl -sS "$family" --ssl-reqd --max-time 60 \
	    --cacert $W/emc/etc/mx.pem --user "jean-bob@emc.fr:$PASS" \
	    --mail-from jean-bob@emc.fr $rcpts --url "$url" -T -
}
printf 'Dear Billy,\n.\nna\xc3\xafve\n' | message "$T/m" "Three hosts"
ok "Jean-Bob submits on 587, by IPv4" \
    by_curl smtp://mx.emc.fr:587 -4 billy@yahoo.co.uk
ok "Billy has it" wait_for 30 billy_has yahoo.co.uk 1
got=$(newest_of yahoo yahoo.co.uk billy)
ok "byte for byte" ends_with "$got" "$T/m"
has "it came over TLS" "$got" 'with ESMTPS '
ok "on 465, by IPv6, to an MX with IPv6 only" \
    by_curl smtps://mx.emc.fr:465 -6 billy@six.yahoo.co.uk
tell_six() {
	grep -aq 'host=.*2001:db8::20' "$T/emc.log"
}
ok "goes out by IPv6" wait_for 30 tell_six
ok "one with IPv4 only" by_curl smtp://mx.emc.fr:587 -6 billy@four.yahoo.co.uk
tell_four() {
	grep -aq 'host=mx4.*203.0.113.20' "$T/emc.log"
}
ok "goes out by IPv4" wait_for 30 tell_four
is "the mailbox is facteur-mail's" "$(on yahoo stat -c %U \
    /var/mail/facteur/yahoo.co.uk/billy/Maildir)" facteur-mail
is "the spool is facteur-queue's" "$(on emc stat -c %U:%a \
    /var/spool/facteur/queue)" facteur-queue:700

if have swaks; then
	ok "a stranger on 25: swaks" on mua swaks --silent 2 \
	    --server 203.0.113.20 --helo mua.emc.fr -tls \
	    --from x@emc.fr --to billy@yahoo.co.uk --body swaks
	ok "arrives" wait_for 30 billy_has yahoo.co.uk 2
	ok "relaying is refused" not on mua swaks --silent 3 \
	    --server 203.0.113.20 --from x@emc.fr --to y@example
	ok "submission without a login is refused" not on mua swaks \
	    --silent 3 --server 203.0.113.10 --port 587 -tls \
	    --from jean-bob@emc.fr --to billy@yahoo.co.uk
fi
if have mpop; then
	ok "Billy fetches on 995: mpop" on mua mpop --keep=on \
	    --host=203.0.113.20 --port=995 --tls=on --tls-starttls=off \
	    --tls-certcheck=off --user=billy@yahoo.co.uk \
	    --passwordeval="echo $PASS" --uidls-file="$T/uidls" \
	    --delivery=mbox,"$T/mbox"
	ok "all of it" grep -q '^Subject: Three hosts' "$T/mbox"
fi
pop() {			# URL FAMILY
	on mua curl -sS "$2" --ssl-reqd --cacert $W/yahoo/etc/mx.pem \
	    --max-time 60 --user "billy@yahoo.co.uk:$PASS" "$1" >"$T/got" &&
	    grep -q '^Subject: ' "$T/got"
}
ok "on 110 with STLS, by IPv6: curl" pop pop3://mx.yahoo.co.uk/1 -6
ok "on 995, by IPv4: curl" pop pop3s://mx.yahoo.co.uk/1 -4
ok "a wrong password is not taken" not on mua curl -sS --ssl-reqd \
    --cacert $W/yahoo/etc/mx.pem --user billy@yahoo.co.uk:no \
    pop3://mx.yahoo.co.uk/1
ok "to nobody" by_curl smtp://mx.emc.fr:587 -4 nobody@yahoo.co.uk
ok "a bounce comes back" wait_for 30 jean_has 1
ok "to no such domain" by_curl smtp://mx.emc.fr:587 -4 x@no.example
ok "so does one" wait_for 30 jean_has 2
ok "a user of the host calls sendmail" sh -c "printf 'Subject: s\n\nhi\n' |
    nsenter -t $(cat "$T/yahoo.holder") -m -n setpriv --reuid 65534 \
    --regid 65534 --clear-groups /usr/local/sbin/sendmail jean-bob@emc.fr"
ok "and emc gets it" wait_for 30 jean_has 3
empty() {		# HOST
	[ -z "$(ls "$W/$1/spool/facteur/queue")" ]
}
ok "emc's queue is empty" wait_for 10 empty emc
ok "yahoo's queue is empty" wait_for 10 empty yahoo

for name in emc yahoo; do
	pid=$(cat "$T/$name.pid")
	kill -TERM "$(cat "$W/$name/run/facteur/lock")"
	wait "$pid"
	is "SIGTERM ends $name with 0" $? 0
done
show_logs
echo "1..$((tests + 2))"
