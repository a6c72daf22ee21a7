#!/bin/sh
# 91-damage - what a bad disk or a careless hand leaves in queue/ is reported
# once and stops nothing (way 4).  D and a number: the attack list, section D.
. "$(dirname "$0")/lib.sh"

SINCE=2020-01-01T00:00:00.000000Z	# before any boot: content is checked
NOW=$(date -u +%Y-%m-%dT%H:%M:%S.000000Z)
marie=marie@emc.fr
Q=$T/emc/spool/queue
BAD=$T/emc/spool/bad

# crc32 FILE: as zlib makes it, from the end of what gzip says.
crc32() {
	set -- $(gzip -nc <"$1" | tail -c 8 | head -c 4 | od -An -tx1)
	echo "$4$3$2$1" | tr a-f A-F
}

# queue_file ARRIVED [SED]: a message for marie, old, as $made: its ID is its
# subject; SED changes its envelope before the commit mark is made.
mkdir "$T/made"
queue_file() {
	new_id
	printf 'Received: by hand\nSubject: %s\n\nthe body of %s\n' $x $x \
	    >"$T/m"
	made=$T/made/$x.$(($(wc -c <"$T/m")))
	printf 'facteur 1\narrived %s\nsender <jean-bob@emc.fr>\nrcpt 1 <%s>\n' \
	    "$1" $marie | sed "${2:-}" >"$T/e"
	cat "$T/m" "$T/e" >"$made"
	echo "ready $(crc32 "$made")" >>"$made"
	age "$made"
}
age() {
	touch -d '3 hours ago' "$1"
}

# poke FILE OFFSET BYTE: one byte of it becomes another.
poke() {
	printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
	age "$1"
}

cut_to() {		# FILE BYTES
	truncate -s "$2" "$1"
	age "$1"
}

n=0
# damaged WHAT: $made is one of them.
damaged() {
	n=$((n + 1))
	echo "${made##*/} $1" >>"$T/damage"
}
k=0
new_id() {		# sets x
	k=$((k + 1))
	x=$(printf '25x2t8n3chy%05d' $k)
}

make_damage() {
	queue_file "$NOW"; cut_to "$made" 40
	damaged "truncated in the content"
	queue_file "$NOW"; cut_to "$made" $(($(wc -c <"$made") - 30))
	damaged "truncated above the commit mark"
	queue_file "$NOW"; cut_to "$made" $(($(wc -c <"$made") - 1))
	damaged "truncated by one byte"
	queue_file "$NOW"; cut_to "$made" 0
	damaged "of no length"
	queue_file "$SINCE"; poke "$made" 30 X
	damaged "a flipped byte in the content, before the reboot"
	queue_file "$SINCE"
	poke "$made" $(($(wc -c <"$made") - 30)) q
	damaged "a flipped byte in the envelope, before the reboot"
	queue_file "$NOW" 's/^facteur 1/facteur 2/'
	damaged "a foreign version"
	queue_file "$NOW"; sed -i '/^ready/d' "$made"; age "$made"
	damaged "no commit mark"
	queue_file "$NOW" 's/^rcpt 1/rcpt 99999999999999999999/'
	damaged "a huge number"
	queue_file "$NOW" 's/^arrived 2/arrived 9992/'
	damaged "a time that cannot be"
	queue_file "$NOW" '/^sender/p'
	damaged "a key twice"
	queue_file "$NOW" 's/marie@/%0Amarie@/'
	damaged "a newline in a value"
	queue_file "$NOW" 's/marie@/marie\x07@/'
	damaged "a control byte"
	queue_file "$NOW" '/^rcpt/s/$/ parent=7/'
	damaged "a recipient whose parent is not there"
	queue_file "$NOW"; truncate -s 80M "$made"; age "$made"
	damaged "an endless envelope"
	queue_file "$NOW"
	mv "$made" "${made%.*}.9223372036854775807"
	made=${made%.*}.9223372036854775807
	damaged "a huge size in the name"
	new_id; made=$T/made/$x.16
	head -c 4096 /dev/urandom >"$made"; age "$made"
	damaged "no message at all"
}

# delivered ID: marie has the message of that name, once.
delivered() {
	[ "$(cat "$(maildir emc $marie)"/new/* 2>/dev/null |
	    grep -ac "^Subject: $1\$")" -eq 1 ]
}
all_bad() {
	[ "$(ls "$BAD" | wc -l)" -eq $n ]
}
logged() {		# PATTERN: how often
	grep -ac -e "$1" "$T/emc.log"
}
pass() {		# one good message goes through
	p=$((${p:-0} + 1))
	printf 'Subject: pass%s\n\nx\n' $p |
	    "$B/bin/sendmail" -C "$T/emc" -f jean-bob@emc.fr $marie &&
	    wait_for 10 delivered pass$p
}

one_site
make_damage
site_stop emc
queue_file "$SINCE"; good=${made##*/}
queue_file "$NOW"; torn=${made##*/}
printf 'defer 1 2026-11-2' >>"$made"; age "$made"
queue_file "$NOW"; newer=${made##*/}
printf 'colour 1 red\n' >>"$made"; age "$made"
mv "$T"/made/* "$Q"
site_start emc

ok "D69 a whole message from before the reboot is delivered" \
    wait_for 10 delivered "${good%.*}"
ok "D69 one with a torn last line too" wait_for 10 delivered "${torn%.*}"
ok "D69 one with a line of a version to come too" \
    wait_for 10 delivered "${newer%.*}"
ok "D69 all that is damaged goes to bad/" wait_for 10 all_bad
while read -r name what; do
	is "D69 $what: in bad/, reported once" \
	    "$(ls "$BAD" | grep -cxF "$name") $(logged \
	    "^${name%.*} damaged.*moved-to=bad")" "1 1"
done <"$T/damage"
ok "D69 the queue goes on" pass

# Young damage may be a copy under way: it waits for its rest.
queue_file "$NOW"
young=${made##*/}
head -c 60 "$made" >"$Q/$young"
incomplete() {
	grep -aq "^${young%.*} incomplete" "$T/emc.log"
}
ok "D79 a cp under way is waited for" wait_for 10 incomplete
cat "$made" >"$Q/$young"
ok "D79 and is no damage" test -e "$Q/$young"
rm "$made"
"$FACTEUR" -C "$T/emc" retry "${young%.*}" >/dev/null
ok "D79 when it is whole it is delivered" wait_for 10 delivered "${young%.*}"

# D70: what is no file of ours.
queue_file "$NOW"
target=$T/target followed=$x
mv "$made" "$target"
size=${made##*.}
f=0
foreign() {		# NAME COMMAND...: makes one
	name=$1
	shift
	"$@" || return
	f=$((f + 1))
	echo "$name" >>"$T/foreign"
}
bsd_socket() {
	perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => $ARGV[0],
	    Listen => 1) or die' "$1"
}
new_id; foreign $x.$size ln -s "$target" "$Q/$x.$size"
new_id; foreign $x.9 ln -s /etc/passwd "$Q/$x.9"
new_id; foreign $x.9 ln -s /nonexistent "$Q/$x.9"
new_id; foreign $x.9 mkfifo "$Q/$x.9"
new_id; foreign $x.9 mkdir -p "$Q/$x.9"
new_id; foreign $x.9 bsd_socket "$Q/$x.9"
new_id; foreign $x.$size ln "$target" "$Q/$x.$size"
foreign loop ln -s . "$Q/loop"
foreign README sh -c "echo hello >'$Q/README'"
foreign .hidden sh -c ": >'$Q/.hidden'"
foreign ..x mkdir "$Q/..x"
foreign 'two lines' sh -c ": >'$Q/two
lines'"
foreign esc sh -c ": >'$Q/$(printf 'esc\033[2J')'"
foreign tmp.x mkfifo "$Q/tmp.x"
if [ "$(id -u)" -eq 0 ]; then
	new_id; foreign $x.9 mknod "$Q/$x.9" c 1 3
	new_id; foreign $x.9 mknod "$Q/$x.9" b 7 200
	queue_file "$NOW"
	chown 12345 "$made"
	foreign "${made##*/}" mv "$made" "$Q"
else
	skip "D70 devices and other owners" "only root can make them"
fi
all_reported() {
	[ "$(logged ' foreign-object ')" -ge $f ]
}
ok "D70 symlinks, pipes, directories, sockets, devices, hard links, \
other owners, odd names: reported" wait_for 10 all_reported
ok "D70 the queue goes on" pass
is "D70 each once" "$(logged ' foreign-object ')" $f
is "D70 no control byte in the log" \
    "$(LC_ALL=C tr -d '\n' <"$T/emc.log" | LC_ALL=C grep -ac '[[:cntrl:]]')" 0
is "D70 nothing was followed or moved" \
    "$(ls "$BAD" | wc -l) $(head -n 1 "$target")" "$n Received: by hand"
rm -rf "$Q"/* "$Q"/..x "$Q"/.hidden
ok "D70 nothing was delivered" not delivered "$followed"

# D78: an administrator looks at hostile data.
queue_file "$NOW" "s/^rcpt.*/&\\
rcpt 2 <a\xe2\x80\xae\xc2\x9b2Jb@nowhere.example>/"
printf 'defer 2 2026-11-23T03:19:00Z next=2026-11-23T03:19:00Z - "\xc2\x9b\\x1B|"\n' \
    >>"$made"
mv "$made" "$T/emc/spool/hold"
"$FACTEUR" -C "$T/emc" ls >"$T/ls" 2>&1
"$FACTEUR" -C "$T/emc" show "$(basename "${made%.*}")" >>"$T/ls" 2>&1
has "D78 ls and show tell of it" "$T/ls" 'nowhere.example'
is "D78 without what moves a terminal or turns text round" \
    "$(LC_ALL=C grep -acP '\xe2\x80\xae|\xc2\x9b|\x1b' "$T/ls")" 0
rm "$T/emc/spool/hold"/*

# D71: one spool, one queue manager.
"$B/libexec/facteur/queue" -C "$T/emc" >"$T/second" 2>&1
is "D71 a second queue manager ends with 75" $? 75
has "D71 and says why" "$T/second" 'another queue manager is at work here'
timeout 20 "$FACTEUR" run -C "$T/emc" >"$T/second" 2>&1
second=$?
ok "D71 a second system as well, clearly" test $second -gt 0 -a \
    $second -lt 124 -a -s "$T/second"
ok "D71 the first one goes on" pass

# The spool is copied to another place, with mail in it.
site_stop emc
printf 'Subject: moved\n\nx\n' | "$B/libexec/facteur/inject" -C "$T/emc" \
    -f jean-bob@emc.fr $marie
is "a message waits" "$(ls "$Q" | wc -l)" 1
cp -a "$T/emc/spool" "$T/elsewhere"
mv "$T/emc/spool" "$T/emc/old"
echo "spool = $T/elsewhere" >>"$T/emc/facteur.conf"
site_start emc
ok "a spool copied with cp -a starts there" wait_for 10 delivered moved
site_stop emc
is "nothing is left in the copy" "$(ls "$T/elsewhere/queue" | wc -l)" 0

# D80
fails_with() {		# PATTERN: facteur run ends at once and says it
	timeout 20 "$FACTEUR" run -C "$T/emc" >"$T/said" 2>&1
	[ $? -lt 124 ] && ! grep -q '^ready' "$T/said" &&
	    grep -q -e "$1" "$T/said" || {
		cat "$T/said"
		return 1
	}
}
chmod 777 "$T/elsewhere/queue"
ok "D80 a spool that anyone may write is refused, with the mend" \
    fails_with 'mode 0777.*chmod'
chmod 700 "$T/elsewhere/queue"
if [ "$(id -u)" -eq 0 ]; then
	chown 12345 "$T/elsewhere"
	ok "D80 another's spool is refused, with the mend" \
	    fails_with 'belongs to uid 12345.*chown'
	chown 0 "$T/elsewhere"
else
	skip "D80 another's spool" "only root can give it away"
fi
for mask in 000 077; do
	rm -rf "$T/elsewhere"
	old=$(umask)
	umask $mask
	site_start emc
	umask "$old"
	ok "D80 umask $mask: works" sh -c "
		printf 'Subject: mask$mask\n\nx\n' | '$B/bin/sendmail' \
		    -C '$T/emc' -f jean-bob@emc.fr nobody@[127.0.0.1] $marie"
	ok "D80 umask $mask: delivered" wait_for 10 delivered mask$mask
	is "D80 umask $mask: nobody else can read" "$(find "$T/elsewhere" \
	    "$(maildir emc $marie)" -perm /077 | wc -l)" 0
	site_stop emc
done

done_testing
