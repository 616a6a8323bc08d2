
# Something of this push has to be looked at, it is a long one, or another hook stands behind this one.
[ -n "$guard_protected" ] || guard_hits= guard_mirror=
guard_words=2
guard_expressions "$guard_protected"
guard_sift
[ -z "$guard_protected" ] || guard_pick
if [ -n "$guard_hits$guard_mirror" ]; then
  printf '%s' "$guard_hits" 2>/dev/null | guard_judge "$1" "$2" $guard_mirror || exit
fi
[ -n "$guard_chained" ] || exit 0
printf '%s' "$guard_all" 2>/dev/null | guard_run_chained "$@"
