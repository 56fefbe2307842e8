# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Common to the shell scripts: sourced, after `set -euo pipefail`.  What the tools in
# Python have in common is in scripts/holdfast.

# shellcheck disable=SC2034 # for those who source this file
top=$(cd "${BASH_SOURCE[0]%/*}/.." && pwd -P)
cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/holdfast

die()
{
	printf 'holdfast: %s\n' "$*" >&2
	exit 1
}

usage_error()
{
	printf 'holdfast: %s\n' "$*" >&2
	exit 2
}

# publish TMP FILE: FILE is there whole or not at all.  TMP is on the same file system.
publish()
{
	mv -fT -- "$1" "$2"
}

# progress LABEL [TOTAL]: counts the lines on stdin, on stderr: on a terminal one line
# that keeps changing, elsewhere a line every 20 seconds.
progress()
{
	local label=$1 of=${2:+ of about $2} n=0 line='' start=$SECONDS shown=$SECONDS
	local every=20 from='' to=$'\n' rc

	[ ! -t 2 ] || { every=1 from=$'\r\033[K' to=''; }
	while :; do
		rc=0
		IFS= read -r -t 1 line || rc=$?
		if [ $rc -eq 0 ]; then
			n=$((n + 1))
		elif [ $rc -le 128 ]; then
			break
		fi
		if [ $((SECONDS - shown)) -ge $every ]; then
			shown=$SECONDS
			printf '%s    %s %d%s, %d s%s' "$from" "$label" "$n" "$of" $((SECONDS - start)) "$to" >&2
		fi
	done
	printf '%s' "$from" >&2
}
