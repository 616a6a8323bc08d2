
# Something of this push has to be looked at, it is a long one, or another hook stands before this one.
guard_words=1
guard_expressions "$guard_protected"
guard_sift
guard_pick
if [ -n "$guard_chained" ]; then
  printf '%s' "$guard_all" 2>/dev/null | guard_run_chained "$@" || exit
fi
[ -n "$guard_hits" ] || exit 0
guard_python_works || exit 2
exec "$guard_python" -ISE "$guard_script" "$guard_hook" "$guard_home" "$@" <<GUARD_END_OF_LINES
$guard_hits
GUARD_END_OF_LINES
