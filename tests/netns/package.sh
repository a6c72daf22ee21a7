#!/bin/sh
# package - the Debian package in a scratch root: installed, run, upgraded,
# removed and purged; what is there afterwards is what was there before.
#
# The root is this machine's own below an overlay; with DEBOOTSTRAP=yes it is
# debootstrap's, if that and its archive are there.  In pid, mount and network namespaces, which
# end with this process, and with them all that was mounted or started.
if [ -z "${PACKAGE_TEST:-}" ]; then
	spaces="unshare --pid --fork --kill-child=KILL --mount --net --mount-proc"
	if [ "$(id -u)" -ne 0 ]; then
		why="only root can install a package"
	elif ! $spaces ip link set lo up 2>/dev/null; then
		why="no right to namespaces here"
	elif ! command -v dpkg-shlibdeps >/dev/null; then
		why="dpkg-dev is not installed (make deps)"
	elif ldd "$B/bin/facteur" | grep -q 'libasan'; then
		why="built with sanitizers, which no package is"
	else
		# Outside, because inside there is no network.
		scratch=$(mktemp -d "${TMPDIR:-/tmp}/package.XXXXXX") || exit 1
		trap 'rm -rf --one-file-system "$scratch"' EXIT
		trap 'exit 143' INT TERM HUP
		# DEBOOTSTRAP=yes takes a minute or two, and the network.
		libs=passwd,libbsd0,libssl3,libpam0g,libcrypt1,zlib1g
		if [ "${DEBOOTSTRAP:-no}" = yes ] && timeout 120 debootstrap \
		    --variant=minbase --include=$libs bookworm \
		    "$scratch/root" >"$scratch/log" 2>&1; then
			touch "$scratch/whole"
		fi
		TMPDIR=$scratch SCRATCH=$scratch PACKAGE_TEST=1 $spaces sh "$0"
		exit
	fi
	printf '1..1\nok 1 - the package # SKIP %s\n' "$why"
	exit 0
fi
. "$(dirname "$0")/../flow/lib.sh"
unset FACTEUR_SINGLE_UID FACTEUR_CHECK

ip link set lo up
mount --make-rprivate / || bail "cannot mount"
deb=$(sh "$TOP/debian/build.sh" "$B" 2>"$T/build.out") ||
    bail "make deb: $(cat "$T/build.out")"
cp "$deb" "$T/first.deb"
ok "make deb" test -s "$T/first.deb"
if have lintian; then
	ok "lintian finds no error" \
	    lintian --allow-root --fail-on error "$T/first.deb"
fi
# The next version: the same with another number.
dpkg-deb -R "$T/first.deb" "$T/next" &&
    sed -i 's/^Version: .*/Version: 0.2/' "$T/next/DEBIAN/control" &&
    sed -i '1s/$/ (of 0.2)/' "$T/next/etc/facteur/facteur.conf" &&
    dpkg-deb --root-owner-group -b "$T/next" "$T/next.deb" >"$T/build.out" ||
    bail "no second package"

R=$SCRATCH/root
if [ ! -e "$SCRATCH/whole" ]; then
	echo "# debootstrap cannot be had: an overlay of this machine's root"
	rm -rf "$R"
	up=$SCRATCH/over/up
	mkdir -p "$R" "$SCRATCH/over" &&
	    mount -t tmpfs over "$SCRATCH/over" &&
	    mkdir "$up" "$SCRATCH/over/work" && mount -t overlay -o \
	    "lowerdir=/,upperdir=$up,workdir=$SCRATCH/over/work" none "$R" ||
	    bail "no scratch root"
fi
mkdir -p "$R/proc" "$R/dev" "$R/run" "$R/tmp"
mount -t proc proc "$R/proc" && mount --bind /dev "$R/dev" &&
    mount -t tmpfs run "$R/run" && mount -t tmpfs tmp "$R/tmp" ||
    bail "cannot mount in the scratch root"
cp "$T/first.deb" "$T/next.deb" "$R/tmp"
inside() {
	DEBIAN_FRONTEND=noninteractive chroot "$R" "$@"
}
# What a package may touch, but for what dpkg itself writes down and backups.
inventory() {
	(cd "$R" && find etc usr/ lib/ bin/ sbin/ var opt srv -xdev \
	    \( -path var/lib/dpkg -o -path var/cache -o -path var/log -o \
	    -path var/tmp -o -path usr/src -o -name '*-' \) -prune -o -print |
	    LC_ALL=C sort)
	grep facteur "$R/etc/passwd" "$R/etc/group"
}
inventory >"$T/before"

# ---- install ----

ok "installs" inside dpkg -i /tmp/first.deb
is "it is a mail-transport-agent" "$(inside dpkg-query -W \
    -f '${Status} ${Provides}' facteur)" \
    "install ok installed mail-transport-agent, default-mta"
is "there are seven users" "$(grep -c ^facteur- "$R/etc/passwd")" 7
for f in /usr/sbin/sendmail /usr/lib/sendmail /usr/bin/mailq \
    /usr/bin/newaliases; do
	ok "$f" inside test -x $f
done
is "nothing was started" "$(ls "$R/run")" ""
printf '%s\n' 'hostname = mx.emc.fr' 'domains = emc.fr' \
    >>"$R/etc/facteur/facteur.conf"
ok "an administrator sets a password" sh -c "echo $PASS |
    chroot '$R' facteur passwd jean-bob@emc.fr"

mkfifo "$T/ready"
start() {
	chroot "$R" facteur run >"$T/ready" 2>>"$T/facteur.log" &
	SITE_PID=$!
	PIDS="$PIDS $SITE_PID"
	[ "$(timeout 20 head -n 1 "$T/ready")" = ready ]
}
stop() {
	kill -TERM "$SITE_PID"
	wait "$SITE_PID"
}
delivered() {
	[ "$(find "$R/var/mail/facteur/emc.fr/jean-bob/Maildir/new" -type f |
	    wc -l)" -ge "$1" ]
}
send() {
	printf 'Subject: hello\n\nhi\n' |
	    inside /usr/sbin/sendmail jean-bob@emc.fr
}
ok "it starts" start
ok "check-install finds nothing to mend" inside facteur check-install
ok "sendmail takes a message" send
ok "it lies in the Maildir" wait_for 20 delivered 1
ok "it stops" stop

# ---- upgrade, remove, purge ----

cp "$R/etc/facteur/facteur.conf" "$T/conf"
ok "upgrades" inside dpkg --force-confdef --force-confold -i /tmp/next.deb
ok "the configuration is the administrator's still" \
    cmp "$T/conf" "$R/etc/facteur/facteur.conf"
ok "it starts again" start
ok "sendmail takes another" send
ok "which arrives" wait_for 20 delivered 2
ok "it stops again" stop
ok "is removed" inside dpkg -r facteur
is "no program is left" "$(cd "$R" && find usr/ lib/systemd/ -xdev \
    -path '*facteur*' ! -path '*/dpkg/*' ! -path 'usr/local/*')" ""
ok "the configuration is" cmp "$T/conf" "$R/etc/facteur/facteur.conf"
ok "and the mail" delivered 2
ok "is purged" inside dpkg -P facteur
ok "the configuration is gone" test ! -e "$R/etc/facteur"
ok "mail is not" delivered 2
is "and its owner is there" "$(grep -c ^facteur-mail "$R/etc/passwd")" 1
rm -rf "$R/var/mail/facteur/emc.fr"

ok "installs once more" inside dpkg -i /tmp/next.deb
ok "is purged at once" inside dpkg -P facteur
inventory >"$T/after"
ok "without mail nothing at all is left" diff "$T/before" "$T/after"
[ -z "$(ls "$T"/facteur.log 2>/dev/null)" ] || show_logs
done_testing
