# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# Boot the small guest and follow it: for the demo, the tests and the
# benchmarks, which source this file.  The caller sets
#
#	giantvm, stamp		the programs of the build to use
#	dir			a scratch folder of its own
#	under=(...)		what QEMU runs under; empty: plain QEMU
#
# and calls guest_image, guest_boot and guest_follow.  A guest that says
# nothing for guest_silence seconds is given up.  guest_stop ends whatever is
# still running, and belongs into a trap.

guest_here=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
guest_qemu=${GIANTVM_QEMU:-qemu-system-x86_64}
guest_silence=120
guest_patience=
guest_accel=(-accel tcg,thread=multi)
under=()
guest_job=
guest_status=

# What is missing to boot a guest, as names of Debian packages.
guest_packages_missing()
{
	command -v "$guest_qemu" > /dev/null || echo qemu-system-x86
	busybox depmod --help > /dev/null 2>&1 || echo busybox-static
}

# guest_image [stable|backports]: sets $image to a folder with the guest in it.
guest_image()
{
	local kernel

	kernel=$("$guest_here/kernel" "${1:-stable}") || return 1
	image=$dir/image-${1:-stable}
	[ -e "$image/initramfs" ] ||
		"$guest_here/mkimage" "$kernel" "$image" "$guest_here/init" \
			"virtio_pci virtio_blk virtio_balloon nvme" "$stamp"
}

# guest_boot MIB WORDS [QEMU ARGUMENTS...]: WORDS go to the command line of the
# kernel, for guest/init.  The console can be read from $guest_console.
guest_boot()
{
	local mib=$1 words=$2

	shift 2
	: > "$dir/console"
	rm -f "$dir/qemu.pid"
	exec {guest_console}< <(exec "${under[@]}" "$guest_qemu" \
		"${guest_accel[@]}" -m "$mib" -smp 2 -nodefaults -no-user-config \
		-display none -no-reboot -serial stdio -pidfile "$dir/qemu.pid" \
		-kernel "$image/vmlinuz" -initrd "$image/initramfs" \
		-append "console=ttyS0 panic=-1 nokaslr no_timer_check quiet $words" \
		"$@" < /dev/null 2> "$dir/errors")
	guest_job=$!
}

# Has the guest run while it was silent?  Not if it did for less than a fiftieth
# of that time, which its timer alone needs.  Field 43 of the statistics is the
# time of virtual CPUs, in ticks.
guest_ticks=0
guest_works()
{
	local before=$guest_ticks all

	read -ra all < "/proc/$(guest_pid)/stat" || return 1
	guest_ticks=${all[42]}
	[ $((guest_ticks - before)) -gt $((guest_silence * $(getconf CLK_TCK) / 50)) ]
} 2> /dev/null

# Read the console until the guest says its end, or stops talking.  Each line is
# kept in $dir/console and handed to on_line, if the caller has one.  With
# guest_patience a silent guest is waited for as long as it works.  Fails if the
# guest did; guest_status says how.
guest_follow()
{
	local line rc

	guest_status=silent
	guest_ticks=0
	while true; do
		rc=0
		IFS= read -r -t "$guest_silence" line <&"$guest_console" || rc=$?
		if [ $rc -gt 128 ] && [ -n "$guest_patience" ] && guest_works; then
			continue
		fi
		[ $rc = 0 ] || break
		line=${line%$'\r'}
		echo "$line" >> "$dir/console"
		case $line in
		"guest: end "*)	guest_status=${line#guest: end } ;;
		esac
		if declare -F on_line > /dev/null; then
			on_line "$line"
		fi
		[ "$guest_status" = silent ] || break
	done
	[ "$guest_status" = 0 ]
}

# The process that QEMU is, once it has started.
guest_pid()
{
	cat "$dir/qemu.pid" 2> /dev/null
}

# Wait for QEMU and what it runs under; returns their exit status.
guest_wait()
{
	local rc=0

	wait "$guest_job" || rc=$?
	guest_job=
	exec {guest_console}<&-
	return $rc
}

guest_stop()
{
	local pid

	[ -n "$guest_job" ] || return 0
	pid=$(guest_pid)
	[ -z "$pid" ] || kill -KILL "$pid" 2> /dev/null
	kill -TERM "$guest_job" 2> /dev/null
	wait "$guest_job" 2> /dev/null
	guest_job=
}

# What the console and QEMU said, for a report of something wrong.
guest_tail()
{
	echo "--- console"
	tail -n 15 "$dir/console"
	echo "--- standard error"
	tail -n 15 "$dir/errors"
}
