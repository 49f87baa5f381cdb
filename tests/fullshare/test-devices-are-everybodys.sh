#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The devices of node 0 serve the CPUs of all nodes: a disk that they read and
# write at once, a network, a screen and a TPM.  The host looks at what arrived.
#
#	test-devices-are-everybodys.sh BUILD [VCPUS...]
# shellcheck source=tests/fullshare/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
shift
[ $# != 0 ] || set -- 0 1
nodes=$#
cpus=$(cpus_of "$@")
modules="virtio_pci virtio_blk virtio_net"
devices=(-vga std -vnc unix:vnc
	-drive file=disk,format=raw,if=virtio,cache=writeback
	-netdev user,id=net -device virtio-net-pci,netdev=net)
jobs=disk,net,screen

hosts "$nodes"
cluster "$@"
mkdir -p "$dir/0" "$dir/www"

head -c 16M /dev/urandom > "$dir/0/disk"
disk_sum=$(md5sum < "$dir/0/disk" | cut -d' ' -f1)
truncate -s $((32 + 4 * cpus))M "$dir/0/disk"
head -c 2M /dev/urandom > "$dir/www/file"
file_sum=$(md5sum < "$dir/www/file" | cut -d' ' -f1)
www_port=$(free_ports 1)
# shellcheck disable=SC2086
${under[0]} busybox httpd -f -p "127.0.0.1:$www_port" -h "$dir/www" &
helpers+=($!)

if command -v swtpm > /dev/null; then
	mkdir "$dir/tpm"
	swtpm socket --tpm2 --tpmstate "dir=$dir/tpm" \
		--ctrl "type=unixio,path=$dir/0/tpm" &
	helpers+=($!)
	devices+=(-chardev socket,id=tpm,path=tpm -tpmdev emulator,id=tpm0,chardev=tpm
		-device tpm-tis,tpmdev=tpm0)
	jobs=$jobs,tpm
else
	echo "no swtpm: the TPM is left out"
fi

words="gvm_cpus=$cpus gvm_jobs=$jobs gvm_disk_sum=$disk_sum gvm_port=$www_port"
words="$words gvm_file_sum=$file_sum"
for ((i = nodes - 1; i >= 0; i--)); do
	start $i "$words" "${devices[@]}" -no-shutdown
done
console "guest: end" 500
grep -aq "guest: end 0" "$dir/console" || fail "something was wrong in the guest"

# The lines of all CPUs are in the screen's memory, and there is a picture.
monitor 0 "pmemsave 0xb8000 4000 letters"
screen=$(perl -0777 -pe 's/(.)./$1/gs' "$dir/0/letters" | tr '\0' ' ')
for ((cpu = 0; cpu < cpus; cpu++)); do
	[[ $screen == *"GIANTVM CPU $cpu"* ]] ||
		fail "what CPU $cpu wrote is not on the screen"
done
monitor 0 "screendump picture"
tail -c +16 "$dir/0/picture" | od -An -v -tx1 -w3 | sort -u | wc -l | {
	read -r colours
	[ "$colours" -ge 2 ] || echo "only $colours colours in the picture"
} | grep . && fail "the picture is empty"
perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die;
	sysread $s, my $hello, 12; exit($hello !~ /^RFB 003/)' "$dir/0/vnc" ||
	fail "no VNC"

monitor 0 quit
for ((i = 0; i < nodes; i++)); do
	ended $i 30 && { [ "$status" = 0 ] || fail "status $status of node $i"; }
done
for ((cpu = 0; cpu < cpus; cpu++)); do
	yes "CPU $cpu of the guest was here" | head -c 4M |
		cmp - <(tail -c +$((16777217 + cpu * 4194304)) "$dir/0/disk" | head -c 4M) ||
		fail "the disk has not what CPU $cpu wrote"
done
[ "$(head -c 16M "$dir/0/disk" | md5sum | cut -d' ' -f1)" = "$disk_sum" ] ||
	fail "the disk has lost what nobody wrote over"
grep -a "^guest:\|^jobs:" "$dir/console"
finish
