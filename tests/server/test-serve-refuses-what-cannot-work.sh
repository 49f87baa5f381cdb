#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# If this failed, a wrong flag, a port in use or a store that cannot be trusted
# would start a server that does something else than was asked for, or would
# leave its operator without a word about what to do.
#
# Usage: test GIANTVM DIRECTORY
giantvm=$1
dir=$(mktemp -d "$2/serve.XXXXXX")
pid=
fails=0

finish() {
	[ -z "$pid" ] || kill "$pid" 2>/dev/null
	rm -rf "$dir"
}
trap finish EXIT

# refused STATUS PATTERN ARGS...: it must not start, and must say why.  Nothing
# that runs is ended by timeout(1): after its signal it sends SIGCONT, which may
# undo the stop that the leak checker waits for when a program ends.
refused() {
	local want=$1 pattern=$2 out got
	shift 2
	out=$(timeout -k 5 20 "$giantvm" serve "$@" 2>&1 </dev/null)
	got=$?
	if [ "$got" -ne "$want" ]; then
		echo "serve $*: status $got, not $want: $out"
		fails=$((fails + 1))
	elif ! printf '%s\n' "$out" | grep -q -- "$pattern"; then
		echo "serve $*: no '$pattern' in: $out"
		fails=$((fails + 1))
	elif printf '%s\n' "$out" | grep -v '^giantvm: ' | grep -q .; then
		echo "serve $*: a line that is not ours: $out"
		fails=$((fails + 1))
	fi
}

# start ARGS...: a server in the background; sets pid and port
start() {
	rm -f "$dir/port"	# that of the server before
	exec 4> >(cat >"$dir/port")
	"$giantvm" serve --listen 127.0.0.1:0 --ready-fd 4 "$@" >"$dir/out" 2>&1 &
	pid=$!
	exec 4>&-
	for _ in $(seq 1000); do
		[ -s "$dir/port" ] && break
		kill -0 "$pid" 2>/dev/null || break
		sleep 0.01
	done
	port=$(cat "$dir/port" 2>/dev/null)
	if [ -z "$port" ]; then
		echo "serve $*: does not start: $(cat "$dir/out")"
		exit 1
	fi
}

# end SIGNAL STATUS
end() {
	local got
	kill -"$1" "$pid"
	wait "$pid" 2>/dev/null
	got=$?
	pid=
	if [ "$got" -ne "$2" ]; then
		echo "after SIG$1: status $got, not $2"
		fails=$((fails + 1))
	fi
}

# Flags.
refused 2 "unrecognized option '--bogus'" --bogus
refused 2 "serve takes no 'extra'" extra
refused 2 "requires an argument" --memory
for size in '' -1 0x10 1X 12..3G ' 1G' 99999999999999999999G; do
	refused 2 "--memory '$size' is" --memory "$size"
done
refused 1 "--memory must be 1 MiB to 8 TiB" --memory 0
refused 1 "--memory must be 1 MiB to 8 TiB" --memory 4095
refused 1 "--memory must be 1 MiB to 8 TiB" --memory 1048575
refused 1 "--memory must be 1 MiB to 8 TiB" --memory 9T
for threads in 0 -1 65 many 1.5 ''; do
	refused 2 "--threads '$threads' is not a whole number" --threads "$threads"
done
for lease in 0 -1 1e9 99999999 ''; do
	refused 2 "--lease '$lease' is not a whole number" --lease "$lease"
done
for spin in -1 10001 1.5 ''; do
	refused 2 "--spin '$spin' is not a whole number" --spin "$spin"
done
refused 2 "--ready-fd '-1'" --ready-fd -1
refused 1 "--ready-fd 77" --listen 127.0.0.1:0 --ready-fd 77

# Addresses.
for where in '' 127.0.0.1 :9999 127.0.0.1: 127.0.0.1:99999 127.0.0.1:x \
	     ::1:9999 '[::1]' '[::1' 127.0.0.1:-1; do
	refused 1 "not an address" --listen "$where"
done
refused 1 "a name, not an address" --listen no.such.name.invalid:0
for where in 0.0.0.0:0 '[::]:0' 10.1.2.3:0; do
	refused 1 "no authentication yet.*--insecure" --listen "$where"
done

# Stores.
for store in '' file file: anonymous /tmp/x; do
	refused 1 "use anon or file:PATH" --store "$store" --listen 127.0.0.1:0
done
refused 1 "cannot open: No such file" --listen 127.0.0.1:0 \
	--store "file:$dir/no/such/place"
refused 1 "not a regular file" --listen 127.0.0.1:0 --store file:/dev/null
echo "my diary" >"$dir/diary"
refused 1 "not a giantvm store; it is left as it is" --listen 127.0.0.1:0 \
	--store "file:$dir/diary"
[ "$(cat "$dir/diary")" = "my diary" ] || fails=$((fails + 1))

start --memory 4M
grep -q "^giantvm: serving 4.0 MiB on 127.0.0.1:$port (anon, 1 thread)$" \
	"$dir/out" || { cat "$dir/out"; fails=$((fails + 1)); }
refused 1 "another program uses this port" --listen "127.0.0.1:$port"
end TERM 0
start --memory 4M --threads 3
end INT 0
start --memory 4M --lease 1 --spin 0
end HUP 0

# A file, made, served twice, of another size, of another kind, damaged.
store=$dir/store
start --memory 4M --store "file:$store"
refused 1 "another server uses it" --listen 127.0.0.1:0 --memory 4M \
	--store "file:$store"
end TERM 0
refused 1 "made with --memory 4096K, not 8192K" --listen 127.0.0.1:0 \
	--memory 8M --store "file:$store"
cp --sparse=always "$store" "$dir/good"

# patch OFFSET BYTES: change the superblock
patch() {
	cp --sparse=always "$dir/good" "$store"
	printf "$2" | dd of="$store" bs=1 seek="$1" conv=notrunc 2>/dev/null
}
patch 8 '\x63'
refused 1 "store format 99, this program knows 1" --listen 127.0.0.1:0 \
	--memory 4M --store "file:$store"
patch 32 '\x63'
refused 1 "damaged (superblock)" --listen 127.0.0.1:0 --memory 4M \
	--store "file:$store"
cp --sparse=always "$dir/good" "$store"
truncate -s -4096 "$store"
refused 1 "damaged (.* bytes long" --listen 127.0.0.1:0 --memory 4M \
	--store "file:$store"

# Another boot of the machine: good if it was synced, else not.
if [ -r /proc/sys/kernel/random/boot_id ]; then
	patch 64 'another boot'
	start --memory 4M --store "file:$store"
	end KILL 137
	printf 'another boot' |
		dd of="$store" bs=1 seek=64 conv=notrunc 2>/dev/null
	refused 1 "the machine stopped while pages were being written" \
		--listen 127.0.0.1:0 --memory 4M --store "file:$store"
fi

# IPv6, where there is any.
if [ -e /proc/net/if_inet6 ] && grep -q ' lo$' /proc/net/if_inet6; then
	refused 1 "no authentication yet" --listen '[::]:0'
	start --memory 4M --listen '[::1]:0'
	grep -qF "on [::1]:$port " "$dir/out" || {
		cat "$dir/out"
		fails=$((fails + 1))
	}
	end INT 0
fi

[ "$fails" -eq 0 ]
