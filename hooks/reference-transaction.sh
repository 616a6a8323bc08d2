
# reference-transaction: git < 2.51 runs this twice for every ref of a fetch, so an ordinary ref costs a few `case`.
# Other states than these two (preparing, aborted, what is yet to come) are nobody's business here.
case $1 in
  prepared) guard_kind=' refs/heads/' ;;
  committed) guard_kind=' refs/remotes/' ;;
  *) guard_kind= ;;
esac
guard_renames() { # whether a branch goes because it is renamed: git tells no hook what to
  guard_parent
  case $guard_argv in *branch*-*[mM]*) return 0 ;; esac
  return 1
}
guard_concerned() { # whether a line of the kind is about one of the refs that this state is about, which is in guard_ref
  guard_loaded=
  for guard_each in $guard_lines; do
    case $guard_each in *"$guard_kind"*) ;; *) continue ;; esac
    if [ -z "$guard_loaded" ]; then
      guard_loaded=1
      guard_locate
      guard_load
      [ "$guard_kind" = ' refs/heads/' ] || guard_moves=$guard_tracked
      [ -n "$guard_moves" ] || return 1
    fi
    guard_ref=${guard_each#* * }
    guard_match "$guard_ref" "$guard_moves" && return 0
    case $guard_each in *'00000000 refs/heads/'*) guard_renames && return 0 ;; esac
  done
  return 1
}
if [ ! -e "${0%/*}/reference-transaction.guard-chained" ] || [ -n "$guard_configured" ]; then
  [ -n "$guard_kind" ] || exit 0
  guard_begin
  [ "$guard_count" -eq 8 ] || guard_concerned || exit 0
fi
