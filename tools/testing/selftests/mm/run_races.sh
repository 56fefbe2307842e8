#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# run_races.sh [RACE...]: run the races that races/*.races list, once each, on the
# kernel that is running.  Needs root and a mounted debugfs.

cd "$(dirname "$0")" || exit 1

# "race test" for each stanza
list=$(awk '/^race:/ { race = $2 } /^test:/ { $1 = ""; print race $0 }' races/*.races)
[ $# -eq 0 ] || list=$(for race; do
	echo "$list" | grep "^$race " || echo "$race false # no such race"
done)

echo "TAP version 13"
echo "1..$(echo "$list" | wc -l)"
nr=0
failed=0
while read -r race test; do
	nr=$((nr + 1))
	out=$(eval "./$test" 2>&1 < /dev/null)
	rc=$?
	echo "$out" | sed 's/^/# /'
	case $rc in
	0)	echo "ok $nr $race" ;;
	4)	echo "ok $nr $race # SKIP" ;;
	*)	echo "not ok $nr $race"; failed=1 ;;
	esac
done <<EOF
$list
EOF
exit $failed
