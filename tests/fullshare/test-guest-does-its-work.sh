#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# What guests do, on the CPUs of several nodes at once, each of which checks its
# result (tests/fullshare/jobs): a wrong byte, an old instruction or an order that
# no processor has would make one of them fail.
#
#	test-guest-does-its-work.sh BUILD JOBS VCPUS...
# shellcheck source=tests/fullshare/lib.sh
. "$(dirname "$(readlink -f "$0")")/lib.sh"
jobs=$2
shift 2
nodes=$#
cpus=$(cpus_of "$@")

# What the jobs need of the host.
modules=brd
case ,$jobs, in
*,stamp[,:]*)	programs+=("$build/guest/stamp") ;;
esac
case ,$jobs, in
*,stress[,:]*)
	command -v stress-ng > /dev/null || skip "no stress-ng"
	programs+=("$(command -v stress-ng)") ;;
esac
case ,$jobs, in
*,compile[,:]*)
	command -v tcc > /dev/null || skip "no tcc"
	tcc -I"$top/core" -I"$top" -E "$top/core/node.c" -o "$dir/source.c" &&
		(cd "$dir" && tcc -c source.c -o object) || exit 1
	programs+=("$(command -v tcc)" "$dir/source.c" "$dir/object") ;;
esac

hosts "$nodes"
cluster "$@"
words="gvm_cpus=$cpus gvm_jobs=$jobs"
for ((i = nodes - 1; i >= 0; i--)); do
	start $i "$words"
done
console "guest: end" 500
grep -aq "guest: end 0" "$dir/console" || fail "something was wrong in the guest"
for ((i = 0; i < nodes; i++)); do
	ended $i 60 && { [ "$status" = 0 ] || fail "status $status of node $i"; }
done
# Kernels that contend as in a storm of programs take turns, or it takes for ever.
case ,$jobs,${GIANTVM_TEST_NET:+net} in
*,storm,*net)	;;
*,storm,*)
	grep -q "had [1-9][0-9]* turns" "$dir/errors-0" ||
		fail "no turn was taken in the storm" ;;
esac
grep -a "^guest:\|^smp:\|^jobs:\|^stamp:\|^stress-ng" "$dir/console"
cat "$dir"/errors-*
finish
