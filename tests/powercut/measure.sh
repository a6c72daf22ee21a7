# measure.sh - one flush or two: what each costs.  Sourced.

# Flushes that a mounted image has had so far.
flushes() {
	dev=$(findmnt -no SOURCE "$T/m0")
	set -- $(cat "/sys/block/${dev#/dev/}/stat")
	echo "${16:-0}"
}

# One run: messages a second, flushes a message.
run_once() {		# CLIENTS RCPTS
	site_start_mutant
	before=$(flushes)
	"$P/load" -n 500 -j "$1" -t "$2" -z 4000 -i "$T/run/inject" \
	    -p "$W/position" -a "$W/acks" >"$W/load.out" 2>&1 ||
	    bail "load: $(cat "$W/load.out")"
	awk -v s="$(cat "$W/load.out")" -v f="$(($(flushes) - before))" \
	    'BEGIN { printf "%.0f/s %.2f   ", 500 / s, f / 500 }'
	[ "$2" -eq 4 ] || wait_for 30 settled 0
	site_kill
	rm -rf "$T/m0/spool" "$T/m0/mail" "$W/acks"
}

# On a loop device over the disk TMPDIR is on, in turn, so that a change of
# the weather hits both.
measure() {
	layout=one
	site_conf one
	sed -i 's/^inject_workers.*/inject_workers = 20/' "$T/conf/facteur.conf"
	truncate -s 8 "$W/position"
	echo "# msgs/s, flushes/msg; two, one, two, one, two, one flush(es)"
	for fs in ${FS:-ext4 xfs btrfs}; do
		fs_make "$fs" "$T/disk0" && mount -t "$fs" -o loop "$T/disk0" \
		    "$T/m0" || bail "$fs"
		for what in "1 4" "10 4" "10 1"; do
			printf '# %s, %2d clients%s: ' "$fs" $(set -- $what
			    echo "$1") "$([ "${what#* }" = 4 ] ||
			    echo ", delivering")"
			for m in two "" two "" two ""; do
				POWERCUT_MUTANT=${m:+inject-two-flushes}
				run_once $what
			done
			echo
		done
		umount "$T/m0"
		rm -f "$T/disk0"
	done
	POWERCUT_MUTANT=
	result 0 "measured"
}
