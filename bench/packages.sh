#!/bin/sh
# packages.sh - fetches the Debian packages of the other mail servers and
# unpacks them below DIR, which only root can enter.  Nothing is installed.
#
# usage: sh bench/packages.sh DIR       (called by bench.py; DIR/usr is complete
# when DIR/done is there)
set -eu
dir=$1
servers="postfix opensmtpd exim4-daemon-light exim4-base"
libraries="libicu72 libnsl2 libdb5.3 libsasl2-2 libevent-2.1-7 libidn12 libgnutls-dane0 libunbound8 libwrap0"

[ ! -e "$dir/done" ] || exit 0
rm -rf "$dir"
mkdir -p -m 700 "$dir/deb"
wanted=$servers
for p in $libraries; do		# those that this host lacks
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null |
	    grep -q 'ok installed' || wanted="$wanted $p"
done
cd "$dir/deb"
# -o: root fetches; _apt could not write here
apt-get -q -o APT::Sandbox::User=root download $wanted >../log 2>&1 || {
	cat ../log >&2
	echo "packages.sh: apt-get download failed (apt-get update first?)" >&2
	exit 1
}
for deb in *.deb; do
	dpkg -x "$deb" ..
	dpkg-deb -f "$deb" Package Version | sed 's/^[A-Za-z]*: //' |
	    paste -s -d ' '
done >../versions
touch ../done
