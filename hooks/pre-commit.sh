
# pre-commit and pre-merge-commit: only a commit on a protected branch starts Python.
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
  guard_python_works || exit 2
  "$guard_python" -ISE "$guard_script" "$guard_hook" "$guard_home" "$@" </dev/null || exit
fi
guard_run_chained "$@"
