"""The doubles of the forges that the service's stories run on."""

from __future__ import annotations

from tests.forge_side import BRANCH, CONTEXT, SECRET, Said, Side
from tests.github_side import GitHubSide
from tests.gitlab_side import GitLabSide

__all__ = ["BOTH", "BRANCH", "CONTEXT", "SECRET", "SIDES", "GitHubSide", "GitLabSide", "Said", "Side"]

SIDES: dict[str, type[GitLabSide] | type[GitHubSide]] = {"gitlab": GitLabSide, "github": GitHubSide}

BOTH = ("gitlab", "github")
