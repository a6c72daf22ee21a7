# `facteur top`, the live view, in a terminal that tmux plays.
. "$(dirname "$0")/lib.sh"

if [ ! -x "$B/libexec/facteur/top" ]; then
	skip "facteur top" "built without ncurses (make deps)"
	done_testing
	exit 0
fi

zones() {
	cat <<-END
	emc.fr MX 10 mx.emc.fr
	mx.emc.fr A $EMC
	dead.example A 127.0.0.9
	evil.example A 127.0.0.10
	END
}

one_site
once() {		# what it prints is $T/out
	timeout 20 "$FACTEUR" -C "$T/emc" top --once >"$T/out" 2>&1
}
shows_once() {		# PATTERN
	once && grep -aq -e "$1" "$T/out"
}

# ---- one frame, as text ----

message "$T/m" <<END
Seen.
END
ok "one frame is plain text" once
has "about an empty queue" "$T/out" '^In queue: 0: active 0'
"$B/bin/sendmail" -C "$T/emc" -f jean-bob@emc.fr marie@emc.fr x@dead.example \
    <"$T/m" || bail "sendmail"
ok "a message that waits is counted" wait_for 20 shows_once \
    '^In queue: 1: active 0, .*waiting 1; the oldest'
has "its site is there" "$T/out" '^dead.example .*Connection refused'
has "and why it waits" "$T/out" '^ *1 .*Connection refused'
timeout 20 "$FACTEUR" -C "$T/emc" top <"$T/m" >"$T/out" 2>&1
is "without a terminal it does not start" $? 64
has "and says what does" "$T/out" '[-]-once'

# ---- the screen ----

if ! have tmux; then
	done_testing
	exit 0
fi
# Its server dies with its only session; the socket lies in our directory.
screen() {
	TMUX='' TMUX_TMPDIR=$T TERM=screen timeout 20 tmux -f /dev/null "$@"
}
pane() {
	screen capture-pane -p >"$T/pane"
}
shows() {		# PATTERN: somewhere on the screen
	pane && grep -aq -e "$1" "$T/pane"
}
screen -u new-session -d -x 100 -y 20 sh || bail "tmux"
PIDS="$PIDS $(screen display-message -p '#{pid}')"
screen send-keys 'PS1="done > "; clear' Enter
ok "a shell is there" wait_for 10 shows '^done >'
screen send-keys "$FACTEUR -C $T/emc top" Enter
ok "the queue is shown" wait_for 10 shows '^In queue: 1: '
ok "the keys too, in the last line" wait_for 10 shows '^q quit'
"$B/bin/sendmail" -C "$T/emc" -f jean-bob@emc.fr y@dead.example \
    <"$T/m" || bail "sendmail"
ok "a new message appears by itself" wait_for 10 shows '^In queue: 2: '
ok "as a rate, while it lasts" wait_for 10 shows 'A second: in 0\.0'
screen send-keys n
ok "a key sorts" wait_for 10 shows 'by name'
screen resize-window -x 50 -y 12
narrow() {
	shows '^In queue: 2: ' && shows '^q quit' &&
	    [ "$(grep -c . "$T/pane")" -le 12 ] && not grep -q 'by name' "$T/pane"
}
ok "it fits a smaller window" wait_for 10 narrow
screen resize-window -x 120 -y 30
ok "and a larger one" wait_for 10 shows 'by name'

# A host whose replies want to draw on our screen.
if command -v python3 >/dev/null 2>&1; then
	cat >"$T/evil.py" <<-'END'
	import socket, sys
	s = socket.socket()
	s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
	s.bind(("127.0.0.10", int(sys.argv[1])))
	s.listen(5)
	print("ready", flush=True)
	bad = b"\x1b[2J\x1b[1;1HPWNED\x07\x9b2J\xe2\x80\xae\xff OWNED"
	while True:
	    c, _ = s.accept()
	    c.settimeout(10)
	    try:
	        c.sendall(b"220 evil\r\n")
	        while True:
	            line = c.recv(1000)
	            if not line: break
	            c.sendall(b"250 evil\r\n" if line[:4] in (b"EHLO", b"HELO")
	                else b"451 4.7.1 " + bad + b"\r\n")
	    except OSError:
	        pass
	    c.close()
	END
	mkfifo "$T/evil.ready"
	python3 "$T/evil.py" "$SMTP" >"$T/evil.ready" &
	PIDS="$PIDS $!"
	head -n 1 <"$T/evil.ready" >/dev/null
	"$B/bin/sendmail" -C "$T/emc" -f jean-bob@emc.fr z@evil.example \
	    <"$T/m" || bail "sendmail"
	ok "a hostile reply is shown" wait_for 10 shows \
	    '^evil.example .*451 4.7.1 .*OWNED'
	has "escaped, or made harmless on its way" "$T/pane" '[\?].*PWNED'
	has "and has not moved the title" "$T/pane" '^facteur top - mx.emc.fr'
	once
	ok "--once writes no control byte of it" not \
	    env LC_ALL=C grep -aq '[^[:print:][:space:]]' "$T/out"
else
	skip "a hostile reply" "python3 is not installed (make deps)"
fi

# ---- the queue manager goes, and comes back ----

site_stop emc
ok "without a queue manager it says so" wait_for 10 shows 'NO ANSWER'
has "and shows what it knew" "$T/pane" '^In queue: '
site_start emc
ok "and finds the new one" wait_for 20 not shows 'NO ANSWER'
ok "with its figures" wait_for 10 shows '^In queue: [23]: '

screen send-keys q
clean() {
	pane && [ "$(grep -ac 'In queue\|q quit' "$T/pane")" -eq 0 ] &&
	    [ "$(grep -a . "$T/pane" | tail -n 1)" = "done >" ]
}
ok "q leaves the terminal as it was" wait_for 10 clean
screen send-keys 'stty -a | tr " " "\n" | grep -x "echo;*"; echo $?' Enter
ok "with its echo" wait_for 10 shows '^0$'
screen send-keys exit Enter
gone() {
	not screen has-session
}
ok "tmux ends" wait_for 10 gone
site_stop emc
once
is "without a queue manager: try again" $? 75
done_testing
