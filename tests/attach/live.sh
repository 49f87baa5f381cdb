#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Run a self-checking program with a fourth of its memory.
#
# live.sh GIANTVM EVICT STATUS PROGRAM [ARGUMENT...]: EVICT is move or copy,
# STATUS what `giantvm run` must return.  An ARGUMENT "SOFT" becomes the soft
# limit of descriptors.
giantvm=$1 evict=$2 want=$3
shift 3

"$giantvm" --version >/dev/null 2>&1 || {
	echo "skipped: $giantvm does not run"
	exit 77
}
ulimit -Sn 256 2>/dev/null
GIANTVM_EVICT=$evict
GIANTVM_QUIET=1
export GIANTVM_EVICT GIANTVM_QUIET
[ "$2" = SOFT ] && set -- "$1" "$(ulimit -Sn)"

"$giantvm" run --local 8M -- "$@"
got=$?
if [ $got -ne "$want" ]; then
	[ $got -eq 77 ] && exit 77
	echo "$1 under $evict: status $got, expected $want" >&2
	exit 1
fi
