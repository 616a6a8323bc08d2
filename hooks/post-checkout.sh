
# post-checkout, for a hook of all repositories: a new clone whose work tree has a policy gets its branches' compiled.
guard_locate
if [ -f guard.toml ] && [ ! -e "$guard_home" ] && guard_python_works; then
  "$guard_python" -I -m guard.cli.main hook refresh --new </dev/null
fi
guard_run_chained "$@"
