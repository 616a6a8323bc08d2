
# A protected branch, or what follows one on the remote, may be concerned; there are many refs; or another hook stands
# behind this one.
[ -n "$guard_kind" ] || guard_run_chained "$@"
guard_begin
if [ "$guard_count" -eq 8 ]; then
  guard_locate
  guard_load
  guard_words=1 # the protected branches and what follows them on the remote
  guard_expressions "$guard_tracked$guard_nl$guard_moves"
fi
guard_sift
if ! guard_concerned; then
  :
elif [ "$1" = prepared ]; then
  printf '%s' "$guard_lines" 2>/dev/null | guard_judge "$1" || exit
elif [ ! -x "$guard_python" ] && guard_match "$guard_ref" "$guard_upstreams"; then
  : # only the policy would be looked at; the doctor tells that Python is gone
elif guard_python_works; then
  guard_parent
  guard_behind=
  case $guard_argv in
    *fetch* | *pull*) ;;
    git*push*) [ "$guard_count" -ne 1 ] || ! guard_match "$guard_ref" "$guard_upstreams" || guard_behind=1 ;;
  esac
  if [ -n "$guard_behind" ]; then
    # A push of the default branch does not wait until the guard has looked whether the policy in it changed.
    (printf '%s' "$guard_lines" | guard_judge "$1") >/dev/null 2>&1 &
  else
    printf '%s' "$guard_lines" 2>/dev/null | guard_judge "$1"
  fi
fi
[ -n "$guard_chained" ] || exit 0
printf '%s' "$guard_all" 2>/dev/null | guard_run_chained "$@"
