"""The door to GitHub's REST API: ask through PyGithub, and get JSON of the wanted shape or a GitHubError.

Only PyGithub's requester is used (credentials, retries, rate limits), not its objects: those fetch a missing field
with a request that nobody sees, and take an answer such as `{}` for an empty list, which would read "no incident".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import requests
import urllib3
from github import Github, GithubException
from github.GithubException import RateLimitExceededException
from pydantic import TypeAdapter, ValidationError

from guard.core.errors import ForgeError

T = TypeVar("T")

MOST_PAGES = 500
"""Pages of one list, of 100 items each; a longer list is taken for a forge that runs in a circle."""
NEXT = re.compile(r'<([^<>]+)>\s*;[^,]*\brel="?next"?')
BROKEN = (
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    OSError,
    ValueError,
    RuntimeError,
    TypeError,
    AttributeError,
)
"""How a call fails besides GitHub's own refusals: no connection, cut-off or broken JSON (a ValueError), redirections
that PyGithub does not follow (a RuntimeError), JSON of a shape that it stumbles over (the last two)."""


class GitHubError(ForgeError):
    """GitHub refused, or could not be asked. `status` is the HTTP status (0 where there was no answer), `said` is
    GitHub's own message."""

    code = "forge.github"

    def __init__(self, message: str, *, status: int = 0, said: str = "", fix: str = "") -> None:
        super().__init__(message, fix=fix)
        self.status = status
        self.said = said


class Api:
    """GitHub's API through one client, which belongs to one thread. Paths start with a slash."""

    def __init__(self, client: Github) -> None:
        self._requester = client.requester

    def get(self, path: str, wanted: type[T], **query: str) -> T:
        """One object, read as `wanted`."""
        return _read(path, wanted, self._call("GET", path, query=query)[1])

    def pages(self, path: str, wanted: type[T], **query: str) -> Iterator[T]:
        """Every item of a list, page by page; raises GitHubError rather than stop early."""
        where, seen = path, set[str]()
        query |= {"per_page": "100"}
        while where not in seen and len(seen) < MOST_PAGES:
            seen.add(where)
            headers, data = self._call("GET", where, query=query)
            if not isinstance(data, list):
                raise GitHubError(f"GitHub answered GET {path} with something that is no list")
            yield from (_read(path, wanted, item) for item in data)
            found = NEXT.search(str(headers.get("link", "")))
            if not found:
                return
            where, query = self._same_host(found[1]), {}
        raise GitHubError(f"GitHub's list at {path} does not end")

    def listed(self, path: str, key: str, wanted: type[T], **query: str) -> tuple[T, ...]:
        """Every item of a list that comes under a key beside its `total_count`; raises GitHubError unless they are
        as many as it says."""
        where, seen = path, set[str]()
        items: list[T] = []
        query |= {"per_page": "100"}
        while where not in seen and len(seen) < MOST_PAGES:
            seen.add(where)
            headers, data = self._call("GET", where, query=query)
            table = data if isinstance(data, dict) else {}
            if not isinstance(table.get(key), list):
                raise GitHubError(f"GitHub answered GET {path} without a list of {key}")
            items += [_read(path, wanted, item) for item in table[key]]
            found = NEXT.search(str(headers.get("link", "")))
            if not found:
                if table.get("total_count") != len(items):
                    raise GitHubError(
                        f"GitHub's list at {path} is not whole: {len(items)} items of its count"
                    )
                return tuple(items)
            where, query = self._same_host(found[1]), {}
        raise GitHubError(f"GitHub's list at {path} does not end")

    def send(self, verb: str, path: str, wanted: type[T], body: Mapping[str, object]) -> T:
        """Write; GitHub's answer read as `wanted`. Never sent twice."""
        return _read(path, wanted, self._call(verb, path, body=body)[1])

    def graphql(self, query: str, wanted: type[T], **variables: str) -> T:
        """The `data` of a GraphQL query, read as `wanted`."""
        with _Asking("POST", "/graphql"):
            data = self._requester.graphql_query(query, dict(variables))[1].get("data")
        return _read("/graphql", wanted, data)

    @property
    def app_id(self) -> int | None:
        """The app that the client speaks for, where it signs in as one."""
        found = getattr(self._requester.auth, "app_id", None)
        return (
            int(found) if isinstance(found, int) or (isinstance(found, str) and found.isdecimal()) else None
        )

    def _call(
        self,
        verb: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
    ) -> tuple[dict[str, Any], Any]:
        with _Asking(verb, path):
            return self._requester.requestJsonAndCheck(
                verb, path, parameters=dict(query or {}), input=dict(body) if body is not None else None
            )

    def _same_host(self, url: str) -> str:
        """The next page's address, which must be on the host that the token is for."""
        parts, here = urlsplit(url), self._requester
        if (parts.scheme, parts.netloc) != (here.scheme, here.hostname_and_port):
            raise GitHubError("GitHub named a next page on another host")
        return url


class _Asking:
    """Turns every way in which a call fails into a GitHubError."""

    def __init__(self, verb: str, path: str) -> None:
        self.what = f"{verb} {urlsplit(path).path}"

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, RateLimitExceededException) or _is_limit(error):
            raise GitHubError(
                f"GitHub's rate limit is used up ({self.what})",
                status=getattr(error, "status", 0),
                fix="wait; it is tried again later",
            ) from error
        if isinstance(error, GithubException):
            said = _said(error.data)
            raise GitHubError(
                f"GitHub answered {self.what} with HTTP {error.status}{': ' + said if said else ''}",
                status=int(error.status),
                said=said,
                fix="check the guard's token on GitHub" if error.status == 401 else "",
            ) from error
        if isinstance(error, BROKEN):
            raise GitHubError(f"GitHub could not be asked ({self.what}): {type(error).__name__}") from error


def _is_limit(error: BaseException | None) -> bool:
    return isinstance(error, GithubException) and error.status == 429


def _said(data: object) -> str:
    """GitHub's message, on one line of bounded length."""
    message = data.get("message") if isinstance(data, dict) else None
    return " ".join(message.split())[:200] if isinstance(message, str) else ""


def _read(path: str, wanted: type[T], data: object) -> T:
    try:
        return TypeAdapter(wanted).validate_python(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "the answer"
        raise GitHubError(
            f"GitHub's answer at {urlsplit(path).path} is not usable: {where}: {first['msg']}"
        ) from error


def segment(text: str) -> str:
    """Text as one part of a path: everything encoded, slashes too. Raises GitHubError for the parts that would lead
    elsewhere, which HTTP clients resolve before they ask."""
    if text in {"", ".", ".."}:
        raise GitHubError(f"GitHub cannot be asked for {text!r}", status=404)
    return quote(text, safe="")
