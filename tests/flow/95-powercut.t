#!/bin/sh
# 95-powercut - the power goes: 20 cut points on an ext4.  All of it, and on
# xfs and btrfs too: make crash.
TOP=${TOP:-$(cd "$(dirname "$0")/../.." && pwd)}
exec sh "$TOP/tests/powercut/powercut.sh" short "${B:-$TOP/build}"
