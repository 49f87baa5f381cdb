#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whoever cannot run giantvm must be told the command that changes that, and a
# script must be able to ask.
set -u
giantvm=$1
export GIANTVM_ATTACH=$2
. "$(dirname "$0")/lib.sh"

"$giantvm" doctor > "$dir/out"
status=$?
for check in engine userfaultfd 'kernel features' 'attach library' KVM \
	overcommit 'huge pages' mappings descriptors 'locked memory' \
	'accept queue' neighbours jemalloc QEMU; do
	[ "$(grep -cE "^(OK  |WARN|FAIL)  $check " "$dir/out")" = 1 ] ||
		fail "no line for '$check': $(cat "$dir/out")"
done
case $status in
0) grep -q '^FAIL' "$dir/out" && fail "status 0 in spite of FAIL" ;;
1) grep -q '^FAIL' "$dir/out" || fail "status 1 without FAIL" ;;
*) fail "status $status" ;;
esac

"$giantvm" doctor --json > "$dir/json"
python3 - "$dir/json" "$status" <<- 'END' || fail "json"
	import json, sys
	d = json.load(open(sys.argv[1]))
	assert d["fit"] == (sys.argv[2] == "0")
	assert all(c["level"] in ("OK", "WARN", "FAIL") for c in d["checks"])
	assert all(c.get("mend") for c in d["checks"] if c["level"] == "FAIL")
END

# A crowd of servers needs more than one does
(ulimit -n 5000; "$giantvm" doctor --nodes 10240) > "$dir/crowd"
[ $? = 1 ] || fail "5000 descriptors for 10240 servers"
grep -A1 '^FAIL  descriptors' "$dir/crowd" | grep -q 'mend: .*--nofile=' ||
	fail "no mend for descriptors: $(cat "$dir/crowd")"
GIANTVM_ATTACH=/nosuch "$giantvm" doctor | grep -A1 '^FAIL  attach' |
	grep -q 'mend: ' || fail "no mend for a missing library"

# A user without rights
[ "$(id -u)" = 0 ] || skip "needs root to become a user without rights"
command -v setpriv > /dev/null || skip "needs setpriv (util-linux)"
[ "$(cat /proc/sys/vm/unprivileged_userfaultfd)" = 0 ] ||
	skip "vm.unprivileged_userfaultfd allows it to everybody"
cp "$giantvm" "$dir/giantvm"
chmod 755 "$dir"
unset TSAN_OPTIONS		# names a file that nobody cannot read
as_nobody() {
	setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
}
as_nobody test -w /dev/userfaultfd && skip "/dev/userfaultfd is open to all"
as_nobody "$dir/giantvm" doctor > "$dir/out" && fail "status 0 for nobody"
grep -A1 '^FAIL  userfaultfd' "$dir/out" | grep -q 'mend: sudo ' ||
	fail "no mend for nobody: $(cat "$dir/out")"
grep -qE '^(OK|WARN) .*kernel features .*WP' "$dir/out" ||
	fail "kernel features unknown without the right: $(cat "$dir/out")"
finish
