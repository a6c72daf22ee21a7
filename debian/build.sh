#!/bin/sh
# build.sh - `make deb`: one binary package, from what `make` has built.
#
# usage: sh debian/build.sh BUILDDIR
# Prints the name of the package.  Needs dpkg-dev; not root.
set -eu

top=$(cd "$(dirname "$0")/.." && pwd)
B=$(cd "$1" && pwd)
work=$B/deb
root=$work/facteur
rm -rf "$work"
mkdir -p "$root/DEBIAN" "$work/debian"
umask 022

# Debian 12 looks for units below /lib, whether / and /usr are one or not.
make -s -C "$top" -o all B="$B" DESTDIR="$root" PREFIX=/usr \
    UNITDIR=/lib/systemd/system install
doc=$root/usr/share/doc/facteur
cp "$top/debian/copyright" "$doc"
# Parts of these are in the programs (Makefile, BSD); their licenses go along.
for l in libbsd libmd; do
	c=/usr/share/doc/$l-dev/copyright
	[ ! -e "$c" ] || cp "$c" "$doc/copyright.$l"
done
cp "$top/debian/changelog" "$doc/changelog"
find "$root/usr/share/man" -type f -exec gzip -9n {} +
find "$root/usr/share/man" -type l | while read -r l; do
	ln -s "$(readlink "$l").gz" "$l.gz" && rm "$l"
done
gzip -9n "$doc/changelog" "$doc/INSTALL" "$doc/INTERNALS.md"
find "$root/usr/bin" "$root/usr/libexec/facteur" -type f |
    while read -r f; do
	strip --strip-unneeded --remove-section=.comment "$f"
done

# Which libraries, and since when: dpkg-shlibdeps wants a source package.
echo "Source: facteur" >"$work/debian/control"
(cd "$work" && dpkg-shlibdeps -O "$root"/usr/bin/facteur \
    "$root"/usr/bin/sendmail "$root"/usr/libexec/facteur/* 2>/dev/null) |
    sed -n 's/^shlibs:Depends=//p' >"$work/depends"
[ -s "$work/depends" ] || { echo "dpkg-shlibdeps found nothing" >&2; exit 1; }

arch=$(dpkg --print-architecture)
sed -e "s/@ARCH@/$arch/" -e "s/@DEPENDS@/$(cat "$work/depends")/" \
    "$top/debian/control" >"$root/DEBIAN/control"
echo "Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f1)" \
    >>"$root/DEBIAN/control"
# A conffile that is not in the package would be a lie.
while read -r f; do
	[ ! -e "$root$f" ] || echo "$f"
done <"$top/debian/conffiles" >"$root/DEBIAN/conffiles"
for s in postinst prerm postrm; do
	install -m 755 "$top/debian/$s" "$root/DEBIAN/$s"
done
(cd "$root" && find . -type f ! -path './DEBIAN/*' ! -path './etc/*' |
    cut -c3- | LC_ALL=C sort | xargs md5sum) >"$root/DEBIAN/md5sums"
version=$(sed -n 's/^Version: //p' "$root/DEBIAN/control")
dpkg-deb --root-owner-group -Zxz --build "$root" \
    "$work/facteur_${version}_$arch.deb" >/dev/null
echo "$work/facteur_${version}_$arch.deb"
