"""Release Guard: a protected release branch moves only by a promotion."""

__version__ = "0.1.0"
