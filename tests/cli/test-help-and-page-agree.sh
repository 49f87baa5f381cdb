#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# An option that is in --help but not in the man page, or the other way round,
# sends somebody looking in the wrong place.  Every command has a page, and both
# list the same options.
set -u
giantvm=$1
pages=$2
failed=0

options_of_help() {
	"$giantvm" "$1" --help |
		sed -nE 's/^  (-[a-zA-Z], )?(--[a-z-]+).*/\2/p' | sort -u
}

options_of_page() {
	sed -nE 's/^=item B<(--[a-z-]+)>.*/\1/p' "$1" | sort -u
}

commands=$("$giantvm" help | sed -nE 's/^  ([a-z]+) .*/\1/p')
for command in $commands; do
	[ "$command" = help ] && continue
	page=$pages/giantvm-$command.pod
	if [ ! -f "$page" ]; then
		echo "giantvm $command has no page $page"
		failed=1
		continue
	fi
	if ! diff <(options_of_help "$command") <(options_of_page "$page"); then
		echo "giantvm $command: < only in --help, > only in the page"
		failed=1
	fi
	if ! diff <("$giantvm" help "$command") \
		  <("$giantvm" "$command" --help) > /dev/null; then
		echo "giantvm help $command is not giantvm $command --help"
		failed=1
	fi
	grep -q "L<giantvm-$command(1)>" "$pages/giantvm.pod" || {
		echo "giantvm(1) does not mention giantvm-$command(1)"
		failed=1
	}
done
podchecker "$pages"/*.pod > /tmp/podchecker.$$ 2>&1 || {
	cat /tmp/podchecker.$$
	failed=1
}
rm -f /tmp/podchecker.$$
exit $failed
