"""Gathering what git says about "master first": links to upstream, and what replaying them shows."""
