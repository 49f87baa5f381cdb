#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# If this failed, a mistyped command would be run as another one, or would
# leave a person or a script without a word about what to do.
giantvm=$1
fails=0

# expect STATUS PATTERN ARGS...: exit status and output of one call
expect() {
	want=$1
	pattern=$2
	shift 2
	out=$("$giantvm" "$@" 2>&1)
	got=$?
	if [ "$got" -ne "$want" ]; then
		echo "giantvm $*: status $got, not $want: $out"
		fails=$((fails + 1))
	elif ! printf '%s\n' "$out" | grep -q -- "$pattern"; then
		echo "giantvm $*: no '$pattern' in: $out"
		fails=$((fails + 1))
	fi
}

expect 0 '^giantvm [0-9]' --version
expect 0 'Usage: giantvm COMMAND' help
expect 0 'Usage: giantvm COMMAND' --help
expect 2 "which command"
expect 2 "did you mean 'giantvm help'" hepl
expect 2 "no command 'qqqqqqqq'; 'giantvm help' lists" qqqqqqqq
expect 2 "no command 'qqqq'" help qqqq

[ "$fails" -eq 0 ]
