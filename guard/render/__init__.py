"""Decisions as people and programs read them: terminal text, markdown, JSON."""
