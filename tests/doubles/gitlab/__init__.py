"""GitLab's double: its API over HTTP, with state, on a real bare repository."""
