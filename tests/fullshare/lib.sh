# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Start one guest on several nodes, and follow it.  A test calls
#
#	hosts N			make N hosts: network namespaces for root, else
#				the loopback
#	cluster VCPUS...	write $dir/cluster.conf, a node for each word
#	start ID WORDS [ARG...]	start QEMU of a node; WORDS are for guest/init
#	console PATTERN SECONDS	wait for such a line of the guest
#	ended ID SECONDS	wait for that QEMU; its status is $status
#	monitor ID COMMAND	let that QEMU carry it out, and print its answer
#
# and ends with `finish`.  Everything is killed at the end, whatever happens.
build=$(readlink -f "$1")
here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
top=$here/../..
giantvm=$build/cli/giantvm
qemu=${GIANTVM_QEMU:-qemu-system-x86_64}
limit=${GIANTVM_FULLSHARE_LIMIT:-600}
dir=$(mktemp -d)
spaces=()
pids=()
helpers=()	# other programs that a test has started
failed=0
lease_ms=${GIANTVM_FULLSHARE_LEASE_MS:-20000}	# a machine full of other tests stalls for seconds
mem=256
modules=	# of the guest's kernel, and programs, that a test needs besides
programs=()
servers=0	# the hosts that have one
inside=${GIANTVM_FULLSHARE_INSIDE-yes}	# their nodes have it inside; empty: giantvm serve
slice=		# MiB of the RAM for each in turn; nothing: all for one
local=		# MiB that a node may keep; nothing: all
turn=		# us in which one node asks for pages; nothing: as giantvm thinks
ports=()
trap clean_up EXIT
trap 'fail "told to end"; finish' TERM INT

clean_up()
{
	local pid space

	for pid in "${pids[@]}"; do
		# timeout(1) has made a group of itself and all below it.
		[ -z "$pid" ] || kill -KILL -- "-$pid" 2> /dev/null
	done
	for pid in "${helpers[@]}"; do
		kill "$pid" 2> /dev/null
	done
	wait 2> /dev/null
	for space in "${spaces[@]}"; do
		ip netns delete "$space" 2> /dev/null
	done
	rm -rf "$dir"
}

fail()
{
	echo "FAIL: $*"
	failed=1
}

skip()
{
	echo "skipped: $*"
	exit 77
}

# What everybody said, when something is wrong.
finish()
{
	local file

	if [ $failed != 0 ]; then
		for file in "$dir"/console "$dir"/errors-*; do
			[ ! -e "$file" ] || { echo "--- $file"; tail -n 20 "$file"; }
		done
	fi
	exit $failed
}

[ -e "$build/qemu/giantvm-vcpu.so" ] ||
	skip "no giantvm-vcpu.so in this build; run qemu/headers, and set up the build again"
command -v "$qemu" > /dev/null || skip "no $qemu; apt-get install qemu-system-x86"
busybox depmod --help > /dev/null 2>&1 || skip "no busybox-static"

image()
{
	local kernel

	kernel=$("$top/guest/kernel" stable) || skip "no kernel for the guest"
	"$top/guest/mkimage" "$kernel" "$dir/image" "$here/init" "$modules" \
		"$build/tests/fullshare/smp" "$build/tests/fullshare/split" \
		"$here"/jobs* "${programs[@]}" || exit 1
}

# A memory server on each of these hosts: ${ports[host]}.
serve()
{
	local host port

	for host in "$@"; do
		mkfifo "$dir/ready-$host"
		# shellcheck disable=SC2086
		${under[host]} "$giantvm" serve --listen "${address[host]}:0" --insecure \
			--memory 4G --ready-fd 3 3> "$dir/ready-$host" \
			> "$dir/errors-server$host" 2>&1 &
		helpers+=($!)
		read -r port < "$dir/ready-$host"
		ports[host]=${port##*:}
	done
}

# free_ports N: as many, and no two are the same.
free_ports()
{
	perl -MIO::Socket::INET -e \
		'print join " ", map { $_->sockport } map { IO::Socket::INET->new(Listen => 1) } 1 .. shift' "$1"
}

# address[i] is where host i is; under[i] what to run there with.
hosts()
{
	local i net=$((RANDOM % 200 + 20))

	for ((i = 0; i < $1; i++)); do
		address[i]=127.0.0.1
		under[i]=
	done
	if [ "$(id -u)" != 0 ] || ! ip netns add "gvm-$$-0" 2> /dev/null; then
		echo "hosts on the loopback (namespaces need root and iproute2)"
		return
	fi
	spaces=("gvm-$$-0")
	ip -n "gvm-$$-0" link set lo up
	ip -n "gvm-$$-0" link add name wire type bridge
	ip -n "gvm-$$-0" address add "10.$net.7.1/24" dev wire
	ip -n "gvm-$$-0" link set wire up
	for ((i = 1; i < $1; i++)); do
		ip netns add "gvm-$$-$i"
		spaces+=("gvm-$$-$i")
		ip -n "gvm-$$-$i" link set lo up
		ip -n "gvm-$$-0" link add "to$i" type veth peer name eth0 netns "gvm-$$-$i"
		ip -n "gvm-$$-0" link set "to$i" master wire up
		ip -n "gvm-$$-$i" address add "10.$net.7.$((i + 1))/24" dev eth0
		ip -n "gvm-$$-$i" link set eth0 up
	done
	for ((i = 0; i < $1; i++)); do
		address[i]=10.$net.7.$((i + 1))
		under[i]="ip netns exec gvm-$$-$i"
	done
}

cluster()
{
	local i=0 vcpus host free

	read -ra free < <(free_ports $((${#servers} + $#)))
	for host in $servers; do
		ports[host]=${free[-1]}
		unset 'free[-1]'
	done
	# shellcheck disable=SC2086
	[ -n "$inside" ] || serve $servers
	{
		echo "[cluster]"
		echo "name = test-$$"
		echo "lease_ms = $lease_ms"
		[ -z "$turn" ] || echo "turn_us = $turn"
		for host in $servers; do
			echo "[server S$host]"
			echo "address = ${address[host]}:${ports[host]}"
			[ -z "$inside" ] || echo "node = $host"
		done
		echo "[region guest]"
		echo "size = ${mem}M"
		[ -z "$slice" ] || echo "slice = ${slice}M"
		for vcpus in "$@"; do
			echo "[node $i]"
			echo "address = ${address[i]}:${free[i]}"
			echo "vcpus = $vcpus"
			[ -z "$local" ] || echo "local = ${local}M"
			i=$((i + 1))
		done
	} > "$dir/cluster.conf"
	image
}

start()
{
	local id=$1 words=$2

	shift 2
	[ "$id" != 0 ] || : > "$dir/console"
	mkdir -p "$dir/$id"
	# Each node in a folder of its own, where its monitor is.
	# shellcheck disable=SC2086
	(cd "$dir/$id" && exec timeout -s KILL "$limit" ${under[id]} "$giantvm" run \
		--cluster "$dir/cluster.conf" --id "$id" --wait 60 --stats -- \
		"$qemu" -m "$mem" -nodefaults -no-user-config -display none \
		-serial stdio -kernel "$dir/image/vmlinuz" \
		-initrd "$dir/image/initramfs" \
		-append "console=ttyS0 panic=-1 nokaslr no_timer_check quiet $words" \
		-monitor unix:monitor,server=on,wait=off \
		"$@" < /dev/null >> "$dir/console" 2> "$dir/errors-$id") &
	pids[id]=$!
}

# monitor ID COMMAND: QEMU's answer, when it has carried the command out.
monitor()
{
	perl - "$dir/$1/monitor" "$2" <<'END'
use IO::Socket::UNIX;
my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "no monitor: $!\n";
my ($text, $more) = ('', '');
alarm 120;
sub prompt {
	$text = '';
	while ($text !~ /\(qemu\) $/) {
		last unless sysread $s, $more, 4096;
		$text .= $more;
	}
}
prompt();
syswrite $s, "$ARGV[1]\n";
prompt();
$text =~ s/^[^\n]*\n//;		# what was typed
$text =~ s/\(qemu\) $//;
print $text;
END
}

# Poll, because other programs write what we wait for.
console()
{
	local end=$((SECONDS + $2))

	until grep -aq "$1" "$dir/console"; do
		if [ $SECONDS -ge $end ]; then
			fail "the guest did not say '$1' within $2 s"
			return 1
		fi
		if [ -n "${pids[0]}" ] && ! kill -0 "${pids[0]}" 2> /dev/null; then
			grep -aq "$1" "$dir/console" && return 0
			fail "QEMU ended before the guest said '$1'"
			return 1
		fi
		sleep 0.1
	done
}

ended()
{
	local end=$((SECONDS + $2))

	while kill -0 "${pids[$1]}" 2> /dev/null; do
		if [ $SECONDS -ge $end ]; then
			fail "node $1 has not ended within $2 s"
			status=
			return 1
		fi
		sleep 0.1
	done
	wait "${pids[$1]}"
	status=$?
	pids[$1]=
}

# How many vCPUs these words of a cluster file are together.
cpus_of()
{
	echo "$*" | tr ', ' '\n\n' |
		awk -F- '{ n += NF == 2 ? $2 - $1 + 1 : 1 } END { print n }'
}

# Where all threads of all nodes are, for who looks into a hang.
backtraces()
{
	local id

	command -v gdb > /dev/null || return 0
	for id in "${!pids[@]}"; do
		[ -n "${pids[id]}" ] || continue
		echo "--- threads of node $id"
		timeout -s KILL 60 gdb -p "$(pid_of "$id")" -batch \
			-ex "thread apply all bt 20" 2> /dev/null
	done
}

# End all nodes at once.
give_up()
{
	local id

	for id in "${!pids[@]}"; do
		[ -n "${pids[id]}" ] || continue
		kill -KILL -- "-${pids[id]}" 2> /dev/null
		wait "${pids[id]}" 2> /dev/null
		pids[id]=
	done
}

# QEMU itself: behind timeout, and in a namespace.
pid_of()
{
	local pid=${pids[$1]} child

	while child=$(pgrep -P "$pid" | head -n 1) && [ -n "$child" ]; do
		pid=$child
	done
	echo "$pid"
}
