#!/bin/sh
# Moves release/platform-control, and nothing else moves it. It is run by "guard promote", which has decided that the
# move is a GO and gives it a permit for exactly this move:
#
#   GUARD_OLD, GUARD_NEW         where the branch stands, and where it is to stand
#   GUARD_BRANCH, GUARD_REMOTE   the branch, and the remote of this clone
#   GUARD_PERMIT                 the permit, a secret for as long as it lives: it is neither printed nor an argument here
#   GUARD_MOVED_BY               "service": only the guard may push to the branch, so "guard push" has it do that;
#                                otherwise this script pushes, and the server's hook verifies the permit
#
# Keep it at the path that guard.toml names, for example
#   [branches."release/platform-control"]
#   promote = "scripts/ci/platform_control_promote_release_branch.sh"
#
# It runs as it stands on upstream, in the top folder of the clone, with what follows "--" on guard promote's command
# line as its arguments:
#   --notify COMMAND   run COMMAND afterwards, with the branch and the new commit as its arguments
set -eu
set +x # tracing would print the permit

fail() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  exit "${2:-1}"
}

notify=
while [ $# -gt 0 ]; do
  case "$1" in
    --notify)
      [ $# -ge 2 ] || fail '--notify needs a command' 64
      notify=$2
      shift 2
      ;;
    *) fail "unknown argument: $1" 64 ;;
  esac
done

for name in GUARD_PERMIT GUARD_OLD GUARD_NEW GUARD_BRANCH GUARD_REMOTE; do
  eval "value=\${$name:-}"
  [ -n "$value" ] || fail "$name is not set; run: guard promote" 64
done
unset value

if [ "${GUARD_MOVED_BY:-script}" = service ]; then
  guard push
else
  # Exactly this commit to exactly this branch, and never by force: the permit says the same, and the server refuses
  # anything else. The permit travels as a push option that guard promote has configured in this environment.
  git push --no-follow-tags "$GUARD_REMOTE" "$GUARD_NEW:refs/heads/$GUARD_BRANCH"
fi

head=$(git ls-remote "$GUARD_REMOTE" "refs/heads/$GUARD_BRANCH" | cut -f1)
[ "$head" = "$GUARD_NEW" ] || fail "$GUARD_BRANCH stands at ${head:-nothing}, not at $GUARD_NEW"
printf '%s: %s -> %s\n' "$GUARD_BRANCH" "$GUARD_OLD" "$GUARD_NEW"

if [ -n "$notify" ]; then
  unset GUARD_PERMIT # it is spent, and nobody else's business
  "$notify" "$GUARD_BRANCH" "$GUARD_NEW" || printf '%s: %s failed; the branch has moved all the same\n' "${0##*/}" "$notify" >&2
fi
