#!/bin/sh
# 64-workers - who delivers to an owner, and for how long he is kept (way 6).
. "$(dirname "$0")/lib.sh"
marie=marie@emc.fr

send() {		# TO...
	printf 'Subject: x\n\ny\n' |
	    "$B/bin/sendmail" -C "$T/emc" -f jean-bob@emc.fr "$@"
}
# launch itself; what it has become for each owner are its children.
launcher() {
	for p in $(pids_of emc launch); do
		grep -q "^PPid:	$(site_pid emc)\$" "/proc/$p/status" &&
		    echo "$p"
	done
}
workers() {
	cat "/proc/$L/task/$L/children"
}
count() {
	set -- $(workers)
	echo $#
}
none_left() {
	[ "$(count)" -eq 0 ]
}
at_most() {
	[ "$(count)" -le "$1" ]
}

one_site
L=$(launcher)
if ! [ -r "/proc/$L/task/$L/children" ]; then
	skip "workers" "this kernel does not tell a process's children"
	done_testing
	exit
fi

# ---- one owner ----
send $marie
ok "the first message arrives" wait_for 10 arrived emc $marie 1
first=$(workers)
ok "by a worker of its owner" [ "$(count)" -eq 1 ]
send $marie
ok "the second one arrives" wait_for 10 arrived emc $marie 2
is "by the same worker" "$(workers)" "$first"

home=$(dirname "$(maildir emc $marie)")
chmod +t "$home"
send $marie
deferred() {
	"$FACTEUR" -C "$T/emc" ls | grep -q "held by its owner"
}
ok "a home with the sticky bit keeps the third one waiting" \
    wait_for 10 deferred
ok "and a worker that was denied something is not kept" \
    wait_for 10 none_left
chmod -t "$home"
ok "the owner lets go of it" "$FACTEUR" -C "$T/emc" retry --all
ok "and it arrives" wait_for 10 arrived emc $marie 3
ok "by another worker" [ "$(workers)" != "$first" ]

# ---- many owners, few descriptors ----
# In single-uid mode those are owners of their own who live outside of mail.
site_stop emc
mkdir "$T/homes"
all=
for i in $(seq 40); do
	mkdir "$T/homes/$i"
	echo "u$i@emc.fr:*:$(id -u):$(id -g)::$T/homes/$i" >>"$T/emc/users"
	all="$all u$i@emc.fr"
done
ulimit -n 256
site_start emc
L=$(launcher)
all_arrived() {
	[ "$(ls -d "$T"/homes/*/Maildir/new/* | wc -l)" -eq 40 ]
}
send $all
ok "40 owners get their mail with 256 descriptors" wait_for 20 all_arrived
ok "no more than an eighth of these stay with idle workers" \
    wait_for 10 at_most 32
ok "which are kept" not wait_for 1 at_most 31
done_testing
