#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A mistyped option must not become a run that means something else.
set -u
giantvm=$1
. "$(dirname "$0")/../cli/lib.sh"

no() {
	refused 2 "$1" "$giantvm" sim "${@:2}"
}

no "no option --bogus" --bogus
no "did not expect 'zipf'" zipf
no "--nodes needs a value" --nodes
for n in '' x -1 0 10241 1,,2 2, 1.5 99999999999999999999; do
	no "is not a number from 1 to 10240" --nodes "$n"
done
no "more than 16 values" --nodes 1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1
no "none of private" --load tempest
no "none of home" --design magic
no "none of home" --design home,
for t in '' 5 5m us 1.2345us -1us 1e3us '1 us' 99999999999s; do
	no "is not a time" --rtt "$t"
done
for p in '' 101 -1 1.23456 x 1e1; do
	no "is not a percentage" --loss "$p"
done
no "is not a number from 0 to 64" --homes 65
no "must be from 1 to 64" --homes 0
no "must be from 2 to 8" --fanout 1
no "--pages must be from" --pages 0
no "--ops must be from" --ops 0
no "--homes cannot be more than --pages" --homes 4 --pages 3
no "needs --trace FILE" --load trace
no "two nodes of one thread" --load invalidate --nodes 1
no "only --design home" --design chain --loss 1
no "only --design home" --design serial --crashes 1
no "go with neither lists" --nasty --json
no "go with neither lists" --seeds 2 --nodes 2,4
refused 1 "cannot be read" "$giantvm" sim --load trace --trace /nonexistent
refused 1 "cannot write" "$giantvm" sim --nodes 2 --ops 1 --plot /nonexistent/a
exit $failed
