#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A failure that does not happen again cannot be understood.  The same seed makes
# the same run, event by event; another seed makes another.
set -u
giantvm=$1

hash_of() {
	"$giantvm" sim "$@" | sed -n 's/^hash //p'
}

for options in "--nodes 20 --ops 50" \
	"--nodes 30 --load storm --ops 30 --loss 2 --dup 3 --reorder 10" \
	"--nodes 8 --crashes 2 --partitions 3 --restart --ops 200 --pages 8" \
	"--nodes 20 --design chain --ops 20"; do
	one=$(hash_of $options --seed 7)
	two=$(hash_of $options --seed 7)
	other=$(hash_of $options --seed 8)
	if [ -z "$one" ] || [ "$one" != "$two" ]; then
		echo "$options: '$one', and with the same seed '$two'"
		exit 1
	fi
	if [ "$one" = "$other" ]; then
		echo "$options: the same with another seed"
		exit 1
	fi
done
