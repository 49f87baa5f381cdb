#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# If this fails, a program that includes one of our headers first does not
# build: each must bring what it needs, twice included, and the public one
# also for C99 and C++.
set -u

root=${1:?usage: test-headers-compile-alone.sh SOURCE_ROOT}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
bad=0
tried=0

try()
{
	tried=$((tried + 1))
	"$@" -fsyntax-only "$tmp/one.$suffix" && return
	echo "does not compile alone: $header ($*)"
	bad=1
}

for cc in gcc clang; do
	command -v "$cc" >/dev/null || continue
	for header in "$root"/core/*.h "$root"/net/*.h "$root"/cluster/*.h \
			"$root"/include/giantvm/*.h; do
		suffix=c
		printf '#include "%s"\n#include "%s"\nextern int unit;\n' \
			"$header" "$header" >"$tmp/one.c"
		case $header in
		*/include/*)
			try "$cc" -std=c99 -Wall -Wextra -Wpedantic -Werror
			;;
		*)
			try "$cc" -std=gnu11 -Wall -Wextra -Wconversion \
				-Werror -I"$root/core" -I"$root/net"
			;;
		esac
	done
	for header in "$root"/include/giantvm/*.h; do
		suffix=cc
		cxx=g++
		[ "$cc" = clang ] && cxx=clang++
		command -v "$cxx" >/dev/null || continue
		printf '#include "%s"\nextern int unit;\n' "$header" \
			>"$tmp/one.cc"
		try "$cxx" -std=c++11 -Wall -Wextra -Wpedantic -Werror
	done
done

if [ "$tried" = 0 ]; then
	echo "skipped: neither gcc nor clang is here"
	exit 77
fi
exit $bad
