"""The git hooks: a POSIX sh front that costs nothing, and standard-library Python behind it for protected refs."""
