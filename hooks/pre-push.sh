
# pre-push: every line is looked at; only lines about a protected ref, or that make no sense, go to Python.
guard_locate
guard_load "$guard_home/protected"
guard_find_chained
[ -n "$guard_patterns" ] || guard_run_chained "$@"
guard_all=
guard_hits=
while IFS= read -r guard_line || [ -n "$guard_line" ]; do
  [ -z "$guard_chained" ] || guard_all=$guard_all$guard_line$guard_nl
  # <local ref> <local oid> <remote ref> <remote oid>; the first may hold spaces (HEAD@{1 hour ago}).
  case $guard_line in
    *' '*' '*' '*)
      guard_ref=${guard_line% *}
      guard_match "${guard_ref##* }" || continue
      ;;
  esac
  guard_hits=$guard_hits$guard_line$guard_nl
done
if [ -n "$guard_hits" ]; then
  guard_python_works || exit 2
  printf '%s' "$guard_hits" 2>/dev/null | "$guard_python" -ISE "$guard_script" "$guard_hook" "$guard_home" "$@" || exit
fi
[ -n "$guard_chained" ] || exit 0
printf '%s' "$guard_all" 2>/dev/null | guard_run_chained "$@"
