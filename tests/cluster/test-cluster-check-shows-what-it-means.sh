#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Whoever writes a cluster.conf looks at it with `giantvm cluster check`, and
# starts from the example or the page.  If this fails, those do not work, the
# page lacks a key, or what is shown is not what is there.
set -u
giantvm=$1
source=$2
. "$source/tests/cli/lib.sh"
example=$source/examples/cluster.conf
page=$source/docs/giantvm-cluster.conf.5.pod

cat > "$dir/want" << 'END'
cluster      lab
fingerprint  84294c72a79f765cab2c7b76df5284ef
lease        5.0 s
servers      2, memory 128.0 GiB
nodes        3, local 18.0 GiB, 8 vCPUs
regions      2, together 32.2 GiB

SERVER  ADDRESS            MEMORY     REGIONS
A       10.0.0.1:9999    64.0 GiB    16.0 GiB
B       10.0.0.2:9999    64.0 GiB    16.2 GiB

 NODE  ADDRESS                       LOCAL  VCPUS  HOST
    0  10.0.0.1:7000               8.0 GiB  0-3    rack 1, top
    1  10.0.0.2:7000               8.0 GiB  4-7    rack 1, bottom
    2  laptop.example.org:7000     2.0 GiB  -      -

region guest: 32.0 GiB in 32 slices of 1.0 GiB
  SERVER       SHARE  SLICES
  A         16.0 GiB  0, 2, ... 30
  B         16.0 GiB  1, 3, ... 31

region results: 256.0 MiB in 4 slices of 64.0 MiB
  SERVER       SHARE  SLICES
  B        256.0 MiB  0 to 3
END
"$giantvm" cluster check "$example" > "$dir/got" 2> "$dir/err" ||
	fail "the example is refused: $(cat "$dir/err")"
diff "$dir/want" "$dir/got" || fail "the example is shown as another one"
[ -s "$dir/err" ] && fail "the example is warned of: $(cat "$dir/err")"

# A server inside a node of a guest says so.
"$giantvm" cluster check "$source/examples/guest.conf" > "$dir/guest" ||
	fail "the guest's example is refused"
grep -q "^A .* in node 0$" "$dir/guest" || fail "nothing says where A runs"

# JSON says the same.
"$giantvm" cluster check --json "$example" | tr -d ' \n' > "$dir/json"
for text in '"fingerprint":"84294c72a79f765cab2c7b76df5284ef"' \
	'{"name":"B","address":"10.0.0.2:9999","memory":68719476736,"regions":17448304640}' \
	'"vcpus":[4,5,6,7],"host":"rack1,bottom"' \
	'"slice":67108864,"slices":4,"servers":["B"]'; do
	grep -qF "$text" "$dir/json" || fail "no $text in the JSON"
done

# The page's own file is a good one, and the page knows every key.
sed -n '/^=head1 SYNOPSIS/,/^=head1 DESCRIPTION/s/^ //p' "$page" > "$dir/page.conf"
"$giantvm" cluster check "$dir/page.conf" > /dev/null ||
	fail "the file of the page is refused"
for section in cluster 'server x' 'node 1' 'region x'; do
	printf '[%s]\nnonsense = 1\n' "$section" > "$dir/keys"
	"$giantvm" cluster check "$dir/keys" 2>&1 |
		sed 's/.*its keys are //' | tr ',' '\n' | tr -d ' '
done | sort > "$dir/keys.code"
sed -nE 's/^=item B<([a-z_]+)>.*/\1/p' "$page" | sort > "$dir/keys.page"
diff "$dir/keys.code" "$dir/keys.page" ||
	fail "< only in the code, > only in the page"
podchecker "$page" 2> /dev/null || fail "the page is malformed"

# A server that is to hold more than it has.
sed 's/^memory = 64G/memory = 16G/' "$example" > "$dir/full.conf"
"$giantvm" cluster check "$dir/full.conf" 2>&1 > /dev/null |
	grep -q "^giantvm: cluster: warning: server 'B' has memory for 16.0 GiB, and regions of 16.2 GiB are at home there$" ||
	fail "no warning of a full server"

# What is refused.
sed 's/^size = 32G.*/size = lots/' "$example" > "$dir/bad.conf"
line=$(grep -n lots "$dir/bad.conf" | cut -d: -f1)
refused 1 "$dir/bad.conf:$line: size 'lots' is not a size" \
	"$giantvm" cluster check "$dir/bad.conf"
refused 1 "No such file" "$giantvm" cluster check "$dir/none"
refused 1 "Is a directory" "$giantvm" cluster check "$dir"
refused 1 "not text" "$giantvm" cluster check --json "$giantvm"
refused 2 "which file" "$giantvm" cluster check
refused 2 "which file" "$giantvm" cluster
refused 2 "write 'giantvm cluster check FILE'" "$giantvm" cluster chekc "$example"
refused 2 "did not expect" "$giantvm" cluster check "$example" "$example"
refused 2 "no option --bogus" "$giantvm" cluster check --bogus "$example"
if [ -c /dev/full ]; then
	"$giantvm" cluster check --json "$example" > /dev/full 2> /dev/null &&
		fail "a full disk is no failure"
fi
finish
