
# pre-commit, pre-merge-commit and prepare-commit-msg: only a commit on a protected branch starts Python.
guard_locate
guard_load
guard_head=
if [ -n "$guard_protected" ]; then
  if [ -L "$guard_dir/HEAD" ]; then
    guard_head=ask
  elif [ -r "$guard_dir/HEAD" ]; then
    IFS= read -r guard_head <"$guard_dir/HEAD" || :
  fi
fi
case $guard_head in
  # A symbolic link and the reftable format keep HEAD elsewhere: git has to be asked.
  ask | 'ref: refs/heads/.invalid') guard_head=ask ;;
  'ref: '*) guard_match "${guard_head#ref: }" "$guard_protected" || guard_head= ;;
  *) guard_head= ;;
esac
[ -n "$guard_head" ] || [ -e "${0%/*}/$guard_hook.guard-chained" ] || exit 0
