
# What the fronts of a clone need besides.
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

guard_parent() { # the words of the process that runs this hook, run together, in guard_argv; empty when not known
  guard_argv=
  if [ -r "/proc/$PPID/cmdline" ]; then
    guard_slurp "/proc/$PPID/cmdline" 2>/dev/null # the shell leaves out the bytes between the words
    guard_argv=$guard_text
  else
    guard_argv=$(ps -o args= -p "$PPID" 2>/dev/null) || :
  fi
}
