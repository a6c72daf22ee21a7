# lib.sh - what the flows share: sites, TAP, waiting.  Sourced by NN-name.t.
#
# B is the build directory.  Everything lives in $T, which goes at the end
# with every process we started.  A site is a directory $T/NAME: its CONFDIR,
# with its log in NAME.log.

set -u
TOP=${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
B=$(cd "${B:-$TOP/build}" && pwd) || exit 1
T=$(mktemp -d "${TMPDIR:-/tmp}/flow.XXXXXX") || exit 1
FACTEUR=$B/bin/facteur
# Run by root, the sites are still those of an ordinary user.
export FACTEUR_SINGLE_UID=1 HOME="$T"
unset FACTEUR_CONF XDG_CONFIG_HOME MAILDIR MAIL 2>/dev/null
PIDS=			# what we have to end
tests=0
EMC=127.0.0.2		# the address of emc.fr,
YAHOO=127.0.0.3		# and of yahoo.co.uk

# ---- TAP ----

# ok NAME COMMAND...: the command succeeds.  Its output is told on failure.
ok() {
	name=$1
	shift
	tests=$((tests + 1))
	if "$@" >"$T/ok.out" 2>&1; then
		echo "ok $tests - $name"
	else
		echo "not ok $tests - $name"
		echo "# failed: $*"
		sed 's/^/#   /' "$T/ok.out" | tail -n 40
	fi
}

# is NAME GOT WANTED: the two strings are the same.
is() {
	tests=$((tests + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $tests - $1"
	else
		echo "not ok $tests - $1"
		printf 'got:\n%s\nwanted:\n%s\n' "$2" "$3" | sed 's/^/#   /'
	fi
}

# has NAME FILE PATTERN: grep finds it.
has() {
	tests=$((tests + 1))
	if grep -aq -e "$3" "$2"; then
		echo "ok $tests - $1"
	else
		echo "not ok $tests - $1"
		echo "# no '$3' in $2:"
		tail -n 40 "$2" | sed 's/^/#   /'
	fi
}

skip() {		# NAME REASON
	tests=$((tests + 1))
	echo "ok $tests - $1 # SKIP $2"
}

have() {		# COMMAND: is it there?  Else skips what is named.
	command -v "$1" >/dev/null 2>&1 && return 0
	skip "$1" "$1 is not installed (make deps)"
	return 1
}

not() {
	! "$@"
}

done_testing() {
	echo "1..$tests"
}

# What the sites said; for a flow that failed.
show_logs() {
	for log in "$T"/*.log; do
		[ -e "$log" ] || continue
		echo "# ---- ${log##*/}"
		tail -n 60 "$log" | sed 's/^/# /'
	done
}

bail() {
	echo "not ok $((tests + 1)) - $*"
	show_logs
	exit 1
}

# ---- waiting, and ending ----

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
	deadline=$(($(date +%s) + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt "$deadline" ] || return 1
		sleep 0.05
	done
}

# Is it there, and no zombie that nobody has asked for yet?
alive() {
	state=$(sed -n 's/^State:[^A-Z]*\(.\).*/\1/p' "/proc/$1/status" \
	    2>/dev/null)
	[ -n "$state" ] && [ "$state" != Z ]
}

dead() {
	! alive "$1"
}

# The processes of a site's program: `pids_of emc smtpd`.
pids_of() {
	for p in /proc/[0-9]*; do
		# children in their own sandbox are called smtpd:session
		case $(cat "$p/comm" 2>/dev/null) in
		"$2" | "$2":* | "$2"[+-]) ;;
		*) continue ;;
		esac
		tr '\0' '\n' <"$p/cmdline" 2>/dev/null |
		    grep -qxF -e "$T/$1" && echo "${p#/proc/}"
	done
}

clean_up() {
	status=$?
	trap '' INT TERM HUP
	for pid in $PIDS; do
		kill -TERM "$pid" 2>/dev/null
	done
	for pid in $PIDS; do
		wait_for 12 dead "$pid" || {
			echo "# process $pid had to be killed"
			kill -KILL "$pid" 2>/dev/null
		}
	done
	for run in "$T"/*.run; do
		[ -s "$run" ] || continue
		rm -rf "$(cat "$run")"
		rmdir "$(dirname "$(cat "$run")")" 2>/dev/null
	done
	[ -n "${KEEP_FLOW:-}" ] || rm -rf "$T"
	exit "$status"
}
trap clean_up EXIT
trap 'exit 143' INT TERM HUP

# ---- DNS ----

# dns_start: serves $T/zone; sets DNS to ADDR:PORT.
dns_start() {
	mkfifo "$T/dns.ready" || bail "mkfifo"
	"$B/tests/dnsd" -v "$T/zone" >"$T/dns.ready" 2>"$T/dns.log" &
	PIDS="$PIDS $!"
	read -r word port <"$T/dns.ready" && [ "$word" = ready ] ||
	    bail "dnsd did not start"
	rm -f "$T/dns.ready"
	DNS=127.0.0.1:$port
}

# The zones of our two sites.
zones() {
	cat <<-END
	emc.fr MX 10 mx.emc.fr
	mx.emc.fr A $EMC
	yahoo.co.uk MX 10 mx.yahoo.co.uk
	mx.yahoo.co.uk A $YAHOO
	2.0.0.127.in-addr.arpa PTR mx.emc.fr
	3.0.0.127.in-addr.arpa PTR mx.yahoo.co.uk
	END
}

# ---- sites ----

# Ports for all sites of this flow, the same on each address: MX need that.
ports_choose() {
	set -- $("$B/tests/ports" 6 "$EMC" "$YAHOO") && [ $# -eq 6 ] ||
	    bail "no free ports"
	SMTP=$1 SUB=$2 SUBS=$3 POP=$4 POPS=$5 CLOSED=$6
}

# site_new NAME DOMAIN ADDR [LINE...]: its CONFDIR; LINEs for facteur.conf.
site_new() {
	dir=$T/$1 domain=$2 addr=$3
	shift 3
	mkdir "$dir" || bail "mkdir $dir"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
	    -nodes -days 30 -subj "/CN=mx.$domain" \
	    -addext "subjectAltName=DNS:mx.$domain,DNS:localhost,IP:$addr" \
	    -keyout "$dir/key.pem" -out "$dir/cert.pem" 2>"$T/openssl.out" ||
	    bail "openssl: $(cat "$T/openssl.out")"
	{
		cat <<-END
		hostname = mx.$domain
		domains = $domain
		listen_smtp = $addr:$SMTP
		listen_submission = $addr:$SUB
		listen_submissions = $addr:$SUBS
		listen_pop3 = $addr:$POP
		listen_pop3s = $addr:$POPS
		remote_port = $SMTP
		resolver = ${DNS:-127.0.0.1:$CLOSED}
		tls_cert = $dir/cert.pem
		tls_key = $dir/key.pem
		END
		for line in "$@"; do
			echo "$line"
		done
	} >"$dir/facteur.conf"
}

# user_new SITE ADDRESS PASSWORD
user_new() {
	echo "$3" | "$FACTEUR" -C "$T/$1" passwd "$2" >"$T/passwd.out" 2>&1 ||
	    bail "facteur passwd $2: $(cat "$T/passwd.out")"
}

# site_start NAME: returns when it has said `ready`; SITE_PID is its process.
site_start() {
	rm -f "$T/$1.ready"
	mkfifo "$T/$1.ready" || bail "mkfifo"
	"$FACTEUR" run -C "$T/$1" >"$T/$1.ready" 2>>"$T/$1.log" &
	SITE_PID=$!
	PIDS="$PIDS $SITE_PID"
	line=$(timeout 20 head -n 1 "$T/$1.ready")
	[ "$line" = ready ] || bail "site $1 did not start: $line"
	echo "$SITE_PID" >"$T/$1.pid"
	"$FACTEUR" -C "$T/$1" config 2>/dev/null |
	    sed -n 's/^run[ =]*\(\/[^ ]*\).*/\1/p' >"$T/$1.run"
}

site_pid() {
	cat "$T/$1.pid"
}

# site_stop NAME: SIGTERM; its exit status is ours.
site_stop() {
	pid=$(site_pid "$1")
	kill -TERM "$pid"
	wait "$pid"
}

# maildir SITE ADDRESS: where its Maildir is.
maildir() {
	echo "$T/$1/mail/${2#*@}/${2%@*}/Maildir"
}

# messages SITE ADDRESS: how many are there.
messages() {
	find "$(maildir "$1" "$2")/new" "$(maildir "$1" "$2")/cur" -type f \
	    2>/dev/null | wc -l
}

arrived() {		# SITE ADDRESS N
	[ "$(messages "$1" "$2")" -ge "$3" ]
}

queue_empty() {		# SITE
	[ -z "$(ls "$T/$1/spool/queue")" ]
}

# The one message, or the newest, in a Maildir.
newest() {		# SITE ADDRESS
	find "$(maildir "$1" "$2")/new" -type f -printf '%T@ %p\n' |
	    sort -n | tail -n 1 | cut -d' ' -f2-
}

# ends_with FILE TAIL: the bytes of TAIL are the last of FILE.
ends_with() {
	tail -c "$(wc -c <"$2")" "$1" | cmp - "$2"
}

# message FILE [SUBJECT]: an ordinary one, with a body from standard input.
message() {
	cat >"$1" <<-END
	From: Jean-Bob <jean-bob@emc.fr>
	To: Billy <billy@yahoo.co.uk>
	Subject: ${2:-Hello}
	Date: Mon, 23 Nov 2026 03:19:00 +0000
	Message-ID: <$(basename "$1").$$@emc.fr>

	END
	cat >>"$1"
}

crlf() {		# FILE: as it stands on the wire
	sed 's/$/\r/' "$1"
}

# submit FILE FROM TO...: through emc's submission port as jean-bob, by curl.
submit() {
	file=$1 from=$2
	shift 2
	rcpts=
	for r in "$@"; do
		rcpts="$rcpts --mail-rcpt $r"
	done
	crlf "$file" | curl -sS --ssl-reqd -k --max-time 60 \
	    --url "smtp://$EMC:$SUB/mua.emc.fr" \
	    --user "jean-bob@emc.fr:$PASS" --login-options AUTH=PLAIN \
	    --mail-from "$from" $rcpts -T -
}

# Both sites with their users, running: what most flows begin with.
PASS=ecureuil
two_sites() {
	ports_choose
	zones >"$T/zone"
	dns_start
	site_new emc emc.fr "$EMC" "$@"
	site_new yahoo yahoo.co.uk "$YAHOO" "$@"
	user_new emc jean-bob@emc.fr "$PASS"
	user_new yahoo billy@yahoo.co.uk "$PASS"
	site_start emc
	site_start yahoo
}

one_site() {		# emc alone
	ports_choose
	zones >"$T/zone"
	dns_start
	site_new emc emc.fr "$EMC" "$@"
	user_new emc jean-bob@emc.fr "$PASS"
	user_new emc marie@emc.fr "$PASS"
	site_start emc
}
