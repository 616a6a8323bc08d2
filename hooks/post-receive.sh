
# post-receive: a protected branch that moved, or the branch that names them, goes to the full guard for the record.
guard_load "$guard_home/watched"
guard_find_chained
guard_all=
guard_hits=
while IFS= read -r guard_line || [ -n "$guard_line" ]; do
  [ -z "$guard_chained" ] || guard_all=$guard_all$guard_line$guard_nl
  guard_match "${guard_line#* * }" && guard_hits=$guard_hits$guard_line$guard_nl
done
if [ -n "$guard_hits" ] && guard_python_works; then
  printf '%s' "$guard_hits" 2>/dev/null | "$guard_python" -I -m guard.cli.main hook post-receive --home "$guard_home"
fi
[ -z "$guard_chained" ] || printf '%s' "$guard_all" 2>/dev/null | guard_run_chained "$@"
