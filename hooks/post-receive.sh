
# post-receive: a protected branch that moved, or the branch that names them, goes to the full guard for the record.
guard_load
guard_begin
guard_pick() { # the lines of guard_lines about a watched branch, in guard_hits
  guard_hits=
  for guard_each in $guard_lines; do
    guard_match "${guard_each#* * }" "$guard_watched" && guard_hits=$guard_hits$guard_each$guard_nl
  done
}
guard_pick
[ "$guard_count" -eq 8 ] || [ -n "$guard_hits" ] || [ -e "${0%/*}/post-receive.guard-chained" ] || exit 0
