
# reference-transaction: git < 2.51 runs this twice for every ref of a fetch, so an ordinary ref costs a few `case`.
# Other states than these two (preparing, aborted, what is yet to come) are nobody's business here.
guard_find_chained
case $1 in
  prepared) guard_kind=' refs/heads/' ;;
  committed) guard_kind=' refs/remotes/' ;;
  *) guard_run_chained "$@" ;;
esac
guard_sieve() { # the protected branches and what follows them on the remote
  guard_words=1
  guard_locate
  guard_load "$guard_home/tracked" ''
  guard_sifted=$guard_patterns${guard_patterns:+$guard_nl}
  guard_load "$guard_home/moves"
  guard_sifted=$guard_sifted${guard_patterns%"$guard_nl"*}
  guard_sifted=${guard_sifted:-^\$}
}
guard_take
guard_concerned() { # whether a line of this kind is about one of the refs in FILE, by default those KNOWN
  guard_loaded=
  for guard_each in $guard_lines; do
    case $guard_each in *"$guard_kind"*) ;; *) continue ;; esac
    if [ -z "$guard_loaded" ]; then
      guard_loaded=1
      guard_locate
      guard_load "$guard_home/$1" "$2"
      [ -n "$guard_patterns" ] || return 1
    fi
    guard_match "${guard_each#* * }" && return 0
  done
  return 1
}
if [ "$1" = prepared ]; then
  if guard_concerned moves "$guard_known"; then
    printf '%s' "$guard_lines" 2>/dev/null | guard_judge "$1" || exit
  fi
elif guard_concerned tracked '' && guard_python_works; then
  guard_parent
  guard_push=
  case $guard_argv in
    *fetch* | *pull*) ;;
    git*push*) guard_push=1 ;;
  esac
  guard_load "$guard_home/upstreams" ''
  if [ -n "$guard_push" ] && guard_match "${guard_each#* * }" && [ "$guard_count" -eq 1 ]; then
    # A push of the default branch does not wait until the guard has looked whether the policy in it changed.
    (printf '%s' "$guard_lines" | guard_judge "$1") >/dev/null 2>&1 &
  else
    printf '%s' "$guard_lines" 2>/dev/null | guard_judge "$1"
  fi
fi
[ -n "$guard_chained" ] || exit 0
printf '%s' "$guard_all" 2>/dev/null | guard_run_chained "$@"
