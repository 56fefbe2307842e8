# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# Common to the shell scripts: sourced, after `set -euo pipefail`.

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

# git as if the user had no configuration and no GIT_* in the environment: what it
# generates depends on its input alone.  Authors that a patch names stay.
g()
(
	# shellcheck disable=SC2046 # a list of names
	unset $(git rev-parse --local-env-vars)
	export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1
	export GIT_AUTHOR_NAME=holdfast GIT_AUTHOR_EMAIL=holdfast@localhost
	export GIT_COMMITTER_NAME=holdfast GIT_COMMITTER_EMAIL=holdfast@localhost
	export GIT_AUTHOR_DATE='@1767225600 +0000' GIT_COMMITTER_DATE='@1767225600 +0000'
	export GIT_PAGER=cat GIT_EDITOR=true LC_ALL=C
	exec git -c user.name=holdfast -c user.email=holdfast@localhost \
		-c gc.auto=0 -c maintenance.auto=false -c core.autocrlf=false \
		-c commit.gpgsign=false -c safe.directory='*' -c advice.detachedHead=false "$@"
)

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
