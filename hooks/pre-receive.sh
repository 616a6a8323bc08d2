
# pre-receive, the wall: lines about a protected ref or the guard's own refs go to Python. The hook that stood here
# before comes first, so that what the guard records was refused by nobody.
guard_load
guard_begin
guard_pick() { # the lines of guard_lines that Python has to see, in guard_hits
  guard_hits=
  for guard_each in $guard_lines; do
    case $guard_each in
      *' '*' '*) guard_match "${guard_each#* * }" "$guard_protected" || continue ;;
    esac
    guard_hits=$guard_hits$guard_each$guard_nl
  done
}
guard_pick
[ "$guard_count" -eq 8 ] || [ -n "$guard_hits" ] || [ -e "${0%/*}/pre-receive.guard-chained" ] || exit 0
