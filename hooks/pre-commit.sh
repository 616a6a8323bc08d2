
# pre-commit, pre-merge-commit and prepare-commit-msg: only a commit on a protected branch starts Python.
guard_locate
guard_load "$guard_home/protected"
guard_find_chained
guard_head=
if [ -n "$guard_patterns" ]; then
  if [ -L "$guard_dir/HEAD" ]; then
    guard_head=ask
  elif [ -r "$guard_dir/HEAD" ]; then
    IFS= read -r guard_head <"$guard_dir/HEAD" || :
  fi
fi
case $guard_head in
  # A symbolic link and the reftable format keep HEAD elsewhere: git has to be asked.
  ask | 'ref: refs/heads/.invalid') guard_head=ask ;;
  'ref: '*) guard_match "${guard_head#ref: }" || guard_head= ;;
  *) guard_head= ;;
esac
if [ -n "$guard_head" ]; then
  guard_judge "$@" </dev/null
  if [ "$guard_hook" != prepare-commit-msg ] && [ -z "$guard_configured" ]; then
    # The stamp says that every check ran, and of which tree: the chained one may still change it.
    (guard_run_chained "$@") || exit
    exec "$guard_python" -ISE "$guard_script" stamp "$guard_home" </dev/null
  fi
fi
guard_run_chained "$@"
