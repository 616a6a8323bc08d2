"""`guard demo`: the main job on real git, from a refused push to a verified promotion, checked as it is shown."""
