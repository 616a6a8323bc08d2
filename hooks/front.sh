
# What every front shares. POSIX sh; no process is started unless a protected ref may be concerned.
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
  # A hook of all of a user's repositories also runs in the bare ones: a server's home is none of a client's business.
  [ ! -e "$guard_home/watched" ] || guard_known= guard_home=/dev/null
}

guard_load() { # FILE KNOWN: the patterns of protected refs; where it cannot be read, those known at installation
  guard_patterns=${2-$guard_known}
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

guard_take() { # standard input: what may matter in guard_lines; all of it in guard_all when a hook is chained
  guard_lines= guard_all= guard_count=0
  while [ "$guard_count" -lt 8 ] && { IFS= read -r guard_line || [ -n "$guard_line" ]; }; do
    guard_lines=$guard_lines$guard_line$guard_nl
    guard_count=$((guard_count + 1))
  done
  guard_all=$guard_lines
  [ "$guard_count" -eq 8 ] || return 0
  # `read` fetches single bytes, so that the rest of a long input is cheaper for one grep.
  guard_sieve
  if [ -n "$guard_chained" ] || ! command -v grep >/dev/null; then
    guard_rest=
    while IFS= read -r guard_line || [ -n "$guard_line" ]; do
      guard_rest=$guard_rest$guard_line$guard_nl
    done
    guard_all=$guard_all$guard_rest
    command -v grep >/dev/null && guard_rest=$(printf '%s' "$guard_rest" | guard_grep)
  else
    guard_rest=$(guard_grep)
  fi
  guard_lines=$guard_lines$guard_rest${guard_rest:+$guard_nl}
}

guard_grep() { # the lines in which a pattern of guard_sifted stands, a byte beyond ASCII, or fewer words than git gives
  LC_ALL=C grep -a -e "$guard_sifted" -e '[^ -~]' -e "^[^ ]*\( [^ ]*\)\{0,$guard_words\}\$"
}

guard_judge() { # ARGUMENTS: what Python says of standard input; exits when that is a no
  # git >= 2.54 runs the hook that its configuration names first and then the one in the folder: they judge once.
  # The first leaves its parent's number; whatever becomes of that file, the worst is that both judge.
  guard_told=$guard_dir/guard-judged.$guard_hook
  if [ -z "$guard_configured" ] && [ -s "$guard_told" ]; then
    guard_slurp "$guard_told" 2>/dev/null
    printf '' 2>/dev/null >"$guard_told" || : # not `:`, whose failure would end the shell
    case $guard_text in
      "$PPID ${1-}") return 0 ;;
      "$PPID ${1-} "*) exit "${guard_text##* }" ;;
    esac
  fi
  guard_python_works || exit 2
  guard_status=0
  "$guard_python" -ISE "$guard_script" "$guard_hook" "$guard_home" "$@" || guard_status=$?
  [ -z "$guard_configured" ] || guard_tell "${1-}" "$guard_status" 2>/dev/null
  [ "$guard_status" = 0 ] || exit "$guard_status"
}

guard_tell() { # ARGUMENT STATUS: leave them for the hook in the folder
  [ "$2" != 0 ] || set -- "$1"
  IFS=' '
  printf '%s\n' "$PPID $*" >"$guard_told"
  IFS=$guard_nl
}

guard_python_works() {
  [ -x "$guard_python" ] && [ -r "$guard_script" ] && return 0
  printf '%s\n' \
    "hooks.broken: a protected branch is concerned, and the guard's Python is gone: $guard_python $guard_script" \
    'fix: install release-guard again, then run "guard install" here; nothing else is held up meanwhile' >&2
  return 1
}

guard_parent() { # the words of the process that runs this hook, run together, in guard_argv; empty when not known
  guard_argv=
  if [ -r "/proc/$PPID/cmdline" ]; then
    guard_slurp "/proc/$PPID/cmdline" 2>/dev/null # the shell leaves out the bytes between the words
    guard_argv=$guard_text
  else
    guard_argv=$(ps -o args= -p "$PPID" 2>/dev/null) || :
  fi
}

guard_find_chained() { # the hook that stood here before, in guard_chained; empty when there is none to run
  guard_chained=
  [ -z "$guard_configured" ] || return 0
  guard_chained=${0%/*}/$guard_hook.guard-chained
  [ -x "$guard_chained" ] && [ ! -d "$guard_chained" ] || guard_chained=
  # On a server nobody moves hooks about, and nothing in the environment may keep one from running.
  case $guard_hook in *-receive) return ;; esac
  # Another tool may have moved this file behind the very hook that it chains to: run that one once.
  [ "${GUARD_CHAIN-}" != "$guard_hook:$PWD" ] || guard_chained=
  # pre-commit moves what it finds to HOOK.legacy and runs it from there; it must not be started by that again.
  if [ -n "$guard_chained" ] && [ -n "${PRE_COMMIT_RUNNING_LEGACY-}" ]; then
    guard_second=
    { IFS= read -r guard_first && IFS= read -r guard_second; } <"$guard_chained" 2>/dev/null || :
    case $guard_second in '# File generated by pre-commit'*) guard_chained= ;; esac
  fi
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
