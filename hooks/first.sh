
# What comes first in every front. POSIX sh, read command by command: what has nothing to do with a protected ref ends
# in the hook's first part, before the rest is even parsed, and starts no process. `read` takes a system call for each
# byte, so that the patterns are a shell text, which is read in blocks.
guard_nl='
'
set -f
IFS=$guard_nl

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

# A short input is read here; the rest of a long one is cheaper for one `grep` (back.sh).
guard_lines= guard_count=0
guard_begin() { # of standard input, at most eight lines in guard_lines and guard_count
  while [ "$guard_count" -lt 8 ] && { IFS= read -r guard_line || [ -n "$guard_line" ]; }; do
    guard_lines=$guard_lines$guard_line$guard_nl
    guard_count=$((guard_count + 1))
  done
}
