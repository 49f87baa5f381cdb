# SPDX-License-Identifier: GPL-2.0-or-later
# For tests of whole programs under `giantvm run`; sourced.
#
# Arguments of every such test: GIANTVM EVICT.  $limit is what --local gets,
# a fourth of what the program uses.  Sets $dir, a directory of our
# own that goes away at the end, with what was started in the background.
set -u
giantvm=$1
GIANTVM_EVICT=$2
GIANTVM_QUIET=1
export GIANTVM_EVICT GIANTVM_QUIET

skip()
{
	echo "skipped: $1"
	exit 77
}

fail()
{
	echo "$1" >&2
	exit 1
}

need()
{
	for tool; do
		command -v "$tool" >/dev/null || skip "$tool is not installed"
	done
}

pids=
dir=$(mktemp -d)
# shellcheck disable=SC2154,SC2086
trap 's=$?; [ -n "$pids" ] && kill $pids 2>/dev/null; wait; rm -rf "$dir"; exit $s' EXIT
trap 'exit 1' INT TERM

# In the background: start paged COMMAND...; wait for the end of it: finish.
start()
{
	if [ "$1" = paged ]; then
		shift
		set -- "$giantvm" run --local "${limit:-8M}" -- "$@"
	fi
	"$@" &
	pids=$!
}

finish()
{
	kill "$pids"
	wait "$pids"
	pids=
}

paged()
{
	"$giantvm" run --local "${limit:-8M}" -- "$@"
}
