#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A live view that hangs, garbles the terminal or ignores its keys is worse than
# none: driven here in a real terminal (tmux), resized while it runs.
set -u
fake=$1
. "$(dirname "$0")/lib.sh"
command -v tmux > /dev/null || skip "needs tmux"

export TMUX_TMPDIR=$dir LC_ALL=C.UTF-8
unset TMUX
t() {
	tmux -L giantvm "$@"
}
trap 't kill-server 2> /dev/null; rm -rf "$dir"' EXIT
t -f /dev/null new-session -d -x 80 -y 24 \
	"'$fake' top --delay 0.2; echo status \$?; read x"
t has-session 2> /dev/null || skip "tmux gets no terminal here"

screen() {
	t capture-pane -p > "$dir/screen"
}
shows() {
	screen && grep -qE -- "$1" "$dir/screen"
}
expect() {
	wait_for 10 shows "$1" || fail "$2: $(cat "$dir/screen")"
}

expect '^giantvm top   3 programs' "does not start"
expect '^1002 a-name' "busiest program is not the chosen one"
expect '^q quit .* s sort: faults' "no keys in the last line"
t send-keys Down
expect '^1001 prog1' "arrow down"
t send-keys k
expect '^1002 a-name' "k"
t send-keys s
expect 'sort: remote' "s"
t send-keys s s
expect 'sort: pid' "s, twice"
expect '^ *1000 ' "not sorted by pid"
t send-keys h
expect 'choose a program' "h"
t send-keys h
expect '^engine' "h again"
t resize-window -x 120 -y 40
expect '.{100}' "wider"
t resize-window -x 40 -y 10
expect '^q quit' "tiny window"
t resize-window -x 80 -y 24
expect '^engine' "back at 80x24"
t send-keys q
expect '^status 0' "q"
t send-keys Enter
t kill-server
t -f /dev/null new-session -d -x 80 -y 24 -e FAKE_SHARED=1 -e FAKE_PIDS=0 \
	"'$fake' top --delay 1 --symbols '$(dirname "$0")/kallsyms'; read x"
expect '^0x5000' "pages of the region that is chosen"
t send-keys Down
expect '^0x2a07000 .* jiffies, jiffies_lock' "pages of the guest, with names"
t send-keys p
expect '^3000 guest of 3 nodes and 4 vCPUs, seen from node 1' "p"
expect '^ *0 10.0.0.0:9 +[0-9.k]+ ' "no node of the guest"
expect '^ *2 HAS ENDED' "a node that has left"
expect 'RESIDENT .*LIMIT' "no second lines of the nodes"
expect '^ *0 10.0.0.0:9 +100 +500 +600 +3.9k +2.2k +2.3k' "rates by a node's own clock"
t send-keys Up
expect '^2000 node 7 of region board' "up to the region"
TERM=nosuch refused 2 "not a terminal" "$fake" top
finish
