#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# run_races.sh [RACE...]: run the races that races/*.races list, once each, race-points,
# which tests their instrument, and uffd-events, on the kernel that is running. Needs root,
# a mounted debugfs and a few huge pages; the options are in ./config.
#
# Races whose damage is a splat of the kernel (a BUG, say) are run only if they are named:
# without its fix a machine does not survive them.

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

# "race program arguments" for each stanza
list=$(echo race-points race-points
	echo uffd-events uffd-events
	awk -v named=$# '
	function out() { if (race) print race, splat && !named ? "splat" : test }
	/^race:/ { out(); race = $2; splat = 0 }
	/^test:/ { $1 = ""; test = $0 }
	/^splat: *[^-]/ { splat = 1 }
	END { out() }' races/*.races)
[ $# -eq 0 ] || list=$(for race; do
	echo "$list" | grep "^$race " || echo "$race false" # an unknown race fails
done)

echo "TAP version 13"
echo "1..$(echo "$list" | wc -l)"
nr=0
status=4
while read -r race test; do
	nr=$((nr + 1))
	if [ "$test" = splat ]; then
		echo "ok $nr $race # SKIP a kernel without its fix crashes; to run it, name it"
		continue
	fi
	# Into a file: a process that a test leaves behind does not hold us up.
	# shellcheck disable=SC2086 # a program and its arguments
	set -- $test
	[ ! -x "./$1" ] || { program=./$1; shift; set -- "$program" "$@"; }
	"$@" > "$out" 2>&1 < /dev/null
	rc=$?
	sed 's/^/# /' "$out"
	case $rc in
	0)	echo "ok $nr $race"
		[ $status -ne 4 ] || status=0 ;;
	4)	echo "ok $nr $race # SKIP $(sed -n 's/.*# SKIP //p' "$out" | head -n 1)" ;;
	*)	echo "not ok $nr $race"
		status=1 ;;
	esac
done <<EOF
$list
EOF
exit $status
