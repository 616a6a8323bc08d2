
# The commit is, or may be, one on a protected branch; or another hook stands behind this one.
if [ -n "$guard_head" ]; then
  guard_judge "$@" </dev/null
  if [ "$guard_hook" != prepare-commit-msg ] && [ -z "$guard_configured" ]; then
    # The stamp says that every check ran, and of which tree: the chained one may still change it.
    (guard_run_chained "$@") || exit
    exec "$guard_python" -ISE "$guard_script" stamp "$guard_home" </dev/null
  fi
fi
guard_run_chained "$@"
