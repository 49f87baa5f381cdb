#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whoever mistypes an option, a size or a server must be told which, and how it
# is meant; a command that starts anyway does something nobody asked for.
set -u
giantvm=$1
fake=$2
export GIANTVM_ATTACH=$3
. "$(dirname "$0")/lib.sh"

run() {
	refused "$1" "$2" "$giantvm" run "${@:3}"
}

# Commands
refused 2 "which command" "$giantvm"
refused 2 "did you mean 'giantvm run'" "$giantvm" rnu
refused 2 "giantvm help" "$giantvm" frobnicate

# Options
for command in run stat top set doctor; do
	refused 2 "no option --bogus" "$giantvm" $command --bogus
	refused 2 "no option -x" "$giantvm" $command -x
done
run 2 "no option --loc;" --loc 1G true
run 2 "--local needs a value" --local
run 2 "--quiet takes no value" --quiet=1 --local 1G true
run 2 "--local SIZE is missing" true
run 2 "which command" --local 1G
run 2 "which command" --local 1G --

# Sizes
for size in '' x G -1 +1 '1 G' 1GG 1.G .5G 0x10 1e9 1,5G NaN ' 1G'; do
	run 2 "--local '$size' is not a size" --local "$size" true
done
run 2 "too large" --local 99999999999G true
run 2 "too large" --local 16E true
run 2 "too large; the most is 8.0 TiB" --local 9E true
run 2 "too large; the most is 8.0 TiB" --local 9T true
run 2 "too small" --local 0 true
run 2 "too small" --local 1 true
run 2 "too small" --local 1023K true
run 2 "--min-map 4095 is too small" --min-map 4095 --local 1G true
run 2 "not a size" --min-map big --local 1G true

# Numbers and words
for option in prefetch wait shards; do
	for n in '' x -1 1.5 99999999 99999999999999999999999; do
		run 2 "--$option '$n' is not a number from" \
			--$option "$n" --local 1G true
	done
done
run 2 "from 0 to 512" --prefetch 513 --local 1G true
run 2 "from 1 to 86400" --wait 0 --local 1G true
run 2 "none of auto, uffd, kernel" --mode user --local 1G true
run 2 "none of auto, move, copy" --evict '' --local 1G true
run 2 "none of auto, jemalloc, libc" --heap tcmalloc --local 1G true

# Shared regions
for shared in '' a a:1M a:1M@ :1M@/x; do
	run 2 "NAME:SIZE@PATH" --servers 127.0.0.1 --node 0 --shared "$shared" true
done
for name in 'a b' "$(printf 'n%.0s' {1..80})" a/b; do
	run 2 "cannot be the name of a region" --servers 127.0.0.1 --node 0 --shared "$name:1M@/x" true
done
for size in '' x 1Q; do
	run 2 "size '$size' is not a size" --servers 127.0.0.1 --node 0 --shared "a:$size@/x" true
done
run 2 "too small" --servers 127.0.0.1 --node 0 --shared "a:0@/x" true
run 2 "multiple of 4096" --servers 127.0.0.1 --node 0 --shared "a:4097@/x" true

# Servers
servers() {
	run 2 "$1" --local 1G --servers "$2" true
}
servers "Is a directory" @/
servers "names no server" @/dev/null
servers "empty entry" ''
servers "empty entry" ,
servers "empty entry" 127.0.0.1,
servers "empty entry" 127.0.0.1,,127.0.0.2
servers "the host is missing" :9999
servers "the host is missing" '[]'
servers "port is not a number" 127.0.0.1:
servers "port is not a number" 127.0.0.1:0
servers "port is not a number" 127.0.0.1:65536
servers "port is not a number" 127.0.0.1:http
servers "port is not a number" 127.0.0.1:-1
servers "needs brackets" ::1
servers "] is missing" '[::1'
servers "] is missing" '[::1]9999'
servers "too long" "$(printf 'x%.0s' {1..300})"
servers "no such host" nosuch.invalid
servers "twice" 127.0.0.1:9999,127.0.0.1
servers "twice" 127.0.0.1:1,127.0.0.2:1,127.0.0.1:1
servers "No such file" @"$dir/nosuch"
for i in {0..10240}; do
	echo "10.1.$((i / 256)).$((i % 256))"
done > "$dir/many"
servers "more than 10240" @"$dir/many"
: > "$dir/none"
servers "names no server" @"$dir/none"

# Programs
run 1 "no program 'nosuch'" --local 1G nosuch
run 1 "no program '$dir'" --local 1G "$dir"
run 1 "may not be executed" --local 1G /etc/passwd
echo hello > "$dir/text"
printf '\177ELF\2\1\1' > "$dir/cut"
printf '#!/nosuch/interpreter\n' > "$dir/orphan"
printf '#!%s\n' "$dir/loop" > "$dir/loop"
: > "$dir/empty"
chmod +x "$dir"/{text,cut,orphan,loop,empty}
run 1 "neither a program nor a script" --local 1G "$dir/text"
run 1 "neither a program nor a script" --local 1G "$dir/cut"
run 1 "cannot read /nosuch/interpreter" --local 1G "$dir/orphan"
run 1 "too deep" --local 1G "$dir/loop"
run 1 "cannot read" --local 1G "$dir/empty"
[ -e /dev/giantvm ] ||
	run 1 "needs the kernel module" --mode kernel --local 1G true
GIANTVM_ATTACH=$dir/nosuch run 1 "GIANTVM_ATTACH" --servers 127.0.0.1 \
	--local 1G true

# stat, top, set
refused 2 "not a process id" "$fake" stat x
refused 2 "not a process id" "$fake" stat 0
refused 2 "not a process id" "$fake" stat 99999999999
refused 2 "did not expect '2'" "$fake" stat 1000 2
refused 1 "no process 999" "$fake" stat 999
refused 1 "another user" "$fake" stat 1
refused 2 "did not expect '1000'" "$fake" stat --server 127.0.0.1:1 1000
refused 1 "Connection refused; is 'giantvm serve' running" \
	"$fake" stat --server 127.0.0.1:1
refused 2 "port is not a number" "$fake" stat --server 127.0.0.1:x
refused 2 "not a terminal" "$fake" top
refused 2 "--delay '0' is not a number of seconds" "$fake" top --delay 0
refused 2 "--delay 'nan'" "$fake" top --delay nan
refused 2 "--batch '0'" "$fake" top --batch 0
refused 2 "of which process" "$fake" set --local 1G
refused 2 "--local SIZE is missing" "$fake" set 1000
refused 2 "too small" "$fake" set 1000 --local 1K
refused 2 "not a size" "$fake" set 1000 --local much
refused 2 "did not expect '1001'" "$fake" set 1000 1001 --local 1G
refused 1 "no process 999" "$fake" set 999 --local 1G
refused 1 "another user" "$fake" set 1 --local 1G

# doctor
refused 2 "--nodes '0'" "$giantvm" doctor --nodes 0
refused 2 "--nodes '10241'" "$giantvm" doctor --nodes 10241
refused 2 "did not expect 'x'" "$giantvm" doctor x
finish
