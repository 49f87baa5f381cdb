#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A GPU that is given memory of a program (cudaHostRegister) writes there while the
# pager takes pages away.  If they were not held, what it writes would be lost
# where eviction copies, and nobody would be told.
#
#	test-gpu-writes-where-the-program-reads.sh GIANTVM
giantvm=$1
program=$(dirname "$(readlink -f "$0")")/gpu.py

timeout -s KILL 60 python3 "$program" ask
case $? in
0)	;;
77)	echo "skipped: no GPU of NVIDIA with its driver"
	exit 77 ;;
*)	echo "FAIL: the GPU's driver does not answer"
	exit 1 ;;
esac
for evict in auto copy; do
	"$giantvm" run --local 40M --evict $evict -- python3 "$program" || {
		echo "FAIL: eviction $evict"
		exit 1
	}
done
