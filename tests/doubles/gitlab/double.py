"""GitLab's double as tests use it: a server that runs, its state, its contract, and clients for it."""

from __future__ import annotations

from pathlib import Path

import gitlab

from guard.adapters.gitlab import connect
from tests.doubles.gitlab.api import Api
from tests.doubles.gitlab.state import State
from tests.doubles.server import Server


class GitLabDouble(Server):
    """Runs while the context lasts. `state` is arranged directly; the guard comes through HTTP, with `token`."""

    def __init__(self, bare: Path, *, project: str = "gpuaas/platform") -> None:
        self.state = State(bare, project=project)
        self.api = Api(self.state)
        self.token = self.state.token("guard")
        super().__init__(self.api.respond)

    def client(self, *, token: str | None = None, timeout: float = 5.0) -> gitlab.Gitlab:
        """The real client, as the service makes it."""
        return connect(self.url, self.token if token is None else token, timeout=timeout)
