
# pre-push: only lines about a protected ref, or that make no sense, and what may be a mirror go to Python.
guard_find_chained
guard_locate
guard_load "$guard_home/protected"
[ -n "$guard_patterns" ] || guard_run_chained "$@"
guard_sieve() { # the patterns as expressions: what a star stands for at their beginning is left out
  guard_words=2 guard_sifted=
  for guard_each in ${guard_patterns%"$guard_nl"*}; do
    guard_sifted=${guard_sifted:+$guard_sifted$guard_nl}${guard_each#'refs/*'}
  done
}
guard_take
guard_hits=
for guard_each in $guard_lines; do
  # <local ref> <local oid> <remote ref> <remote oid>; the first may hold spaces (HEAD@{1 hour ago}).
  case $guard_each in
    *' '*' '*' '*)
      guard_ref=${guard_each% *}
      guard_match "${guard_ref##* }" || continue
      ;;
  esac
  guard_hits=$guard_hits$guard_each$guard_nl
done
guard_mirror= # git does not tell of the deletions that `push --mirror` makes, so the wish itself is looked for
guard_parent
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
if [ -n "$guard_hits$guard_mirror" ]; then
  printf '%s' "$guard_hits" 2>/dev/null | guard_judge "$1" "$2" $guard_mirror || exit
fi
[ -n "$guard_chained" ] || exit 0
printf '%s' "$guard_all" 2>/dev/null | guard_run_chained "$@"
