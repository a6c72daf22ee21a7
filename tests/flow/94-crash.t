#!/bin/sh
# 94-crash - suites 1 and 2 of `make crash`, a part of them: every system call
# fails; kill -9 anywhere.  The programs with a mistake must be noticed.
# (tests/crash/crash.c makes its own site, and takes it away again.)
B=${B:-$(cd "$(dirname "$0")/../.." && pwd)/build}
exec "$B/tests/crash" -s "$B"
