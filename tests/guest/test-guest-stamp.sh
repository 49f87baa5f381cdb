#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A guest with more RAM than the host gives it must not notice: if this fails,
# a guest's memory came back changed, or the guest took more of the host's
# memory than --local allows, or its pages stayed behind.
#
#	test-guest-stamp.sh BUILD MIB PERCENT move|copy [BACKING]
#
# BACKING: ram and memfd (shared), memfd-private: the guest's RAM is an object
# of that kind; balloon: the host takes RAM from the guest and gives it back
# while the guest works.
set -euo pipefail

build=$1
mib=$2
percent=$3
evict=$4
backing=${5:-plain}
root=$(readlink -f "$(dirname "$0")/../..")
. "$root/guest/lib.sh"
giantvm=$build/cli/giantvm
stamp=$build/guest/stamp
sampler=$build/tests/guest/sampler
sampling=
qmp=

fail()
{
	echo "$*"
	guest_tail
	exit 1
}

clean_up()
{
	guest_stop
	[ -z "$qmp" ] || exec {qmp}>&-
	rm -rf "$dir"
}

missing=$(guest_packages_missing)
if [ -n "$missing" ]; then
	echo "skipped: needs" $missing
	exit 77
fi
dir=$(mktemp -d)
trap clean_up EXIT
export GIANTVM_RUNTIME=$dir/runtime GIANTVM_EVICT=$evict
mkdir -p "$GIANTVM_RUNTIME"
guest_image > "$dir/image.log" 2>&1 || {
	echo "skipped: no guest kernel: $(tail -n 1 "$dir/image.log")"
	exit 77
}

words="gvm_stamp=75% gvm_rounds=1 gvm_flags=--quiet"
arguments=()
case $backing in
plain)	;;
ram)
	arguments=(-object "memory-backend-ram,id=ram,size=${mib}M"
		   -machine memory-backend=ram) ;;
memfd)
	arguments=(-object "memory-backend-memfd,id=ram,size=${mib}M,share=on"
		   -machine memory-backend=ram) ;;
memfd-private)
	arguments=(-object "memory-backend-memfd,id=ram,size=${mib}M,share=off"
		   -machine memory-backend=ram) ;;
balloon)
	# Smaller, so that the balloon has free memory to take.
	words="gvm_stamp=50% gvm_rounds=2 gvm_modules=virtio_pci,virtio_balloon"
	mkfifo "$dir/qmp.in" "$dir/qmp.out"
	arguments=(-chardev "pipe,id=qmp,path=$dir/qmp" -mon chardev=qmp,mode=control
		   -device virtio-balloon-pci,free-page-reporting=on) ;;
*)
	echo "unknown backing $backing"
	exit 2 ;;
esac

# Tell QEMU to shrink or grow the guest at every tenth of the guest's progress.
balloon_steps=0
on_line()
{
	case $backing:$1 in
	balloon:stamp:*%)
		balloon_steps=$((balloon_steps + 1))
		local target=$((mib - (balloon_steps % 2) * mib / 4))
		echo "{\"execute\":\"balloon\",\"arguments\":{\"value\":$((target << 20))}}" >&"$qmp" ;;
	esac
	case $1 in
	"guest: up"*)
		"$sampler" "$(guest_pid)" > "$dir/sampled" &
		sampling=$! ;;
	esac
}

under=("$giantvm" run --local "$((mib * percent / 100))M" --)
if [ "$backing" = balloon ]; then
	(cat "$dir/qmp.out" > "$dir/qmp.log") &
	exec {qmp}<> "$dir/qmp.in"
	echo '{"execute":"qmp_capabilities"}' >&"$qmp"
fi
guest_boot "$mib" "$words" "${arguments[@]}"
guest_follow || fail "the guest ended with $guest_status"
guest_wait || fail "QEMU ended with $?"
grep -q ' 0 mismatches$' "$dir/console" || fail "no stamp result"
[ -n "$sampling" ] || fail "the guest never said it was up"
wait "$sampling" || fail "too much resident memory: $(cat "$dir/sampled")"
if [ "$backing" = balloon ]; then
	[ "$balloon_steps" -gt 10 ] || fail "the balloon moved only $balloon_steps times"
	grep -q '"error"' "$dir/qmp.log" && fail "QMP: $(grep -m 1 '"error"' "$dir/qmp.log")"
fi
grep -h stamp: "$dir/console" | tail -n 1
cat "$dir/sampled"
