#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Ctrl-C and Ctrl-Z at a program under `giantvm run` must do what they do
# without it, once; and the memory server beside it must not take them.
set -u
giantvm=$(realpath "$1")
GIANTVM_ATTACH=$(realpath "$2")
export GIANTVM_ATTACH
. "$(dirname "$0")/lib.sh"
command -v tmux > /dev/null || skip "needs tmux"

export TMUX_TMPDIR=$dir LC_ALL=C.UTF-8
unset TMUX
t() {
	tmux -L giantvm "$@"
}
trap 't kill-server 2> /dev/null; clean_up' EXIT
t -f /dev/null new-session -d -x 120 -y 40 \
	"PS1='prompt \$? ' bash --norc --noprofile"
t has-session 2> /dev/null || skip "tmux gets no terminal here"

shows() {
	t capture-pane -p > "$dir/screen"
	[ "$(grep -cE -- "$1" "$dir/screen")" -ge "${2-1}" ]
}
expect() {
	wait_for 10 shows "$1" || fail "$2: $(grep . "$dir/screen")"
}
type_line() {
	t send-keys -l "$1"
	t send-keys Enter
}
server_is_there() {
	pgrep -f "$giantvm run.*mark-$$" > /dev/null
}

# A program that counts its signals; Ctrl-C comes once.
cat > "$dir/program" << 'END'
#!/bin/bash
trap 'echo "int $((++n))"' INT
trap 'echo "term"; exit 9' TERM
trap 'echo "cont"' CONT
echo started
while :; do sleep 0.1; done
END
chmod +x "$dir/program"
type_line "$giantvm run --quiet --local 1G $dir/program mark-$$"
expect '^started' "does not start"
t send-keys C-c
expect '^(\^C)?int 1' "Ctrl-C"
t send-keys C-c
expect '^(\^C)?int 2' "second Ctrl-C"
shows '^(\^C)?int 3' && fail "Ctrl-C came twice"
t send-keys C-z
expect 'Stopped' "Ctrl-Z"
type_line 'echo in-between'
expect '^in-between' "no prompt after Ctrl-Z"
[ "$(pgrep -fc "$giantvm run.*mark-$$")" = 2 ] ||
	fail "the supervisor and the server are not both there"
type_line fg
expect '^cont' "fg"
t send-keys C-c
expect '^(\^C)?int 3' "Ctrl-C after fg"
type_line ''
t send-keys C-z
expect 'Stopped' "second Ctrl-Z"
type_line 'kill -TERM %1; fg'
expect '^term' "kill of the job"
expect '^prompt 9' "status of the job"
! server_is_there || fail "the memory server is left over"

# One that does not care: ended by Ctrl-C with the status that a shell expects.
type_line "$giantvm run --quiet --local 1G sleep 1000.$$"
wait_for 10 pgrep -f "^sleep 1000.$$\$" > /dev/null
t send-keys C-c
expect '^(\^C)?prompt 130' "status after Ctrl-C"
finish
