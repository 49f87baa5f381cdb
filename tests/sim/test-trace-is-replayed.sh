#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Who records what a program does wants exactly that simulated, and to be told
# in which line a file is wrong.
set -u
giantvm=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

cat > "$dir/good" << 'END'
# node page how
0 5 w
1 5 r

0 5 w
1 6 r
3 0 w
END
out=$("$giantvm" sim --nodes 4 --pages 8 --load trace --trace "$dir/good" --json)
accesses=$(grep '"accesses"' <<< "$out" | tr -dc 0-9)
# A node without accesses makes one read.
if [ "$accesses" != 6 ] || ! grep -q '"failed": false' <<< "$out"; then
	echo "six accesses expected: $out"
	exit 1
fi

bad() {
	printf '%b' "0 1 r\n$2\n" > "$dir/bad"
	said=$("$giantvm" sim --nodes 4 --pages 8 --load trace \
		--trace "$dir/bad" 2>&1 >/dev/null)
	if [ $? != 1 ] || [[ $said != *"bad:2: "*"$1"* ]]; then
		echo "'$2': '$said', not '$1'"
		exit 1
	fi
}
bad "NODE PAGE r" "0 1"
bad "NODE PAGE r" "0 1 x"
bad "NODE PAGE r" "0 1 r 5"
bad "NODE PAGE r" "-1 1 r"
bad "no such node" "4 1 r"
bad "no such page" "0 8 w"
bad "too long" "$(printf '0 1 r %0200d' 0)"
