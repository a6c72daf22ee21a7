#!/bin/sh
# deps.sh - installs the Debian packages the build and the tests need.
#
# usage: sh tests/deps.sh [build | demo | all]      (default: all)
# Installs only what is missing, and only as root; otherwise says what is
# missing and with which command it comes, and fails if anything is.
set -u

build="gcc make libc6-dev libbsd-dev libmd-dev libssl-dev libcrypt-dev
    zlib1g-dev libpam0g-dev libncurses-dev"
demo="curl openssl"
check="libcmocka-dev swaks libnet-ssleay-perl msmtp python3 mpop fetchmail
    getmail6 s-nail systemd iproute2 dpkg-dev lintian debootstrap
    libfuse3-dev fuse3 e2fsprogs xfsprogs btrfs-progs jq tmux
    libmail-deliverystatus-bounceparser-perl"
# Their services are not for this machine: the tests start them by hand.
daemons="nsd openbsd-inetd"

case ${1:-all} in
build)	want=$build ;;
demo)	want="$build $demo" ;;
all)	want="$build $demo $check $daemons" ;;
*)	echo "usage: $0 [build | demo | all]" >&2; exit 64 ;;
esac

if ! command -v dpkg-query >/dev/null 2>&1; then
	echo "This is no Debian: please see to it that there are (Debian's names)"
	echo "  " $want
	exit 0
fi

missing=
for p in $want; do
	status=$(dpkg-query -W -f '${Status}' "$p" 2>/dev/null) || status=
	[ "$status" = "install ok installed" ] ||
	    command -v "$p" >/dev/null 2>&1 || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
	echo "Missing packages; please run, as root:"
	echo "  apt-get update && apt-get install --no-install-recommends$missing"
	exit 1
fi

echo "Installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# A list that cannot be fetched now may be good enough: let install decide.
apt-get -qq update || echo "apt-get update failed; trying all the same" >&2
# While we install, no service starts; what we brought is not enabled either.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ] && printf '#!/bin/sh\nexit 101\n' >$policy; then
	chmod 755 $policy
	trap 'rm -f $policy' EXIT
	trap 'exit 130' INT HUP TERM
fi
apt-get -qq -y install --no-install-recommends $missing >/dev/null || {
	echo "apt-get could not install:$missing" >&2
	exit 1
}
for p in $missing; do
	case " $daemons " in
	*" $p "*)
		unit=$p
		[ "$p" != openbsd-inetd ] || unit=inetd
		systemctl disable "$unit" >/dev/null 2>&1 ||
		    update-rc.d "$p" disable >/dev/null 2>&1 ;;
	esac
done
exit 0
