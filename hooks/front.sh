
# What comes first in every front. POSIX sh, read command by command: what has nothing to do with a protected ref ends
# in the hook's first part, before the rest is even parsed, and starts no process. `read` takes a system call for each
# byte, so that the patterns are a shell text, which is read in blocks.
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
  [ ! -e "$guard_home/settings.toml" ] || guard_known= guard_home=/dev/null
}

guard_load() { # the compiled patterns; where they are gone, of the protected refs those known at installation
  guard_protected=$guard_known guard_moves=$guard_known guard_watched=$guard_known
  guard_tracked= guard_upstreams=
  [ ! -r "$guard_home/patterns" ] || . "$guard_home/patterns"
}

guard_match() { # REF PATTERNS: whether Python has to look at it
  for guard_pattern in $2; do
    # shellcheck disable=SC2254 # the lines are patterns, so that a name in another case is seen too
    case $1 in $guard_pattern) return 0 ;; esac
  done
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

# A short input is read here; the rest of a long one is cheaper for one `grep` (back.sh).
guard_lines= guard_count=0
guard_begin() { # of standard input, at most eight lines in guard_lines and guard_count
  while [ "$guard_count" -lt 8 ] && { IFS= read -r guard_line || [ -n "$guard_line" ]; }; do
    guard_lines=$guard_lines$guard_line$guard_nl
    guard_count=$((guard_count + 1))
  done
}
