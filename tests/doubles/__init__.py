"""Doubles of the forges: real HTTP, real git, and state that tests arrange."""
