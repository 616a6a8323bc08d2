"""A PyGithub client that never waits for long: bounded retries, bounded waits, timeouts."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from github import Auth, Github, GithubRetry
from github.GithubException import RateLimitExceededExceedsMaxWait

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse
    from urllib3.connectionpool import ConnectionPool

PUBLIC_API = "https://api.github.com"
READS = frozenset({"GET", "HEAD"})


class BoundedRetry(GithubRetry):
    """PyGithub's retry, except that no header makes it sleep longer than `max_rate_limit_wait` seconds.

    PyGithub bounds the waits that it computes itself, and urllib3 obeys any `Retry-After` of up to six hours. A wait
    that is too long raises, so that the caller can come back later instead of sleeping.
    """

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        wait = self.get_retry_after(response) if response is not None else None
        longest = self.max_rate_limit_wait
        if response is not None and wait and longest is not None and wait > longest:
            raise RateLimitExceededExceedsMaxWait(
                response.status, {"message": "rate limit"}, dict(response.headers), wait=wait
            )
        return super().increment(method, url, response, error, _pool, _stacktrace)  # type: ignore[arg-type, return-value]


def github_client(
    auth: Auth.Auth,
    *,
    api: str = PUBLIC_API,
    timeout: int = 15,
    retries: int = 3,
    longest_wait: float = 20,
    between_requests: float | None = None,
) -> Github:
    """A client for one thread (PyGithub's bookkeeping is not thread-safe).

    `timeout` is in whole seconds, for connecting and for each read. Only reads are tried again, up to `retries`
    times: a write that got no answer may have been done, and doing it twice would leave two comments.
    `api` is `https://HOST/api/v3` for an Enterprise Server.
    """
    options: dict[str, Any] = {"backoff_factor": 0.2, "allowed_methods": READS, "raise_on_status": False}
    retry = BoundedRetry(total=retries, max_rate_limit_wait=longest_wait, **options)
    return Github(
        auth=auth,
        base_url=api.rstrip("/"),
        timeout=timeout,
        per_page=100,
        retry=retry,
        user_agent="release-guard",
        seconds_between_requests=between_requests,
        seconds_between_writes=pause_between_writes(api),
    )


def pause_between_writes(api: str) -> float | None:
    """Seconds. GitHub.com asks for one (https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api);
    an Enterprise Server limits no rates unless its operator wants it to, and then says so in its answers."""
    host = urlsplit(api).hostname or ""
    return 1 if host == "api.github.com" or host.endswith(".ghe.com") else None
