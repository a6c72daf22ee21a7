# What stands in the queue, even if somebody has put hostile things there:
# the administrator's tools show it, follow nothing, and write no control byte.
. "$(dirname "$0")/lib.sh"

zones() {
	echo "dead.example A 127.0.0.9"
}

one_site
q=$T/emc/spool/queue
id=25x2xq0000000

clean() {		# FILE: nothing in it that a terminal would obey
	[ -s "$1" ] && ! LC_ALL=C tr -d '\n\t' <"$1" |
	    LC_ALL=C grep -q '[[:cntrl:]]'
}

tool() {		# ARG...: its output is $T/out; how it ended
	timeout 20 "$FACTEUR" -C "$T/emc" "$@" >"$T/out" 2>&1
}

deferred() {
	tool ls && grep -q deferred "$T/out"
}

message "$T/m" <<END
Nobody will get this.
END
ok "sendmail takes a message to a host that is down" \
    "$B/bin/sendmail" -C "$T/emc" -f jean-bob@emc.fr x@dead.example <"$T/m"
ok "ls tells that it is deferred" wait_for 10 deferred
has "and why" "$T/out" 'Connection refused'
has "and counts it" "$T/out" '^1 message\.$'
real=$(ls "$q")

# not mail of ours: the queue ignores them, and so do we
ln -s /etc/passwd "$q/${id}001.5"
mkfifo "$q/${id}002.6"
mkdir "$q/${id}003.7"
: >"$q/$(printf 'a\nb\033[31m')"
: >"$q/-rf"
ok "ls waits for no pipe" tool ls
has "and counts no link, pipe, directory or strange name" "$T/out" \
    '^1 message\.$'
tool show "${id}001"
is "show follows no link" $? 65
ok "and says that there is no such message" clean "$T/out"

# damaged: locked, so that the queue leaves it where it is
printf 'x\nfacteur 1\narrived \033[31m\n\377\0\n' >"$q/${id}004.2"
(
	flock -n 9 || exit 1
	ok "ls bears a damaged file" tool ls
	ok "and shows no control byte of it" clean "$T/out"
	has "but that it is damaged" "$T/out" "${id}004.*damaged"
	ok "ls --json too" tool ls --json
	ok "without a control byte" clean "$T/out"
	ok "show as well" tool show "${id}004"
	ok "and its story harms no terminal" clean "$T/out"
	echo "$tests" >"$T/count"
) 9<"$q/${id}004.2"
tests=$(cat "$T/count")

tool show ../../etc/passwd
is "an ID is never a path" $? 64
tool retry ../../etc/passwd
is "nor is it for retry" $? 65
ok "show tells the story of a message" tool show "${real%%.*}"
has "with what the host said" "$T/out" 'defer 1 .*Connection refused'
done_testing
