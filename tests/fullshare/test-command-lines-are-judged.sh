#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What would break the one memory of a guest, or cannot be a guest on several nodes
# at all, is refused by one line that says what to do, before anything starts;
# what is harmless is not.  Needs no QEMU.
#
#	test-command-lines-are-judged.sh GIANTVM
giantvm=$1
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
failed=0
conf=$dir/cluster.conf
cat > "$conf" <<'END'
[cluster]
name = judged
[server A]
address = 127.0.0.1:9001
node = 0
[region guest]
size = 64M
[node 0]
address = 127.0.0.1:9100
vcpus = 0
[node 1]
address = 127.0.0.1:9200
vcpus = 1
END
# Any file will do: it is not loaded.
export GIANTVM_VCPU=$conf
qemu=qemu-system-x86_64

fail()
{
	echo "FAIL: $*"
	failed=1
}

# refused TEXT ARG...: to giantvm run.
refused()
{
	local text=$1

	shift
	"$giantvm" run "$@" > "$dir/out" 2> "$dir/errors" && fail "not refused: $*"
	grep -q "^giantvm: .*$text" "$dir/errors" ||
		fail "no '$text' for $*: $(cat "$dir/errors")"
	[ "$(wc -l < "$dir/errors")" = 1 ] || fail "not one line for $*"
	[ ! -s "$dir/out" ] || fail "QEMU's line is shown all the same: $*"
}

# bad TEXT ARG... and good ARG...: to QEMU, on either node.
bad()
{
	local text=$1 id

	shift
	for id in 0 1; do
		refused "$text" --cluster "$conf" --id $id --print -- $qemu -m 64 "$@"
	done
}

good()
{
	"$giantvm" run --cluster "$conf" --id 0 --print -- $qemu -m 64 "$@" \
		> "$dir/out" 2> "$dir/errors" || fail "refused: $*: $(cat "$dir/errors")"
	grep -qx -- "${*: -1}" "$dir/out" || fail "QEMU does not get ${*: -1}"
}

# What cannot be a guest.
refused "needs --cluster" --id 0 -- $qemu -m 64
refused "equal" --cluster "$conf" --id 0 -- $qemu -m 65
refused "no region x" --cluster "$conf" --id 0 --ram x -- $qemu -m 64
refused "which command" --cluster "$conf" --id 0
refused "no node 7" --cluster "$conf" --id 7 -- $qemu -m 64
refused "how much RAM" --cluster "$conf" --id 0 -- $qemu
refused "not for ls" --cluster "$conf" --id 0 -- ls
refused "nothing" --cluster "$dir/nothing" --id 0 -- $qemu -m 64
bad "leave -plugin away" -plugin x
bad "choose the accelerator by -accel" -enable-kvm
bad "instead of q35,accel=kvm" -machine q35,accel=kvm
bad "leave kernel-irqchip=on away" -accel kvm,kernel-irqchip=on

# RAM as a file: no node would drop what it has translated.
refused "code another one has changed.*use a region" --cluster "$conf" --id 0 --ram file \
	--print -- $qemu -m 64
refused "code another one has changed" --cluster "$conf" --id 1 --ram file --print -- \
	$qemu -m 64 -accel tcg,thread=multi

# Pinned pages.
bad "cache=none .*use cache=writeback" -drive file=d,cache=none,if=virtio
bad "cache=directsync .*writethrough" -drive file=d,cache=directsync
bad "direct=on .*use cache.direct=off" -drive file=d,cache.direct=on
bad "direct=true" -blockdev '{"driver": "file", "filename": "d", "node-name": "x",
	"cache": {"no-flush": false, "direct": true}}'
bad "direct=true" -blockdev '{"driver":"raw","file":{"driver":"file","filename":"d",
	"cache":{"direct":true}}}'
bad "direct=yes" --blockdev driver=raw,file.driver=file,file.cache.direct=yes
bad "aio=native .*use aio=threads" -drive file=d,aio=native
bad "aio=io_uring .*use aio=threads" -drive file=d,aio=io_uring
bad "aio=native" -set drive.x.aio=native
bad "io_uring" -blockdev driver=io_uring,filename=d,node-name=x
bad "nvme" -drive file=nvme://0000:01:00.0/1
bad "nvme" -blockdev driver=nvme,device=0000:01:00.0,namespace=1
bad "vhost=on .*use vhost=off" -netdev tap,id=n,vhost=on
bad "vhost=on" -nic tap,vhost=on
bad "vhostforce=on" -netdev tap,id=n,vhostforce=on
bad "vhost-user" -netdev vhost-user,id=n,chardev=c
bad "vhost-scsi-pci" -device vhost-scsi-pci,wwpn=naa.1
bad "vhost-vsock" -device '{"driver":"vhost-vsock-pci","guest-cid":3}'
bad "vfio-pci .*leave it away" -device vfio-pci,host=01:00.0
bad "pvrdma" -device pvrdma

# Memory that is given back, filled, locked or added on one node only.
bad "virtio-balloon-pci" -device virtio-balloon-pci
bad "balloon" -device driver=virtio-balloon-pci,id=b
bad "prealloc=on" -set object.m.prealloc=on
bad "memory-backend-ram" -object memory-backend-ram,id=m,size=64M
bad "memory-backend-file" -object '{"qom-type":"memory-backend-file","id":"m","size":1}'
bad "mem-prealloc" -mem-prealloc
bad "mem-lock=on .*leave it away" -overcommit mem-lock=on
bad "mem-path" -mem-path /dev/hugepages
bad "memory-backend= away" -machine q35,memory-backend=m
bad "memdev=m" -numa node,memdev=m
bad "pc-dimm" -device pc-dimm,memdev=m
bad "virtio-mem-pci" -device virtio-mem-pci,memdev=m
refused "maxmem=1G" --cluster "$conf" --id 0 --print -- $qemu -m 64M,slots=2,maxmem=1G

# Another guest's state, and what giantvm cannot look into.
bad "incoming" -incoming tcp:0:4444
bad "loadvm" -loadvm x
bad "readconfig" -readconfig x

# What is none of that, although it looks like it.
good -drive file=vhost-vfio-balloon.img,format=raw,if=virtio,cache=writeback
good -drive file=d,cache=unsafe,aio=threads
good -drive file=d,cache.direct=off,cache.no-flush=on
good -blockdev '{"driver":"file","filename":"aio","node-name":"x","cache":{"direct":false}}'
good -device nvme,drive=d,serial=x
good -device virtio-net-pci,netdev=n
good -netdev tap,id=n,vhost=off,ifname=vhost
good -netdev user,id=n,hostfwd=tcp::2222-:22
good -object rng-random,id=r,filename=/dev/urandom
good -overcommit mem-lock=off
good -append "x cache=none vhost=on tsc=reliable nohz_full=1"
good -cdrom vfio.iso

# Disks and consoles are node 0's alone.
"$giantvm" run --cluster "$conf" --id 1 --print -- $qemu -m 64 -cpu max \
	-kernel k -append "-x y" -drive file=d disk -smp 2 > "$dir/out"
grep -qx "max" "$dir/out" || fail "node 1 does not get -cpu"
grep -qE "^(-kernel|-drive|disk|-append)$" "$dir/out" && fail "node 1 gets devices"

# Processors of different nodes share no socket.
sockets()
{
	sed -i -e "/^vcpus/d" -e "s/^\[node 0\]/&\nvcpus = $1/" \
		-e "s/^\[node 1\]/&\nvcpus = $2/" "$conf"
	"$giantvm" run --cluster "$conf" --id 1 --print -- $qemu -m 64 > "$dir/out"
	grep -qx "sockets=$3,threads=1" "$dir/out" ||
		fail "$1 and $2 are not $3: $(grep sockets "$dir/out")"
}
sockets 0-3 4-7 2,cores=4
sockets 0,2 1,3 4,cores=1
sockets 0-3,8-11 4-7 3,cores=4
sockets 0-2 3-5 6,cores=1
sockets 0-3 4-5 3,cores=2
sockets 0 1 2,cores=1
"$giantvm" run --cluster "$conf" --id 0 --print -- $qemu -m 64 -smp 2,sockets=1 > "$dir/out"
grep -q "sockets=2" "$dir/out" && fail "sockets are told although the operator has"

# What the guest's kernel is told, unless somebody has said it.
words()
{
	sed -i -e "/^vcpus/d" -e "s/^\[node 0\]/&\nvcpus = $1/" \
		-e "s/^\[node 1\]/&\nvcpus = $2/" "$conf"
	"$giantvm" run --cluster "$conf" --id 0 --print -- $qemu -m 64 \
		-append "$3" > "$dir/out" 2> /dev/null
	grep -qxF -- "$4" "$dir/out" ||
		fail "$1 and $2, '$3': not '$4' but $(grep -A1 -x -e -append "$dir/out")"
}
words 0-3 4-7 "quiet" "quiet tsc=reliable nohz_full=4-7"
words 0,2 1,3 "" " tsc=reliable nohz_full=1,3"
words 0,4-5 1-3,6 "a" "a tsc=reliable nohz_full=1-3,6"
words 0 1 "tsc=unstable a" "tsc=unstable a nohz_full=1"
words 0 1 "nohz_full=3" "nohz_full=3 tsc=reliable"
words 0 1 "nohz_full=3 tsc=x" "nohz_full=3 tsc=x"

# Each node is a NUMA node of the guest, although one of them has all the homes.
"$giantvm" run --cluster "$conf" --id 0 --print -- $qemu -m 64 > "$dir/out"
grep -q "^sig=SRAT" "$dir/out" || fail "no table says where memory lies"
"$giantvm" run --cluster "$conf" --id 0 --print -- $qemu -m 64 -numa node > "$dir/out"
grep -q "^sig=SRAT" "$dir/out" && fail "a table, although the operator has his own"

"$giantvm" run --cluster "$conf" --id 0 --cpu-latency any --print -- $qemu -m 64 \
	> "$dir/out" || fail "--cpu-latency any is refused"
grep -q "cpu-latency=any" "$dir/out" || fail "the plugin hears nothing of --cpu-latency"
refused "low or any" --cluster "$conf" --id 0 --cpu-latency 5 --print -- $qemu -m 64

# KVM must not serve the guest by itself.
"$giantvm" run --cluster "$conf" --id 0 --ram file --print -- $qemu -m 64 -accel kvm \
	> "$dir/out" || fail "--ram file is refused with KVM"
grep -qx "driver=x86_64-cpu,property=kvm,value=off" "$dir/out" || fail "KVM's services stay on"
grep -qx "driver=x86_64-cpu,property=x2apic,value=off" "$dir/out" || fail "x2APIC stays on"
grep -qx "kernel-irqchip=off" "$dir/out" || fail "KVM's interrupt controllers stay on"
exit $failed
