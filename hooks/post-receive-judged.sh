
# A watched branch moved, the push is a long one, or another hook stands behind this one.
guard_words=1
guard_expressions "$guard_watched$guard_nl"
guard_sift
guard_pick
if [ -n "$guard_hits" ] && guard_python_works; then
  printf '%s' "$guard_hits" 2>/dev/null | "$guard_python" -I -m guard.cli.main hook post-receive --home "$guard_home"
fi
[ -z "$guard_chained" ] || printf '%s' "$guard_all" 2>/dev/null | guard_run_chained "$@"
