#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# run_races.sh [NAME...]: run each test of *.tests and each race of *.races once, or those that
# are named, on the kernel that is running.  Needs root, a mounted debugfs and a few huge pages;
# the options are in ./config.
#
# Only if they are named: races whose damage is a splat of the kernel (a BUG, say), since a
# machine does not survive them without their fix, and tests that run for a time of their own.

cd "$(dirname "$0")" || exit 1
if [ "$(id -u)" -ne 0 ]; then
	echo "TAP version 13"
	echo "1..0 # SKIP needs root"
	exit 4
fi
out=$(mktemp) || exit 1
# A test that is not permitted to use the yielding mode says skip.
yield=/proc/sys/vm/userfaultfd_yield
was=
[ ! -f $yield ] || read -r was < $yield
trap 'rm -f "$out"; [ -z "$was" ] || echo "$was" > "$yield"' EXIT
trap 'exit 1' HUP INT TERM
[ -z "$was" ] || echo 1 > $yield

# "name program arguments" for each stanza.  A test that has one for several machines is run
# once, and has its command for a name.
list=$(for file in *.tests *.races; do
	[ ! -f "$file" ] || { cat "$file" && echo; }
done | awk -v named=$# '
	function out() {
		name = race
		if (!name) {
			name = test
			gsub(/[^a-zA-Z0-9_.-]+/, "-", name)
		}
		if (test && !(name in seen))
			print name, named ? test : why ? why : test
		if (test)
			seen[name]
		race = test = why = ""
	}
	/^race:/ { race = $2 }
	/^test:/ { sub(/ +#.*/, ""); sub(/^test: */, ""); test = $0 }
	/^splat: *[^-]/ { why = "splat" }
	/^seconds:/ { why = "long" }
	/^$/ { out() }')
[ $# -eq 0 ] || list=$(for name; do
	echo "$list" | grep "^$name " || echo "$name false" # an unknown one fails
done)

echo "TAP version 13"
if [ -z "$list" ]; then
	echo "1..0 # SKIP no *.tests and no *.races here"
	exit 4
fi
echo "1..$(echo "$list" | wc -l)"
nr=0
status=4
while read -r name test; do
	nr=$((nr + 1))
	case $test in
	splat)
		echo "ok $nr $name # SKIP a kernel without its fix crashes; to run it, name it"
		continue ;;
	long)
		echo "ok $nr $name # SKIP takes minutes; to run it, name it"
		continue ;;
	esac
	# Into a file: a process that a test leaves behind does not hold us up.
	# shellcheck disable=SC2086 # a program and its arguments
	set -- $test
	[ ! -x "./$1" ] || { program=./$1; shift; set -- "$program" "$@"; }
	"$@" > "$out" 2>&1 < /dev/null
	rc=$?
	sed 's/^/# /' "$out"
	case $rc in
	0)	echo "ok $nr $name"
		[ $status -ne 4 ] || status=0 ;;
	4)	echo "ok $nr $name # SKIP $(sed -n 's/.*# SKIP //p' "$out" | head -n 1)" ;;
	*)	echo "not ok $nr $name"
		status=1 ;;
	esac
done <<EOF
$list
EOF
exit $status
