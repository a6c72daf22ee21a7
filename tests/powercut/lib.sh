# lib.sh - what powercut.sh is made of.  Sourced.
ALL_VARIANTS="dropped kept subset later blocks sectors torn"
tests=0 failures=0 clients=6
POWERCUT_MUTANT=

# ---- TAP ----

result() {		# STATUS NAME
	tests=$((tests + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $tests - $2"
	else
		echo "not ok $tests - $2"
		failures=$((failures + 1))
	fi
}

done_testing() {
	echo "1..$tests"
	[ "$failures" -eq 0 ]
	exit
}

skip_all() {		# REASON
	echo "ok 1 - power cut # SKIP $1"
	echo "1..1"
	exit 0
}

bail() {
	result 1 "$*"
	[ ! -s "$T/w/site.log" ] || tail -n 20 "$T/w/site.log" | sed 's/^/# /'
	done_testing
}

# ---- outside: may we, and a world of its own ----

worlds="--mount --pid --fork --kill-child --mount-proc --propagation private"

outside() {		# ARGUMENTS OF THE SCRIPT
	[ "$(id -u)" -eq 0 ] || skip_all "needs root"
	for c in unshare mount mkfs.ext4; do
		command -v $c >/dev/null || skip_all "$c is not installed"
	done
	[ -x "$P/powercutfs" ] || skip_all "built without libfuse3-dev"
	(: <>/dev/fuse) 2>/dev/null || skip_all "/dev/fuse cannot be opened"
	(: <>/dev/loop-control) 2>/dev/null || skip_all "no loop devices"
	unshare $worlds true 2>/dev/null || skip_all "namespaces are forbidden"
	T=$(mktemp -d "${TMPDIR:-/tmp}/cut.XXXXXX") || exit 1
	pid=
	trap 'rm -rf "$T"' EXIT
	# unshare ignores all but SIGKILL; its world goes with it.
	trap '[ -z "$pid" ] || kill -9 "$pid"; wait; exit 143' INT TERM HUP
	POWERCUT_INSIDE=$T unshare $worlds sh "$0" "$@" &
	pid=$!
	wait "$pid"
	exit
}

# ---- inside ----

inside() {
	T=$POWERCUT_INSIDE
	W=$T/w
	export FACTEUR_SINGLE_UID=1 HOME="$T"
	unset FACTEUR_CONF 2>/dev/null
	mkdir "$W" "$T/m0" "$T/m1" "$T/fuse" "$T/conf"
	mount -t tmpfs -o mode=700 powercut "$W" || skip_all "no tmpfs"
	set -- $("$B/tests/ports" 3 127.0.0.2) && [ $# -eq 3 ] ||
	    bail "no free ports"
	SMTP=127.0.0.2:$1 REMOTE=$2 CLOSED=$3
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
	deadline=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt "$deadline" ] || return 1
		sleep 0.02
	done
}

# ---- file systems ----

fs_make() {		# FS IMAGE
	rm -f "$2.new"
	case $1 in
	# smaller ones get smaller blocks than a real disk's
	ext4)	truncate -s 512M "$2.new" &&
		mkfs.ext4 -q -E lazy_itable_init=0 "$2.new" ;;
	ext4-fast)
		truncate -s 512M "$2.new" && mkfs.ext4 -q \
		    -E lazy_itable_init=0 -O fast_commit "$2.new" ;;
	xfs)	truncate -s 300M "$2.new" && mkfs.xfs -q "$2.new" ;;
	btrfs)	truncate -s 128M "$2.new" && mkfs.btrfs -q "$2.new" ;;
	esac >"$W/mkfs.out" 2>&1 || return 1
	cp --sparse=always "$2.new" "$2" && rm "$2.new"
}

# Mounts one or both of the images.
fs_mount() {		# FS IMAGE-PREFIX
	mount -t "${1%-*}" -o loop "${2}0" "$T/m0" || return 1
	[ "$layout" = two ] || return 0
	mount -t "${1%-*}" -o loop "${2}1" "$T/m1" && return
	umount "$T/m0"
	return 1
}

# As at boot: mount, and if that is refused, repair.  A disk that tears its
# blocks breaks promises of its own; xfs and btrfs count on them, ext4 then
# wants e2fsck.  Repaired images are judged like all others; those that stay
# unreadable are counted, and allowed only where blocks are torn.
fs_recover() {		# FS VARIANT
	fs_mount "$1" "$W/cut" 2>/dev/null && return
	for d in 0 1; do
		[ -e "$W/cut$d" ] || continue
		case $1 in
		ext4*)	e2fsck -fy "$W/cut$d" ;;
		xfs)	xfs_repair "$W/cut$d" ;;
		btrfs)	btrfs rescue super-recover -y "$W/cut$d" ;;
		esac >"$W/repair.out" 2>&1
	done
	fs_mount "$1" "$W/cut" 2>/dev/null || return 1
	repaired=$((repaired + 1))
}

fs_umount() {
	umount "$T/m0" || return 1
	[ "$layout" != two ] || umount "$T/m1"
}

# ---- Facteur ----

site_conf() {		# LAYOUT
	mail=$T/m0/mail
	[ "$1" = one ] || mail=$T/m1/mail
	cat >"$T/conf/facteur.conf" <<-END
	hostname = mx.cut.test
	domains = cut.test
	listen_smtp = $SMTP
	trusted = 127.0.0.0/8
	remote_port = $REMOTE
	resolver = 127.0.0.1:$CLOSED
	run = $T/run
	spool = $T/m0/spool
	mail = $mail
	inject_workers = 6
	END
	printf '%s:*\n' billy@cut.test jean-bob@cut.test >"$T/conf/users"
	chmod 600 "$T/conf/users"
	billy=$mail/cut.test/billy/Maildir
	jean=$mail/cut.test/jean-bob/Maildir
}

# In a pid namespace of its own: killed with its first process, all at once.
site_start() {
	rm -f "$W/ready"
	mkfifo "$W/ready"
	unshare --pid --fork --kill-child "$facteur" run -C "$T/conf" >"$W/ready" \
	    2>>"$W/site.log" &
	site=$!
	read -r line <"$W/ready" && [ "$line" = ready ]
}

site_kill() {
	read -r first <"/proc/$site/task/$site/children"
	kill -9 $first
	wait "$site" 2>/dev/null
}

verify() {		# [-r] POS
	flag=
	[ "$1" != -r ] || { flag=-r; shift; }
	"$P/verify" $flag -a "$W/acks" -c "$1" "$T/m0/spool" "$billy" "$jean"
}

settled() {
	verify -r "$1"
	[ $? -ne 2 ]
}

# ---- recording ----

# Facteur at work on FS, and the record of it in $W.
record() {		# FS LAYOUT MESSAGES
	layout=$2
	rm -f "$W"/base? "$W"/disk? "$W"/cut? "$W/acks" "$W/site.log"
	site_conf "$layout"
	for d in 0 1; do
		fs_make "$1" "$W/base$d" || bail "mkfs.$1: $(cat "$W/mkfs.out")"
		cp --sparse=always "$W/base$d" "$W/disk$d"
		[ "$layout" = two ] || break
	done
	mkfifo "$W/fsready"
	"$P/powercutfs" "$W" "$T/fuse" >"$W/fsready" &
	fspid=$!
	read -r line <"$W/fsready" && [ "$line" = ready ] ||
	    bail "powercutfs did not start"
	rm "$W/fsready"
	fs_mount "$1" "$T/fuse/disk" || bail "$1 cannot be mounted"
	work "$3"
	fs_umount || bail "$1 cannot be unmounted"
	umount "$T/fuse"
	wait "$fspid"
	rm -f "$W"/disk?
}

# A tree of programs of which one is the mutant: `facteur run` hands no
# LD_PRELOAD down, so a script in its place sets it.
break_it() {		# PROGRAM
	bin=$W/broken/bin libexec=$W/broken/libexec/facteur
	rm -rf "$W/broken"
	mkdir -p "$bin" "$libexec"
	cp "$B"/bin/facteur "$bin" && cp "$B"/libexec/facteur/* "$libexec" ||
	    bail "cp"
	rm "$libexec/$1"
	cat >"$libexec/$1" <<-END
	#!/bin/sh
	export POWERCUT_MUTANT=$POWERCUT_MUTANT LD_PRELOAD=$P/mutant.so
	exec $B/libexec/facteur/$1 "\$@"
	END
	chmod 755 "$libexec/$1"
	facteur=$bin/facteur
}

site_start_mutant() {
	facteur=$B/bin/facteur
	[ -z "$POWERCUT_MUTANT" ] || break_it "${POWERCUT_MUTANT%%-*}"
	site_start || bail "Facteur did not start"
	facteur=$B/bin/facteur
}

# The load; the mutant, if any, is only at work here.
work() {		# MESSAGES
	site_start_mutant
	"$P/load" -n "$1" -j "$clients" -s "$SMTP" -i "$T/run/inject" \
	    -p "$W/position" -a "$W/acks" >"$W/load.out" 2>&1 ||
	    bail "load: $(cat "$W/load.out")"
	wait_for 30 settled 0 || bail "mail is not delivered"
	site_kill
}

# ---- cutting ----

# One image: what is wrong with it is appended to $W/wrong.
image() {		# FS POS VARIANT
	images=$((images + 1))
	"$P/cut" -c "$2" -v "$3" -s "$2" "$W" || bail "cut"
	: >"$W/found"
	if ! fs_recover "$1" "$3"; then
		[ "$3" != sectors ] && [ "$3" != torn ] ||
		    { given_up=$((given_up + 1)); return; }
		echo "cannot be mounted" >"$W/found"
	else
		look "$2"
		fs_umount || bail "$1 cannot be unmounted"
	fi
	[ -s "$W/found" ] || return 0
	wrong=$((wrong + 1))
	sed "s/^/cut at $2, $3: /" "$W/found" >>"$W/wrong"
}

look() {		# POS
	verify "$1" >"$W/out" || sed 's/$/ (before the start)/' "$W/out" \
	    >>"$W/found"
	[ -z "$static" ] || return 0
	if ! site_start; then
		echo "Facteur does not start" >>"$W/found"
	elif ! wait_for 20 settled "$1"; then
		echo "mail stays in the queue" >>"$W/found"
	fi
	verify -r "$1" >"$W/out" || cat "$W/out" >>"$W/found"
	site_kill
}

# All images of a record.
images() {		# FS POINTS VARIANTS
	images=0 wrong=0 repaired=0 given_up=0
	rm -f "$W/wrong"
	"$P/cut" -l "$W" -a "$W/acks" -n "$2" -s "${SEED:-1}" >"$W/points"
	while read -r pos cached <&3; do
		variants=$3
		[ "$cached" -gt 0 ] || variants=dropped
		for v in $variants; do
			image "$1" "$pos" "$v"
			[ -z "$stop" ] || [ "$wrong" -eq 0 ] || return 0
		done
	done 3<"$W/points"
}

told() {
	sed -n '1,12s/^/#   /p' "$W/wrong"
}

have_fs() {		# FS
	set -- "${1%-*}"
	if ! command -v "mkfs.$1" >/dev/null; then
		tests=$((tests + 1))
		echo "ok $tests - $1 # SKIP mkfs.$1 is not installed"
		return 1
	fi
	grep -qw "$1" /proc/filesystems || modprobe -q "$1" 2>/dev/null &&
	    return
	tests=$((tests + 1))
	echo "ok $tests - $1 # SKIP this kernel has no $1"
	return 1
}

prove() {		# FS LAYOUT POINTS MESSAGES VARIANTS
	have_fs "$1" || return 0
	static= stop=
	record "$1" "$2" "$4"
	echo "# $1, spool and Maildirs on $2:" \
	    "$(wc -l <"$W/acks") acknowledged, $("$P/cut" -i "$W")"
	images "$1" "$3" "$5"
	[ ! -s "$W/wrong" ] || told
	[ $((repaired + given_up)) -eq 0 ] || echo "# $repaired images" \
	    "mounted only after a repair, $given_up torn beyond repair"
	result "$wrong" "$1, on $2: $3 cut points, $images images:\
 what was acknowledged is there, whole${POWERCUT_MUTANT:+ ($POWERCUT_MUTANT)}"
}

# ---- mutants ----

# A broken Facteur must be seen: the first image that is wrong suffices.  What
# is lost between two flushes of others depends on who comes when: few clients
# leave longer gaps, and there are three tries.
mutant() {		# NAME FS LAYOUT
	have_fs "$2" || return 0
	POWERCUT_MUTANT=$1 static=1 stop=1 clients=2 try=0 wrong=0
	while [ "$wrong" -eq 0 ] && [ $try -lt 3 ]; do
		try=$((try + 1))
		record "$2" "$3" 60
		images "$2" 60 "$ALL_VARIANTS"
	done
	POWERCUT_MUTANT='' clients=6
	[ "$wrong" -eq 0 ] || sed -n '1s/^/#   /p' "$W/wrong"
	result $((1 - (wrong > 0))) \
	    "mutant $1 on $2, $3: caught by image $images of load $try"
}

mutants() {
	for fs in ext4 xfs btrfs; do
		mutant inject-no-file-flush $fs one
		mutant inject-no-dir-flush $fs one
		mutant launch-no-file-flush $fs one
		mutant launch-no-file-flush $fs two
		mutant launch-no-dir-flush $fs two
		mutant launch-name-first $fs two
	done
	# where order is kept (INTERNALS 3.6)
	mutant launch-no-write-out ext4 one
	mutant launch-no-write-out xfs one
}
