
# pre-push: only lines about a protected ref, or that make no sense, and what may be a mirror go to Python.
guard_locate
guard_load
guard_mirror=
guard_begin
guard_pick() { # the lines of guard_lines that Python has to see, in guard_hits
  guard_hits=
  for guard_each in $guard_lines; do
    # <local ref> <local oid> <remote ref> <remote oid>; the first may hold spaces (HEAD@{1 hour ago}).
    case $guard_each in
      *' '*' '*' '*)
        guard_ref=${guard_each% *}
        guard_match "${guard_ref##* }" "$guard_protected" || continue
        ;;
    esac
    guard_hits=$guard_hits$guard_each$guard_nl
  done
}
guard_pick
if [ -n "$guard_protected" ]; then
  guard_parent # git does not tell of the deletions that `push --mirror` makes, so the wish itself is looked for
  case $guard_argv${GIT_CONFIG_PARAMETERS-}${GIT_CONFIG_COUNT+mirror} in
    *[mM][iI][rR][rR][oO][rR]* | *--m*) guard_mirror=mirror ;;
    git*push* | /usr/bin/git*push* | /usr/local/bin/git*push* | /usr/lib/git-core/git*push*)
      # Reading the configuration byte by byte takes as long as a process: once after each change is enough.
      if [ ! -e "$guard_home/no-mirrors" ] || [ "$guard_common/config" -nt "$guard_home/no-mirrors" ]; then
        guard_slurp "$guard_common/config" 2>/dev/null
        case $guard_text in
          *[mM][iI][rR][rR][oO][rR]*) guard_mirror=mirror ;;
          *) printf '' 2>/dev/null >"$guard_home/no-mirrors" || : ;;
        esac
      fi
      ;;
    *) guard_mirror=mirror ;; # another tool runs this hook, and its parents have to be looked at
  esac
fi
[ "$guard_count" -eq 8 ] || [ -n "$guard_hits$guard_mirror" ] || [ -e "${0%/*}/pre-push.guard-chained" ] || exit 0
