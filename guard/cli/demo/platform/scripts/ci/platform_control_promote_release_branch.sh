#!/bin/sh
# Moves release/platform-control. Run by `guard promote`, which sets GUARD_NEW and sees to it that the push
# carries the permit; run by hand it has no permit, and the server refuses it.
set -eu
: "${GUARD_NEW:?run this through: guard promote}"
git push "${GUARD_REMOTE:-origin}" "$GUARD_NEW:refs/heads/release/platform-control"
# The demo keeps the permit, to show that nobody can use it twice.
[ -z "${GUARD_DEMO_KEEP:-}" ] || printf '%s\n' "$GUARD_PERMIT" >"$GUARD_DEMO_KEEP"
