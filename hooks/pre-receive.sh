
# pre-receive, the wall: lines about a protected ref or the guard's own refs go to Python. The hook that stood here
# before comes first, so that what the guard records was refused by nobody.
guard_load "$guard_home/protected"
guard_find_chained
guard_all=
guard_hits=
while IFS= read -r guard_line || [ -n "$guard_line" ]; do
  [ -z "$guard_chained" ] || guard_all=$guard_all$guard_line$guard_nl
  case $guard_line in
    *' '*' '*) guard_match "${guard_line#* * }" || continue ;;
  esac
  guard_hits=$guard_hits$guard_line$guard_nl
done
if [ -n "$guard_chained" ]; then
  printf '%s' "$guard_all" 2>/dev/null | guard_run_chained "$@" || exit
fi
[ -n "$guard_hits" ] || exit 0
guard_python_works || exit 2
printf '%s' "$guard_hits" 2>/dev/null | "$guard_python" -ISE "$guard_script" "$guard_hook" "$guard_home" "$@"
