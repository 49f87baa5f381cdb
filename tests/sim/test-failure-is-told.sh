#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whoever meets a failure needs to know what went wrong, how to see it again, and
# a story short enough to read.  A bound that nobody can keep makes one here.
set -u
giantvm=$1
out=$(mktemp)
trap 'rm -f "$out"' EXIT

"$giantvm" sim --nodes 12 --threads 2 --load storm --writes 30 --ops 60 \
	--loss 1 --starve 300us > "$out"
status=$?
if [ $status != 1 ]; then
	echo "exit status $status, not 1"
	exit 1
fi
for words in "WRONG: " "seed 1, commit " "the smallest run found" \
	"what happens to page" "GET_"; do
	grep -q "$words" "$out" || {
		echo "nothing says '$words':"
		cat "$out"
		exit 1
	}
done

# The commands that it prints do it again; the second one is the smaller.
grep '^  giantvm sim ' "$out" > "$out.commands"
[ "$(wc -l < "$out.commands")" = 2 ] || {
	echo "not two commands to do it again"
	exit 1
}
while read -r _ words; do
	"$giantvm" $words --no-shrink < /dev/null > "$out"
	if [ $? != 1 ] || ! grep -q "WRONG: " "$out"; then
		echo "does not go wrong again: $words"
		exit 1
	fi
	nodes="${nodes-} $(sed 's/.*--nodes \([0-9]*\).*/\1/' <<< "$words")"
done < "$out.commands"
rm -f "$out.commands"
set -- $nodes
[ "$2" -lt "$1" ] || {
	echo "from $1 nodes to $2: not smaller"
	exit 1
}
