#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The loader ignores a preload silently for static and privileged programs; the
# program would run unpaged, and take all of the machine's memory.
set -u
giantvm=$1
export GIANTVM_ATTACH=$2
static=$3
. "$(dirname "$0")/lib.sh"

refused 1 "statically linked" "$giantvm" run --local 1G "$static"

[ "$(id -u)" = 0 ] || skip "needs root to make a setuid program"
command -v setpriv > /dev/null || skip "needs setpriv (util-linux)"
# A place that nobody can enter and that is not mounted nosuid.
place=$(mktemp -d /var/tmp/giantvm.XXXXXX)
trap 'rm -rf "$dir" "$place"' EXIT
chmod 755 "$place"
cp "$giantvm" "$place/giantvm"
cp "$GIANTVM_ATTACH" "$place/attach.so"
cp "$(command -v sleep)" "$place/plain"
cp "$place/plain" "$place/setuid"
cp "$place/plain" "$place/setgid"
cp "$place/plain" "$place/unreadable"
cp "$place/plain" "$place/capable"
chmod 4755 "$place/setuid"
chmod 2755 "$place/setgid"
chmod 711 "$place/unreadable"
GIANTVM_ATTACH=$place/attach.so

unset TSAN_OPTIONS		# names a file that nobody cannot read
as_nobody() {
	refused 1 "$1" setpriv --reuid 65534 --regid 65534 --clear-groups \
		"$place/giantvm" run --servers 127.0.0.1:1 --local 1G \
		"$place/$2" 0
}
as_nobody "is setuid" setuid
as_nobody "is setgid" setgid
as_nobody "may not be read" unreadable
if command -v setcap > /dev/null && setcap cap_net_raw+ep "$place/capable"; then
	as_nobody "file capabilities" capable
fi
if [ "$(cat /proc/sys/vm/unprivileged_userfaultfd)" = 0 ] &&
   ! setpriv --reuid 65534 --regid 65534 --clear-groups \
	test -r /dev/userfaultfd; then
	as_nobody "may not use userfaultfd; mend: sudo " plain
fi
finish
