#!/bin/sh
# 02-install - what `make install` puts on a host, what systemd says about it,
# and what `make uninstall` leaves there (way 0).
. "$(dirname "$0")/lib.sh"

root=$T/root
units=$root/usr/local/lib/systemd/system
# -o all: what was built is what we install.
install_make() {
	make -s -C "$TOP" -o all B="$B" DESTDIR="$root" "$@"
}
if ! command -v make >/dev/null 2>&1; then
	skip "make install" "make is not installed"
	done_testing
	exit 0
fi

install_make install >"$T/install.out" 2>&1 ||
    bail "make install: $(cat "$T/install.out")"
for f in bin/facteur bin/sendmail bin/mailq bin/newaliases sbin/sendmail \
    lib/sendmail libexec/facteur/smtpd libexec/facteur/tlsd \
    share/man/man8/facteur.8 share/man/man8/tlsd.8 \
    share/man/man5/facteur.conf.5 share/man/man1/sendmail.1 \
    lib/sysusers.d/facteur.conf lib/tmpfiles.d/facteur.conf \
    share/doc/facteur/examples/inetd.conf; do
	[ -e "$root/usr/local/$f" ] || missing="${missing:-} $f"
done
is "all is there" "${missing:-}" ""
is "no setuid or setgid file" "$(find "$root" -perm /6000)" ""
is "nothing that others may write" \
    "$(find "$root" ! -type l -perm /022)" ""
ok "the installed tree finds its programs" \
    "$root/usr/local/bin/facteur" -C "$root/etc/facteur" resolve x@y.example
ok "its example is a good configuration" \
    "$root/usr/local/bin/facteur" -C "$root/etc/facteur" config

# A unit or an example that names a key or a program that is not there lies.
sed 's/^#\([a-z_]* = \)/\1/' "$root/etc/facteur/facteur.conf" |
    sed '/^tls_/d' >"$T/facteur.conf"
mkdir "$T/conf" && mv "$T/facteur.conf" "$T/conf"
ok "so it is with every comment taken away" "$FACTEUR" -C "$T/conf" config

# ---- systemd ----

# Each row of lib/seams.c has its socket unit, with its owner and mode.
seams() {
	tr -d '\n' <"$TOP/lib/seams.c" | grep -o '{ "[^}]*}' |
	    sed -n 's/^{ "\([a-z-]*\)", "\([a-z/]*\)", "\([a-z]*\)",[^S]*SEAM_\([A-Z]*\),[^S]*SEAM_\([A-Z]*\),[^0]*\(0[0-7]*\),.*/\1 \2 \3 \4 \5 \6/p'
}
account() {
	case $1 in
	ROOT)	echo root ;;
	*)	echo "facteur-$1" | tr '[:upper:]' '[:lower:]' ;;
	esac
}
seams | while read -r name path service owner group mode; do
	unit=$units/facteur-$name.socket
	for line in "FileDescriptorName=$name" \
	    "Service=facteur-$service.service" \
	    "SocketUser=$(account "$owner")" \
	    "SocketGroup=$(account "$group")" "SocketMode=$mode"; do
		grep -qxF "$line" "$unit" || echo "$name: no $line"
	done
	grep -qE "^Listen(Stream|Datagram)=/run/facteur/$path\$" "$unit" ||
	    echo "$name: not at $path"
done >"$T/seams"
is "there is a table of seams" "$(seams | grep -c .)" \
    "$(grep -c '^	{ "[a-z-]*", "[a-z/]*", "[a-z]*", SEAM_' "$TOP/lib/seams.c")"
is "the socket units say what lib/seams.c says" "$(cat "$T/seams")" ""
is "every socket has a limit that nobody can trigger" \
    "$(grep -L '^TriggerLimitIntervalSec=0' "$units"/*.socket)" ""
is "every service goes on starting" \
    "$(grep -L '^StartLimitIntervalSec=0' "$units"/*.service)" ""
is "facteur.target wants every socket" "$(sed -n 's/^Wants=//p' \
    "$units/facteur.target" | tr ' ' '\n' | grep socket | sort)" \
    "$(cd "$units" && ls -- *.socket | sort)"

# Exposure, in tenths.  A supervisor that is root and keeps a network cannot
# come below 2.3; each program by itself can.
exposure() {		# UNIT
	systemd-analyze security --offline=yes --no-pager "$1" 2>&1 |
	    sed -n 's/.*exposure level for .*: \([0-9]*\)\.\([0-9]\) .*/\1\2/p'
}
below() {		# UNIT MOST
	level=$(exposure "$1")
	echo "$level tenths"
	[ -n "$level" ] && [ "${level#0}" -le "$2" ]
}
# The programs lie below $root, the unit says so for this once.  keyd's unit
# may be there before keyd is.
verify() {
	mkdir -p "$T/units" &&
	for u in "$units"/*; do
		p=${u##*/facteur-}
		p=${p%.*}
		case $u in
		*.service)
			[ "$p" = "${u##*/}" ] ||
			    [ -x "$root/usr/local/libexec/facteur/$p" ] ||
			    continue ;;
		esac
		sed "s,=/usr/local/,=$root/usr/local/," "$u" \
		    >"$T/units/${u##*/}"
	done
	MANPATH=$root/usr/local/share/man systemd-analyze verify \
	    "$T"/units/*.service "$T"/units/*.target >"$T/verify" 2>&1
	r=$?
	# Of our units only: others of this machine may be as they like.
	! grep -i facteur "$T/verify" | grep -v 'keyd' && return $r
}
if have systemd-analyze; then
	for u in "$units"/facteur-*.service; do
		ok "${u##*/} is at most 2.0" below "$u" 20
	done
	ok "facteur.service is at most 3.0" below "$units/facteur.service" 30
	ok "systemd-analyze verify is content" verify
fi
if have systemd-sysusers; then
	cp /etc/passwd /etc/group "$root/etc"
	ok "sysusers.d is understood" systemd-sysusers --root="$root"
	is "it makes the seven users" \
	    "$(grep -c '^facteur-' "$root/etc/passwd")" 7
fi
if [ "$(id -u)" -ne 0 ]; then
	skip "tmpfiles.d" "only root can give directories away"
elif have systemd-tmpfiles; then
	ok "tmpfiles.d is understood" \
	    systemd-tmpfiles --create --root="$root" facteur.conf
	is "it makes the spool" "$(ls "$root/var/spool/facteur" | tr '\n' ' ')" \
	    "bad hold queue "
fi

# ---- and away ----

echo "# an administrator's" >"$root/etc/facteur/facteur.conf"
mkdir -p "$root/var/mail/facteur"
: >"$root/var/mail/facteur/kept"
ok "make install again, over the old one" install_make install
has "leaves the configuration alone" "$root/etc/facteur/facteur.conf" \
    "an administrator's"
ok "make uninstall" install_make uninstall
is "takes all of it away" "$(find "$root/usr" ! -type d)" ""
ok "but not the configuration" test -e "$root/etc/facteur/facteur.conf"
ok "and no mail" test -e "$root/var/mail/facteur/kept"

done_testing
