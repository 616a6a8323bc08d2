
# What every front shares. POSIX sh, and no process is started unless a protected ref is concerned.
guard_nl='
'
set -f
IFS=$guard_nl

guard_slurp() { # FILE: its text, without trailing newlines, in guard_text
  guard_text=
  while IFS= read -r guard_line || [ -n "$guard_line" ]; do
    guard_text=${guard_text:+$guard_text$guard_nl}$guard_line
  done <"$1"
}

guard_locate() { # this repository's git directory in guard_dir, what its work trees share in guard_home
  guard_dir=${GIT_DIR:-.git}
  if [ -f "$guard_dir" ]; then
    guard_slurp "$guard_dir"
    guard_dir=${guard_text#gitdir: }
  elif [ ! -d "$guard_dir" ]; then
    guard_dir=.
  fi
  guard_common=${GIT_COMMON_DIR:-$guard_dir}
  if [ -z "${GIT_COMMON_DIR-}" ] && [ -r "$guard_dir/commondir" ]; then
    guard_slurp "$guard_dir/commondir"
    case $guard_text in
      /*) guard_common=$guard_text ;;
      *) guard_common=$guard_dir/$guard_text ;;
    esac
  fi
  guard_home=$guard_common/guard
}

guard_load() { # FILE: the patterns of protected refs; where it cannot be read, those known at installation
  guard_patterns=$guard_known
  if [ -r "$1" ]; then
    guard_slurp "$1"
    guard_patterns=$guard_text
  fi
}

guard_match() { # REF: whether Python has to look at it
  for guard_pattern in $guard_patterns; do
    # shellcheck disable=SC2254 # the lines are patterns, so that a name in another case is seen too
    case $1 in $guard_pattern) return 0 ;; esac
  done
  return 1
}

guard_python_works() {
  [ -x "$guard_python" ] && [ -r "$guard_script" ] && return 0
  printf '%s\n' \
    "hooks.broken: a protected branch is concerned, and the guard's Python is gone: $guard_python $guard_script" \
    'fix: install release-guard again, then run "guard install" here; nothing else is held up meanwhile' >&2
  return 1
}

guard_find_chained() { # the hook that stood here before, in guard_chained; empty when there is none to run
  guard_chained=${0%/*}/$guard_hook.guard-chained
  [ -x "$guard_chained" ] && [ ! -d "$guard_chained" ] || guard_chained=
  # Another tool may have moved this file behind the very hook that it chains to: run that one once.
  [ "${GUARD_CHAIN-}" != "$guard_hook:$PWD" ] || guard_chained=
}

guard_run_chained() { # ARGUMENTS: become the chained hook; a shell script keeps the $0 that it was written for
  [ -n "$guard_chained" ] || exit 0
  export GUARD_CHAIN="$guard_hook:$PWD" GUARD_CHAINED="$guard_chained"
  guard_first=
  { IFS= read -r guard_first <"$guard_chained"; } 2>/dev/null || :
  case $guard_first in
    '#!/bin/sh' | '#! /bin/sh' | '#!/usr/bin/env sh') exec sh -c '. "$GUARD_CHAINED"' "$0" "$@" ;;
    '#!/bin/bash' | '#!/usr/bin/bash' | '#!/usr/bin/env bash') exec bash -c '. "$GUARD_CHAINED"' "$0" "$@" ;;
  esac
  exec "$guard_chained" "$@"
}
