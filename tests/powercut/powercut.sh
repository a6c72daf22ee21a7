#!/bin/sh
# powercut.sh - suite 3 of `make crash`: the power goes, and comes back.
#
# usage: sh tests/powercut/powercut.sh MODE [BUILDDIR]
#
# A file system (ext4, xfs, btrfs, as mkfs makes them) lies on a loop device
# over powercutfs, which records every write and every flush.  Facteur runs on
# it, clients send mail and note each "yes" with the state of the record.  Then
# the disks are rebuilt as a power cut at some point would have left them: all
# that was flushed, and of the rest nothing, all, a part, torn pieces.  They
# are mounted (the file system repairs itself), verify looks, Facteur is
# started, verify looks again.
#
# short    one file system, 20 cut points (part of `make check`)
# full     three file systems, spool and Maildirs on one and on two; again with
#          two flushes in place of one (INTERNALS 3.6); then the mutants
# mutants  breaks Facteur in several ways; each must be caught
# measure  flushes and rate of both, side by side; of use on a quiet machine
#
# Needs root, /dev/fuse, loop devices.  Runs in mount and pid namespaces of
# its own, so that whatever happens nothing is left behind.
set -u

TOP=$(cd "$(dirname "$0")/../.." && pwd)
mode=${1:-short}
B=$(cd "${2:-${B:-$TOP/build}}" && pwd) || exit 1
P=$B/tests/powercut
. "$TOP/tests/powercut/lib.sh"
. "$TOP/tests/powercut/measure.sh"

[ -n "${POWERCUT_INSIDE:-}" ] || outside "$@"
inside

case $mode in
short)
	prove ext4 one 20 60 "dropped kept torn"
	;;
full)
	for fs in ${FS:-ext4 xfs btrfs}; do
		for layout in one two; do
			prove $fs $layout "${POINTS:-60}" 150 "$ALL_VARIANTS"
		done
	done
	prove ext4-fast one 30 150 "$ALL_VARIANTS"
	POWERCUT_MUTANT=inject-two-flushes
	for fs in ${FS:-ext4 xfs btrfs}; do
		prove $fs one 30 150 "$ALL_VARIANTS"
	done
	mutants
	;;
mutants)
	mutants
	;;
measure)
	measure
	;;
*)
	echo "usage: $0 short|full|mutants|measure [builddir]" >&2
	exit 64
	;;
esac
done_testing
